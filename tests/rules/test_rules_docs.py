"""The reference of rules is tried: each example is loaded over the shipped packs, and its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detectors.observation import Kind
from rules.bands import BANDS
from rules.loader import Ruleset, load
from rules.vocabulary import FUNCTIONS, VARIABLES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"
EXAMPLE = re.compile(r"```yaml\n# rules/([\w/-]+\.yaml)\n(.*?)```", re.DOTALL)


def words() -> str:
    """The table of words, as the page must show it."""
    rows = list(FUNCTIONS)
    rows += [(variable.name, variable.type, variable.meaning) for variable in VARIABLES]
    return "| word | type | meaning |\n|---|---|---|\n" + "\n".join(
        f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in rows
    )


def local(directory: Path, *wanted: int) -> Ruleset:
    for at, (name, text) in enumerate(EXAMPLE.findall(PAGE.read_text("utf-8"))):
        if at in wanted:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return load(local_dir=directory)


def test_the_page_has_examples() -> None:
    names = [name for name, _ in EXAMPLE.findall(PAGE.read_text("utf-8"))]
    assert names == ["weights/email.yaml", "lead-form.yaml", "lead-form.yaml", "weights/combined.yaml"]


def test_the_example_of_weights(tmp_path: Path) -> None:
    rules = local(tmp_path, 0)
    assert (rules.weights["email.role"].millis, rules.weights["email.disposable"].millis) == (700, 1200)
    assert rules.weights["email.role"].source == "local/weights/email.yaml:3"


def test_the_example_of_thresholds(tmp_path: Path) -> None:
    rules = local(tmp_path, 1)
    assert rules.policy(Kind.SUBMISSION).review_below == 55
    assert rules.packs["lead-form"].caps["velocity"] == BANDS["medium"]


def test_the_example_of_composites(tmp_path: Path) -> None:
    rules = local(tmp_path, 2, 3)
    names = [composite.name for composite in rules.packs["lead-form"].composites]
    assert names[-3:] == ["trade-fair-tablets", "quote-from-relay-without-token", "hurried-data-centre"]
    assert "post-without-page" not in names
    assert "combined.competitor_visit" in rules.weights


@pytest.mark.parametrize(("band", "millis"), BANDS.items())
def test_the_table_of_bands(band: str, millis: int) -> None:
    row = next(line for line in PAGE.read_text("utf-8").splitlines() if f"`{band}`" in line and line.startswith("|"))
    assert f"{abs(millis) / 1000:g}" in row


def test_the_table_of_words_is_the_codes() -> None:
    page = PAGE.read_text("utf-8")
    assert page.split("<!-- words -->\n")[1].split("\n<!-- /words -->")[0] == words()


def test_thresholds_in_the_text_are_the_packs() -> None:
    page, packs = PAGE.read_text("utf-8"), load().packs
    assert f"| page views | {packs['landing-page'].review_below} |" in page
    assert f"| forms | {packs['lead-form'].review_below} |" in page

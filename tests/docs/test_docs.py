"""What the documents say is so: generated pages are current, links lead somewhere, settings load, commands exist."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.config import parse
from gateway.delivery.headers import lead_headers
from gateway.log import EVENTS
from gateway.metrics import METRICS
from gateway.model import LeadState
from gateway.stores.records import PERSONAL_GROUPS
from rules import loader
from rules.verdict import Decision, Ivt, Verdict

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "tests" / "corpus" / "README.md", *DOCS.rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SITE = {"name": "acme", "origin": "http://127.0.0.1:9000", "landing_pages": [{"path": "/offer*"}]}


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def generated() -> dict[str, str]:
    pages: dict[str, str] = generator().pages()
    return pages


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def fences(language: str) -> Iterator[tuple[str, str]]:
    """(page, text without its indentation) of every block in a language."""
    for page in PAGES:
        for indent, found, text in FENCE.findall(page.read_text("utf-8")):
            if found == language:
                yield named(page), "\n".join(line.removeprefix(indent) for line in text.splitlines()) + "\n"


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", text)


# generated pages


@pytest.mark.parametrize("name", sorted(generated()))
def test_generated_pages_are_current(name: str) -> None:
    assert (DOCS / "reference" / name).read_text("utf-8") == generated()[name], "write it anew: make docs"


def test_every_signal_metric_and_event_is_there() -> None:
    """Holds the generator itself: a page that is current and empty would help nobody."""
    pages = generated()
    for signal, weight in loader.load().weights.items():
        row = next(line for line in pages["signals.md"].splitlines() if line.startswith(f"| `{signal}` |"))
        assert weight.text.replace("|", "\\|") in row
        assert row.count(" | ") == 5
        assert re.search(r"`\w+\.py`|composite ", row), f"nothing emits {signal}"
    assert all(f"`{name}" in pages["metrics.md"] for name in METRICS)
    assert all(f"| `{name}` |" in pages["logs.md"] for name in EVENTS)


def test_every_command_and_option_is_there() -> None:
    page = generated()["commands.md"]
    for name, command in leaves():
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            if getattr(parameter, "hidden", False):  # what the gateway says to itself
                continue
            assert all(f"{spelling}" in section for spelling in parameter.opts if spelling.startswith("--")), (
                parameter.opts
            )


def test_every_log_line_of_the_program_is_documented() -> None:
    """And every documented one exists."""
    written = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        text = path.read_text("utf-8")
        written |= set(re.findall(r"\blog\.(?:debug|info|warning|error)\(\s*\"([^\"]+)\"", text))
        written |= set(re.findall(r"\b(?:seldom|_on_event)\(\s*\"([^\"]+)\"", text))
    assert written - {name for name in written if "%" in name} == set(EVENTS)


# links and paths


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", prose(path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", head).lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text("utf-8"))):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(found), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_named_exist(page: Path) -> None:
    text = re.sub(r"\b\w+://\S+", "", prose(page.read_text("utf-8")))
    for name in re.findall(r"`((?:gateway|detectors|rules|geoip|tests|docs|bench|examples|\.ci)/[\w./-]*\w/?)`", text):
        assert list(ROOT.glob(name.rstrip("/"))) or (ROOT / name).exists(), f"{name} is named and does not exist"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_nothing_of_a_machine_or_a_registry(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"(?<![\w.~*/:-])/(?:work|root|home|Users|tmp)/", text)
    registries = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "npm" + "js.",
        "docker" + ".io",
        "gh" + "cr.io",
        "crates" + ".io",
    )
    assert not [host for host in registries if host in text]


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(page.read_text("utf-8")))
        todo += [(page.parent / target).resolve() for target in targets if "://" not in target]
    assert [named(page) for page in DOCS.rglob("*.md") if page not in seen] == []


# examples


@pytest.mark.parametrize(
    ("page", "text"), [pytest.param(*found, id=f"{found[0]}-{n}") for n, found in enumerate(fences("yaml"))]
)
def test_settings_in_documents_load(page: str, text: str, tmp_path: Path) -> None:
    data = YAML(typ="safe").load(text)
    if not text.startswith("# leadgate.yaml"):
        assert text.startswith(("# rules/", "# tests/corpus/")) or page == "docs/reference/rules.md", (
            "begin a settings example with # leadgate.yaml"
        )
        return
    (tmp_path / "rules").mkdir()
    for name in re.findall(r"[\w-]+\.mmdb", text):  # that it is there is all that reading the settings asks
        (tmp_path / name).touch()
    if "sites" not in data:
        text += YAML_SITE
    assert parse(text, base=tmp_path).sites


YAML_SITE = f"\nsites: {json.dumps([SITE])}\n"


def test_json_in_documents_is_json() -> None:
    for page, text in fences("json"):
        assert json.loads(text) is not None, page


def leaves(name: str = "leadgate", command: Any = None) -> list[tuple[str, Any]]:
    command = typer.main.get_command(app) if command is None else command
    below = getattr(command, "commands", None)
    if below is None:
        return [(name, command)]
    return [found for child, inner in below.items() for found in leaves(f"{name} {child}", inner)]


def command_lines() -> list[tuple[str, str]]:
    """Every `leadgate …` in blocks of shell, and in the text where it is a whole command."""
    found = []
    for language in ("sh", "bash", "console", "ini"):
        for page, text in fences(language):
            found += [
                (page, line[line.index("leadgate ") :])
                for line in text.splitlines()
                if re.search(r"(?:^|[ /])leadgate ", line)
            ]
    for page in PAGES:
        found += [
            (named(page), line)
            for line in re.findall(r"`(?:\.venv/bin/)?(leadgate [^`|…]+)`", prose(page.read_text("utf-8")))
        ]
    return found


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_in_documents_exist(page: str, line: str) -> None:
    words = shlex.split(line.partition(" #")[0].partition(" > ")[0])
    known = dict(leaves())
    name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in known), None)
    assert name is not None or any(place.startswith(" ".join(words)) for place in known), (
        f"{page}: no such command: {line}"
    )
    if name is None:
        return
    spellings = {
        spelling for parameter in known[name].params for spelling in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words[len(name.split()) :]:
        option = word.partition("=")[0]
        assert not option.startswith("--") or option in spellings or option == "--help", (
            f"{page}: {name} has no {option}"
        )


def test_there_are_commands_to_look_at() -> None:
    assert len(command_lines()) > 20


@pytest.mark.parametrize("name", [name for name, _ in leaves()])
def test_help_answers(name: str) -> None:
    result = CliRunner().invoke(app, [*name.split()[1:], "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


# the first screen


def test_the_readme_says_how_to_begin() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    guide = (ROOT / "examples" / "run.py").read_text("utf-8")
    assert re.search(r"^make run$", text, re.MULTILINE)
    assert re.search(r"^make test$", text, re.MULTILINE)
    for wanted in re.findall(r"http://127\.0\.0\.1:\d+/(?:offer|inbox)", guide):
        assert wanted in text
    curl = re.search(r"curl -d .*/lead$", guide, re.MULTILINE)
    assert curl is not None
    assert curl[0] in text
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_explanation_in_the_readme_is_what_the_rules_say() -> None:
    """Text, weight and place of each reason; the rest of it comes from a real run."""
    rules = loader.load()
    lines = re.findall(
        r"^ +(The .+) \[(\S+), ([\d.]+)\] \((\S+); weight from (\S+)\)$",
        (ROOT / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(lines) == 3
    strongest = rules.weights[lines[0][3]]
    assert f"; category: {strongest.category}\n" in (ROOT / "README.md").read_text("utf-8")
    for text, _, number, signal, source in lines:
        weight = rules.weights[signal]
        assert re.fullmatch(re.escape(weight.text).replace(re.escape("{0}"), ".+"), text)
        assert (f"{weight.millis / 1000:g}", weight.source) == (number, source)


# hand-written reference


def test_headers_are_those_of_the_code() -> None:
    verdict = Verdict(Decision.ACCEPT, 95, 100, Ivt.VALID, None, 0, "", (), (), (), (), "")
    sent = {name.decode() for name, _ in lead_headers("id", verdict)}
    listed = set(
        re.findall(r"^\| `(X-Lead-\w+)` \|", (DOCS / "reference" / "headers.md").read_text("utf-8"), re.MULTILINE)
    )
    assert listed == sent | {"X-Lead-Passport"}


def test_states_and_groups_are_those_of_the_code() -> None:
    held = (DOCS / "operators" / "held-leads.md").read_text("utf-8")
    assert all(f"`{state}`" in held for state in LeadState)
    records = (DOCS / "reference" / "records.md").read_text("utf-8")
    assert re.findall(r"^\| `(network|browser|person)` \|", records, re.MULTILINE) == list(PERSONAL_GROUPS)


def test_thresholds_in_the_text_are_the_packs() -> None:
    packs = loader.load().packs
    text = (DOCS / "operators" / "modes.md").read_text("utf-8")
    assert f"({packs['landing-page'].review_below} for pages, {packs['lead-form'].review_below} for forms" in text


def test_each_threat_names_its_test() -> None:
    text = (DOCS / "threat-model.md").read_text("utf-8")
    rows = [
        line.split(" | ") for line in text.splitlines() if line.startswith("| ") and not line.startswith("| threat ")
    ]
    assert len(rows) > 40
    for row in rows:
        assert len(row) == 4, row
        assert "`tests/" in row[2] or row[2].startswith("no test"), row[0]

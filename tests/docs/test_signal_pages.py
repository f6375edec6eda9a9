"""Each signal is explained whole, and the corpus has a visitor who shows it and one who must not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rules import loader

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import signal_pages  # noqa: E402 - stands beside the pages it writes

WEIGHTS = loader.load().weights


@pytest.mark.parametrize("signal", sorted(WEIGHTS))
def test_a_signal_is_explained(signal: str) -> None:
    weight = WEIGHTS[signal]
    for key in ("why", "evidence", "innocent"):
        said = getattr(weight, key)
        assert len(said) > 4, f"{signal}: say `{key}:` in rules/packs/weights/{weight.group}.yaml"
        assert said.endswith("."), f"{signal}: `{key}:` is not a sentence"
    assert weight.holes <= 3


@pytest.mark.parametrize("signal", sorted(WEIGHTS))
def test_the_corpus_has_both_sides_of_a_signal(signal: str) -> None:
    fires, silent = signal_pages.corpus()[signal]
    assert fires, f"no case of tests/corpus names {signal} under `signals:`"
    assert set(silent) - set(fires), f"no case of tests/corpus names {signal} under `absent:`"


def test_a_page_says_all_of_a_signal() -> None:
    page = signal_pages.pages(loader.load(), "note", lambda head, rows: "")["signals/email.md"]
    section = page.split("## email.disposable\n")[1].split("\n## ")[0]
    weight = WEIGHTS["email.disposable"]
    assert all(
        said in section
        for said in (weight.text, weight.why, weight.evidence, weight.innocent, "`email.py`", "high (2.5)")
    )
    assert "`disposable-signup`" in section

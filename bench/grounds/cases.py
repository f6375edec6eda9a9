"""The corpus: visitors written with the detectors, one for each finding, and the people who look like them. A regression, not a measurement."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.grounds.judge import Judge
from bench.table import Row, row
from detectors.observation import Kind

CORPUS = Path(__file__).parent.parent.parent / "tests" / "corpus"


def rows(judge: Judge) -> list[Row]:
    spec = importlib.util.spec_from_file_location("corpus_cases", CORPUS / "test_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    corpus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(corpus)
    scores: dict[tuple[Kind, bool], list[float]] = {(kind, bad): [] for kind in Kind for bad in (True, False)}
    for folder in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        if not (folder / "input.yaml").is_file() or not (folder / "expected.yaml").is_file():
            continue
        case, expected = _read(folder / "input.yaml"), _read(folder / "expected.yaml")
        decision = expected.get("decision")
        obs = corpus.observation(case)
        if decision in ("review", "reject", "accept"):
            scores[obs.kind, decision != "accept"].append(_score(corpus, case))
        if (folder / "innocent.yaml").is_file():
            person = _read(folder / "innocent.yaml")
            scores[corpus.observation(person).kind, False].append(_score(corpus, person))
    found = []
    for kind in Kind:
        bad, good = scores[kind, True], scores[kind, False]
        note = "written with the detectors"
        found.append(row(f"corpus, {kind}s", "verdict", bad, good, service=float(judge.held_from(kind)), note=note))
    return found


def _read(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(path))


def _score(corpus: Any, case: dict[str, Any]) -> float:
    """Millis above the prior; 0 for who is let in at once."""
    _, verdict = corpus.judge(corpus.observation(case), case.get("settings", {}), case.get("site_settings", {}))
    return 0.0 if verdict.decided_by.startswith("allowed ") else float(verdict.score + 3000)

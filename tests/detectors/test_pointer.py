"""Findings about a pointer: each alone, at its edge."""

from __future__ import annotations

import msgspec
import pytest

from detectors.behaviour import Pointer
from detectors.observation import (
    Kind,
    Observation,
    Page,
    Request,
    Unavailable,
)
from detectors.pointer import detect
from detectors.reference import Reference

REF = Reference.builtin()
GONE = Unavailable("not in this test")
HAND = Pointer(
    moves=60,
    span_ms=1500,
    interval_spread=220,
    step_spread=430,
    still=0,
    repeated=40,
    reversals=5,
    turn_mrad=110,
    hold_ms=70,
)


def found(pointer: Pointer | Unavailable | None) -> dict[str, tuple[str, ...]]:
    obs = Observation(
        Kind.SUBMISSION, "acme", 0, Page("a", "/"), GONE, Request("POST", "/", ()), GONE, GONE, pointer=pointer
    )
    return {signal.id: signal.evidence for signal in detect(obs, REF)}


def changed(**values: int) -> Pointer:
    return msgspec.structs.replace(HAND, **values)


@pytest.mark.parametrize(
    ("values", "signal", "evidence"),
    [
        ({"interval_spread": 59}, "pointer.even_timing", ("5.9 %", "60")),
        ({"step_spread": 249}, "pointer.even_steps", ("24.9 %", "60")),
        ({"still": 41}, "pointer.still", ("4.1 %", "60")),
        ({"reversals": 61}, "pointer.jitter", ("6.1 %", "60")),
        ({"turn_mrad": 701}, "pointer.jitter", ("0.5 %", "60")),
        ({"hold_ms": 0}, "pointer.no_hold", ("0",)),
    ],
)
def test_each_finding_by_itself(values: dict[str, int], signal: str, evidence: tuple[str, ...]) -> None:
    assert found(changed(**values)) == {signal: evidence}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"interval_spread": 60, "step_spread": 250, "still": 40, "reversals": 60, "turn_mrad": 700, "hold_ms": 5},
        {"hold_ms": -1},
        {"moves": 19, "interval_spread": 0, "step_spread": 0, "still": 1000, "reversals": 1000},
    ],
)
def test_a_hand_a_limit_and_few_moves_say_nothing(values: dict[str, int]) -> None:
    assert found(changed(**values)) == {}


def test_who_moves_no_pointer_is_not_looked_at() -> None:
    assert found(None) == {}
    assert found(Unavailable("the script did not run")) == {}

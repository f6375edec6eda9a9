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
    movements=5,
    arrivals=4,
    arrival_speed=80,
    arrival_spread=900,
    oblique=3,
    straight=1,
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
        ({"interval_spread": 24, "moves": 80}, "pointer.even_timing", ("2.4 %", "80")),
        ({"step_spread": 179}, "pointer.even_steps", ("17.9 %", "60")),
        ({"still": 41}, "pointer.still", ("4.1 %", "60")),
        ({"reversals": 31}, "pointer.jitter", ("3.1 %", "60")),
        ({"turn_mrad": 601}, "pointer.jitter", ("0.5 %", "60")),
        ({"hold_ms": 0}, "pointer.no_hold", ("0",)),
        ({"straight": 3}, "pointer.straight", ("3",)),
        ({"arrival_speed": 601}, "pointer.full_stop", ("60.1 %", "4")),
        ({"arrival_speed": 481, "arrival_spread": 399}, "pointer.full_stop", ("48.1 %", "4")),
    ],
)
def test_each_finding_by_itself(values: dict[str, int], signal: str, evidence: tuple[str, ...]) -> None:
    assert found(changed(**values)) == {signal: evidence}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"moves": 80, "interval_spread": 25, "step_spread": 180, "still": 40, "reversals": 30, "turn_mrad": 600},
        {"hold_ms": 5},
        {"interval_spread": 0, "moves": 79},
        {"step_spread": -1},
        {"hold_ms": -1},
        {"hold_ms": 0, "movements": 0},
        {"moves": 19, "interval_spread": 0, "step_spread": 0, "still": 1000, "reversals": 1000, "straight": 3},
        {"arrival_speed": 600},
        {"arrival_speed": 480, "arrival_spread": 200},
        {"arrival_speed": -1, "arrival_spread": -1},
        {"oblique": 1, "straight": 1},
        {"oblique": 3, "straight": 2},
    ],
)
def test_a_hand_a_limit_and_few_moves_say_nothing(values: dict[str, int]) -> None:
    assert found(changed(**values)) == {}


def test_who_moves_no_pointer_is_not_looked_at() -> None:
    assert found(None) == {}
    assert found(Unavailable("the script did not run")) == {}

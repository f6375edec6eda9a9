"""What is kept of a pointer's path: a few numbers, whatever the path holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.pointer import Event, pointer_of


def test_a_clockwork_line() -> None:
    events: list[Event] = [(16.0 * n, "move", 5.0 * n, 0.0) for n in range(30)]
    found = pointer_of(events)
    assert (found.moves, found.span_ms, found.interval_spread, found.step_spread) == (30, 464, 0, 0)
    assert (found.repeated, found.still, found.reversals, found.turn_mrad, found.hold_ms) == (1000, 0, 0, 0, -1)


def test_a_zigzag_turns_back() -> None:
    events: list[Event] = [(16.0 * n, "move", float(n % 2), 0.0) for n in range(11)]
    found = pointer_of(events)
    assert found.reversals == 1000
    assert found.turn_mrad == round(1000 * math.pi)


def test_places_said_twice_are_still() -> None:
    events: list[Event] = [(10.0 * n, "move", float(n // 2), 0.0) for n in range(21)]
    assert pointer_of(events).still == 500


@pytest.mark.parametrize(
    ("events", "hold"),
    [
        ([(0, "down", 1, 1), (70, "up", 1, 1), (100, "down", 1, 1), (103, "up", 1, 1)], 3),
        ([(0, "up", 1, 1)], -1),
        ([(0, "down", 1, 1)], -1),
        ([], -1),
    ],
)
def test_the_shortest_hold(events: list[Event], hold: int) -> None:
    assert pointer_of(events).hold_ms == hold


NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.lists(st.tuples(NUMBERS, st.sampled_from(["move", "down", "up"]), NUMBERS, NUMBERS), max_size=60))
def test_any_path_gives_bounded_whole_numbers(events: list[Event]) -> None:
    found = pointer_of(sorted(events))
    for share in (found.still, found.repeated, found.reversals):
        assert 0 <= share <= 1000
    assert 0 <= found.turn_mrad <= 3142
    assert 0 <= found.interval_spread <= 100_000
    assert 0 <= found.step_spread <= 100_000

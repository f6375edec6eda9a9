"""What is kept of a pointer's path: a few numbers, whatever the path holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.pointer import Event, pointer_of


def test_a_clockwork_line() -> None:
    events: list[Event] = [(16.0 * n, "move", 5.0 * n, 2.0 * n) for n in range(30)]
    found = pointer_of(events)
    assert (found.moves, found.span_ms, found.interval_spread, found.step_spread) == (30, 464, 0, 0)
    assert (found.repeated, found.still, found.reversals, found.turn_mrad, found.hold_ms) == (1000, 0, 0, 0, -1)


def test_noise_turns_back_at_once_and_a_trembling_hand_does_not() -> None:
    noise: list[Event] = [(16.0 * n, "move", 6.0 * (n % 2), 0.0) for n in range(30)]
    found = pointer_of(noise)
    assert found.reversals == 1000
    assert found.turn_mrad == round(1000 * math.pi)
    there_and_back = [0.0, 4.0, 8.0, 4.0]  # four reports to a swing: 15 Hz
    hand: list[Event] = [(16.0 * n, "move", there_and_back[n % 4], 0.0) for n in range(60)]
    assert pointer_of(hand).reversals == 0


def test_turns_are_not_told_of_small_steps_late_reports_or_few() -> None:
    small: list[Event] = [(16.0 * n, "move", 2.0 * (n % 2), 0.0) for n in range(30)]
    late: list[Event] = [(50.0 * n, "move", 6.0 * (n % 2), 0.0) for n in range(30)]
    few: list[Event] = [(16.0 * n, "move", 6.0 * (n % 2), 0.0) for n in range(15)]
    assert [(found.reversals, found.turn_mrad) for found in map(pointer_of, (small, late, few))] == [(0, 0)] * 3


def test_places_said_twice_on_the_way_are_still() -> None:
    events: list[Event] = [(10.0 * n, "move", float(n // 2), 0.0) for n in range(20)]
    assert pointer_of(events).still == round(1000 * 8 / 19)


def test_a_resting_pointer_is_not_still() -> None:
    moving: list[Event] = [(16.0 * n, "move", 7.0 * n, 0.0) for n in range(10)]
    resting: list[Event] = [(144.0 + 16.0 * n, "move", 63.0, 0.0) for n in range(1, 20)]
    on: list[Event] = [(600.0 + 16.0 * n, "move", 63.0 + 7.0 * n, 0.0) for n in range(1, 10)]
    assert pointer_of(moving + resting).still == 0
    assert pointer_of(moving + resting + on).still == 0


def test_taps_on_a_screen_are_no_moves() -> None:
    events: list[Event] = []
    for n in range(30):
        x, y = 40.0 * (n % 5), 90.0 * (n % 7)
        events += [(300.0 * n, "move", x, y), (300.0 * n, "down", x, y), (300.0 * n, "up", x, y)]
    found = pointer_of(events)
    assert (found.moves, found.movements, found.hold_ms) == (0, 0, 0)


def test_keys_that_steer_the_pointer_have_no_spread_of_steps() -> None:
    events: list[Event] = [(16.0 * n, "move", 8.0 * n, 8.0 * min(n, 20)) for n in range(40)]
    assert pointer_of(events).step_spread == -1


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
    assert -1 <= found.arrival_speed <= 1000
    assert 0 <= found.straight <= found.oblique <= found.movements
    assert 0 <= found.arrivals <= found.movements
    assert 0 <= found.interval_spread <= 100_000
    assert -1 <= found.step_spread <= 100_000

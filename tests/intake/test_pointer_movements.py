"""Movements of a pointer: how they arrive, and whether they keep to a line."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from gateway.intake.pointer_movements import Event, Movements, movements_of

FORM = [(600.0, 500.0), (120.0, 90.0), (330.0, 260.0), (150.0, 390.0), (240.0, 610.0)]
"""From the first place to the fields of a form, one after the other."""

Course = Callable[[float], float]
"""Share of the way by share of the time."""


def linear(at: float) -> float:
    return at


def smooth(at: float) -> float:
    """The movement of least jerk from rest to rest."""
    return 10 * at**3 - 15 * at**4 + 6 * at**5


def path(course: Course, *, bow: float = 0.0, clicks: bool = True, held: bool = False, steps: int = 25) -> list[Event]:
    """Through `FORM`, along lines that bow by `bow` CSS pixels, with a rest at each field."""
    events: list[Event] = []
    at = 0.0
    for (ax, ay), (bx, by) in itertools.pairwise(FORM):
        if held:
            events.append((at, "down", ax, ay))
        for step in range(1, steps + 1):
            at += 16.7
            share = course(step / steps)
            off = bow * 4 * share * (1 - share)
            events.append(
                (at, "move", float(round(ax + (bx - ax) * share + off)), float(round(ay + (by - ay) * share)))
            )
        if held:
            events.append((at, "up", bx, by))
        elif clicks:
            events += [(at + 60, "down", bx, by), (at + 130, "up", bx, by)]
        at += 700
    return events


def test_a_program_that_moves_in_equal_parts() -> None:
    found = movements_of(path(linear))
    assert (found.free, found.arrivals, found.oblique, found.straight) == (4, 4, 4, 4)
    assert found.arrival_speed > 900
    assert found.arrival_spread < 100


def test_a_hand_slows_down_and_bows() -> None:
    found = movements_of(path(smooth, bow=18))
    assert (found.free, found.arrivals, found.straight) == (4, 4, 0)
    assert found.arrival_speed < 100
    assert found.arrival_spread > 500


def test_without_clicks_a_movement_arrives_where_the_next_begins() -> None:
    """The last one leads nowhere that is known. One that begins at full speed has left before it is first reported."""
    assert movements_of(path(smooth, clicks=False)).arrivals == 3
    assert movements_of(path(linear, clicks=False)).arrivals == 0


@pytest.mark.parametrize(
    "events", [path(linear, held=True), [], path(linear, steps=8)[:8], path(linear, clicks=False, steps=7)]
)
def test_drags_and_what_is_too_short_are_no_movements(events: list[Event]) -> None:
    assert movements_of(events) == Movements(0, 0, -1, -1, 0, 0)


def test_a_pointer_that_leaves_the_page_does_not_arrive() -> None:
    events: list[Event] = []
    for n in range(4):
        events += [(n * 2_000 + 16.7 * step, "move", 300.0 + 40 * step, 200.0 + 25 * step) for step in range(20)]
    assert (movements_of(events).free, movements_of(events).arrivals) == (4, 0)


def test_keys_that_steer_in_eight_directions_tell_nothing() -> None:
    events: list[Event] = []
    at, x, y = 0.0, 100.0, 100.0
    for dx, dy in ((8.0, 0.0), (0.0, 8.0), (8.0, 8.0), (0.0, -8.0)):
        for _ in range(20):
            at, x, y = at + 16.7, x + dx, y + dy
            events.append((at, "move", x, y))
        events += [(at + 80, "down", x, y), (at + 160, "up", x, y)]
        at += 900
    found = movements_of(events)
    assert (found.free, found.arrivals, found.oblique) == (4, 0, 0)


def test_two_arrivals_say_nothing_of_speed() -> None:
    whole = path(linear)
    assert movements_of(whole[: 2 * 27]).arrivals == 2
    assert movements_of(whole[: 2 * 27]).arrival_speed == -1

"""A pointer's path in movements: runs of reports without a pause, made without a button held, as a hand makes them towards something.

What a drag draws, and a finger that swipes, is no such movement: it may end at any speed. Nor is one whose steps all lie along the eight directions
in which keys and switches steer a pointer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from statistics import fmean, median, median_high, median_low
from typing import NamedTuple

PAUSE_MS = 100.0
"""A longer silence ends a movement: browsers report at least every 17 ms while the pointer moves."""

LEAST_STEPS, LEAST_LENGTH = 8, 100.0
"""Fewer steps or a shorter way (CSS pixels) show no course of speed."""

NEAR = 8.0
"""A pointer that is next reported further away (CSS pixels) did not come to rest: it left the page, or the browser was busy."""

LEAST_ARRIVALS = 3
"""Fewer say nothing of speed: a hand stops short once or twice."""

STRAIGHT = 1.2
"""CSS pixels a path may leave the line between its ends: what rounding both coordinates of a computed line leaves, and no hand keeps to."""

OBLIQUE_DEG = 4.0
"""Lines nearer to one of the eight directions are left out: keys, guides and edges make them."""

Event = tuple[float, str, float, float]
"""(milliseconds, "move" | "down" | "up", x, y) in CSS pixels."""
Place = tuple[float, float, float]
"""(milliseconds, x, y)."""


class Movements(NamedTuple):
    """What all movements say together; shares and spreads in thousandths, -1 where too few arrivals tell.

    free            movements
    arrivals        of these, those that came to rest where the pointer was reported next
    arrival_speed   speed at arrival as a share of the movement's highest; the lower median
    arrival_spread  spread of the lengths of steps within a movement; the higher median
    oblique, straight  movements along none of the eight directions, and those of them that keep to a line
    """

    free: int
    arrivals: int
    arrival_speed: int
    arrival_spread: int
    oblique: int
    straight: int


class _Movement(NamedTuple):
    places: Sequence[Place]
    lengths: Sequence[float]
    rests: bool

    @property
    def ends(self) -> tuple[Place, Place]:
        return self.places[0], self.places[-1]


def movements_of(events: Sequence[Event]) -> Movements:
    """Of `events` in the order of their time."""
    found = list(_movements(events))
    arrived = [movement for movement in found if movement.rests and not _steered(movement.places)]
    off = [_off_line(movement) for movement in found if _is_oblique(movement)]
    enough = len(arrived) >= LEAST_ARRIVALS
    return Movements(
        free=len(found),
        arrivals=len(arrived),
        arrival_speed=round(1000 * median_low([_last_speed(movement) for movement in arrived])) if enough else -1,
        arrival_spread=round(1000 * median_high([spread([x for x in one.lengths if x]) for one in arrived]))
        if enough
        else -1,
        oblique=len(off),
        straight=sum(distance <= STRAIGHT for distance in off),
    )


def _movements(events: Sequence[Event]) -> Iterator[_Movement]:
    places: list[Place] = []
    held = False
    for at, kind, x, y in events:
        if kind == "up" or held:
            held, places = held and kind != "up", []
            continue
        if kind == "down" or (places and at - places[-1][0] > PAUSE_MS):
            yield from _movement(places, (x, y))
            places = []
        held = kind == "down"
        if kind == "move":
            places.append((at, x, y))
    yield from _movement(places, None)


def _movement(places: Sequence[Place], then: tuple[float, float] | None) -> Iterator[_Movement]:
    lengths = [math.dist(a[1:], b[1:]) for a, b in itertools.pairwise(places)]
    if len(lengths) >= LEAST_STEPS and sum(lengths) >= LEAST_LENGTH:
        yield _Movement(places, lengths, then is not None and math.dist(then, places[-1][1:]) <= NEAR)


def _steered(places: Sequence[Place]) -> bool:
    """Is every step along one of the eight directions?"""
    steps = ((abs(b[1] - a[1]), abs(b[2] - a[2])) for a, b in itertools.pairwise(places))
    return all(not x or not y or x == y for x, y in steps)


def _last_speed(movement: _Movement) -> float:
    """0 to 1. The median of three steps stands for each: one late report is no speed. Reports closer than 4 ms count as 4 ms apart."""
    pairs = zip(itertools.pairwise(movement.places), movement.lengths, strict=True)
    speeds = [length / max(4.0, b[0] - a[0]) for (a, b), length in pairs]
    smooth = [median(speeds[at - 1 : at + 2]) for at in range(1, len(speeds) - 1)]
    return smooth[-1] / max(smooth) if max(smooth) > 0 else 0.0


def _is_oblique(movement: _Movement) -> bool:
    (_, ax, ay), (_, bx, by) = movement.ends
    angle = math.degrees(math.atan2(by - ay, bx - ax)) % 45
    return math.hypot(bx - ax, by - ay) >= LEAST_LENGTH and OBLIQUE_DEG < angle < 45 - OBLIQUE_DEG


def _off_line(movement: _Movement) -> float:
    (_, ax, ay), (_, bx, by) = movement.ends
    way = math.hypot(bx - ax, by - ay)
    return max(abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / way for _, x, y in movement.places)


def spread(values: Sequence[float]) -> float:
    """Standard deviation divided by the mean; 0 where there is nothing to tell. `statistics.pstdev` is exact, and takes six times as long."""
    mean = fmean(values) if values else 0.0
    return math.sqrt(fmean([(value - mean) ** 2 for value in values])) / mean if mean > 0 else 0.0

"""From the events of a pointer to the few numbers that are kept of them. The path itself is never stored: it would tell people apart."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

from detectors.behaviour import Pointer
from gateway.intake.pointer_movements import PAUSE_MS, Event, Place, movements_of, spread

MAX_EVENTS = 2_000
"""More are not read: half a minute of movement, while the numbers settle within a second or two."""

ALONE_MS = 200.0
"""A report further in time than this from those around it is no part of a movement: a tap on a screen, or a program that puts the pointer there."""

STEERED = 0.95
"""From this share of such steps on; between two presses of keys there may be another."""

LEAST_STEP, TURN_MS, LEAST_TURNS = 3.0, 40.0, 15
"""Turns are measured between steps of at least three CSS pixels, as shorter ones point anywhere, that were reported one frame after the other;
fewer turns say nothing."""


def pointer_of(events: Sequence[Event]) -> Pointer:
    """What `events`, in the order of their time, say of the hand that made them. All shares and spreads in thousandths."""
    moves = _together([(at, x, y) for at, kind, x, y in events if kind == "move"])
    intervals = [max(0.0, b[0] - a[0]) for a, b in itertools.pairwise(moves)]
    steps = [(b[1] - a[1], b[2] - a[2]) for a, b in itertools.pairwise(moves)]
    turns, reversals = _turns(moves)
    paths = movements_of(events)
    return Pointer(
        moves=len(moves),
        span_ms=round(moves[-1][0] - moves[0][0]) if moves else 0,
        interval_spread=_spread(intervals),
        step_spread=-1 if _steered(steps) else _spread([math.hypot(x, y) for x, y in steps]),
        still=_share(_still(intervals, steps), len(steps)),
        repeated=_share(max(Counter(step for step in steps if any(step)).values(), default=0), len(steps)),
        reversals=reversals,
        turn_mrad=round(1000 * median(turns)) if len(turns) >= LEAST_TURNS else 0,
        hold_ms=_hold(events),
        movements=paths.free,
        arrivals=paths.arrivals,
        arrival_speed=paths.arrival_speed,
        arrival_spread=paths.arrival_spread,
        oblique=paths.oblique,
        straight=paths.straight,
    )


def _together(moves: Sequence[Place]) -> list[Place]:
    """Those that have another report near in time."""
    if not moves:
        return []
    close = [b[0] - a[0] <= ALONE_MS for a, b in itertools.pairwise(moves)]
    return [
        move for move, before, after in zip(moves, [False, *close], [*close, False], strict=True) if before or after
    ]


def _steered(steps: Sequence[tuple[float, float]]) -> bool:
    """Do nearly all steps lie along one of the eight directions in which keys and switches steer a pointer?"""
    along = sum(not x or not y or abs(x) == abs(y) for x, y in steps)
    return along >= STEERED * len(steps)


def _still(intervals: Sequence[float], steps: Sequence[tuple[float, float]]) -> int:
    """Steps that lead nowhere between two that do, without a pause: below a resting pointer, a page that scrolls makes browsers report moves too."""
    found = waiting = 0
    moving = False
    for interval, step in zip(intervals, steps, strict=True):
        if interval > PAUSE_MS:
            moving, waiting = False, 0
        if any(step):
            found += waiting
            moving, waiting = True, 0
        elif moving:
            waiting += 1
    return found


def _turns(moves: Sequence[Place]) -> tuple[list[float], int]:
    """Changes of direction between steps, 0 to pi, and the share of turns by more than a right angle that directly follow another.

    A trembling hand swings up to 12 times a second, so it goes on for two frames or more before it turns back; noise turns back at once.
    """
    found: list[float | None] = []
    for a, b, c in zip(moves, moves[1:], moves[2:], strict=False):
        before, after = (b[1] - a[1], b[2] - a[2]), (c[1] - b[1], c[2] - b[2])
        if max(b[0] - a[0], c[0] - b[0]) > TURN_MS or min(math.hypot(*before), math.hypot(*after)) < LEAST_STEP:
            found.append(None)
            continue
        turn = math.atan2(after[1], after[0]) - math.atan2(before[1], before[0])
        found.append(abs((turn + math.pi) % (2 * math.pi) - math.pi))
    pairs = [(a, b) for a, b in itertools.pairwise(found) if a is not None and b is not None]
    twice = sum(min(pair) > math.pi / 2 for pair in pairs) if len(pairs) >= LEAST_TURNS else 0
    return [turn for turn in found if turn is not None], _share(twice, len(pairs))


def _hold(events: Sequence[Event]) -> int:
    """The shortest time a button was held, -1 where none was pressed and let go."""
    held: list[float] = []
    pressed: float | None = None
    for at, kind, _, _ in events:
        if kind == "down":
            pressed = at
        elif kind == "up" and pressed is not None:
            held.append(max(0.0, at - pressed))
            pressed = None
    return round(min(held)) if held else -1


def _spread(values: Sequence[float]) -> int:
    """In thousandths, at most 100,000."""
    return min(100_000, round(1000 * spread(values)))


def _share(part: int, whole: int) -> int:
    return round(1000 * part / whole) if whole else 0

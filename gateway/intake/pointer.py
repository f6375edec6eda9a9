"""From the events of a pointer to the few numbers that are kept of them. The path itself is never stored: it would tell people apart."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median, pstdev

from detectors.behaviour import Pointer

MAX_EVENTS = 2_000
"""More are not read: half a minute of movement, while the numbers settle within a second or two."""

Event = tuple[float, str, float, float]
"""(milliseconds, "move" | "down" | "up", x, y) in CSS pixels."""


def pointer_of(events: Sequence[Event]) -> Pointer:
    """What `events`, in the order of their time, say of the hand that made them. All shares and spreads in thousandths."""
    moves = [(at, x, y) for at, kind, x, y in events if kind == "move"]
    intervals = [max(0.0, b[0] - a[0]) for a, b in itertools.pairwise(moves)]
    steps = [(b[1] - a[1], b[2] - a[2]) for a, b in itertools.pairwise(moves)]
    lengths = [math.hypot(x, y) for x, y in steps]
    turns = _turns(steps)
    return Pointer(
        moves=len(moves),
        span_ms=round(moves[-1][0] - moves[0][0]) if moves else 0,
        interval_spread=_spread(intervals),
        step_spread=_spread(lengths),
        still=_share(sum(not any(step) for step in steps), len(steps)),
        repeated=_share(max(Counter(step for step in steps if any(step)).values(), default=0), len(steps)),
        reversals=_share(sum(turn > 2 for turn in turns), len(turns)),
        turn_mrad=round(1000 * median(turns)) if turns else 0,
        hold_ms=_hold(events),
    )


def _turns(steps: Sequence[tuple[float, float]]) -> list[float]:
    """Change of direction between steps that lead anywhere, 0 to pi."""
    angles = [math.atan2(y, x) for x, y in steps if x or y]
    return [abs((b - a + math.pi) % (2 * math.pi) - math.pi) for a, b in itertools.pairwise(angles)]


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
    """Standard deviation divided by the mean; 0 where there is nothing to tell, at most 100,000."""
    mean = fmean(values) if values else 0.0
    return min(100_000, round(1000 * pstdev(values) / mean)) if mean > 0 else 0


def _share(part: int, whole: int) -> int:
    return round(1000 * part / whole) if whole else 0

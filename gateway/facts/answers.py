"""What the hot state's answers have in common, whichever fact is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.observation import Unavailable
from gateway.stores.hot import Result, Sealed

UNKNOWN = b"\0" * 8
"""Mark of a network or browser that is not known."""

NOWHERE = -1
"""The place of an operation that is not asked for."""

NO_ANSWER = Unavailable("counters: no answer")
"""Where a Hit was answered by what is no count."""

DAY_S = 86_400


def sealed(place: int, results: Sequence[Result]) -> Sealed | Unavailable | None:
    """What a Seal or Look was answered; None where there is none at this place."""
    return None if place == NOWHERE else results[place]  # type: ignore[return-value]


def seen(count: int, place: int, partial: Mapping[int, str]) -> int:
    """`count`, or 0 where nothing is known of earlier ones and there may have been some. partial: places whose answers may know less than they
    should."""
    return 0 if count <= 1 and place in partial else count


def same(first: bytes, mine: bytes) -> bool | None:
    return None if UNKNOWN in (first, mine) else first == mine


def seconds(microseconds: int) -> int:
    return max(0, microseconds) // 1_000_000

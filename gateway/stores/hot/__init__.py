"""Hot state: counters, first-writer-wins seals, beats and sums, and what is asked of them. Every backend has the same interface and gives the same answers.

Windows are two-bucket sliding: the events of the current bucket, plus those of the bucket before weighted by the share of it that the window still
covers (in whole milliseconds, rounded half up). Distinct members of a window are those seen in its two buckets, exact up to DISTINCT_CAP. The event
itself is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from detectors.observation import Counts, Unavailable

DISTINCT_CAP = 64
COUNT_CAP = 100_000_000
"""No bucket and no seal counts further: its share of a day in milliseconds is then still an exact double, which is what scripts in Redis calculate
with."""


class Hit(msgspec.Struct, frozen=True, gc=False):
    """Count one event for `key` in all WINDOWS; `member` (or None) is what distinct counts count. Answered by a
    `Counts`.
    """

    key: bytes
    member: bytes | None = None


class Seal(msgspec.Struct, frozen=True, gc=False):
    """Bind `value` to `key` for `ttl_s` seconds unless something is bound already. Answered by a `Sealed`."""

    key: bytes
    value: bytes
    ttl_s: int


class Look(msgspec.Struct, frozen=True, gc=False):
    """Read what a Seal bound to `key` without counting. Answered by a `Sealed`, or None where nothing is bound."""

    key: bytes


class Beat(msgspec.Struct, frozen=True, gc=False):
    """Note an event of `key` and measure the intervals between its events. Answered by a `Beats`."""

    key: bytes


BEAT_PAUSE_MS = 1_800_000
"""A longer interval is a pause, not a beat: somebody went away and came back."""

BEAT_KEEP_MS = 86_400_000
"""What was not touched for so long begins anew."""

BEATS_CAP = 1_000
"""Intervals that are measured: the sum of their squares is then still an exact double, which is what scripts in Redis calculate with."""


class Beats(msgspec.Struct, frozen=True, gc=False):
    """Intervals between the events of a key.

    count    intervals measured, pauses left out
    total    their sum in milliseconds; squares: the sum of their squares
    last_ms  milliseconds since the event before, -1 where there was none
    """

    count: int
    total: int
    squares: int
    last_ms: int


class Add(msgspec.Struct, frozen=True, gc=False):
    """Add numbers, 0 or more, to the fields of `key`, which is kept for `ttl_s` seconds from its first use on. Answered by None. Dry: nothing."""

    key: bytes
    counts: tuple[tuple[bytes, int], ...]
    ttl_s: int


class Sums(msgspec.Struct, frozen=True, gc=False):
    """Read what was added to the fields of `key`. Answered by a mapping from field to sum, empty where there is nothing."""

    key: bytes


FIELDS_CAP = 256
"""Fields of one key; further ones are left out. A server takes a millisecond or two for an answer of so many, within the deadline of visitors."""


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """What is bound: the first writer's value, when it was bound (microseconds on the caller's clock), and how often the key was offered
    since, this time included.
    """

    value: bytes
    first_at: int
    count: int


Operation = Hit | Seal | Look | Beat | Add | Sums
Result = Counts | Sealed | Beats | Mapping[bytes, int] | Unavailable | None


class Answers(msgspec.Struct, frozen=True, gc=False):
    """One result for each operation, in order.

    partial  place of an operation → why its result may know less than it should, in words an operator understands ("redis: no answer within
             10 ms; counted in this process only"). Empty where all is well.
    """

    results: Sequence[Result]
    partial: Mapping[int, str] = {}


class HotState(Protocol):
    """Counters and seals of one process, or shared by many."""

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        """Carry out `ops`; one wait, whatever their number. Never raises: an operation that could not be carried out is answered `Unavailable`.

        now  UTC microseconds on the caller's clock; a shared state counts by its own and only translates
        dry  answer as if, and change nothing
        """

    async def close(self) -> None: ...

    @property
    def trouble(self) -> str | None:
        """What an operator should mend, or None."""

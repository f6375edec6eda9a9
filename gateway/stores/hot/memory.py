"""Hot state in the process: bounded in memory, and nothing for the garbage collector to look at (rows are packed bytes).

Nothing here depends on anything but the operations and their times, so that a shared backend gives the same numbers: what is counted and how it is
rounded is written down in hot.py, and script.lua mirrors it.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from struct import unpack
from typing import Any

import msgspec

from detectors.observation import WINDOWS
from gateway.stores.hot import (
    BEAT_KEEP_MS,
    BEAT_PAUSE_MS,
    BEATS_CAP,
    COUNT_CAP,
    DISTINCT_CAP,
    Add,
    Answers,
    Beat,
    Beats,
    Hit,
    Look,
    Operation,
    Result,
    Seal,
    Sealed,
    Sums,
)
from gateway.stores.hot.aging import AgingMap
from gateway.stores.hot.counts import COUNTS, FIRST, FIRST_BARE, SMALL, count_of
from gateway.stores.hot.sums import HeldSums

_W0, _W1, _W2, _W3 = (window * 1_000_000 for window in WINDOWS)
_M0, _M1, _M2, _M3 = (window * 1_000 for window in WINDOWS)  # in milliseconds
_H0, _H1, _H2, _H3 = (window * 500 for window in WINDOWS)
_KEEP = 2 * _W3  # a row not touched for so long counts nothing any more

# A row of a key seen once is: when (8 bytes), member's tag (8 bytes, or none). Else: when last seen, current and previous count of each window, distinct
# members of each window, marks. A mark is a member's tag (8 bytes that stand for it) and the minute in which it was last seen (4 bytes: bucket edges lie
# on whole minutes, so nothing finer is needed); marks are in the order of last being seen, at most 64.
_ROW = struct.Struct("=q8I4B")
_FIXED = _ROW.size
_TAG = struct.Struct("=q")
_SEAL = struct.Struct("=qqI")  # until when, first at, count; then the value
_BEAT = struct.Struct("=qqIqq")  # until when (us), last (ms), intervals, their sum (ms), their squares
_MINUTE = struct.Struct(">I")  # compares as bytes
_MARK = 12
_MARKS = _MARK * DISTINCT_CAP


_Edges = tuple[int, int, int, int, int, int, int, int, int, int, int, int, bytes, bytes, bytes, bytes, bytes]


def _edges(now: int) -> _Edges:
    """For the minute of `now`: where the current bucket of each window starts, where the previous ones start, where (in milliseconds) the current
    ones end, and in packed minutes this minute and where the previous buckets start.
    """
    s0, s1, s2, s3 = (now - now % window for window in (_W0, _W1, _W2, _W3))
    b0, b1, b2, b3 = s0 - _W0, s1 - _W1, s2 - _W2, s3 - _W3
    e0, e1, e2, e3 = s0 // 1000 + _M0, s1 // 1000 + _M1, s2 // 1000 + _M2, s3 // 1000 + _M3
    minute, m0, m1, m2, m3 = (_MINUTE.pack(max(start, 0) // _W0) for start in (s0, b0, b1, b2, b3))
    return s0, s1, s2, s3, b0, b1, b2, b3, e0, e1, e2, e3, minute, m0, m1, m2, m3


class Sizes(msgspec.Struct, frozen=True):
    """For metrics. evicted: keys given up for room before their time; expired: after it; resets: the clock fell back
    by more than a day.
    """

    keys: int
    seals: int
    evicted: int
    expired: int
    resets: int


class MemoryState:
    """`max_keys` bounds counters and seals, each (about 250 bytes a key at most, half of that for keys seen once)."""

    def __init__(self, max_keys: int = 500_000) -> None:
        self._max = max_keys
        self._rows, self._seals = AgingMap(max_keys), AgingMap(max_keys)
        self._sums = HeldSums()
        self._now = self._minute = 0
        self._edges = _edges(0)
        self._evicted = self._expired = self._resets = 0

    def sizes(self) -> Sizes:
        rows, seals = self._rows, self._seals
        return Sizes(
            keys=len(rows),
            seals=len(seals),
            evicted=self._evicted + rows.evicted + seals.evicted,
            expired=self._expired + rows.expired + seals.expired,
            resets=self._resets,
        )

    @property
    def trouble(self) -> str | None:
        return None

    async def close(self) -> None:
        """Nothing is held that must be given back."""

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        """Carry out `ops` at `now`. A clock that falls back is taken as standing still; one that falls back by more than a day starts afresh
        (nothing counted then would still count).
        """
        return Answers((self._copy(ops, now) if dry else self)._observe(ops, now))

    def _copy(self, ops: Sequence[Operation], now: int) -> MemoryState:
        """What `ops` touch, to try them on."""
        copy = MemoryState(6 * len(ops) + 6)  # a third of it holds all, so that nothing ages
        if self._now - now <= _W3:
            copy._now = self._now
            copy._sums = self._sums.frozen()
            for op in ops:
                if type(op) in (Add, Sums):
                    continue
                source, target = (self._rows, copy._rows) if type(op) is Hit else (self._seals, copy._seals)
                held = source.peek(op.key)
                if held is not None:
                    target.young[op.key] = held
        return copy

    def _observe(self, ops: Sequence[Operation], now: int) -> list[Result]:
        if now < self._now:
            if self._now - now > _W3:
                self._reset()
                self._now = now
            now = self._now
        else:
            self._now = now
        if not self._minute <= now < self._minute + _W0:
            self._edges = _edges(now)
        s0, s1, s2, s3, b0, b1, b2, b3, e0, e1, e2, e3, minute, m0, m1, m2, m3 = self._edges
        self._minute, ms = s0, now // 1000
        stamp, time_of = _TAG.pack(now), _TAG.unpack_from
        self._rows.make_room(len(ops), now - _KEEP)
        self._seals.make_room(len(ops), now)
        rows, take_old, table = self._rows.young, self._rows.old.pop, COUNTS
        read, write = _ROW.unpack_from, _ROW.pack
        results: list[Result] = []
        previous: bytes | None = None
        tag = mark = b""
        for op in ops:
            if type(op) is not Hit:
                results.append(_ANSWERED_BY[type(op)](self, op, now))
                continue
            key, member = op.key, op.member
            if member is not previous:  # one observation's operations mostly share their members
                previous, tag = member, b"" if member is None else _TAG.pack(hash(member))
                mark = tag and tag + minute
            row = rows.get(key)
            if row is None:
                row = take_old(key, None)
                if row is None:
                    rows[key] = stamp + tag
                    results.append(FIRST if tag else FIRST_BARE)
                    continue
            if len(row) < _FIXED:
                last = time_of(row)[0]
                c0 = c1 = c2 = c3 = 1
                p0 = p1 = p2 = p3 = 0
                d0 = d1 = d2 = d3 = len(row) // 8 - 1
                marks = row[8:] + _MINUTE.pack(last // _W0) if d0 else b""
            else:
                last, c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3 = read(row)
                marks = row[_FIXED:]
            if last >= s0:
                c0 += 1
                c1 += 1
                c2 += 1
                c3 += 1
            else:
                p0, c0 = (c0, 1) if last >= b0 else (0, 1)
                if last >= s1:
                    c1 += 1
                else:
                    p1, c1 = (c1, 1) if last >= b1 else (0, 1)
                if last >= s2:
                    c2 += 1
                else:
                    p2, c2 = (c2, 1) if last >= b2 else (0, 1)
                if last >= s3:
                    c3 += 1
                else:
                    p3, c3 = (c3, 1) if last >= b3 else (0, 1)
                if not marks or marks[8:12] >= m0:
                    d0 = d1 = d2 = d3 = len(marks) // _MARK
                elif len(marks) == _MARK:
                    seen = marks[8:]
                    d0, d1, d2, d3 = 0, seen >= m1, seen >= m2, seen >= m3
                else:
                    minutes = unpack(">" + "8xI" * (len(marks) // _MARK), marks)
                    d0, d1, d2, d3 = [len(minutes) - bisect_left(minutes, b // _W0) for b in (b0, b1, b2, b3)]
            if not marks.endswith(mark):
                at = marks.find(tag)
                while at > 0 and at % _MARK:  # found across two neighbours
                    at = marks.find(tag, at + 1)
                if at >= 0:
                    seen = marks[at + 8 : at + _MARK]
                    marks = marks[:at] + marks[at + _MARK :] + mark
                    d0, d1, d2, d3 = d0 + (seen < m0), d1 + (seen < m1), d2 + (seen < m2), d3 + (seen < m3)
                else:
                    marks = (marks + mark)[-_MARKS:]
                    d0, d1, d2, d3 = d0 + 1, d1 + 1, d2 + 1, d3 + 1
                    if d3 > DISTINCT_CAP:
                        d3 = DISTINCT_CAP
                        d2 = d2 if d2 < DISTINCT_CAP else DISTINCT_CAP
                        d1 = d1 if d1 < DISTINCT_CAP else DISTINCT_CAP
                        d0 = d0 if d0 < DISTINCT_CAP else DISTINCT_CAP
            if c3 > COUNT_CAP:  # the longest window counts most
                c0, c1, c2, c3 = [min(c, COUNT_CAP) for c in (c0, c1, c2, c3)]
            rows[key] = write(now, c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3) + marks
            n0 = c0 + (p0 * (e0 - ms) + _H0) // _M0 if p0 else c0
            n1 = c1 + (p1 * (e1 - ms) + _H1) // _M1 if p1 else c1
            n2 = c2 + (p2 * (e2 - ms) + _H2) // _M2 if p2 else c2
            n3 = c3 + (p3 * (e3 - ms) + _H3) // _M3 if p3 else c3
            if n2 < SMALL and n3 < SMALL:
                results.append((table[d0][n0], table[d1][n1], table[d2][n2], table[d3][n3]))
            else:
                results.append((count_of(n0, d0), count_of(n1, d1), count_of(n2, d2), count_of(n3, d3)))
        return results

    def _held(self, key: bytes) -> bytes | None:
        """Whoever asks puts it back young: what is asked for is not forgotten."""
        seals = self._seals
        held = seals.young.get(key)
        return seals.old.pop(key, None) if held is None else held

    def _seal(self, op: Seal, now: int) -> Sealed:
        key, held = op.key, self._held(op.key)
        if held is not None:
            until, first_at, count = _SEAL.unpack_from(held)
            if until > now:
                value, count = held[_SEAL.size :], min(count + 1, COUNT_CAP)
                self._seals.young[key] = _SEAL.pack(until, first_at, count) + value
                return Sealed(value, first_at, count)
        self._seals.young[key] = _SEAL.pack(now + op.ttl_s * 1_000_000, now, 1) + op.value
        return Sealed(op.value, now, 1)

    def _look(self, op: Look, now: int) -> Sealed | None:
        held = self._held(op.key)
        if held is None:
            return None
        self._seals.young[op.key] = held
        until, first_at, count = _SEAL.unpack_from(held)
        return Sealed(held[_SEAL.size :], first_at, count) if until > now else None

    def _beat(self, op: Beat, now: int) -> Beats:
        key, held, ms = op.key, self._held(op.key), now // 1000
        count = total = squares = 0
        since = -1
        if held is not None:
            _, last, count, total, squares = _BEAT.unpack(held)
            since = max(0, ms - last)
            if since >= BEAT_KEEP_MS:
                count = total = squares = 0
                since = -1
            elif since <= BEAT_PAUSE_MS and count < BEATS_CAP:
                count, total, squares = count + 1, total + since, squares + since * since
        self._seals.young[key] = _BEAT.pack(now + BEAT_KEEP_MS * 1000, ms, count, total, squares)
        return Beats(count, total, squares, since)

    def _add(self, op: Add, now: int) -> None:
        self._sums.add(op, now)

    def _sum(self, op: Sums, now: int) -> Mapping[bytes, int]:
        return self._sums.read(op.key, now)

    def _reset(self) -> None:
        self._evicted += self._rows.evicted + self._seals.evicted
        self._expired += self._rows.expired + self._seals.expired
        self._rows, self._seals = AgingMap(self._max), AgingMap(self._max)
        self._sums = HeldSums()
        self._resets += 1


_ANSWERED_BY: dict[type, Callable[[MemoryState, Any, int], Result]] = {
    Seal: MemoryState._seal,
    Look: MemoryState._look,
    Beat: MemoryState._beat,
    Add: MemoryState._add,
    Sums: MemoryState._sum,
}
"""All but counters, which are most of what is asked."""

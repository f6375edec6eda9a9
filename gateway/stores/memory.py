"""Hot state in the process: sliding-window counters and first-writer-wins seals, bounded in memory.

Windows are two-bucket sliding: the events of the current bucket, plus those of the bucket before weighted by the
share of it that the window still
covers, rounded half up. Distinct members of a window are those seen in its two buckets, exact up to 64. The event
itself is counted. Nothing here
depends on anything but the operations and their times, so that the shared backend gives the same numbers.

Rows are flat tuples: the garbage collector stops looking at them, where a million lists would make it pause for 150 ms.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from struct import unpack

import msgspec

from detectors.observation import Count, Unavailable

WINDOWS = (60, 600, 3600, 86400)
"""Window lengths in seconds. Each divides the next, so two moments in one bucket of the shortest share the buckets of
all.
"""

DISTINCT_CAP = 64
Counts = tuple[Count, Count, Count, Count]

_W0, _W1, _W2, _W3 = (window * 1_000_000 for window in WINDOWS)
_H0, _H1, _H2, _H3 = (window * 500_000 for window in WINDOWS)
_KEEP = 2 * _W3  # a row not touched for so long counts nothing any more
_SMALL = 128
_COUNTS = tuple(tuple(Count(n, d) for n in range(_SMALL)) for d in range(DISTINCT_CAP + 1))
_FIRST_BARE: Counts = (_COUNTS[0][1], _COUNTS[0][1], _COUNTS[0][1], _COUNTS[0][1])
_FIRST: Counts = (_COUNTS[1][1], _COUNTS[1][1], _COUNTS[1][1], _COUNTS[1][1])
_LOOKED_AT = 4  # keys looked at to find one to evict

# A row is (last seen, member's tag) for a key seen once, else (last seen, current and previous count of each window …, distinct members of each
# window …, tags, minutes). A tag is 8 bytes that stand for a member; tags are in the order of last being seen, at most 64, and `minutes` holds the
# minute of that for each (4 bytes): bucket edges lie on whole minutes, so nothing finer is needed.
_Row = tuple[int, bytes] | tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, bytes, bytes]
_TAG = struct.Struct("=q")
_MINUTE = struct.Struct(">I")  # compares as bytes
_TAGS, _MINUTES = 8 * DISTINCT_CAP, 4 * DISTINCT_CAP


def _count(count: int, distinct: int) -> Count:
    return _COUNTS[distinct][count] if count < _SMALL else Count(count, distinct)


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


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """What is bound: the first writer's value, when it was bound (microseconds), and how often the key was offered
    since, this time included.
    """

    value: bytes
    first_at: int
    count: int


class Sizes(msgspec.Struct, frozen=True):
    """For metrics. evicted: keys given up for room before their time; expired: after it; resets: the clock fell back
    by more than a day.
    """

    keys: int
    seals: int
    evicted: int
    expired: int
    resets: int


Operation = Hit | Seal | Look
Result = Counts | Sealed | Unavailable | None


class MemoryState:
    """`max_keys` bounds counters and seals, each (about 350 bytes a key at most, half of that for keys seen once)."""

    def __init__(self, max_keys: int = 500_000) -> None:
        if max_keys < 1:
            raise ValueError("max_keys must be at least 1")
        self._max = max_keys
        self._rows: dict[bytes, _Row] = {}
        self._ring: deque[bytes] = deque()
        self._seals: dict[bytes, tuple[int, bytes, int, int]] = {}  # (until, value, first_at, count)
        self._seal_ring: deque[bytes] = deque()
        self._now = 0
        self._evicted = self._expired = self._resets = 0

    def sizes(self) -> Sizes:
        return Sizes(len(self._rows), len(self._seals), self._evicted, self._expired, self._resets)

    async def observe(self, ops: Sequence[Operation], now: int) -> list[Result]:
        """Carry out `ops` at `now` (UTC microseconds); one result each, in order. A clock that falls back is taken as
        standing still; one that falls back by more than a day starts afresh (nothing counted then would still count).
        """
        if now < self._now:
            if self._now - now > _W3:
                self._reset()
                self._now = now
            now = self._now
        else:
            self._now = now
        # Where the current bucket of each window starts, what is left of it, and (in minutes) where the previous one starts.
        s0, s1, s2, s3 = now - now % _W0, now - now % _W1, now - now % _W2, now - now % _W3
        f0, f1, f2, f3 = s0 + _W0 - now, s1 + _W1 - now, s2 + _W2 - now, s3 + _W3 - now
        b0, b1, b2, b3 = s0 - _W0, s1 - _W1, s2 - _W2, s3 - _W3
        pack = _MINUTE.pack
        minute, m0, m1, m2, m3 = pack(s0 // _W0), *[pack(max(b, 0) // _W0) for b in (b0, b1, b2, b3)]
        rows, table = self._rows, _COUNTS
        results: list[Result] = []
        previous: bytes | None = None
        tag = b""
        for op in ops:
            if type(op) is not Hit:
                results.append(self._bound(op, now))  # type: ignore[arg-type]
                continue
            key, member = op.key, op.member
            if member is not previous:  # one observation's operations mostly share their members
                previous, tag = member, b"" if member is None else _TAG.pack(hash(member))
            row = rows.get(key)
            if row is None or row[0] < b3:
                if row is None:
                    self._admit(key, now)
                rows[key] = (now, tag)
                results.append(_FIRST if tag else _FIRST_BARE)
                continue
            if len(row) == 2:
                last, tags = row
                c0 = c1 = c2 = c3 = 1
                p0 = p1 = p2 = p3 = 0
                d0 = d1 = d2 = d3 = 1 if tags else 0
                seen = _MINUTE.pack(last // _W0) if tags else b""
            else:
                last, c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3, tags, seen = row
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
                    p3, c3 = c3, 1
                if not seen or seen[:4] >= m0:
                    d0 = d1 = d2 = d3 = len(seen) // 4
                elif len(seen) == 4:
                    d0, d1, d2, d3 = 0, seen >= m1, seen >= m2, seen >= m3
                else:
                    minutes = unpack(f">{len(seen) // 4}I", seen)
                    d0, d1, d2, d3 = [len(minutes) - bisect_left(minutes, b // _W0) for b in (b0, b1, b2, b3)]
            if tag and not (tags[-8:] == tag and seen[-4:] == minute):
                at = tags.find(tag)
                while at > 0 and at % 8:  # found across two neighbours
                    at = tags.find(tag, at + 1)
                if at >= 0:
                    was = _MINUTE.unpack_from(seen, at // 2)[0] * _W0
                    tags = tags[:at] + tags[at + 8 :] + tag
                    seen = seen[: at // 2] + seen[at // 2 + 4 :] + minute
                    if was < b2:
                        d2 += 1
                        d3 += was < b3
                    if was < b1:
                        d1 += 1
                    if was < b0:
                        d0 += 1
                else:
                    tags, seen = (tags + tag)[-_TAGS:], (seen + minute)[-_MINUTES:]
                    d0, d1, d2, d3 = d0 + 1, d1 + 1, d2 + 1, d3 + 1
                    if d3 > DISTINCT_CAP:
                        d0, d1, d2, d3 = [min(d, DISTINCT_CAP) for d in (d0, d1, d2, d3)]
            rows[key] = (now, c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3, tags, seen)
            n0 = c0 + (p0 * f0 + _H0) // _W0 if p0 else c0
            n1 = c1 + (p1 * f1 + _H1) // _W1 if p1 else c1
            n2 = c2 + (p2 * f2 + _H2) // _W2 if p2 else c2
            n3 = c3 + (p3 * f3 + _H3) // _W3 if p3 else c3
            if n2 < _SMALL and n3 < _SMALL:
                results.append((table[d0][n0], table[d1][n1], table[d2][n2], table[d3][n3]))
            else:
                results.append((_count(n0, d0), _count(n1, d1), _count(n2, d2), _count(n3, d3)))
        return results

    def _bound(self, op: Seal | Look, now: int) -> Sealed | None:
        if type(op) is Seal:
            return self._seal(op, now)
        held = self._seals.get(op.key)
        return None if held is None or held[0] <= now else Sealed(held[1], held[2], held[3])

    def _seal(self, op: Seal, now: int) -> Sealed:
        held = self._seals.get(op.key)
        if held is not None and held[0] > now:
            until, value, first_at, count = held
            self._seals[op.key] = (until, value, first_at, count + 1)
            return Sealed(value, first_at, count + 1)
        if held is None:
            self._admit_seal(op.key, now)
        self._seals[op.key] = (now + op.ttl_s * 1_000_000, op.value, now, 1)
        return Sealed(op.value, now, 1)

    def _admit(self, key: bytes, now: int) -> None:
        """Make room for one key: drop what has expired at the old end, and where that is not enough the least
        recently seen of a few old keys, those
        seen only once first. A few steps each time, never a long pause."""
        rows, ring = self._rows, self._ring
        horizon = now - _KEEP
        for _ in range(2):
            if not ring:
                break
            row = rows[ring[0]]
            if row[0] < horizon:
                del rows[ring.popleft()]
                self._expired += 1
            elif len(row) > 2 and len(ring) > 1:
                ring.rotate(-1)  # long known and still there: let those behind it be looked at
            else:
                break
        if len(rows) >= self._max:
            victim = ring.popleft()
            for _ in range(min(_LOOKED_AT, len(ring))):
                row = rows[victim]
                if len(row) == 2:
                    break
                other = ring.popleft()
                if len(rows[other]) == 2 or rows[other][0] < row[0]:
                    victim, other = other, victim
                ring.append(other)
            del rows[victim]
            self._evicted += 1
        ring.append(key)

    def _admit_seal(self, key: bytes, now: int) -> None:
        """The same for seals; the first bound goes first."""
        seals, ring = self._seals, self._seal_ring
        for _ in range(2):
            if ring and seals[ring[0]][0] <= now:
                del seals[ring.popleft()]
                self._expired += 1
        if len(seals) >= self._max:
            del seals[ring.popleft()]
            self._evicted += 1
        ring.append(key)

    def _reset(self) -> None:
        self._rows, self._ring = {}, deque()
        self._seals, self._seal_ring = {}, deque()
        self._resets += 1

"""A map of bounded size that forgets what was touched longest ago, a little at a time.

Keys live in a young and an old generation; touching an old one makes it young. When the young generation has a third
of the room, the old one is given
up, two entries for each key that may come, and the young one becomes old: whatever was touched within the last
`limit`/3 new keys is there. Keys and
values are bytes, which the garbage collector never looks at; a million tracked entries would make it pause for over
100 ms.
"""

from __future__ import annotations

import struct

_TIME = struct.Struct("=q")


class AgingMap:
    """At most `limit` entries (at least 3), and those that were put in since room was made. Values begin with a time (8 bytes, native order) that
    tells whether they had expired when they went.

    young    entries touched lately: read it, then ask `old`; put in after `make_room`, which may replace both
    old      what was not touched for a while: take it out (`pop`) and put it into `young`
    evicted  entries given up for room before their time; expired: after it
    """

    def __init__(self, limit: int) -> None:
        if limit < 3:
            raise ValueError("max_keys must be at least 3")
        self.young: dict[bytes, bytes] = {}
        self.old: dict[bytes, bytes] = {}
        self.evicted = self.expired = 0
        self._leaving: dict[bytes, bytes] = {}
        self._third = limit // 3

    def __len__(self) -> int:
        return len(self.young) + len(self.old) + len(self._leaving)

    def peek(self, key: bytes) -> bytes | None:
        """Read without making young."""
        held = self.young.get(key)
        return self.old.get(key) if held is None else held

    def make_room(self, keys: int, expired_before: int) -> None:
        """Before up to so many keys are put in."""
        full = len(self.young) >= self._third
        leaving = self._leaving
        if leaving:  # most of the time nothing is
            for _ in range(len(leaving) if full else min(2 * keys, len(leaving))):
                _, value = leaving.popitem()
                if _TIME.unpack_from(value)[0] < expired_before:
                    self.expired += 1
                else:
                    self.evicted += 1
        if full:
            self._leaving, self.old, self.young = self.old, self.young, {}

"""A map of bounded size that forgets what was touched longest ago, a little at a time.

Keys live in a young and an old generation; touching an old one makes it young. When the young generation has a third
of the room, the old one is given
up, an entry or two for each key that comes, and the young one becomes old: whatever was touched within the last
`limit`/3 new keys is there. Keys and
values are bytes, which the garbage collector never looks at; a million tracked entries would make it pause for over
100 ms.
"""

from __future__ import annotations

import struct

_TIME = struct.Struct("=q")


class AgingMap:
    """At most `limit` entries (at least 3). Values begin with a time (8 bytes, native order) that tells whether they
    had expired when they went.

    young    entries touched lately; read it directly, then ask `older`, then call `admit` before putting a key in
             that it does not hold
    evicted  entries given up for room before their time; expired: after it
    """

    def __init__(self, limit: int) -> None:
        if limit < 3:
            raise ValueError("max_keys must be at least 3")
        self.young: dict[bytes, bytes] = {}
        self.evicted = self.expired = 0
        self._old: dict[bytes, bytes] = {}
        self._leaving: dict[bytes, bytes] = {}
        self._third = limit // 3

    def __len__(self) -> int:
        return len(self.young) + len(self._old) + len(self._leaving)

    def older(self, key: bytes) -> bytes | None:
        """Take a key out of the old generation; the caller puts it back young."""
        return self._old.pop(key, None)

    def peek(self, key: bytes) -> bytes | None:
        """Read without making young."""
        held = self.young.get(key)
        return self._old.get(key) if held is None else held

    def admit(self, expired_before: int) -> bool:
        """Make room for one key. True where `young` is a new dictionary."""
        leaving = self._leaving
        if leaving:  # most of the time nothing is
            for _ in range(min(2, len(leaving))):
                _, value = leaving.popitem()
                if _TIME.unpack_from(value)[0] < expired_before:
                    self.expired += 1
                else:
                    self.evicted += 1
        if len(self.young) < self._third:
            return False
        self._leaving, self._old, self.young = self._old, self.young, {}
        return True

"""Sums by field, for hot state in the process: what campaigns are counted in."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.stores.hot import COUNT_CAP, FIELDS_CAP, Add

KEYS = 24_000
"""Keys that are held, the oldest given up first: sixteen for each ten minutes of ten days."""


class HeldSums:
    """At most KEYS keys of at most FIELDS_CAP fields."""

    def __init__(self) -> None:
        self._held: dict[bytes, tuple[int, dict[bytes, int]]] = {}
        self._frozen = False

    def frozen(self) -> HeldSums:
        """The same to read, and nothing is added."""
        same = HeldSums()
        same._held, same._frozen = self._held, True
        return same

    def add(self, op: Add, now: int) -> None:
        if self._frozen:
            return
        until, fields = self._held.get(op.key, (0, {}))
        if until <= now:
            fields = {}
            self._held.pop(op.key, None)
            self._held[op.key] = (now + op.ttl_s * 1_000_000, fields)
            if len(self._held) > KEYS:
                del self._held[next(iter(self._held))]
        for field, number in op.counts:
            before = fields.get(field)
            if before is not None or len(fields) < FIELDS_CAP:
                fields[field] = min(COUNT_CAP, (before or 0) + number)

    def read(self, key: bytes, now: int) -> Mapping[bytes, int]:
        until, fields = self._held.get(key, (0, {}))
        return dict(fields) if until > now else {}

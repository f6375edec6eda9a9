"""Emptying a spool into the store that its content belongs to, step by step; killed between two steps, or within one, nothing is lost and nothing is
there twice."""

from __future__ import annotations

import time
from typing import Protocol

import msgspec

from gateway.stores.carried import Absorbs, HandsOver
from gateway.stores.carrying import Limits
from gateway.stores.errors import StoreUnavailable
from gateway.stores.records import Store
from gateway.stores.spool import Spool

LOOSE_AT_ONCE = 200

STEP_S = 0.1
"""What a step should take at most: visitors' commits wait behind it, and must not come near their deadline."""


class Primary(Store, Absorbs, HandsOver, Protocol):
    """The store that a spool stands in for."""


class Moved(msgspec.Struct, frozen=True):
    """How much went over."""

    leads: int = 0
    records: int = 0
    changes: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.leads + other.leads, self.records + other.records, self.changes + other.changes)


class Mover:
    """Moves one step at a time. rows: how much a step holds; half as much after one that failed or took longer than STEP_S, twice as much after a
    quick one, up to `limits`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.rows = limits.rows

    async def step(self, spool: Spool, primary: Primary) -> Moved | None:
        """None where nothing is left that can be carried now. Raises StoreUnavailable, StoreCorrupt."""
        began = time.monotonic()
        try:
            moved = await self._step(spool, primary)
        except StoreUnavailable:
            self.rows = max(1, self.rows // 2)
            raise
        slow = time.monotonic() - began > STEP_S
        self.rows = max(1, self.rows // 2) if slow else min(self._limits.rows, 2 * self.rows)
        return moved

    async def _step(self, spool: Spool, primary: Primary) -> Moved | None:
        loose = await spool.loose(min(self.rows, LOOSE_AT_ONCE))
        if loose:
            await primary.take_back([item for _, item in loose])
            await spool.given_back([number for number, _ in loose])
        # In the same step: under load there are new changes before each one, and what waits must not wait for them to end.
        batch = await spool.batch(msgspec.structs.replace(self._limits, rows=self.rows))
        if not (batch.leads or batch.entries or batch.generations or batch.unjournaled):
            return Moved(changes=len(loose)) if loose else None
        await primary.absorb(batch)
        await spool.carried(batch)
        return Moved(len(batch.leads), len(batch.entries), len(loose))

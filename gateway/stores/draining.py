"""Emptying a spool into the store that its content belongs to, step by step; killed between two steps, or within one, nothing is lost and nothing is
there twice."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.stores.carried import Absorbs, HandsOver
from gateway.stores.carrying import Limits
from gateway.stores.errors import StoreUnavailable
from gateway.stores.records import Store
from gateway.stores.spool import Spool

LOOSE_AT_ONCE = 200


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
    """Moves one step at a time. How much a step holds adapts to what the other store commits within its deadline: half as much after a failure, twice
    as much after a success, up to `limits`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows = limits.rows

    async def step(self, spool: Spool, primary: Primary) -> Moved | None:
        """None where nothing is left that can be carried now. Raises StoreUnavailable, StoreCorrupt."""
        try:
            moved = await self._step(spool, primary)
        except StoreUnavailable:
            self._rows = max(1, self._rows // 2)
            raise
        self._rows = min(self._limits.rows, 2 * self._rows)
        return moved

    async def _step(self, spool: Spool, primary: Primary) -> Moved | None:
        loose = await spool.loose(min(self._rows, LOOSE_AT_ONCE))
        if loose:
            await primary.take_back([item for _, item in loose])
            await spool.given_back([number for number, _ in loose])
            return Moved(changes=len(loose))
        batch = await spool.batch(msgspec.structs.replace(self._limits, rows=self._rows))
        if not (batch.leads or batch.entries or batch.generations or batch.unjournaled):
            return None
        await primary.absorb(batch)
        await spool.carried(batch)
        return Moved(len(batch.leads), len(batch.entries))

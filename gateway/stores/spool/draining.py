"""Emptying a spool into the store that its content belongs to, step by step; killed between two steps, or within one, nothing is lost and nothing is
there twice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.log import seldom
from gateway.stores.carry.carried import Absorbs, HandsOver
from gateway.stores.carry.carrying import Limits
from gateway.stores.errors import StoreCorrupt, StoreError, StoreUnavailable, Unstorable
from gateway.stores.records import Store
from gateway.stores.spool.file import Spool

LOOSE_AT_ONCE = 200

REST_S = 30.0
"""Seconds until the next try after the shared store refused what a spool holds: nothing will change it but a person."""

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
        """None where nothing is left that can be carried now. What is refused is tried in smaller steps, so that all before it goes; StoreCorrupt
        is raised where it is the next row. Raises StoreUnavailable."""
        began = time.monotonic()
        try:
            moved = await self._step(spool, primary)
        except (Unstorable, StoreCorrupt) as error:
            if self.rows > 1:
                self.rows //= 2
                return Moved()
            if isinstance(error, StoreCorrupt):
                raise
            raise StoreCorrupt(
                spool.path, f"something that waits in it: {error}", "Keep the file and report it"
            ) from error
        except StoreUnavailable:
            self.rows = max(1, self.rows // 2)
            raise
        if moved is None:  # says nothing of how quick the shared store is
            return None
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


class Refused:
    """Spools whose content the shared store refused. Each rests for REST_S, and the others are emptied meanwhile."""

    def __init__(self) -> None:
        self._until: dict[Path, tuple[float, str]] = {}

    @property
    def why(self) -> str | None:
        return next((why for _, why in self._until.values()), None)

    def rests(self, path: Path) -> bool:
        return path in self._until and time.monotonic() < self._until[path][0]

    def add(self, path: Path, error: StoreError) -> None:
        self._until[path] = (time.monotonic() + REST_S, str(error))
        remedy = "keep the spool and report it; new leads are stored all the same"
        seldom("store failed", f"drain {path.name}", reason=str(error), remedy=remedy)

    def forget(self, path: Path) -> None:
        self._until.pop(path, None)

    def clear(self) -> None:
        self._until.clear()


async def ask(primary: Primary, seconds: float) -> None:
    """A commit, so that the store finds out whether it can."""
    with contextlib.suppress(StoreError, TimeoutError):
        async with asyncio.timeout(seconds):
            await primary.flush()

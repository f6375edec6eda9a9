"""A whole SQLite store into another store, in steps that can be broken off at any time: a second run goes on where the first one ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.stores.carry import carrying
from gateway.stores.carry.carried import Absorbs, Batch
from gateway.stores.carry.carrying import Limits
from gateway.stores.carry.sums import SqliteSide
from gateway.stores.leads import Conservation
from gateway.stores.sqlite.store import SqliteStore

LIMITS = Limits(rows=1000, size=8 * 1024 * 1024)
"""How much goes over in one transaction: no visitor waits for this one."""


class Target(Absorbs, Protocol):
    async def writers(self) -> dict[str, tuple[int, str]]: ...

    async def conservation(self) -> Conservation: ...


class Amount(msgspec.Struct, frozen=True):
    """Of leads, and of entries (records and events)."""

    leads: int
    entries: int


class Source(SqliteStore):
    """The store that is copied. Opened like a gateway's: it is locked, and leads on their way are held, "delivery unknown"."""

    async def amount(self) -> Amount:
        def count(connection: sqlite3.Connection) -> Amount:
            leads = connection.execute("SELECT count(*) FROM leads").fetchone()[0]
            return Amount(leads, connection.execute("SELECT count(*) FROM entries").fetchone()[0])

        return await self._read(count)

    def side(self) -> SqliteSide:
        return SqliteSide(self._read)

    async def copy(self, target: Target, on_rows: Callable[[str, int], None]) -> None:
        """on_rows: told after each step what ("leads", "entries") went over and how much. Raises StoreUnavailable, StoreCorrupt."""
        await target.absorb(Batch(keys=await self._read(carrying.keys)))
        for generation in await self._read(lambda connection: list(carrying.generations(connection))):
            await target.absorb(Batch(generations=(generation,)))
        after = 0
        while True:
            leads, after = await self._read(carrying.leads, after, LIMITS)
            if not leads:
                break
            await target.absorb(Batch(leads=leads))
            on_rows("leads", len(leads))
        await self._entries(target, on_rows)
        after = 0
        while True:
            jobs, after = await self._read(carrying.jobs, after, LIMITS)
            if not jobs:
                break
            await target.absorb(Batch(jobs=jobs))
        mine, theirs = await self.conservation(), await target.conservation()
        if mine.unjournaled > theirs.unjournaled:
            await target.absorb(Batch(unjournaled=mine.unjournaled - theirs.unjournaled))

    async def _entries(self, target: Target, on_rows: Callable[[str, int], None]) -> None:
        ends = {writer: seq for writer, (seq, _) in (await target.writers()).items()}
        after = await self._read(carrying.number_of, ends)
        if after:
            on_rows("entries", after)
        while entries := await self._read(carrying.entries, after, LIMITS):
            await target.absorb(Batch(entries=entries))
            after = entries[-1].n
            on_rows("entries", len(entries))

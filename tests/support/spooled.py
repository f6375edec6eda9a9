"""A shared store that comes and goes, the spooled one in front of it, and what is asked of both."""

from __future__ import annotations

import asyncio
import time

import msgspec
from standing_in import StandIn

from gateway.evidence.chain import verify
from gateway.stores.errors import (
    StoreUnreachable,
)
from gateway.stores.operations import make_event
from gateway.stores.spool.keeper import SpoolSettings
from gateway.stores.spool.store import SpooledStore

QUICK = SpoolSettings(first_try_s=1, retry_s=0.05, hold_off_s=0.1, hand_over_s=0.05, adopt_s=0.1, reserve=0)


async def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < end, "it does not happen"
        await asyncio.sleep(0.02)


class Pair:
    """The shared store, the spooled one in front of it, and what was acknowledged."""

    def __init__(self, directory, keys, clock):
        self.directory, self.keys, self.clock = directory, keys, clock
        self.spool_directory = directory / "spool"
        self.primary = StandIn.open(directory / "shared.db", keys, writer="host-1")
        self.store = None
        self.reachable = True

    async def connect(self):
        if not self.reachable:
            raise StoreUnreachable("postgresql://127.0.0.1/leadgate", "it cannot be reached", "Is the server running?")
        return self.primary

    async def open(self, writer="host-1", **settings):
        self.store = await SpooledStore.open(
            self.connect,
            self.spool_directory,
            self.keys,
            writer=writer,
            settings=msgspec.structs.replace(QUICK, **settings),
            clock=self.clock,
        )
        return self.store

    async def reopen(self):
        """After close, which closes the shared store too."""
        self.primary = StandIn.open(self.directory / "shared.db", self.keys, writer="host-1")
        return await self.open()

    async def drained(self):
        await until(lambda: not self.store._keeper.used)

    async def back(self):
        self.primary.come_back()
        await self.drained()

    def loose(self, lead):
        """What stood in the shared store's queue when it went away."""
        return make_event(lead.id, "seen", {}, self.clock())

    def files(self):
        return sorted(path.name for path in self.spool_directory.glob("*.db"))


async def sound(primary):
    """Every chain of the shared store verifies; how many links each has."""
    heads = await primary.writers()
    links = []
    for writer in heads:
        while page := await primary.entries(writer, after=sum(link.writer == writer for link in links)):
            links += page
    assert verify(links, heads=heads).ok
    ids = [link.id for link in links]
    assert len(ids) == len(set(ids))
    assert (await primary.conservation()).holds
    return {writer: sum(link.writer == writer for link in links) for writer in heads}


async def names(store, lead_id):
    return [event.event for event in await store.events(lead_id)]


class Seemingly:
    """A store whose connection is dead and nobody has noticed yet."""

    healthy = True

    def __init__(self, primary):
        self._primary = primary

    def __getattr__(self, name):
        return getattr(self._primary, name)


async def has(spool, **wanted):
    content = await spool.content()
    return all(getattr(content, name) == value for name, value in wanted.items())


async def there(store, lead_id):
    return await store.lead(lead_id) is not None


def full():
    import sqlite3

    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error

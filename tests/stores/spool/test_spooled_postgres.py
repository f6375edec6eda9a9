"""The spool in front of a real PostgreSQL that is stopped, killed and frozen: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from servers import Postgres

from gateway.evidence.chain import verify
from gateway.model import LeadState, new_id
from gateway.stores.keys import KeyRing
from gateway.stores.postgres.settings import PostgresSettings
from gateway.stores.postgres.store import PostgresStore
from gateway.stores.spool.keeper import SpoolSettings
from gateway.stores.spool.store import SpooledStore

QUICK = SpoolSettings(retry_s=0.1, hold_off_s=0.2, hand_over_s=0.2, adopt_s=0.2, reserve=0)
NOW = 1_760_000_000_000_000


@pytest.fixture(scope="module")
def server():
    """One that is broken by these tests, so of their own."""
    with Postgres() as server:
        yield server


@pytest.fixture
def settings(server):
    if server.pid is None:
        server.start()
    parts = urlsplit(server.fresh_database())
    return PostgresSettings(
        host=parts.hostname, port=parts.port, database=parts.path.strip("/"), user=parts.username, connect_s=1.0
    )


@asynccontextmanager
async def opened(settings, keys, directory, **more) -> AsyncIterator[SpooledStore]:
    async def connect():
        return await PostgresStore.open(settings, keys, writer="host-1")

    store = await SpooledStore.open(connect, directory / "spool", keys, writer="host-1", settings=QUICK, **more)
    try:
        yield store
    finally:
        await store.close()


async def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        await asyncio.sleep(0.05)


async def submit(store, make_lead, make_entry, acknowledged):
    """One visitor: journaled, judged, delivered."""
    lead = make_lead()
    await store.journal(lead, b"body of " + lead.id.encode())
    store.record(make_entry(lead.id))
    store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {"status": 200})
    acknowledged.append(lead.id)


async def check(store, acknowledged):
    """All of it is there, once, in chains that verify."""
    for lead_id in acknowledged:
        body = await store.lead_body(lead_id)
        assert body is not None, lead_id
        assert body.lead.state is LeadState.DELIVERED, (lead_id, body.lead.note)
        assert await body.read() == b"body of " + lead_id.encode()
        assert await store.get_record(lead_id) is not None
        assert [event.event for event in await store.events(lead_id)] == ["forwarded"]
    sums = await store.conservation()
    assert sums.holds
    assert (sums.received, sums.unjournaled) == (len(acknowledged), 0)
    heads = await store.writers()
    links = []
    for writer in heads:
        after = 0
        while page := await store.entries(writer, after=after):
            links += page
            after = page[-1].seq
    assert verify(links, heads=heads).ok
    assert len(links) == len({link.id for link in links}) == 2 * len(acknowledged)


BREAKS = {
    "stopped": (lambda server: server.stop(), lambda server: server.start()),
    "killed": (lambda server: server.kill(), lambda server: server.start()),
    "frozen": (lambda server: server.pause(), lambda server: server.resume()),
}


@pytest.mark.parametrize("how", BREAKS)
async def test_away_and_back_under_load(server, settings, keys, tmp_path, make_lead, make_entry, how):
    away, back = BREAKS[how]
    acknowledged: list[str] = []
    longest = 0.0
    async with opened(settings, keys, tmp_path) as store:
        stop = asyncio.Event()

        async def visitor():
            nonlocal longest
            while not stop.is_set():
                async with asyncio.timeout(1.0):  # journal_deadline_ms
                    await submit(store, make_lead, make_entry, acknowledged)
                await asyncio.sleep(0.01)

        visitors = [asyncio.create_task(visitor()) for _ in range(4)]
        await asyncio.sleep(0.5)
        before = len(acknowledged)
        await asyncio.to_thread(away, server)
        await until(lambda: not store.healthy)
        await asyncio.sleep(1.5)
        during = len(acknowledged)
        assert "is away since" in store.trouble
        await asyncio.to_thread(back, server)
        await until(lambda: store.healthy)
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*visitors)
        assert 0 < before < during < len(acknowledged)
        await until(lambda: not store._keeper.used)
        await store.flush()
        await check(store, acknowledged)
        assert store.stats().dropped == store.stats().unsettled == 0


async def test_its_disk_is_full(keys, tmp_path, make_lead, make_entry):
    with Postgres(disk_mb=160) as server:
        parts = urlsplit(server.fresh_database())
        settings = PostgresSettings(
            host=parts.hostname, port=parts.port, database=parts.path.strip("/"), user=parts.username
        )
        acknowledged: list[str] = []
        async with opened(settings, keys, tmp_path) as store:
            for _ in range(5):
                await submit(store, make_lead, make_entry, acknowledged)
            await store.flush()
            await asyncio.to_thread(server.fill_disk)
            end = time.monotonic() + 20
            while store.healthy:
                assert time.monotonic() < end, "the disk is not full"
                async with asyncio.timeout(1.0):
                    await submit(store, make_lead, make_entry, acknowledged)
            for _ in range(20):
                await submit(store, make_lead, make_entry, acknowledged)
            await asyncio.to_thread(server.free_disk)
            await until(lambda: store.healthy and not store._keeper.used, 30)
            await check(store, acknowledged)


async def test_started_and_ended_while_it_is_away(server, settings, keys, tmp_path, make_lead, make_entry):
    acknowledged: list[str] = []
    server.stop()
    async with opened(settings, keys, tmp_path) as store:
        await submit(store, make_lead, make_entry, acknowledged)
        assert "away" in store.trouble
    server.start()
    async with opened(settings, keys, tmp_path) as store:
        await until(lambda: store.healthy and not store._keeper.used)
        await check(store, acknowledged)
    assert list((tmp_path / "spool").iterdir()) == []


async def test_a_missing_key_is_found_when_it_comes_back(server, settings, keys, tmp_path, make_lead):
    async with opened(settings, keys, tmp_path):
        pass
    server.stop()
    async with opened(settings, KeyRing.ephemeral(), tmp_path) as store:
        server.start()
        await until(lambda: "is missing" in (store.trouble or ""))
        await store.journal(make_lead(id=new_id()), b"kept all the same")
        assert not store.healthy
        assert store.spooling

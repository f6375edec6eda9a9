"""Many gateways on one PostgreSQL: chains that cannot fork, leads of the dead closed by the living, jobs taken once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from gateway.evidence.chain import verify
from gateway.model import LeadState
from gateway.stores.keys import KeyRing
from gateway.stores.postgres.recovery import Sweep
from gateway.stores.postgres.store import PostgresStore
from gateway.stores.sealing import CHUNK_BYTES

from .conftest import empty, postgres_settings

ROOT = Path(__file__).parents[2]
HELD, DELIVERED, PENDING = LeadState.HELD, LeadState.DELIVERED, LeadState.PENDING


@pytest.fixture
async def opening(shared_dsn, keys, clock):
    """Opens stores; closes them at the end."""
    await empty(shared_dsn)
    opened = []

    async def open_(writer="gateway-0", **settings):
        store = await PostgresStore.open(postgres_settings(shared_dsn, **settings), keys, writer=writer, clock=clock)
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
async def sql(shared_dsn):
    connection = await asyncpg.connect(shared_dsn)
    yield connection.fetch
    await connection.close()


async def names(store, lead_id):
    return [event.event for event in await store.events(lead_id)]


async def test_two_processes_of_one_name_write_one_chain(opening, make_entry, make_lead):
    one, two = await opening(), await opening()
    lead = make_lead()
    await one.journal(lead, b"x")
    for number in range(20):
        for store in (one, two):
            store.record(make_entry())
            store.settle_soon(lead.id, PENDING, "busy", {"number": number})
        await asyncio.gather(one.flush(), two.flush())
    report = verify(await one.entries("gateway-0"), heads=await one.writers())
    assert (report.ok, report.checked) == (True, 80)
    assert [store.stats().dropped for store in (one, two)] == [0, 0]


async def test_many_gateways_settle_the_same_leads_without_standing_in_each_others_way(opening, make_lead):
    stores = [await opening(f"gateway-{number}") for number in range(4)]
    leads = [make_lead() for _ in range(30)]
    for lead in leads:
        await stores[0].journal(lead, b"x")

    async def settle(store, order):
        for lead in order:
            store.settle_soon(lead.id, HELD, store.writer, {})
        await store.flush()

    orders = [leads, leads[::-1], leads[1::2] + leads[::2], leads[15:] + leads[:15]]
    await asyncio.gather(*[settle(store, order) for store, order in zip(stores, orders, strict=True)])
    for lead in leads:
        assert sorted(await names(stores[0], lead.id)) == [store.writer for store in stores]
    assert [store.stats().failed for store in stores] == [0] * 4


async def test_the_sums_count_all_writers(opening, make_lead):
    stores = [await opening(f"gateway-{number}") for number in range(3)]
    for store in stores:
        await asyncio.gather(*[store.journal(make_lead(), b"x") for _ in range(5)])
        store.unjournaled("never came")
        await store.flush()
    sums = await stores[0].conservation()
    assert (sums.received, sums.unjournaled, sums.holds) == (15, 3, True)


async def test_jobs_are_taken_once(opening, make_lead, clock):
    stores = [await opening(f"gateway-{number}") for number in range(4)]
    wanted = []
    for _ in range(12):
        lead = make_lead()
        await stores[0].journal(lead, b"x")
        await stores[0].settle(lead.id, HELD, "held", {})
        await stores[0].enqueue_release(lead.id, "ann")
        wanted.append(lead.id)
    taken = []
    for _ in range(4):
        jobs = await asyncio.gather(*[store.claim_release(clock.now) for store in stores])
        taken += [job.lead_id for job in jobs if job is not None]
    assert sorted(taken) == sorted(wanted)


class TestTheDead:
    async def test_leads_of_a_writer_that_is_gone_are_held_by_another(self, opening, sql, make_lead):
        gone, alive, living = await opening("gone"), await opening("alive"), await opening("gateway-0")
        lead, body = make_lead(), b"x" * (CHUNK_BYTES + 1)
        await gone.journal(lead, body)
        theirs = make_lead()
        await alive.journal(theirs, b"x")
        await sql("UPDATE writers SET seen_at = now() - interval '200 seconds' WHERE name = 'gone'")
        await sql("UPDATE writers SET seen_at = now() - interval '100 seconds' WHERE name = 'alive'")
        await living._writer.do(Sweep(180.0, living._clock))
        found = await living.lead(lead.id)
        assert (found.state, found.note) == (HELD, "delivery unknown")
        assert (await living.events(lead.id))[0].writer == "gateway-0"
        assert (await living.lead(theirs.id)).state is PENDING
        assert await (await living.lead_body(lead.id)).read() == body
        await gone.settle(lead.id, DELIVERED, "delivered", {})  # it was only away
        assert (await living.lead(lead.id)).state is DELIVERED
        assert (await living.conservation()).holds

    async def test_it_is_done_by_itself_and_heartbeats_keep_the_living_from_it(self, opening, sql, make_lead):
        quick = {"heartbeat_s": 0.1, "dead_after_s": 1.5}
        idle, other = await opening("idle", **quick), await opening("other", **quick)
        theirs = make_lead()
        await idle.journal(theirs, b"x")
        gone = await opening("gone", **quick)
        lead = make_lead()
        await gone.journal(lead, b"x")
        gone._writer._task.cancel()  # as kill -9: nothing is said any more
        for _ in range(200):
            if (await other.lead(lead.id)).state is HELD:
                break
            await asyncio.sleep(0.05)
        assert (await other.lead(lead.id)).note == "delivery unknown"
        await asyncio.sleep(1)  # others had their turns meanwhile
        assert (await other.lead(theirs.id)).state is PENDING

    async def test_pieces_of_a_body_that_never_arrived_whole_go_too(self, opening, sql, make_lead):
        gone, living = await opening("gone"), await opening("gateway-0")

        async def endless():
            yield bytes(CHUNK_BYTES)
            await asyncio.Event().wait()

        task = asyncio.create_task(gone.journal(make_lead(), endless()))
        while not await sql("SELECT FROM lead_chunks"):
            await asyncio.sleep(0.01)
        await sql("UPDATE writers SET seen_at = now() - interval '1 day' WHERE name = 'gone'")
        await living._writer.do(Sweep(180.0, living._clock))
        assert await sql("SELECT FROM lead_chunks") == []
        task.cancel()

    async def test_a_body_whose_pieces_were_taken_for_orphans_is_not_stored_in_part(self, opening, sql, make_lead):
        """A second process of the name recovers what it takes for the first one's remains."""
        store, lead = await opening(), make_lead()

        async def body():
            yield bytes(CHUNK_BYTES)
            yield bytes(CHUNK_BYTES)
            await opening()
            yield bytes(10)

        with pytest.raises(Exception, match="pieces of its body are gone"):
            await store.journal(lead, body())
        await store.flush()
        assert await store.lead(lead.id) is None
        assert await sql("SELECT FROM lead_chunks") == []

    async def test_only_the_own_releases_are_closed_at_start(self, opening, make_lead, clock):
        mine, other = await opening("mine"), await opening("other")
        leads = []
        for store in (mine, other):
            lead = make_lead()
            await store.journal(lead, b"x")
            await store.settle(lead.id, HELD, "held", {})
            await store.enqueue_release(lead.id, "ann")
            assert (await store.claim_release(clock.now)).lead_id == lead.id
            leads.append(lead.id)
        await mine.close()
        again = await opening("mine")
        assert (await again.lead(leads[0])).note == "delivery unknown"
        assert (await again.lead(leads[1])).releasing


CHILD = """
import asyncio, sys, msgspec
from gateway.model import LeadState, new_id, now_us
from gateway.stores.keys import KeyRing
from gateway.stores.leads import NewLead
from gateway.stores.postgres.store import PostgresStore
from gateway.stores.postgres.settings import PostgresSettings

async def one(store, number):
    while True:
        lead = NewLead(new_id(), "acme", "quote", now_us(), b"POST / HTTP/1.1", "192.0.2.1:1")
        await store.journal(lead, lead.id.encode() * 50)
        sys.stdout.write(lead.id + "\\n")
        sys.stdout.flush()
        store.event(lead.id, "seen", {"by": number})
        if number % 2:
            store.settle_soon(lead.id, LeadState.DELIVERED, "delivered", {})

async def main(host, port, database, keys):
    settings = PostgresSettings(host, int(port), database, deadline_s=10.0)
    store = await PostgresStore.open(settings, KeyRing.open(keys, await PostgresStore.keys_used(settings)))
    await asyncio.gather(*[one(store, number) for number in range(8)])

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_at_any_moment_every_acknowledged_lead_is_there(postgres_dsn, tmp_path):
    settings, acknowledged = postgres_settings(postgres_dsn), []
    for run in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, settings.host, str(settings.port), settings.database, str(tmp_path / "keys")],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        output = child.stdout.readline()
        await asyncio.sleep(0.03 * run)
        child.send_signal(signal.SIGKILL)
        output += child.stdout.read()
        child.wait()
        child.stdout.close()
        acknowledged += [line.decode() for line in output.split(b"\n")[:-1]]
    assert len(acknowledged) > 30
    keys = KeyRing.open(tmp_path / "keys", await PostgresStore.keys_used(settings))
    store = await PostgresStore.open(settings, keys)
    try:
        for lead_id in acknowledged:
            body = await store.lead_body(lead_id)
            assert body.lead.state in (HELD, DELIVERED)
            assert await body.read() == lead_id.encode() * 50
        sums = await store.conservation()
        assert sums.holds
        assert sums.by_state["pending"] == 0
        links = []
        while page := await store.entries("gateway-0", after=len(links)):
            links += page
        assert verify(links, heads=await store.writers()).ok
    finally:
        await store.close()

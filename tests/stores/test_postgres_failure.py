"""PostgreSQL ill in every way: what those who wait are told, what is kept, and that nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import time

import asyncpg
import msgspec
import pytest

from gateway.evidence.chain import verify
from gateway.model import LeadState
from gateway.stores.errors import StoreUnavailable
from gateway.stores.postgres import partitions as postgres_partitions
from gateway.stores.postgres.store import PostgresStore
from geoip.network import Network

from .conftest import postgres_settings

HELD, DELIVERED = LeadState.HELD, LeadState.DELIVERED


@pytest.fixture(scope="module")
def server():
    """Of its own: it is killed, paused and filled."""
    from servers import Postgres

    with Postgres() as own:
        yield own


@pytest.fixture
def place(server):
    if server.pid is None:
        server.start()
    server.resume()
    dsn = server.fresh_database()
    yield postgres_settings(dsn, deadline_s=2.0, connect_s=2.0)
    if server.pid is None:
        server.start()
    server.resume()
    server.drop_database(dsn)


@pytest.fixture
async def store(place, keys):
    store = await PostgresStore.open(place, keys)
    yield store
    await store.close()


async def until_healthy(store, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await store.flush()
        except StoreUnavailable:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError(f"still in trouble: {store.trouble}")


async def chain(store, name="gateway-0"):
    links = []
    while page := await store.entries(name, after=links[-1].seq if links else 0):
        links += page
    return verify(links, heads=await store.writers())


async def names(store, lead_id):
    return [event.event for event in await store.events(lead_id)]


class TestAway:
    @pytest.mark.parametrize("way", ["kill", "stop", "pause"])
    async def test_who_waits_is_told_and_what_nobody_waits_for_is_kept(self, store, server, way, make_lead, make_entry):
        lead, before = make_lead(), make_entry()
        await store.journal(lead, b"x")
        store.record(before)
        getattr(server, way)()
        refused = make_lead()
        with pytest.raises(StoreUnavailable, match=r"postgresql://127\.0\.0\.1:\d+/leadgate_\d+: "):
            await asyncio.wait_for(store.journal(refused, b"x"), 10)
        store.unjournaled(refused.id)
        entries = [make_entry() for _ in range(50)]
        for entry in entries:
            assert store.record(entry)
        store.settle_soon(lead.id, HELD, "first", {})
        store.settle_soon(lead.id, DELIVERED, "second", {})
        assert not store.healthy
        assert store.lag >= 50
        for call in (store.settle(lead.id, HELD, "no", {}), store.flush(), store.take_turn("x", 1, 1)):
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(call, 10)
        if way == "pause":
            server.resume()
        else:
            server.start()
        await until_healthy(store)
        assert await store.known([entry.id for entry in (before, *entries)]) == {e.id for e in (before, *entries)}
        assert await names(store, lead.id) == ["first", "second"]
        assert await store.lead(refused.id) is None
        sums = await store.conservation()
        assert (sums.received, sums.unjournaled, sums.holds) == (1, 1, True)
        report = await chain(store)
        assert (report.ok, report.checked) == (True, 53)
        assert (store.stats().dropped, store.stats().unsettled) == (0, 0)

    async def test_a_restart_between_two_commits_is_not_noticed(self, store, server, make_lead):
        await store.journal(make_lead(), b"x")
        server.restart()
        await asyncio.sleep(0.1)  # the loop sees that the connection ended
        await store.journal(make_lead(), b"x")
        assert await store.lead("none") is None
        assert (await store.conservation()).received == 2
        assert store.stats().failed == 0

    async def test_under_load_everything_acknowledged_is_there(self, store, server, make_lead, make_entry):
        """Killed and started three times while leads and records come."""
        acknowledged, refused, entries, stop = [], [], [], asyncio.Event()

        async def visitor():
            while not stop.is_set():
                lead, entry = make_lead(), make_entry()
                entries.append(entry.id)
                assert store.record(entry)
                try:
                    await store.journal(lead, b"x" * 500)
                    acknowledged.append(lead.id)
                    store.settle_soon(lead.id, DELIVERED, "delivered", {})
                except StoreUnavailable:
                    refused.append(lead.id)
                    store.unjournaled(lead.id)
                    await asyncio.sleep(0.02)

        visitors = [asyncio.create_task(visitor()) for _ in range(8)]
        for way in ("kill", "stop", "kill"):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(getattr(server, way))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.start)
            await until_healthy(store)
        stop.set()
        await asyncio.gather(*visitors)
        await until_healthy(store)
        assert len(acknowledged) > 50
        assert refused
        for lead_id in acknowledged:
            assert (await store.lead(lead_id)).state is DELIVERED
            assert await names(store, lead_id) == ["delivered"]
        sums = await store.conservation()
        assert (sums.received, sums.unjournaled) == (len(acknowledged), len(refused))
        assert sums.holds
        assert await store.known(entries) == set(entries)
        report = await chain(store)
        assert (report.ok, report.checked) == (True, len(entries) + len(acknowledged))

    async def test_closing_does_not_hang(self, place, keys, server, make_entry):
        store = await PostgresStore.open(place, keys)
        server.kill()
        await asyncio.sleep(0.1)
        store.record(make_entry())
        await asyncio.wait_for(store.close(), 20)
        assert store.stats().dropped == 1

    async def test_beyond_the_bound_it_is_dropped_and_counted(self, place, server, keys, make_entry):
        store = await PostgresStore.open(msgspec.structs.replace(place, queue=20), keys)
        try:
            server.stop()
            kept = sum(store.record(make_entry()) for _ in range(100))
            server.start()
            await until_healthy(store)
            assert (await chain(store)).checked == kept
            assert kept + store.stats().dropped == 100
            assert store.stats().dropped >= 60
        finally:
            await store.close()

    async def test_a_queue_that_is_taken_over_by_another_store_is_given_once(
        self, store, server, make_entry, make_lead
    ):
        lead = make_lead()
        await store.journal(lead, b"x")
        server.stop()
        entries = [make_entry() for _ in range(3)]
        for entry in entries:
            store.record(entry)
        store.settle_soon(lead.id, HELD, "held", {})
        store.unjournaled("elsewhere")
        for _ in range(100):
            if not store.healthy:
                break
            await asyncio.sleep(0.02)
        given = store.hand_over()
        assert [type(item).__name__ for item in given] == ["Settle", "Unjournaled", "Entry", "Entry", "Entry"]
        assert (store.hand_over(), store.lag) == ([], 0)
        server.start()
        await until_healthy(store)
        assert await store.known([entry.id for entry in entries]) == set()
        for _ in range(2):
            await store.take_back(given[:1] + given[2:])
        await store.take_back(given[1:2])
        assert await store.known([entry.id for entry in entries]) == {entry.id for entry in entries}
        assert await names(store, lead.id) == ["held"]
        assert (await store.conservation()).unjournaled == 1
        assert (await chain(store)).checked == 4


class TestLostAnswers:
    """The connection breaks at COMMIT: the server may have done it or not."""

    def breaks(self, store, moment):
        async def fault(at):
            if at == moment:
                store._writer._link.fault = None
                raise ConnectionResetError("lost")

        store._writer._link.fault = fault

    @pytest.mark.parametrize("moment", ["begin", "commit", "committed"])
    async def test_nothing_is_doubled_or_lost(self, store, moment, make_entry, make_lead):
        leads = [make_lead() for _ in range(3)]
        for lead in leads:
            await store.journal(lead, b"x")
        entries = [make_entry() for _ in range(20)]
        self.breaks(store, moment)
        for entry in entries:
            store.record(entry)
        store.settle_soon(leads[0].id, HELD, "first", {})
        store.settle_soon(leads[0].id, DELIVERED, "second", {})  # done again, `first` would be impossible
        store.unjournaled("never came")
        await until_healthy(store)
        assert await names(store, leads[0].id) == ["first", "second"]
        report = await chain(store)
        assert (report.ok, report.checked) == (True, 22)
        sums = await store.conservation()
        assert (sums.received, sums.unjournaled, store.stats().unsettled) == (3, 1, 0)
        assert store.stats().committed == 22

    async def test_who_waits_hears_how_it_ended_where_that_is_soon_known(self, store, make_lead):
        lead = make_lead()
        self.breaks(store, "committed")
        await store.journal(lead, b"x")
        assert (await store.lead(lead.id)).state is LeadState.PENDING
        assert store.healthy

    @pytest.mark.parametrize("moment", ["begin", "commit"])
    async def test_who_waits_for_what_did_not_take_place_is_refused(self, store, moment, make_lead):
        lead = make_lead()
        self.breaks(store, moment)
        with pytest.raises(StoreUnavailable):
            await store.journal(lead, b"x")
        await until_healthy(store)
        assert await store.lead(lead.id) is None
        assert (await store.conservation()).received == 0

    async def test_a_lead_whose_visitor_was_told_otherwise_is_taken_out_again(self, store, server, make_lead):
        lead, other = make_lead(), make_lead()
        await store.journal(other, b"x")

        async def slow(at):
            if at == "committed":
                store._writer._link.fault = None
                server.stop()
                raise ConnectionResetError("lost")

        store._writer._link.fault = slow
        with pytest.raises(StoreUnavailable):
            await store.journal(lead, b"x" * 300_000)
        store.unjournaled(lead.id)
        server.start()
        await until_healthy(store)
        assert await store.lead(lead.id) is None
        assert (await store.lead(other.id)) is not None
        sums = await store.conservation()
        assert (sums.received, sums.unjournaled, sums.holds) == (1, 1, True)
        await store.journal(lead, b"again")
        assert await (await store.lead_body(lead.id)).read() == b"again"

    async def test_another_process_of_the_name_wrote_meanwhile(self, store, place, keys, make_entry, make_lead):
        """Only ids can tell then."""
        lead = make_lead()
        await store.journal(lead, b"x")
        other, entry = await PostgresStore.open(place, keys), make_entry()

        async def fault(at):
            if at == "committed":
                store._writer._link.fault = None
                await other.settle(lead.id, DELIVERED, "delivered", {})
                raise ConnectionResetError("lost")

        try:
            store._writer._link.fault = fault
            store.record(entry)
            store.settle_soon(lead.id, HELD, "held", {})  # done again, it would be impossible
            await until_healthy(store)
            assert await names(store, lead.id) == ["delivery.unknown", "held", "delivered"]
            report = await chain(store)
            assert (report.ok, report.checked) == (True, 4)
            assert store.stats().unsettled == 0
        finally:
            await other.close()


async def test_a_slow_server_costs_no_more_than_the_deadline(place, server, keys, make_lead):
    store = await PostgresStore.open(msgspec.structs.replace(place, deadline_s=0.3), keys)
    try:
        lead = make_lead()
        server.pause()
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable, match=r"no answer within 300 ms|does not answer in time"):
            await store.journal(lead, b"x")
        waited = asyncio.get_running_loop().time() - started
        assert waited < 2  # far above the deadline: the machine is shared; far below any timeout of TCP
        server.resume()
        await until_healthy(store)
        assert await store.lead(lead.id) is None
    finally:
        server.resume()
        await store.close()


async def test_what_does_not_end_in_time_is_tried_in_smaller_parts(store, make_entry):
    """A server that needs long for many rows is not asked for so many again and again."""
    sizes = []
    commit = store._writer._link.commit

    async def slow(work):
        sizes.append(len(work.entries))
        if len(work.entries) > 40:
            raise TimeoutError
        return await commit(work)

    store._writer._link.commit = slow
    await store.add([make_entry() for _ in range(300)])
    await until_healthy(store)
    assert max(sizes) == 300
    assert (await chain(store)).checked == 300
    assert store.stats().dropped == 0


async def test_a_full_disk(keys, make_lead, make_entry):
    from servers import Postgres

    with Postgres(disk_mb=96) as server:
        store = await PostgresStore.open(postgres_settings(server.fresh_database()), keys)
        try:
            stored, refused = [], None
            server.fill_disk()
            for _ in range(200):
                lead = make_lead()
                try:
                    await store.journal(lead, os.urandom(40_000))
                    stored.append(lead.id)
                except StoreUnavailable as error:
                    refused = str(error)
                    break
            assert refused is not None
            entries = [make_entry() for _ in range(20)]
            for entry in entries:
                store.record(entry)
            await asyncio.sleep(0.3)
            assert not store.healthy
            server.free_disk()
            await until_healthy(store)
            await store.journal(make_lead(), b"x")
            for lead_id in stored:
                assert len(await (await store.lead_body(lead_id)).read()) == 40_000
            assert await store.known([entry.id for entry in entries]) == {entry.id for entry in entries}
            assert (await store.conservation()).holds
        finally:
            await store.close()


async def test_what_cannot_be_stored_does_not_stop_what_can(store, make_entry, make_lead):
    """Found one by one, also where the trouble begins in the middle of looking."""
    bad = [make_entry(network=Network(2**70, "x", "DE")), make_entry("no-uuid"), make_entry(site="a\0b")]
    good = [make_entry() for _ in range(6)]
    for entry in (*good[:2], bad[0], *good[2:4], bad[1], bad[2], *good[4:]):
        store.record(entry)
    done = await asyncio.gather(
        store.journal(make_lead(site="a\0b"), b"x"), store.journal(make_lead(), b"x"), return_exceptions=True
    )
    assert isinstance(done[0], StoreUnavailable)
    assert "203.0.113" not in str(done[0])
    assert done[1] is None
    await store.flush()
    assert await store.known([entry.id for entry in good]) == {entry.id for entry in good}
    assert (store.stats().dropped, store.healthy) == (3, True)


@pytest.mark.parametrize("error", [StoreUnavailable("in the way of itself"), KeyError("203.0.113.5")])
async def test_nothing_that_a_commit_raises_ends_the_writer(store, make_entry, make_lead, error):
    """Also what nobody thought of: without its task the store would stay away until a restart."""
    times = iter(range(1))

    async def fails(moment):
        if moment == "begin" and next(times, None) is not None:
            raise error

    store._writer._link.fault = fails
    entries = [make_entry() for _ in range(3)]
    for entry in entries:
        store.record(entry)
    await until_healthy(store)
    await store.journal(make_lead(), b"x")
    await store.flush()
    assert await store.known([entry.id for entry in entries]) == {entry.id for entry in entries}
    assert (store.stats().dropped, store.healthy) == (0, True)


@pytest.mark.parametrize("at", ["the first", "in between"])
async def test_reading_ends_in_time_though_the_server_does_not_answer(place, server, keys, at):
    """Also what is said to it after the time is over waits for nothing."""
    store = await PostgresStore.open(msgspec.structs.replace(place, read_s=0.5, connect_s=0.5), keys)

    async def read(connection):
        server.pause()
        await connection.fetch("SELECT 1")

    try:
        await store.conservation()
        if at == "the first":
            server.pause()
        for _ in range(place.readers + 1):  # each gives its place back
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(store._readers.run(read), 5)
    finally:
        server.resume()
        await store.close()


async def test_making_partitions_ends_in_time_though_the_server_does_not_answer(
    place, server, keys, make_entry, monkeypatch
):
    store = await PostgresStore.open(msgspec.structs.replace(place, read_s=0.5, connect_s=0.5), keys)

    def statements(day):
        server.pause()
        return made(day)

    made = postgres_partitions._statements
    monkeypatch.setattr(postgres_partitions, "_statements", statements)
    try:
        store.record(make_entry(at=1_500_000_000_000_000))
        async with asyncio.timeout(8):
            while store.healthy:
                await asyncio.sleep(0.05)
    finally:
        server.resume()
        await store.close()


@pytest.mark.parametrize("moment", ["schema_version", "CREATE"])
async def test_opening_can_be_given_up_though_the_server_does_not_answer(place, server, keys, moment, monkeypatch):
    execute = asyncpg.Connection.execute

    async def pausing(self, query, *args, **kwargs):
        if moment in query:
            server.pause()
        return await execute(self, query, *args, **kwargs)

    monkeypatch.setattr(asyncpg.Connection, "execute", pausing)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await PostgresStore.open(place, keys)
    assert time.monotonic() - began < 10
    server.resume()

"""Opening PostgreSQL: tables made once however many start at once, a plain role, a pooler, formats, keys, plain words."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from gateway.evidence.chain import verify
from gateway.model import LeadState, now_us
from gateway.stores.errors import (
    KeyProblem,
    StoreCorrupt,
    StoreMissing,
    StoreReadOnly,
    StoreTooNew,
    StoreTooOld,
    StoreUnavailable,
    StoreUnopenable,
    StoreUnreachable,
)
from gateway.stores.keys import SEAL, KeyRing
from gateway.stores.leads import LeadFilter
from gateway.stores.migrations import Migration
from gateway.stores.operations import OPERATOR
from gateway.stores.postgres import schema as postgres_schema
from gateway.stores.postgres.schema import standing_at, upgrade
from gateway.stores.postgres.store import PostgresStore
from gateway.stores.records import RecordFilter

from .conftest import postgres_settings

DAYS = 3
TABLES = 7


@pytest.fixture
async def opening(keys):
    """Opens stores; closes them at the end."""
    opened = []

    async def open_(dsn, writer="gateway-0", keys=keys, **settings):
        store = await PostgresStore.open(postgres_settings(dsn, **settings), keys, writer=writer)
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()


async def sql(dsn, statement, *values):
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


class TestOpening:
    async def test_several_gateways_that_start_at_once_all_succeed(self, opening, postgres_dsn, make_lead):
        stores = await asyncio.gather(*[opening(postgres_dsn, f"gateway-{number}") for number in range(6)])
        for store in stores:
            await store.journal(make_lead(), b"x")
        assert (await stores[0].conservation()).received == 6
        assert await sql(postgres_dsn, "SELECT version FROM schema_version") == [(1,)]
        made = "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'"
        assert await sql(postgres_dsn, made) == [(TABLES * (DAYS + 2),)]

    async def test_several_processes_that_make_the_same_day_at_once(self, opening, postgres_dsn, make_entry):
        stores = [await opening(postgres_dsn, f"gateway-{number}") for number in range(4)]
        at = 1_500_000_000_000_000
        for store in stores:
            store.record(make_entry(at=at))
        await asyncio.gather(*[store.flush() for store in stores])
        assert len((await stores[0].records(RecordFilter(until=at + 1))).items) == 4
        assert [store.stats().dropped for store in stores] == [0] * 4
        found = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname LIKE '%\\_20170714'"
        assert await sql(postgres_dsn, found) == [(TABLES,)]

    async def test_days_nobody_lives_in_share_a_partition(self, opening, postgres_dsn, make_entry):
        store = await opening(postgres_dsn)
        for at in (0, 4 * 10**14, 5 * 10**15, 2**53 - 1):
            store.record(make_entry(at=at))
        await store.flush()
        assert len((await store.records(RecordFilter())).items) == 4
        edges = "SELECT tableoid::regclass::text, count(*) FROM records GROUP BY 1 ORDER BY 1"
        assert await sql(postgres_dsn, edges) == [("records_after", 2), ("records_before", 2)]

    async def test_a_partition_that_somebody_dropped_is_made_again(self, opening, postgres_dsn, make_entry):
        store, first = await opening(postgres_dsn), make_entry()
        store.record(first)
        await store.flush()
        (name,) = (await sql(postgres_dsn, "SELECT tableoid::regclass::text FROM entries"))[0]
        for table in (
            "entries",
            "records",
            "events",
            "blind",
            "personal_network",
            "personal_browser",
            "personal_person",
        ):
            await sql(postgres_dsn, f"DROP TABLE {name.replace('entries', table)}")
        second = make_entry()
        store.record(second)
        await store.flush()
        assert await store.get_record(first.id) is None
        assert (await store.get_record(second.id)).seq == 2
        assert store.stats().dropped == 0

    async def test_the_operator_makes_no_store(self, opening, postgres_dsn):
        with pytest.raises(StoreTooOld, match="no store in the database yet"):
            await opening(postgres_dsn, OPERATOR)
        assert await sql(postgres_dsn, "SELECT to_regclass('leads')") == [(None,)]

    async def test_a_database_of_another_program(self, opening, postgres_dsn):
        await sql(postgres_dsn, "CREATE TABLE leads (theirs text)")
        with pytest.raises(StoreCorrupt, match="a table leads of another program"):
            await opening(postgres_dsn)
        assert await sql(postgres_dsn, "SELECT to_regclass('writers'), to_regclass('schema_version')") == [(None, None)]

    async def test_a_foreign_list_of_versions(self, opening, postgres_dsn):
        await sql(postgres_dsn, "CREATE TABLE schema_version (version text)")
        with pytest.raises(StoreCorrupt, match="schema_version of another program"):
            await opening(postgres_dsn)

    async def test_names_that_no_json_needs_to_escape(self, opening, postgres_dsn):
        for name in ("", "Gateway", 'a"b', "a b", "-a"):
            with pytest.raises(ValueError, match="writer"):
                await opening(postgres_dsn, name)

    async def test_an_end_that_was_changed(self, opening, postgres_dsn, make_entry):
        store = await opening(postgres_dsn)
        store.record(make_entry())
        await store.close()
        await sql(postgres_dsn, "UPDATE entries SET body = 'evil'")
        with pytest.raises(StoreCorrupt, match=r"newest entry of gateway-0 \(1\)"):
            await opening(postgres_dsn)
        await opening(postgres_dsn, "gateway-1")


class TestFormats:
    NEXT = Migration(2, "a column", ("ALTER TABLE leads ADD COLUMN more text",), oldest=1)

    @pytest.fixture
    def newer(self, monkeypatch):
        def program(*steps):
            monkeypatch.setattr(postgres_schema, "MIGRATIONS", (*postgres_schema.MIGRATIONS[:1], *steps))
            monkeypatch.setattr(postgres_schema, "VERSION", 1 + len(steps))

        return program

    async def test_an_empty_database_can_be_prepared_before(self, opening, postgres_dsn):
        settings, told = postgres_settings(postgres_dsn), []
        assert ((await standing_at(settings)).found, len((await standing_at(settings)).pending)) == (0, 1)
        assert (await upgrade(settings, told.append)).pending == ()
        assert [step.version for step in told] == [1]
        await upgrade(settings, told.append)
        assert len(told) == 1
        await opening(postgres_dsn, OPERATOR)

    async def test_an_older_format_is_refused_until_it_is_upgraded_beside_running_gateways(
        self, opening, postgres_dsn, newer, make_lead
    ):
        running, settings = await opening(postgres_dsn), postgres_settings(postgres_dsn)
        newer(self.NEXT)
        with pytest.raises(StoreTooOld, match=r"format 1, this one writes 2.*leadgate db upgrade"):
            await opening(postgres_dsn, "gateway-1")
        standing = await standing_at(settings)
        assert (standing.found, standing.wanted, standing.online) == (1, 2, True)
        writing = asyncio.create_task(self.write(running, make_lead))
        assert (await upgrade(settings)).found == 2
        assert await writing == 30
        await opening(postgres_dsn, "gateway-1")

    async def write(self, store, make_lead):
        for _ in range(30):
            await store.journal(make_lead(), b"x")
        return (await store.conservation()).received

    async def test_two_upgrades_at_once(self, opening, postgres_dsn, newer):
        await opening(postgres_dsn)
        newer(self.NEXT)
        settings, told = postgres_settings(postgres_dsn), []
        await asyncio.gather(*[upgrade(settings, told.append) for _ in range(3)])
        assert [step.version for step in told] == [2]

    @pytest.mark.parametrize(("oldest", "served"), [(1, True), (2, False)])
    async def test_a_newer_format_says_who_may_still_use_it(self, opening, postgres_dsn, newer, oldest, served):
        await opening(postgres_dsn)
        newer(Migration(2, "more", (), oldest))
        await upgrade(postgres_settings(postgres_dsn))
        newer()
        if served:
            await opening(postgres_dsn, "gateway-1")
        else:
            with pytest.raises(StoreTooNew, match="format 2, this one knows 1"):
                await opening(postgres_dsn, "gateway-1")

    async def test_a_step_that_fails_leaves_nothing(self, opening, postgres_dsn, newer):
        await opening(postgres_dsn)
        newer(Migration(2, "broken", ("ALTER TABLE leads ADD COLUMN more text", "SELECT no_such_function()"), 1))
        with pytest.raises(StoreUnopenable, match="no_such_function"):
            await upgrade(postgres_settings(postgres_dsn))
        assert (await standing_at(postgres_settings(postgres_dsn))).found == 1
        assert await sql(postgres_dsn, "SELECT count(*) FROM pg_attribute WHERE attname = 'more'") == [(0,)]


class TestKeys:
    async def test_the_store_remembers_the_keys_it_used(self, opening, postgres_dsn, keys):
        settings = postgres_settings(postgres_dsn)
        assert await PostgresStore.keys_used(settings) == frozenset()
        await opening(postgres_dsn)
        assert (SEAL, keys.current(SEAL).id) in await PostgresStore.keys_used(settings)

    async def test_other_keys_are_refused(self, opening, postgres_dsn):
        await opening(postgres_dsn)
        with pytest.raises(KeyProblem, match="backup"):
            await opening(postgres_dsn, "gateway-1", KeyRing.ephemeral())


class TestPooler:
    async def test_all_works_behind_one_that_shares_connections_out(
        self, opening, pgbouncer_server, postgres_dsn, make_lead, make_entry, clock
    ):
        """More stores than the pooler has connections: what one left behind in a session, another would meet."""
        dsn = pgbouncer_server.dsn(postgres_dsn)
        stores = [await opening(dsn, f"gateway-{number}", dead_after_s=600.0) for number in range(6)]

        async def use(store):
            for number in range(10):
                lead, entry = make_lead(), make_entry()
                store.record(entry)
                await store.journal(lead, bytes(10) * number)
                await store.settle(lead.id, LeadState.HELD, "test", {"number": number})
                await store.enqueue_release(lead.id, "ann")
                job = await store.claim_release(2**52)
                if job is not None:
                    await store.release_result(job, True, 200, "")
                await store.flush()
                assert (await store.get_record(entry.id)).personal
                assert await store.known([entry.id]) == {entry.id}
                assert (await store.events(lead.id))[0].event == "test"
                await store.leads(LeadFilter(state=LeadState.HELD))
                await store.records(RecordFilter(q="203.0.113.5"))
                assert len(await (await store.lead_body(lead.id)).read()) == 10 * number

        await asyncio.gather(*[use(store) for store in stores])
        assert (await stores[0].conservation()).holds
        for store in stores:
            assert verify(await store.entries(store.writer)).ok
            assert (store.stats().failed, store.stats().dropped) == (0, 0)

    async def test_nothing_is_left_in_a_session(self, opening, postgres_dsn, make_lead, make_entry):
        store = await opening(postgres_dsn)
        store.record(make_entry())
        await store.journal(make_lead(), b"x")
        await store.flush()
        for connection in (store._writer._link._connection, await self.reader(store)):
            assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0
            changed = "SELECT name FROM pg_settings WHERE source = 'session' AND name NOT IN ('client_encoding')"
            assert await connection.fetch(changed) == []

    async def reader(self, store):
        await store.conservation()
        await store.records(RecordFilter())
        return store._readers._idle[-1]


class TestWords:
    """What the operator reads. The password never stands in it."""

    async def refused(self, dsn, **changes):
        with pytest.raises(StoreUnopenable) as caught:
            await PostgresStore.open(postgres_settings(dsn, **({"connect_s": 3.0} | changes)), KeyRing.ephemeral())
        assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
        return caught.value

    async def test_no_server(self):
        from servers import free_port

        error = await self.refused(f"postgresql://leadgate:s3cret@127.0.0.1:{free_port()}/x")
        assert isinstance(error, StoreUnreachable)
        assert "it cannot be reached (Connection refused). Is the server running" in str(error)

    async def test_no_such_database(self, postgres_server):
        error = await self.refused(postgres_server.dsn("none"))
        assert isinstance(error, StoreMissing)
        assert "Make it: CREATE DATABASE none OWNER" in str(error)

    async def test_a_role_that_may_not_make_tables(self, postgres_server):
        postgres_server.sql("CREATE DATABASE theirs")
        try:
            error = await self.refused(postgres_server.dsn("theirs"))
            assert isinstance(error, StoreReadOnly)
            assert "permission denied" in str(error)
            assert "ALTER DATABASE theirs OWNER TO leadgate" in str(error)
        finally:
            postgres_server.drop_database("theirs")

    async def test_a_server_that_only_reads(self, opening, postgres_server, postgres_dsn, make_lead):
        store = await opening(postgres_dsn)
        name = postgres_dsn.rpartition("/")[2]
        await sql(postgres_dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        postgres_server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        for _ in range(100):
            with pytest.raises(StoreUnavailable) as caught:
                await store.journal(make_lead(), b"x")
            if "read-only" in str(caught.value):
                break
            await asyncio.sleep(0.05)
        assert "it is read-only: a standby, or set so. Name the primary" in str(store.trouble)

    def test_settings_do_not_show_the_password(self):
        assert "s3cret" not in repr(postgres_settings("postgresql://leadgate:s3cret@127.0.0.1:5432/x"))

    @pytest.mark.parametrize(
        "changes", [{"deadline_s": 0}, {"readers": 0}, {"host": ""}, {"heartbeat_s": 20.0, "dead_after_s": 30.0}]
    )
    def test_bounds_that_do_not_fit_together(self, changes):
        import msgspec

        with pytest.raises(ValueError, match="postgresql: "):
            msgspec.structs.replace(postgres_settings("postgresql://leadgate@127.0.0.1:5432/x"), **changes)


async def test_pages_over_many_days_look_at_few(opening, postgres_dsn, make_entry):
    store = await opening(postgres_dsn)
    day = 86_400_000_000
    entries = [make_entry(at=1_760_000_000_000_000 + number * day) for number in range(6)]
    await store.add(entries)
    await store.flush()
    columns = "quality, kind, site, verdict, ivt, source, search"
    more = f"INSERT INTO records (at, id, {columns}) SELECT at + n, gen_random_uuid(), {columns} FROM records"
    await sql(postgres_dsn, f"{more}, generate_series(1, 500) AS n")
    await sql(postgres_dsn, "ANALYZE records")
    page = "SELECT at, id FROM records WHERE true ORDER BY at DESC, id DESC LIMIT 1"
    plan = "\n".join(row[0] for row in await sql(postgres_dsn, f"EXPLAIN (ANALYZE, COSTS off, TIMING off) {page}"))
    assert "Sort" not in plan
    assert plan.count("never executed") >= 5, plan
    record = f"SELECT body FROM entries WHERE id = '{entries[0].id}'"
    plan = "\n".join(row[0] for row in await sql(postgres_dsn, f"EXPLAIN (COSTS off) {record}"))
    assert plan.count("Scan") == 1, plan


async def test_tls_and_a_password(opening, make_lead):
    from servers import Postgres

    with Postgres(password="s3cret", tls=True) as server:
        dsn = server.fresh_database()
        for tls in ("require", "verify"):
            store = await opening(dsn, f"with-{tls}", tls=tls, ca_file=server.ca)
            await store.journal(make_lead(), b"x")
            (found,) = await store._readers.run(encrypted)
            assert found["ssl"]
        for changes, words in (
            ({"password": "wr0ng"}, "does not let leadgate in"),
            ({"password": None}, "does not let leadgate in"),
            ({"tls": "off"}, "does not let leadgate in"),
            ({"ca_file": None}, "TLS certificate is not accepted"),
        ):
            with pytest.raises(StoreUnopenable, match=words) as caught:
                await opening(dsn, **({"tls": "verify", "ca_file": server.ca} | changes))
            assert "s3cret" not in str(caught.value)
            assert "wr0ng" not in str(caught.value)


async def encrypted(connection):
    return await connection.fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


async def test_pages_that_reach_far_back_hold_everything_once(opening, postgres_dsn, make_entry):
    """The newest days are looked at first; where they have too few, all others."""
    store, day = await opening(postgres_dsn), 86_400_000_000
    entries = [make_entry(at=now_us() - ago * day) for ago in (100, 60, 33, 32, 30, 20, 3, 2, 1, 0, 0)]
    await store.add(entries)
    await store.flush()
    for where in ({}, {"q": "203.0.113.5"}, {"since": now_us() - 40 * day}):
        wanted = [entry.id for entry in entries[::-1]][: 9 if "since" in where else None]
        for limit in (1, 3, 20):
            seen, cursor = [], None
            while True:
                page = await store.records(RecordFilter(**where), limit, cursor)
                seen += [item.id for item in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert seen == wanted, (where, limit)

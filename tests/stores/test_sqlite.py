"""What only a file can do: be damaged, full, locked, of another program, or left behind by a killed process."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from gateway.evidence.chain import verify
from gateway.evidence.record import columns_of
from gateway.model import LeadState
from gateway.stores.errors import (
    KeyProblem,
    StoreCorrupt,
    StoreLocked,
    StoreMissing,
    StoreReadOnly,
    StoreTooNew,
    StoreUnavailable,
)
from gateway.stores.keys import SEAL, KeyRing
from gateway.stores.records import RecordFilter
from gateway.stores.sealing import Damaged
from gateway.stores.sqlite.commit import RECORD_COLUMNS
from gateway.stores.sqlite.store import OPERATOR, SqliteSettings, SqliteStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "leadgate.db"


@pytest.fixture
async def store(path, keys):
    store = SqliteStore.open(path, keys)
    yield store
    await store.close()


def sql(path, statement, *values):
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


async def whole_chain(store):
    links = []
    while page := await store.entries("gateway-0", after=len(links)):
        links += page
    return verify(links, heads=await store.writers())


class TestOpening:
    def test_a_missing_directory(self, tmp_path, keys):
        with pytest.raises(StoreMissing, match=r"none/x\.db: its directory does not exist\. Make it: mkdir -p "):
            SqliteStore.open(tmp_path / "none" / "x.db", keys)

    def test_a_directory_that_is_a_file(self, tmp_path, keys):
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreMissing):
            SqliteStore.open(tmp_path / "file" / "x.db", keys)

    def test_a_directory_in_its_place(self, path, keys):
        path.mkdir()
        with pytest.raises(StoreCorrupt, match="directory"):
            SqliteStore.open(path, keys)

    @pytest.mark.parametrize("content", [b"garbage " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
    def test_a_file_of_something_else(self, path, keys, content):
        path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match=r"damaged or no SQLite file.*backup"):
            SqliteStore.open(path, keys)
        assert path.read_bytes() == content

    def test_a_file_of_another_program(self, path, keys):
        sql(path, "CREATE TABLE theirs (x)")
        with pytest.raises(StoreCorrupt, match="another program"):
            SqliteStore.open(path, keys)

    async def test_a_newer_format(self, path, keys, store):
        await store.close()
        sql(path, "PRAGMA user_version = 99")
        sql(path, "UPDATE marks SET value = '98' WHERE name = 'oldest'")
        with pytest.raises(StoreTooNew, match="format 99"):
            SqliteStore.open(path, keys)

    async def test_an_end_that_was_changed(self, path, keys, store, make_entry):
        store.record(make_entry())
        await store.close()
        sql(path, "UPDATE entries SET body = replace(body, 'acme', 'evil')")
        with pytest.raises(StoreCorrupt, match="newest entry"):
            SqliteStore.open(path, keys)

    async def test_a_second_gateway(self, path, keys, store):
        with pytest.raises(StoreLocked, match=rf"another gateway \(process {os.getpid()}\) has this store open"):
            SqliteStore.open(path, keys, writer="gateway-1")

    async def test_the_lock_ends_with_the_store(self, path, keys, store):
        await store.close()
        await SqliteStore.open(path, keys).close()

    def test_the_lock_is_not_kept_by_an_opening_that_failed(self, path, keys):
        path.write_bytes(b"garbage " * 1000)
        with pytest.raises(StoreCorrupt):
            SqliteStore.open(path, keys)
        path.unlink()
        store = SqliteStore.open(path, keys)
        asyncio.run(store.close())

    def test_the_operator_makes_no_store(self, path, keys):
        with pytest.raises(StoreMissing, match="no store yet"):
            SqliteStore.open(path, keys, writer=OPERATOR)
        assert not path.exists()

    def test_names_that_no_json_needs_to_escape(self, path, keys):
        for name in ("", "Gateway", 'a"b', "a b", "-a"):
            with pytest.raises(ValueError, match="writer"):
                SqliteStore.open(path, keys, writer=name)

    async def test_a_store_that_cannot_be_written(self, path, keys, store, monkeypatch):
        await store.close()
        monkeypatch.setattr("gateway.stores.sqlite.schema._open", lambda path, mode, busy: _read_only(path))
        with pytest.raises(StoreReadOnly, match="cannot be written"):
            SqliteStore.open(path, keys)

    async def test_another_program_that_is_writing(self, path, keys, store):
        await store.close()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked, match="another program"):
            SqliteStore.open(path, keys, settings=SqliteSettings(busy_ms=10))
        other.close()


def _read_only(path):
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


class TestKeys:
    async def test_the_store_remembers_the_keys_it_used(self, path, tmp_path):
        assert SqliteStore.keys_used(path) == frozenset()
        keys = KeyRing.open(tmp_path / "keys", SqliteStore.keys_used(path))
        await SqliteStore.open(path, keys).close()
        assert (SEAL, keys.current(SEAL).id) in SqliteStore.keys_used(path)
        next((tmp_path / "keys").glob("seal-*.key")).unlink()
        with pytest.raises(KeyProblem, match="missing"):
            KeyRing.open(tmp_path / "keys", SqliteStore.keys_used(path))

    async def test_other_keys_are_refused(self, path, store):
        await store.close()
        with pytest.raises(KeyProblem, match="backup"):
            SqliteStore.open(path, KeyRing.ephemeral())
        await SqliteStore.open(path, store._keys).close()  # and the lock was given back

    async def test_after_a_rotation_old_leads_open_and_old_records_are_found(
        self, path, keys, store, make_lead, make_entry
    ):
        lead, entry = make_lead(), make_entry()
        await store.journal(lead, b"old")
        store.record(entry)
        await store.close()
        keys.add(SEAL)
        keys.add("hash")
        store = SqliteStore.open(path, keys)
        try:
            newer, later = make_lead(), make_entry()
            await store.journal(newer, b"new")
            store.record(later)
            await store.flush()
            assert await (await store.lead_body(lead.id)).read() == b"old"
            assert await (await store.lead_body(newer.id)).read() == b"new"
            found = (await store.records(RecordFilter(q="203.0.113.5"))).items
            assert {item.id for item in found} == {entry.id, later.id}
        finally:
            await store.close()


class TestAtRest:
    async def test_no_raw_byte_of_a_lead_is_in_the_files(self, path, store, make_lead):
        await store.journal(make_lead(head=b"GET /head-secret", peer="192.0.2.77:1"), b"body-secret" * 1000)
        await store.close()
        for file in path.parent.iterdir():
            data = file.read_bytes()
            for secret in (b"head-secret", b"192.0.2.77", b"body-secret"):
                assert secret not in data

    @pytest.mark.parametrize(
        "tamper",
        [
            "UPDATE lead_chunks SET data = zeroblob(length(data)) WHERE no = 2",
            "UPDATE lead_chunks SET no = 9 - no",
            "DELETE FROM lead_chunks WHERE no = 2",
            "UPDATE lead_chunks SET data = (SELECT data FROM lead_chunks AS c WHERE c.no = 1)",
        ],
    )
    async def test_pieces_that_were_changed_are_not_given_out(self, path, store, make_lead, tamper):
        lead = make_lead()
        await store.journal(lead, bytes(600_000))
        sql(path, tamper)
        with pytest.raises(Damaged, match=lead.id):
            await (await store.lead_body(lead.id)).read()

    async def test_a_head_of_another_lead_is_not_given_out(self, path, store, make_lead):
        one, two = make_lead(), make_lead()
        await store.journal(one, b"1")
        await store.journal(two, b"2")
        sql(
            path,
            "UPDATE leads SET (head, salt) = (SELECT head, salt FROM leads WHERE id = ?) WHERE id = ?",
            one.id,
            two.id,
        )
        with pytest.raises(Damaged, match="head"):
            await store.lead_body(two.id)

    async def test_a_lead_that_vanished_shows_in_the_sums(self, path, store, make_lead):
        await store.journal(make_lead(), b"1")
        sql(path, "DELETE FROM leads")
        assert not (await store.conservation()).holds


async def test_the_columns_can_be_rebuilt_from_the_canonical_bytes(path, store, make_entry):
    for _ in range(5):
        store.record(make_entry(signals=["a.b"]))
    await store.flush()
    rows = sql(path, f"SELECT {RECORD_COLUMNS}, body FROM records JOIN entries USING (n)")
    assert len(rows) == 5
    for _, *columns, body in rows:
        assert tuple(columns) == msgspec.structs.astuple(columns_of(body))


async def test_erasing_a_side_row_leaves_the_chain_whole(path, store, make_entry):
    entry = make_entry()
    store.record(entry)
    await store.flush()
    sql(path, "DELETE FROM personal_network")
    assert set((await store.get_record(entry.id)).personal) == {"browser"}
    assert (await whole_chain(store)).ok


async def test_what_was_changed_by_hand_is_found(path, store, make_entry):
    for _ in range(5):
        store.record(make_entry())
    await store.flush()
    sql(path, "UPDATE entries SET body = replace(body, 'acme', 'evil') WHERE seq = 3")
    report = await whole_chain(store)
    assert (report.broken.seq, report.broken.why) == (3, "its content was changed: it does not match its hash")


async def test_a_file_damaged_in_the_middle_says_so_and_does_not_crash(path, keys, store, make_entry):
    for _ in range(300):
        store.record(make_entry())
    await store.close()
    store = SqliteStore.open(path, keys)
    with path.open("r+b") as file:
        for page in range(20, path.stat().st_size // 8192 - 20):
            file.seek(page * 8192)
            file.write(b"\xff" * 8192)
    try:
        with pytest.raises(StoreUnavailable, match=r"leadgate\.db: .*malformed"):
            await whole_chain(store)
        for _ in range(300):
            store.record(make_entry())
        with pytest.raises(StoreUnavailable, match="malformed"):
            await store.flush()
        assert store.stats().failed
    finally:
        await store.close()


async def test_a_lists_page_uses_an_index(path, store):
    plans = {
        "SELECT at, n FROM records WHERE verdict = ? AND verdict <> 'accept' ORDER BY at DESC, n DESC": "records_verdict",
        "SELECT at, n FROM records WHERE kind = 'submission' AND (at, n) < (1, 1) ORDER BY at DESC, n DESC": "records_submissions",
        "SELECT at, n FROM records WHERE 1 ORDER BY at DESC, n DESC": "records_at",
        "SELECT at, n FROM records WHERE site = ? ORDER BY at DESC, n DESC": "records_site",
    }
    for statement, index in plans.items():
        (plan,) = [row[3] for row in sql(path, f"EXPLAIN QUERY PLAN {statement}", *["x"] * statement.count("?"))]
        assert index in plan


class TestWhenItCannotCommit:
    @pytest.fixture
    def broken(self, store):
        """A store whose commits fail as on a full disk until `broken.set(False)`."""

        class Broken:
            def set(self, on):
                def fault():
                    raise sqlite3.OperationalError("database or disk is full")

                store._writer.fault = fault if on else None

        switch = Broken()
        switch.set(True)
        return switch

    async def test_who_waits_is_told_at_once_and_nothing_stays(self, store, broken, make_lead):
        lead = make_lead()
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.journal(lead, b"x")
        assert not store.healthy
        assert "leadgate.db: database or disk is full" in store.trouble
        broken.set(False)
        store.unjournaled(lead.id)
        await store.flush()
        assert store.healthy
        assert await store.lead(lead.id) is None
        assert (await store.conservation()).unjournaled == 1

    async def test_what_nobody_waits_for_is_kept_and_written_later(self, store, broken, make_entry, make_lead):
        broken.set(False)
        lead = make_lead()
        await store.journal(lead, b"x")
        broken.set(True)
        for _ in range(50):
            store.record(make_entry())
        store.settle_soon(lead.id, LeadState.HELD, "first", {})
        with pytest.raises(StoreUnavailable):
            await store.flush()
        store.settle_soon(lead.id, LeadState.DELIVERED, "second", {})
        with pytest.raises(StoreUnavailable):
            await store.settle(lead.id, LeadState.ERASED, "refused", {})
        broken.set(False)
        await _until_healthy(store)
        assert (await store.lead(lead.id)).state is LeadState.DELIVERED
        assert [event.event for event in await store.events(lead.id)] == ["first", "second"]
        report = await whole_chain(store)
        assert (report.ok, report.checked) == (True, 52)
        assert store.stats().dropped == 0

    async def test_beyond_the_bound_it_is_dropped_and_counted(self, path, keys, make_entry):
        store = SqliteStore.open(path, keys, settings=SqliteSettings(queue=20))
        try:
            store._writer.fault = _full
            kept = sum(store.record(make_entry()) for _ in range(500))
            store._writer.fault = None
            await _until_healthy(store)
            assert (await whole_chain(store)).checked == kept
            assert kept + store.stats().dropped == 500
        finally:
            await store.close()

    async def test_closing_does_not_hang(self, store, broken, make_entry):
        store.record(make_entry())
        await asyncio.wait_for(store.close(), 20)
        assert store.stats().dropped == 1

    async def test_another_program_that_holds_the_file(self, path, keys, make_lead):
        store = SqliteStore.open(path, keys, settings=SqliteSettings(busy_ms=20))
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.journal(make_lead(), b"x")
            other.execute("ROLLBACK")
            await store.journal(make_lead(), b"x")
            assert store.healthy
        finally:
            other.close()
            await store.close()

    async def test_a_full_disk(self, path, keys, make_lead, make_entry):
        """No file of this process may grow beyond a few hundred kB; then it may again."""
        store = SqliteStore.open(path, keys)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        stored = []
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
            refused = None
            for _ in range(100):
                lead = make_lead()
                try:
                    await store.journal(lead, os.urandom(20_000))
                    stored.append(lead.id)
                except StoreUnavailable as error:
                    refused = error
                    break
            assert refused is not None
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # no room for the smallest commit either
            with pytest.raises(StoreUnavailable):
                await store.put_generation("x", b"x")
            await asyncio.sleep(0.3)  # it looks again meanwhile, and an empty commit would succeed
            assert not store.healthy
            entry = make_entry()
            store.record(entry)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await _until_healthy(store)
            await store.journal(make_lead(), b"x")
            assert await store.get_record(entry.id) is not None
            for lead_id in stored:
                assert len(await (await store.lead_body(lead_id)).read()) == 20_000
            assert (await store.conservation()).holds
            assert (await whole_chain(store)).ok
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await store.close()


def _full():
    raise sqlite3.OperationalError("database or disk is full")


async def _until_healthy(store):
    for _ in range(200):
        try:
            await store.flush()
        except StoreUnavailable:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError(f"still in trouble: {store.trouble}")


CHILD = """
import asyncio, sys
from gateway.model import LeadState, new_id, now_us
from gateway.stores.keys import KeyRing
from gateway.stores.leads import NewLead
from gateway.stores.sqlite.store import SqliteStore

async def one(store, number):
    while True:
        lead = NewLead(new_id(), "acme", "quote", now_us(), b"POST / HTTP/1.1", "192.0.2.1:1")
        await store.journal(lead, lead.id.encode() * 50)
        sys.stdout.write(lead.id + "\\n")
        sys.stdout.flush()
        store.event(lead.id, "seen", {"by": number})
        if number % 2:
            store.settle_soon(lead.id, LeadState.DELIVERED, "delivered", {})

async def main(path, keys):
    store = SqliteStore.open(path, KeyRing.open(keys, SqliteStore.keys_used(path)))
    await asyncio.gather(*[one(store, number) for number in range(8)])

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_at_any_moment_every_acknowledged_lead_is_there(path, tmp_path):
    keys, chance, acknowledged = tmp_path / "keys", random.Random(7), []
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), str(keys)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        first = child.stdout.readline()
        time.sleep(chance.uniform(0, 0.08))
        child.send_signal(signal.SIGKILL)
        output = first + child.stdout.read()
        child.wait()
        child.stdout.close()
        acknowledged += [line.decode() for line in output.split(b"\n")[:-1]]
    assert len(acknowledged) > 100
    store = SqliteStore.open(path, KeyRing.open(keys, SqliteStore.keys_used(path)))
    try:
        for lead_id in acknowledged:
            body = await store.lead_body(lead_id)
            assert body.lead.state in (LeadState.HELD, LeadState.DELIVERED)
            assert await body.read() == lead_id.encode() * 50
        sums = await store.conservation()
        assert sums.holds
        assert sums.by_state["pending"] == 0
        assert (await whole_chain(store)).ok
        assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    finally:
        await store.close()

"""A whole store into another one, broken off and gone on with, and compared by sums that each side makes by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from standing_in import StandIn

from gateway.model import LeadState
from gateway.stores.carry import copying
from gateway.stores.carry.carrying import Limits
from gateway.stores.carry.copying import Source
from gateway.stores.carry.sums import SqliteSide, compare
from gateway.stores.errors import StoreLocked, StoreUnavailable
from gateway.stores.sqlite.store import SqliteStore


@pytest.fixture
async def source(tmp_path, keys, make_lead, make_entry):
    store = SqliteStore.open(tmp_path / "from.db", keys)
    for number in range(7):
        lead = make_lead()
        await store.journal(lead, b"body %d " % number * 50_000)
        store.record(make_entry(lead.id))
        if number:
            await store.settle(lead.id, LeadState.HELD, "held", {"n": number})
        if number == 3:
            await store.enqueue_release(lead.id, "anna")
    await store.put_generation("ab" * 32, b"generation")
    store.unjournaled("nobody")
    await store.close()
    source = Source.open(tmp_path / "from.db", keys)
    yield source
    await source.close()


@pytest.fixture
async def target(tmp_path, keys):
    target = StandIn.open(tmp_path / "to.db", keys, writer="host-1")
    yield target
    await target.close()


def side_of(store):
    return SqliteSide(store._read)


async def same(source, target):
    parts = await compare(source.side(), side_of(target))
    return {part.name: part.same for part in parts}


def nothing(name, rows):
    pass


async def test_all_of_it_and_the_sums_are_the_same(source, target):
    told = []
    await source.copy(target, lambda name, rows: told.append((name, rows)))
    amount = await source.amount()
    assert amount == copying.Amount(leads=7, entries=15)  # 7 records, 6 held, 1 asked for, 1 unknown
    assert sum(rows for name, rows in told if name == "leads") == 7
    assert sum(rows for name, rows in told if name == "entries") == 15
    parts = await compare(source.side(), side_of(target))
    assert all(part.same for part in parts)
    assert {part.name: part.here for part in parts} == {
        "chain gateway-0": 15, "personal values": 14, "leads": 7, "releases": 1,
    }  # fmt: skip
    assert await target.conservation() == await source.conservation()
    assert await target.generation("ab" * 32) == b"generation"


async def test_twice_is_once(source, target):
    for _ in range(2):
        await source.copy(target, nothing)
    assert all((await same(source, target)).values())
    assert await target.conservation() == await source.conservation()


async def test_broken_off_it_goes_on(source, target, monkeypatch):
    monkeypatch.setattr(copying, "LIMITS", Limits(rows=2))
    carried, original = [], target.absorb

    async def absorb(batch):
        await original(batch)
        carried.extend(entry.seq for entry in batch.entries)
        if batch.entries and len(carried) == 6:
            raise StoreUnavailable("broken off")

    target.absorb = absorb
    with pytest.raises(StoreUnavailable):
        await source.copy(target, nothing)
    await source.copy(target, nothing)
    assert carried == list(range(1, 16)), "no link went over twice"
    assert all((await same(source, target)).values())


async def test_what_the_other_store_holds_besides_does_not_count(source, target, make_lead, make_entry):
    lead = make_lead()
    await target.journal(lead, b"theirs")
    target.record(make_entry(lead.id))
    await source.copy(target, nothing)
    assert all((await same(source, target)).values())


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("leads", "UPDATE leads SET state = 'rejected' WHERE n = 3"),
        ("leads", "UPDATE leads SET head = x'00' WHERE n = 3"),
        ("leads", "DELETE FROM leads WHERE n = 3"),
        ("leads", "UPDATE lead_chunks SET data = x'00' WHERE rowid = 4"),
        ("chain gateway-0", "UPDATE entries SET body = x'00' WHERE seq = 5"),
        ("chain gateway-0", "DELETE FROM entries WHERE seq = 15"),
        (
            "personal values",
            "UPDATE personal_network SET value = x'00' WHERE n = (SELECT min(n) FROM personal_network)",
        ),
        ("personal values", "DELETE FROM personal_browser"),
        ("releases", "UPDATE outbox SET outcome = 'failed'"),
    ],
)
async def test_any_difference_is_found(source, target, tmp_path, part, change):
    await source.copy(target, nothing)
    with closing(sqlite3.connect(tmp_path / "to.db", isolation_level=None)) as connection:
        assert connection.execute(change).rowcount >= 1
    parts = await compare(source.side(), side_of(target))
    assert [each.name for each in parts if not each.same] == [part]
    assert next(each for each in parts if not each.same).first


def test_not_while_a_gateway_has_it(tmp_path, keys, source):
    with pytest.raises(StoreLocked, match="has this store open"):
        Source.open(tmp_path / "from.db", keys)

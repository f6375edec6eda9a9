"""What is read from one store to be taken in by another: all of it, in order, in bounded batches."""

from __future__ import annotations

import sqlite3
from functools import partial

import pytest
from standing_in import absorb

from gateway.evidence.chain import verify
from gateway.model import LeadState
from gateway.stores.carry import carrying
from gateway.stores.carry.carried import Batch
from gateway.stores.carry.carrying import Limits
from gateway.stores.records import RecordFilter
from gateway.stores.sqlite.store import SqliteStore

WHOLE = Limits()


@pytest.fixture
async def store(tmp_path, keys):
    store = SqliteStore.open(tmp_path / "from.db", keys)
    yield store
    await store.close()


@pytest.fixture
def connection(tmp_path, store):
    connection = sqlite3.connect(tmp_path / "from.db", isolation_level=None)
    yield connection
    connection.close()


async def fill(store, make_lead, make_entry, count=5):
    leads, entries = [], []
    for number in range(count):
        lead = make_lead()
        await store.journal(lead, f"body {number} ".encode() * 40_000)
        await store.settle(lead.id, LeadState.HELD, "held", {"by": "rule"}, "a rule")
        entry = make_entry(lead.id)
        store.record(entry)
        store.event(lead.id, "seen", {"n": number})
        leads.append(lead)
        entries.append(entry)
    await store.put_generation("ab" * 32, b"generation")
    await store.enqueue_release(leads[0].id, "anna")
    store.unjournaled("never stored")
    await store.flush()
    return leads, entries


def every(connection, limits=WHOLE):
    """All batches, as a copy makes them."""
    yield Batch(keys=carrying.keys(connection), generations=tuple(carrying.generations(connection)))
    after = 0
    while True:
        leads, after = carrying.leads(connection, after, limits)
        if not leads:
            break
        yield Batch(leads=leads)
    after = 0
    while entries := carrying.entries(connection, after, limits):
        after = entries[-1].n
        yield Batch(entries=entries)
    jobs, _ = carrying.jobs(connection, 0, limits)
    yield Batch(jobs=jobs, unjournaled=carrying.counter(connection, "unjournaled"))


@pytest.mark.parametrize("limits", [WHOLE, Limits(rows=1), Limits(rows=3, size=1)])
async def test_what_is_carried_is_what_was_there(store, connection, tmp_path, keys, make_lead, make_entry, limits):
    leads, entries = await fill(store, make_lead, make_entry)
    other = SqliteStore.open(tmp_path / "to.db", keys, writer="other")
    try:
        for batch in every(connection, limits):
            await other._writer.do(partial(absorb, batch=batch))
        assert await other.writers() == await store.writers()
        links = await other.entries("gateway-0")
        assert links == await store.entries("gateway-0")
        assert verify(links, heads=await other.writers()).ok
        assert await other.conservation() == await store.conservation()
        assert await other.generation("ab" * 32) == b"generation"
        for lead in leads:
            there = await other.lead(lead.id)
            assert there == await store.lead(lead.id)
            assert await (await other.lead_body(lead.id)).read() == await (await store.lead_body(lead.id)).read()
            assert await other.events(lead.id) == await store.events(lead.id)
        found = await other.records(RecordFilter(q="203.0.113.5"))
        assert {item.id for item in found.items} == {entry.id for entry in entries}
        assert (await other.claim_release(2**60)).lead_id == leads[0].id
    finally:
        await other.close()


async def test_a_batch_is_bounded_by_rows_and_by_bytes(store, connection, make_lead, make_entry):
    await fill(store, make_lead, make_entry)
    assert [len(batch.leads) for batch in every(connection, Limits(rows=2)) if batch.leads] == [2, 2, 1]
    by_size = [len(batch.leads) for batch in every(connection, Limits(size=700_000)) if batch.leads]
    assert by_size == [2, 2, 1]  # 320 kB each
    assert [len(batch.leads) for batch in every(connection, Limits(size=1)) if batch.leads] == [1] * 5
    assert max(len(batch.entries) for batch in every(connection, Limits(rows=4))) == 4
    assert {len(batch.entries) for batch in every(connection, Limits(size=1)) if batch.entries} == {1}


async def test_leads_on_their_way_can_be_left_out(store, connection, make_lead):
    on_its_way, held = make_lead(), make_lead()
    for lead in (on_its_way, held):
        await store.journal(lead, b"x")
    await store.settle(held.id, LeadState.HELD, "held", {})
    assert [lead.id for lead in carrying.leads(connection, 0, WHOLE, settled=True)[0]] == [held.id]
    assert len(carrying.leads(connection, 0, WHOLE)[0]) == 2


async def test_where_to_go_on(store, connection, make_lead, make_entry):
    for _ in range(5):
        store.record(make_entry())
    await store.flush()
    assert carrying.number_of(connection, {}) == 0
    assert carrying.number_of(connection, {"gateway-0": 3}) == 3
    assert carrying.number_of(connection, {"gateway-0": 5, "other": 9}) == 5


async def test_erased_values_are_not_there_afterwards_either(store, connection, make_entry):
    entry = make_entry()
    store.record(entry)
    await store.flush()
    connection.execute("DELETE FROM personal_network")
    (carried,) = carrying.entries(connection, 0, WHOLE)
    assert {group.group for group in carried.personal} == {group.group for group in entry.personal} - {"network"}

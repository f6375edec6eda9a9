"""What another store wrote comes in byte for byte, once."""

from __future__ import annotations

import msgspec
import pytest

from gateway.evidence.chain import verify
from gateway.model import LeadState
from gateway.stores.carry import carrying
from gateway.stores.carry.carried import Batch
from gateway.stores.errors import StoreCorrupt
from gateway.stores.leads import LeadFilter
from gateway.stores.postgres.store import PostgresStore
from gateway.stores.records import RecordFilter
from gateway.stores.sqlite.schema import connect_reading
from gateway.stores.sqlite.store import SqliteStore

from .conftest import empty, postgres_settings

HELD, DELIVERED = LeadState.HELD, LeadState.DELIVERED


@pytest.fixture
async def store(shared_dsn, keys, clock):
    await empty(shared_dsn)
    store = await PostgresStore.open(postgres_settings(shared_dsn), keys, clock=clock)
    yield store
    await store.close()


@pytest.fixture
async def other(tmp_path, keys, clock):
    store = SqliteStore.open(tmp_path / "leadgate.db", keys, writer="other-0", clock=clock)
    yield store
    await store.close()


def batch_of(other):
    connection = connect_reading(other._path, 1000)
    try:
        limits = carrying.Limits()
        return Batch(
            entries=carrying.entries(connection, 0, limits),
            leads=carrying.leads(connection, 0, limits)[0],
            jobs=carrying.jobs(connection, 0, limits)[0],
            generations=tuple(carrying.generations(connection)),
            keys=carrying.keys(connection),
        )
    finally:
        connection.close()


async def filled(other, make_lead, make_entry):
    leads = [make_lead() for _ in range(4)]
    for lead in leads:
        await other.journal(lead, b"body of " + lead.id.encode())
    for lead in leads[1:]:
        await other.settle(lead.id, HELD, "held", {})
    await other.settle(leads[2].id, DELIVERED, "delivered", {})
    await other.enqueue_release(leads[3].id, "ann")
    entry = make_entry()
    other.record(entry)
    await other.put_generation("abc", b"content")
    await other.flush()
    return leads, entry


async def test_everything_arrives_as_it_was_and_twice_is_once(store, other, make_lead, make_entry, clock):
    leads, entry = await filled(other, make_lead, make_entry)
    batch = batch_of(other)
    for _ in range(3):
        await store.absorb(batch)
    assert await store.entries("other-0") == await other.entries("other-0")
    assert await store.writers() == await other.writers()
    assert verify(await store.entries("other-0"), heads=await store.writers()).ok
    for lead in leads:
        assert await store.lead(lead.id) == await other.lead(lead.id)
        assert await (await store.lead_body(lead.id)).read() == b"body of " + lead.id.encode()
        assert await store.events(lead.id) == await other.events(lead.id)
    found = await store.conservation()
    assert (found.received, found.by_state, found.holds) == (4, (await other.conservation()).by_state, True)
    assert [item.id for item in (await store.records(RecordFilter(q="203.0.113.5"))).items] == [entry.id]
    assert await store.generation("abc") == b"content"
    assert (await store.claim_release(clock.now)).lead_id == leads[3].id
    assert await store.claim_release(clock.now) is None


async def test_later_entries_of_the_same_chain_follow(store, other, make_lead, make_entry):
    await filled(other, make_lead, make_entry)
    await store.absorb(batch_of(other))
    more = [make_entry() for _ in range(3)]
    await other.add(more)
    await other.flush()
    await store.absorb(batch_of(other))
    report = verify(await store.entries("other-0"), heads=await other.writers())
    assert report.ok


async def test_a_lead_goes_forward_and_never_back(store, other, make_lead, make_entry):
    leads, _ = await filled(other, make_lead, make_entry)
    before = batch_of(other)
    await other.settle(leads[0].id, DELIVERED, "delivered", {})
    after = batch_of(other)
    await store.absorb(before)
    await store.settle(leads[1].id, LeadState.REJECTED, "rejected", {})
    await store.absorb(after)
    await store.absorb(before)
    states = {lead.id: lead.state for lead in (await store.leads(LeadFilter())).items}
    wanted = [DELIVERED, LeadState.REJECTED, DELIVERED, HELD]
    assert [states[lead.id] for lead in leads] == wanted


async def test_what_a_person_decided_meanwhile_is_taken_over(store, other, make_lead, make_entry, clock):
    """A lead that was carried, and changed where it came from before it was forgotten there; an older state never comes back."""
    lead = make_lead()
    await other.journal(lead, b"x")
    await other.settle(lead.id, LeadState.REJECTED, "declined", {})
    before = batch_of(other)
    await store.absorb(before)
    clock.now += 1
    await other.settle(lead.id, HELD, "reviewed", {}, "a second look")
    after = batch_of(other)
    await store.absorb(after)
    await store.absorb(before)
    found = await store.lead(lead.id)
    assert (found.state, found.note) == (HELD, "a second look")
    assert (await store.conservation()).holds


async def test_what_contradicts_is_refused_and_nothing_of_it_stays(store, other, make_lead, make_entry):
    await filled(other, make_lead, make_entry)
    batch = batch_of(other)
    first = batch.entries[0]
    await store.absorb(Batch(entries=(first,)))
    changed = msgspec.structs.replace(first, hash="ab" * 32)
    with pytest.raises(StoreCorrupt, match=f"{first.id} of other-0 is there with another content"):
        await store.absorb(msgspec.structs.replace(batch, entries=(changed, *batch.entries[1:])))
    forked = msgspec.structs.replace(batch.entries[1], seq=1)
    with pytest.raises(StoreCorrupt, match="chain of other-0 has another entry 1"):
        await store.absorb(msgspec.structs.replace(batch, entries=(forked,)))
    assert (await store.conservation()).received == 0
    assert store.healthy


async def test_a_chain_of_the_own_name_goes_on(store, tmp_path, keys, make_entry):
    other = SqliteStore.open(tmp_path / "own.db", keys)
    await other.add([make_entry() for _ in range(3)])
    await other.flush()
    await store.absorb(batch_of(other))
    await other.close()
    store.record(make_entry())
    await store.flush()
    report = verify(await store.entries("gateway-0"), heads=await store.writers())
    assert (report.ok, report.checked) == (True, 4)


async def test_a_lead_that_this_store_refused_and_another_kept(store, other, make_lead):
    """Pieces that came before the trouble are in the way of the whole body."""
    lead = make_lead()

    async def broken():
        yield bytes(256 * 1024)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.journal(lead, broken())
    body = bytes(range(256)) * 2048
    await other.journal(lead, body)
    await store.absorb(batch_of(other))
    assert await (await store.lead_body(lead.id)).read() == body
    await store.flush()
    assert await (await store.lead_body(lead.id)).read() == body

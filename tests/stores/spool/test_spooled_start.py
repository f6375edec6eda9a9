"""Starting while the shared store is away, and with what others left behind."""

from __future__ import annotations

import asyncio

import pytest
from spooled import sound, there, until

from gateway.model import LeadState
from gateway.stores.errors import (
    KeyProblem,
)
from gateway.stores.spool.file import adopt, open_spool


class TestStarting:
    async def test_without_the_shared_store(self, pair, make_lead):
        pair.reachable = False
        store = await pair.open()
        assert store.spooling
        lead = make_lead()
        await store.journal(lead, b"x")
        store.settle_soon(lead.id, LeadState.HELD, "held", {})
        pair.reachable = True
        await until(lambda: store.healthy)
        await pair.drained()
        assert (await pair.primary.lead(lead.id)).state is LeadState.HELD
        await sound(pair.primary)

    async def test_one_that_hangs_is_not_waited_for(self, pair, make_lead):
        async def connect():
            await asyncio.sleep(60)

        pair.connect = connect
        store = await pair.open(first_try_s=0.05)
        await store.journal(make_lead(), b"x")
        assert store.spooling

    async def test_one_that_cannot_be_used_stops_the_start(self, pair):
        async def connect():
            raise KeyProblem("keys", "the key is missing", "Restore it")

        pair.connect = connect
        with pytest.raises(KeyProblem):
            await pair.open()
        pair.store = None

    async def test_one_that_turns_out_to_be_unusable_later_is_told_and_leads_are_kept(self, pair, make_lead):
        pair.reachable = False
        store = await pair.open()
        usable = pair.connect

        async def connect():
            raise KeyProblem("keys", "the key seal-1 is missing", "Restore it")

        store._keeper._connect = connect
        await until(lambda: "seal-1 is missing" in (store.trouble or ""))
        lead = make_lead()
        await store.journal(lead, b"x")
        await store.settle(lead.id, LeadState.HELD, "held", {})
        pair.reachable, store._keeper._connect = True, usable
        await until(lambda: store.healthy)
        await pair.drained()
        assert await pair.primary.lead(lead.id) is not None

    async def test_what_was_left_is_brought_over_and_leads_on_their_way_are_held(
        self, pair, store, make_lead, make_entry
    ):
        pair.primary.away = True
        on_its_way, delivered, entry = make_lead(), make_lead(), make_entry()
        for lead in (on_its_way, delivered):
            await store.journal(lead, b"x")
        store.settle_soon(delivered.id, LeadState.DELIVERED, "forwarded", {})
        store.record(entry)
        await store.close()
        assert pair.files() == ["host-1.db"]
        store = await pair.reopen()
        await pair.drained()
        assert (await pair.primary.lead(on_its_way.id)).note == "delivery unknown"
        assert (await pair.primary.lead(delivered.id)).state is LeadState.DELIVERED
        assert await pair.primary.get_record(entry.id) is not None
        assert (await store.conservation()).received == 2
        await sound(pair.primary)

    async def test_closing_keeps_what_the_shared_store_had_queued(self, pair, store, make_entry):
        await pair.drained()
        store._keeper._task.cancel()
        pair.primary.away = True
        entry = make_entry()
        pair.primary.record(entry)
        await store.close()
        assert pair.files() == ["host-1.db"]
        await pair.reopen()
        await pair.drained()
        assert await pair.primary.get_record(entry.id) is not None

    async def test_a_lost_spool_never_continues_a_known_chain(self, pair, store, make_entry):
        for _ in range(2):
            pair.primary.away = True
            store.record(make_entry())
            await store._spool.flush()
            await pair.back()
            await store.close()  # empty: its file goes
            store = await pair.reopen()
        counts = await sound(pair.primary)
        assert sorted(count for writer, count in counts.items() if "-spool-" in writer) == [1, 1]


class TestLeftBehind:
    @pytest.fixture
    async def left(self, pair, make_lead):
        """The spool of a worker that is gone, with one lead on its way."""
        spool = open_spool(pair.spool_directory, "host-2", pair.keys)
        lead = make_lead()
        await spool.journal(lead, b"x")
        await spool.close()
        return lead

    async def test_the_spool_of_an_ended_worker_is_taken_over(self, pair, left):
        store = await pair.open()
        await until(lambda: there(pair.primary, left.id))
        assert (await pair.primary.lead(left.id)).note == "delivery unknown"
        await until(lambda: pair.files() == ["host-1.db"])
        assert not list(pair.spool_directory.glob("host-2*"))
        assert store.trouble is None
        await sound(pair.primary)

    async def test_the_spool_of_a_living_worker_is_left_alone(self, pair, left, make_lead):
        alive = adopt(pair.spool_directory / "host-2.db", pair.keys)
        another = open_spool(pair.spool_directory, "host-3", pair.keys)
        lead = make_lead()
        await another.journal(lead, b"y")
        await another.close()
        await pair.open()
        await until(lambda: there(pair.primary, lead.id))
        assert await pair.primary.lead(left.id) is None
        await alive.close()
        await until(lambda: there(pair.primary, left.id))

    async def test_a_worker_whose_spool_is_being_emptied_takes_another(self, pair, left, make_lead):
        holder = adopt(pair.spool_directory / "host-2.db", pair.keys)
        mine = open_spool(pair.spool_directory, "host-2", pair.keys)
        assert mine.path.name == "host-2-2.db"
        assert mine.writer != holder.writer
        await mine.close()
        await holder.close()

    async def test_a_damaged_one_stops_nothing(self, pair, left, make_lead):
        (pair.spool_directory / "host-2.db").write_bytes(b"garbage " * 2000)
        store = await pair.open()
        await asyncio.sleep(0.3)
        lead = make_lead()
        await store.journal(lead, b"x")
        assert await pair.primary.lead(lead.id) is not None
        assert (pair.spool_directory / "host-2.db").exists()

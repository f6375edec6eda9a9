"""The shared store comes back: what waited is brought over, in order and once, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio

from spooled import names, sound, until

from gateway.model import LeadState
from gateway.stores.carry.carrying import Limits
from gateway.stores.errors import (
    StoreCorrupt,
    StoreUnavailable,
)
from gateway.stores.spool.file import Spool, open_spool


class TestBringingOver:
    async def test_a_lead_on_its_way_waits_until_its_end_is_known(self, pair, store, make_lead):
        pair.primary.away = True
        lead = make_lead()
        await store.journal(lead, b"x")
        pair.primary.come_back()
        await until(lambda: store.healthy)
        await asyncio.sleep(0.3)
        assert await pair.primary.lead(lead.id) is None
        assert (await store.lead(lead.id)).state is LeadState.PENDING
        assert (await store.conservation()).by_state["pending"] == 1
        store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {})
        await pair.drained()
        assert (await pair.primary.lead(lead.id)).state is LeadState.DELIVERED
        assert await names(pair.primary, lead.id) == ["forwarded"]

    async def test_every_lead_is_accounted_for_at_any_moment(self, pair, make_lead, make_entry):
        store = await pair.open(limits=Limits(rows=3))
        pair.primary.away = True
        for _ in range(40):
            lead = make_lead()
            await store.journal(lead, b"x")
            store.record(make_entry(lead.id))
            store.settle_soon(lead.id, LeadState.HELD, "held", {})
        await store._spool.flush()
        pair.primary.come_back()
        await until(lambda: store.healthy)
        seen = set()
        while store._keeper.used:
            sums = await store.conservation()
            assert sums.holds
            assert sums.received == 40
            seen.add((await pair.primary.conservation()).received)
        assert len(seen) > 3, "it was never looked at in the middle"
        await sound(pair.primary)

    async def test_new_leads_go_to_the_shared_store_meanwhile(self, pair, make_lead):
        store = await pair.open(limits=Limits(rows=1))
        pair.primary.away = True
        for _ in range(20):
            lead = make_lead()
            await store.journal(lead, b"x")
            await store.settle(lead.id, LeadState.HELD, "held", {})
        pair.primary.come_back()
        await until(lambda: store.healthy)
        new = make_lead()
        await store.journal(new, b"y")
        assert await pair.primary.lead(new.id) is not None
        assert store._keeper.used
        store.settle_soon(new.id, LeadState.DELIVERED, "forwarded", {})
        await pair.drained()
        assert (await pair.primary.lead(new.id)).state is LeadState.DELIVERED
        await sound(pair.primary)

    async def test_it_ends_while_visitors_keep_coming(self, pair, store, make_lead):
        pair.primary.away = True
        leads = []

        async def visitor():
            while True:
                lead = make_lead()
                await store.journal(lead, b"x")
                leads.append(lead.id)
                await asyncio.sleep(0.001)
                store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {})

        visitors = [asyncio.create_task(visitor()) for _ in range(5)]
        await until(lambda: len(leads) > 20)
        pair.primary.come_back()
        await pair.drained()
        for task in visitors:
            task.cancel()
        await asyncio.gather(*visitors, return_exceptions=True)
        assert len(await asyncio.gather(*(pair.primary.lead(lead_id) for lead_id in leads))) > 20
        await sound(pair.primary)

    async def test_a_lead_changed_while_it_is_carried_is_carried_again(self, pair, store, make_lead):
        pair.primary.away = True
        lead = make_lead()
        await store.journal(lead, b"x")
        await store.settle(lead.id, LeadState.HELD, "held", {})
        original = pair.primary.absorb

        async def absorb(batch):
            await original(batch)
            if batch.leads and batch.leads[0].state == "held":
                await store._spool.settle(lead.id, LeadState.REJECTED, "rejected", {})

        pair.primary.absorb = absorb
        await pair.back()
        assert (await pair.primary.lead(lead.id)).state is LeadState.REJECTED
        assert await names(pair.primary, lead.id) == ["held", "rejected"]

    async def test_it_goes_away_again_in_the_middle(self, pair, make_lead):
        store = await pair.open(limits=Limits(rows=2))
        pair.primary.away = True
        for _ in range(10):
            lead = make_lead()
            await store.journal(lead, b"x")
            await store.settle(lead.id, LeadState.HELD, "held", {})
        original, calls = pair.primary.absorb, []

        async def absorb(batch):
            calls.append(len(batch.leads))
            await original(batch)
            if len(calls) == 2:
                pair.primary.away = True
                raise StoreUnavailable("no answer")

        pair.primary.absorb = absorb
        pair.primary.come_back()
        await until(lambda: pair.primary.away)
        await until(lambda: not store.healthy)
        await pair.back()
        assert (await pair.primary.conservation()).by_state["held"] == 10
        await sound(pair.primary)

    async def test_a_spool_that_is_refused_is_kept_and_told(self, pair, store, make_lead):
        pair.primary.away = True
        lead = make_lead()
        await store.journal(lead, b"x")
        await store.settle(lead.id, LeadState.HELD, "held", {})
        pair.primary.refuses = True
        pair.primary.come_back()
        await until(lambda: "is refused by PostgreSQL" in (store.trouble or ""))
        assert store.healthy
        assert store.spooling
        new = make_lead()
        await store.journal(new, b"y")
        assert await pair.primary.lead(new.id) is not None
        pair.primary.refuses = False
        store._keeper._refused.clear()
        await pair.drained()
        assert await pair.primary.lead(lead.id) is not None
        assert store.trouble is None

    async def test_a_spool_that_is_refused_does_not_keep_others(self, pair, keys, clock, make_lead, monkeypatch):
        leads = [make_lead() for _ in range(3)]
        for name, lead in zip(("a", "b", "c"), leads, strict=True):
            left = open_spool(pair.spool_directory, name, keys, clock=clock)
            await left.journal(lead, b"x")
            await left.close()
        absorb = pair.primary.absorb

        async def refuse(batch):
            if leads[0].id in [each.id for each in batch.leads]:
                raise StoreCorrupt("postgresql://", "it is there with another content", "Run `leadgate verify`")
            await absorb(batch)

        monkeypatch.setattr(pair.primary, "absorb", refuse)
        await pair.open()
        await until(lambda: pair.files() == ["a.db", "host-1.db"])
        assert "another content" in pair.store.trouble
        assert (await pair.primary.conservation()).by_state["held"] == 2

    async def test_a_spool_that_cannot_be_read_does_not_keep_others(self, pair, keys, clock, make_lead, monkeypatch):
        for name in ("a", "b"):
            left = open_spool(pair.spool_directory, name, keys, clock=clock)
            await left.journal(make_lead(), b"x")
            await left.close()
        read = Spool._read

        async def damaged(self, *args):
            if self.path.stem == "a":
                raise StoreUnavailable("the disk image is malformed")
            return await read(self, *args)

        monkeypatch.setattr(Spool, "_read", damaged)
        await pair.open()
        await until(lambda: pair.files() == ["a.db", "host-1.db"])
        assert (await pair.primary.conservation()).by_state["held"] == 1

    async def test_files_that_are_no_spools_do_not_keep_others(self, pair, keys, clock, make_lead):
        """One whose maker was killed before it had its tables, a copy, something else."""
        left = open_spool(pair.spool_directory, "z", keys, clock=clock)
        await left.journal(make_lead(), b"x")
        await left.close()
        (pair.spool_directory / "host-1.db").touch()
        (pair.spool_directory / "empty.db").touch()
        (pair.spool_directory / "A Copy of it.db").touch()
        (pair.spool_directory / "damaged.db").write_bytes(b"x" * 5000)
        await pair.open()
        await until(lambda: pair.files() == ["damaged.db", "host-1.db"])
        assert (await pair.primary.conservation()).by_state["held"] == 1

    async def test_an_error_of_our_own_does_not_end_it(self, pair, store, make_lead, monkeypatch):
        pair.primary.away = True
        lead = make_lead()
        await store.journal(lead, b"x")
        await store.settle(lead.id, LeadState.HELD, "held", {})
        content, errors = store._spool.content, iter([KeyError("x"), ValueError("y")])

        async def fails():
            if (error := next(errors, None)) is not None:
                raise error
            return await content()

        monkeypatch.setattr(store._spool, "content", fails)
        await pair.back()
        assert (await pair.primary.lead(lead.id)).state is LeadState.HELD

    async def test_what_was_taken_and_not_kept_yet_is_kept_at_the_end(self, pair, store, make_lead, monkeypatch):
        """The spool's commit was broken off, and the shared store is back before the end."""
        lead = make_lead()
        await store.journal(lead, b"x")
        pair.primary.away = True
        store.settle_soon(lead.id, LeadState.DELIVERED, "delivered", {})
        keep, hangs = store._spool.keep, asyncio.Event()

        async def hang(items):
            hangs.set()
            await asyncio.sleep(60)

        pair.primary._wait_or_give(pair.loose(lead))
        monkeypatch.setattr(store._spool, "keep", hang)
        await asyncio.wait_for(hangs.wait(), 10)
        monkeypatch.setattr(store._spool, "keep", keep)
        pair.primary.away = False
        await store.close()
        await pair.reopen()
        await pair.drained()
        assert "seen" in await names(pair.primary, lead.id)

    async def test_the_chain_goes_on_after_it_was_brought_over(self, pair, store, make_entry):
        for count in (2, 3, 1):
            pair.primary.away = True
            for _ in range(count):
                store.record(make_entry())
            await store._spool.flush()
            await pair.back()
        counts = await sound(pair.primary)
        assert [count for writer, count in counts.items() if "-spool-" in writer] == [6]

"""A shared store that goes away and comes back: nothing acknowledged is lost, nothing is there twice, visitors notice nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from standing_in import StandIn
from structlog.testing import capture_logs

from gateway.evidence.chain import verify
from gateway.model import LeadState, new_id
from gateway.stores.carry.carrying import Limits
from gateway.stores.errors import (
    IllegalTransition,
    KeyProblem,
    StoreCorrupt,
    StoreUnavailable,
    StoreUnreachable,
    UnknownLead,
)
from gateway.stores.keys import KeyRing
from gateway.stores.operations import make_event
from gateway.stores.records import RecordFilter
from gateway.stores.spool.file import Spool, adopt, open_spool
from gateway.stores.spool.keeper import SpoolSettings
from gateway.stores.spool.store import SpooledStore

ROOT = Path(__file__).parents[2]
QUICK = SpoolSettings(first_try_s=1, retry_s=0.05, hold_off_s=0.1, hand_over_s=0.05, adopt_s=0.1, reserve=0)


async def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < end, "it does not happen"
        await asyncio.sleep(0.02)


class Pair:
    """The shared store, the spooled one in front of it, and what was acknowledged."""

    def __init__(self, directory, keys, clock):
        self.directory, self.keys, self.clock = directory, keys, clock
        self.spool_directory = directory / "spool"
        self.primary = StandIn.open(directory / "shared.db", keys, writer="host-1")
        self.store = None
        self.reachable = True

    async def connect(self):
        if not self.reachable:
            raise StoreUnreachable("postgresql://127.0.0.1/leadgate", "it cannot be reached", "Is the server running?")
        return self.primary

    async def open(self, writer="host-1", **settings):
        self.store = await SpooledStore.open(
            self.connect,
            self.spool_directory,
            self.keys,
            writer=writer,
            settings=msgspec.structs.replace(QUICK, **settings),
            clock=self.clock,
        )
        return self.store

    async def reopen(self):
        """After close, which closes the shared store too."""
        self.primary = StandIn.open(self.directory / "shared.db", self.keys, writer="host-1")
        return await self.open()

    async def drained(self):
        await until(lambda: not self.store._keeper.used)

    async def back(self):
        self.primary.come_back()
        await self.drained()

    def loose(self, lead):
        """What stood in the shared store's queue when it went away."""
        return make_event(lead.id, "seen", {}, self.clock())

    def files(self):
        return sorted(path.name for path in self.spool_directory.glob("*.db"))


@pytest.fixture
async def pair(tmp_path, keys, clock):
    pair = Pair(tmp_path, keys, clock)
    yield pair
    if pair.store is not None:
        await pair.store.close()
    else:
        await pair.primary.close()


@pytest.fixture
async def store(pair):
    return await pair.open()


async def sound(primary):
    """Every chain of the shared store verifies; how many links each has."""
    heads = await primary.writers()
    links = []
    for writer in heads:
        while page := await primary.entries(writer, after=sum(link.writer == writer for link in links)):
            links += page
    assert verify(links, heads=heads).ok
    ids = [link.id for link in links]
    assert len(ids) == len(set(ids))
    assert (await primary.conservation()).holds
    return {writer: sum(link.writer == writer for link in links) for writer in heads}


async def names(store, lead_id):
    return [event.event for event in await store.events(lead_id)]


class TestThere:
    async def test_the_spool_is_left_alone(self, pair, store, make_lead, make_entry):
        lead = make_lead()
        await store.journal(lead, b"body")
        assert store.record(make_entry(lead.id))
        store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {"status": 200})
        assert store.event(lead.id, "seen", {})
        await store.put_generation("ab" * 32, b"content")
        await pair.drained()
        await store.flush()
        assert (await pair.primary.lead(lead.id)).state is LeadState.DELIVERED
        assert await store.get_record(lead.id) is not None
        assert not await store._spool.content()
        assert store.healthy
        assert store.trouble is None
        assert not store.spooling
        assert store.lag == 0

    async def test_an_unused_spool_leaves_no_file(self, pair, store):
        assert pair.files() == ["host-1.db"]
        await store.close()
        assert list(pair.spool_directory.iterdir()) == []


class TestAway:
    async def test_leads_are_durable_and_brought_over(self, pair, store, make_lead, make_entry):
        pair.primary.away = True
        leads = [make_lead() for _ in range(5)]
        for lead in leads:
            await store.journal(lead, b"body of " + lead.id.encode())
            assert store.record(make_entry(lead.id))
            store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {"status": 200})
        assert not store.healthy
        assert store.spooling
        await pair.back()
        assert store.healthy
        for lead in leads:
            body = await pair.primary.lead_body(lead.id)
            assert body.lead.state is LeadState.DELIVERED
            assert await body.read() == b"body of " + lead.id.encode()
            assert await pair.primary.get_record(lead.id) is not None
            assert await names(pair.primary, lead.id) == ["forwarded"]
        counts = await sound(pair.primary)
        assert [count for writer, count in counts.items() if writer.startswith("host-1-spool-")] == [10]
        assert (await store.conservation()).received == 5

    async def test_a_commit_that_fails_costs_its_visitor_one_deadline_and_the_next_nothing(
        self, pair, store, make_lead
    ):
        await pair.drained()
        pair.primary.away = True
        pair.primary.slow_s = 0.3
        asked = []
        original = pair.primary.journal

        async def journal(lead, body):
            asked.append(lead.id)
            await original(lead, body)

        pair.primary.journal = journal
        first, second = make_lead(), make_lead()
        store._keeper._primary = Seemingly(pair.primary)
        await store.journal(first, b"x")
        await store.journal(second, b"y")
        assert asked == [first.id]
        assert (await store._spool.content()).leads == 2
        store._keeper._primary = pair.primary

    async def test_a_body_in_pieces_is_replayed_to_the_spool(self, pair, store, make_lead):
        pieces = [b"a" * 300_000, b"b" * 300_000, b"c"]

        async def body():
            for piece in pieces:
                yield piece

        original = pair.primary.journal

        async def breaks(lead, body):
            async for _ in body:
                raise StoreUnavailable("it broke in the middle")

        pair.primary.journal = breaks
        lead = make_lead()
        await store.journal(lead, body())
        pair.primary.journal = original
        found = await store._spool.lead_body(lead.id)
        assert await found.read() == b"".join(pieces)

    async def test_a_change_of_a_lead_that_the_shared_store_has(self, pair, store, make_lead):
        await pair.drained()
        lead = make_lead()
        await store.journal(lead, b"x")
        pair.primary.away = True
        store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {"status": 200}, "note")
        await until(lambda: has(store._spool, loose=1))
        await pair.back()
        there = await pair.primary.lead(lead.id)
        assert there.state is LeadState.DELIVERED
        assert there.note == "note"
        assert await names(pair.primary, lead.id) == ["forwarded"]
        await sound(pair.primary)

    async def test_what_waits_in_its_queue_is_made_durable(self, pair, store, make_lead, make_entry):
        await pair.drained()
        lead, entry = make_lead(), make_entry()
        await store.journal(lead, b"x")
        pair.primary.away = True
        pair.primary.record(entry)  # as if it had been put in a moment earlier
        pair.primary.settle_soon(lead.id, LeadState.HELD, "held", {})
        await until(lambda: has(store._spool, loose=2))
        assert pair.primary.waiting == []
        await pair.back()
        assert await pair.primary.get_record(entry.id) is not None
        assert (await pair.primary.lead(lead.id)).state is LeadState.HELD
        await sound(pair.primary)

    async def test_a_commit_whose_end_is_unknown_counts_once(self, pair, store, make_lead, make_entry):
        await pair.drained()
        lead, entry = make_lead(), make_entry()
        await store.journal(lead, b"x")
        pair.primary.away = pair.primary.unanswered = True
        pair.primary.record(entry)
        pair.primary.event(entry.id, "seen", {})
        pair.primary.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {})
        await until(lambda: has(store._spool, loose=3))
        await pair.back()
        assert await names(pair.primary, entry.id) == ["seen"]
        assert await names(pair.primary, lead.id) == ["forwarded"]
        assert (await sound(pair.primary))["host-1"] == 3

    async def test_a_lead_in_both_places_becomes_one(self, pair, store, make_lead):
        """The commit was not answered in time, and had been made."""
        await pair.drained()
        lead = make_lead()
        await pair.primary.journal(lead, b"x")
        pair.primary.away = True
        await store.journal(lead, b"x")
        store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {})
        await pair.back()
        assert (await pair.primary.lead(lead.id)).state is LeadState.DELIVERED
        assert (await pair.primary.conservation()).received == 1
        await sound(pair.primary)

    async def test_reading_says_why_it_cannot(self, pair, store):
        await pair.drained()
        pair.primary.away = True
        for read in (
            store.lead("x"),
            store.records(RecordFilter()),
            store.conservation(),
            store.oldest(LeadState.HELD),
        ):
            with pytest.raises(StoreUnavailable, match=r"PostgreSQL (is away|does not answer)"):
                await read
        assert await store.claim_release(2**60) is None

    async def test_the_operator_is_told_what_waits_where(self, pair, store, make_lead, make_entry):
        pair.primary.away = True
        for _ in range(3):
            await store.journal(make_lead(), b"x")
        store.record(make_entry())
        await until(lambda: "3 leads and 1 records wait in" in (store.trouble or ""))
        assert store.trouble.startswith("PostgreSQL is away since 08:53 UTC (the server does not answer)")
        assert str(pair.spool_directory) in store.trouble
        assert store.lag == 4

    async def test_a_generation_is_brought_over(self, pair, store):
        pair.primary.away = True
        await store.put_generation("ab" * 32, b"content")
        await pair.back()
        assert await pair.primary.generation("ab" * 32) == b"content"

    async def test_a_full_spool_too_is_told_as_it_is(self, pair, store, make_lead):
        pair.primary.away = True
        store._spool._writer.fault = full
        lead = make_lead()
        with pytest.raises(StoreUnavailable, match="full"):
            await store.journal(lead, b"x")
        store.unjournaled(lead.id)
        store._spool._writer.fault = None
        await pair.back()
        assert (await pair.primary.conservation()).unjournaled == 1
        assert store.stats().unjournaled >= 1

    async def test_an_unjournaled_lead_that_is_there_after_all_is_not_counted(self, pair, store, make_lead):
        await pair.drained()
        lead = make_lead()
        await pair.primary.journal(lead, b"x")
        pair.primary.away = True
        store.unjournaled(lead.id)
        await until(lambda: has(store._spool, loose=1))
        await pair.back()
        assert (await pair.primary.conservation()).unjournaled == 0

    async def test_the_last_room_on_the_disk_is_for_leads(self, pair, make_lead, make_entry):
        store = await pair.open(reserve=2**62)
        pair.primary.away = True
        assert not store.record(make_entry())
        assert not store.event("x", "seen", {})
        await store.journal(make_lead(), b"x")
        assert store.stats().dropped == 2

    async def test_changes_of_a_lead_that_is_in_the_spool(self, pair, store, make_lead):
        pair.primary.away = True
        lead = make_lead()
        await store.journal(lead, b"x")
        await store.settle(lead.id, LeadState.HELD, "held", {})
        with pytest.raises(IllegalTransition):
            await store.settle(lead.id, LeadState.PENDING, "again", {})
        with pytest.raises(StoreUnavailable):
            await store.settle(new_id(), LeadState.HELD, "held", {})
        await store.settle(lead.id, LeadState.REJECTED, "rejected", {"by": "anna"})
        await pair.back()
        assert (await pair.primary.lead(lead.id)).state is LeadState.REJECTED
        assert await names(store, lead.id) == ["held", "rejected"]
        with pytest.raises(UnknownLead):
            await store.settle(new_id(), LeadState.HELD, "held", {})


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


CHILD = """
import asyncio, json, os, signal, sys
sys.path.insert(0, "tests/support"); sys.path.insert(0, "tests/stores")
from pathlib import Path
from conftest import new_entry, new_lead
from test_spooled import Pair, until
from gateway.model import LeadState, now_us
from gateway.stores.carry.carrying import Limits
from gateway.stores.keys import KeyRing
from gateway.stores.operations import make_event
from gateway.stores.spool.file import Spool

directory, step, call = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def say(**known):
    print(json.dumps(known), flush=True)

async def main():
    pair = Pair(directory, KeyRing.open(directory / "keys"), now_us)
    store = await pair.open(limits=Limits(rows=3))
    await pair.drained()
    early = new_lead()
    await store.journal(early, b"early")
    say(lead=early.id, state="held")
    pair.primary.away = True
    for number in range(8):
        lead = new_lead()
        await store.journal(lead, b"body of " + lead.id.encode())
        say(lead=lead.id, state="held")
        entry = new_entry(lead.id)
        store.record(entry)
        if number % 2:
            await store.settle(lead.id, LeadState.DELIVERED, "forwarded", {})
            say(lead=lead.id, state="delivered", record=entry.id)
    store.settle_soon(early.id, LeadState.DELIVERED, "forwarded", {})
    await store._spool.flush()
    say(lead=early.id, state="delivered")
    owner, name, where = step.split(":")
    kind = Spool if owner == "spool" else type(pair.primary)
    original, calls = getattr(kind, name), []

    async def killed(self, *args):
        calls.append(1)
        if len(calls) == call and where == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if len(calls) == call and where == "within":
            self._writer.fault = lambda: os.kill(os.getpid(), signal.SIGKILL)
        answer = await original(self, *args)
        if len(calls) == call and where == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(kind, name, killed)
    pair.primary.come_back()
    await pair.drained()
    say(not_killed=True)

asyncio.run(main())
"""

MOMENTS = ("before", "within", "after")
STEPS = [
    *((f"{place}:{moment}", 2) for place in ("primary:absorb", "spool:carried") for moment in MOMENTS),
    *((f"{place}:{moment}", 1) for place in ("primary:take_back", "spool:given_back") for moment in MOMENTS),
]
"""Whose call is killed when, and which of its calls."""


class TestKilled:
    @pytest.mark.parametrize(("step", "call"), STEPS)
    async def test_at_any_step_of_bringing_over(self, tmp_path, clock, step, call):
        keys = KeyRing.open(tmp_path / "keys")
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path), step, str(call)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL, child.stderr + child.stdout
        told = [json.loads(line) for line in child.stdout.splitlines() if line.startswith("{")]
        states = {item["lead"]: item["state"] for item in told}
        assert len(states) == 9
        pair = Pair(tmp_path, keys, clock)
        store = await pair.open()
        await pair.drained()
        try:
            for lead_id, state in states.items():
                body = await pair.primary.lead_body(lead_id)
                assert body.lead.state == state
                assert await body.read() in (b"body of " + lead_id.encode(), b"early")
                seen = await names(pair.primary, lead_id)
                assert [name for name in seen if name == "forwarded"] == ["forwarded"] * (state == "delivered")
            for item in told:
                assert "record" not in item or await pair.primary.get_record(item["record"]) is not None
            assert (await store.conservation()).received == 9
            await sound(pair.primary)
        finally:
            await store.close()
        assert pair.files() == []

    async def test_at_any_moment_of_an_outage(self, tmp_path, clock):
        """Leads are acknowledged all the time; the process is killed in between, again and again."""
        keys = KeyRing.open(tmp_path / "keys")
        script = (
            CHILD.split("    early = ")[0]
            + """
    pair.primary.away = True
    while True:
        lead = new_lead()
        await store.journal(lead, b"body of " + lead.id.encode())
        say(lead=lead.id, state="held")
        store.record(new_entry(lead.id))
        store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {})

asyncio.run(main())
"""
        )
        acknowledged = []
        for wait in (0.0, 0.05, 0.2):
            child = subprocess.Popen(
                [sys.executable, "-c", script, str(tmp_path), "-", "0"],
                cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            first = child.stdout.readline()
            time.sleep(wait)
            child.kill()
            lines = (first + child.stdout.read()).split("\n")[:-1]
            acknowledged += [json.loads(line)["lead"] for line in lines if line.startswith("{")]
            child.wait()
            child.stdout.close()
        pair = Pair(tmp_path, keys, clock)
        store = await pair.open()
        await pair.drained()
        try:
            assert len(acknowledged) > 10
            for lead_id in acknowledged:
                body = await pair.primary.lead_body(lead_id)
                assert body.lead.state in (LeadState.DELIVERED, LeadState.HELD)
                assert await body.read() == b"body of " + lead_id.encode()
            await sound(pair.primary)
        finally:
            await store.close()


class Seemingly:
    """A store whose connection is dead and nobody has noticed yet."""

    healthy = True

    def __init__(self, primary):
        self._primary = primary

    def __getattr__(self, name):
        return getattr(self._primary, name)


async def has(spool, **wanted):
    content = await spool.content()
    return all(getattr(content, name) == value for name, value in wanted.items())


async def there(store, lead_id):
    return await store.lead(lead_id) is not None


def full():
    import sqlite3

    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


async def test_a_store_that_comes_and_goes_does_not_fill_the_log(pair, store, make_lead):
    with capture_logs() as told:
        for _ in range(3):
            pair.primary.away = True
            lead = make_lead()
            await store.journal(lead, b"body")
            store.settle_soon(lead.id, LeadState.DELIVERED, "forwarded", {"status": 200})
            await until(lambda: store._keeper._away_since is not None)
            await pair.back()
            await until(lambda: store._keeper._away_since is None)
        await until(lambda: any(line["event"] == "store drained" for line in told))
    assert [line["event"] for line in told] == ["store spooling", "store drained"]

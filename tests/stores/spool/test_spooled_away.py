"""The shared store goes away: leads are durable on this disk meanwhile, and whoever reads is told why he cannot."""

from __future__ import annotations

import pytest
from spooled import Seemingly, full, has, names, sound, until
from structlog.testing import capture_logs

from gateway.model import LeadState, new_id
from gateway.stores.errors import (
    IllegalTransition,
    StoreUnavailable,
    UnknownLead,
)
from gateway.stores.records import RecordFilter


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

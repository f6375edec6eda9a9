"""Leads: durable, sealed, changed only in legal ways, released once for each time a person asks. One suite for every backend."""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest

from gateway.evidence.chain import verify
from gateway.model import LeadState
from gateway.stores.errors import BadCursor, IllegalTransition, StoreUnavailable, UnknownLead
from gateway.stores.leads import TRANSITIONS, LeadFilter
from gateway.stores.sealing import CHUNK_BYTES

HELD, DELIVERED, PENDING = LeadState.HELD, LeadState.DELIVERED, LeadState.PENDING


async def journaled(store, make_lead, state=None, body=b"email=ann%40example.org", **changes):
    lead = make_lead(**changes)
    await store.journal(lead, body)
    if state is not None:
        await store.settle(lead.id, state, "test", {})
    return lead


async def names(store, lead_id):
    return [event.event for event in await store.events(lead_id)]


async def test_a_journaled_lead_is_there_when_the_call_returns(store, make_lead):
    lead = await journaled(store, make_lead)
    found = await store.lead(lead.id)
    assert (found.state, found.length, found.site, found.form) == (PENDING, 23, "acme", "quote")
    assert (found.received_at, found.success, found.releasing) == (lead.received_at, lead.success, False)


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5])
@pytest.mark.parametrize("arrives", ["whole", "in pieces"])
async def test_the_raw_bytes_come_back_unchanged(store, make_lead, length, arrives):
    body = os.urandom(length)

    async def pieces():
        for start in range(0, length, 70_001):
            yield body[start : start + 70_001]

    lead = await journaled(store, make_lead, body=body if arrives == "whole" else pieces())
    found = await store.lead_body(lead.id)
    assert (found.head, found.peer, found.client) == (lead.head, lead.peer, lead.client)
    assert await found.read() == body
    assert found.lead.length == length


async def test_a_body_that_breaks_off_leaves_nothing(store, make_lead):
    async def pieces():
        yield bytes(CHUNK_BYTES)
        raise ConnectionResetError

    lead = make_lead()
    with pytest.raises(ConnectionResetError):
        await store.journal(lead, pieces())
    assert await store.lead(lead.id) is None
    await store.flush()
    await store.journal(lead, b"again")
    assert await (await store.lead_body(lead.id)).read() == b"again"


async def test_the_same_id_twice_is_refused_and_the_others_are_stored(store, make_lead):
    lead, other = make_lead(), make_lead()
    await store.journal(lead, b"one")
    done = await asyncio.gather(store.journal(lead, b"two"), store.journal(other, b"x"), return_exceptions=True)
    assert isinstance(done[0], StoreUnavailable)
    assert done[1] is None
    assert await (await store.lead_body(lead.id)).read() == b"one"
    assert (await store.conservation()).holds


async def test_unknown_leads(store):
    assert await store.lead("none") is None
    assert await store.lead_body("none") is None
    with pytest.raises(UnknownLead, match="none"):
        await store.settle("none", HELD, "test", {})


@pytest.mark.parametrize(("state", "wanted"), list(itertools.product(LeadState, LeadState)))
async def test_only_legal_changes(store, make_lead, state, wanted):
    lead = await journaled(store, make_lead)
    path = {PENDING: [], LeadState.EXPIRED: [HELD, LeadState.EXPIRED], LeadState.ERASED: [HELD, LeadState.ERASED]}
    for step in path.get(state, [state]):
        await store.settle(lead.id, step, "step", {})
    before = await names(store, lead.id)
    if wanted == state or wanted in TRANSITIONS[state]:
        await store.settle(lead.id, wanted, "change", {"why": "test"}, note="as wanted")
        assert (await store.lead(lead.id)).state is wanted
        assert (await store.lead(lead.id)).note == "as wanted"
        assert await names(store, lead.id) == [*before, "change"]
    else:
        with pytest.raises(IllegalTransition, match=f"is {state} and cannot become {wanted}"):
            await store.settle(lead.id, wanted, "change", {})
        assert (await store.lead(lead.id)).state is state
        assert await names(store, lead.id) == before


async def test_an_illegal_change_does_not_stop_others_in_the_same_commit(store, make_lead):
    one = await journaled(store, make_lead, DELIVERED)
    two = await journaled(store, make_lead)
    done = await asyncio.gather(
        store.settle(one.id, HELD, "no", {}), store.settle(two.id, HELD, "yes", {}), return_exceptions=True
    )
    assert isinstance(done[0], IllegalTransition)
    assert (await store.lead(two.id)).state is HELD


async def test_changes_without_waiting_keep_their_order(store, make_lead):
    lead = await journaled(store, make_lead)
    store.settle_soon(lead.id, HELD, "first", {})
    store.settle_soon(lead.id, DELIVERED, "second", {})
    store.settle_soon(lead.id, HELD, "impossible", {})
    await store.flush()
    assert (await store.lead(lead.id)).state is DELIVERED
    assert await names(store, lead.id) == ["first", "second"]
    assert store.stats().unsettled == 1


async def test_every_received_lead_is_in_one_state(store, make_lead):
    for state in (None, HELD, HELD, DELIVERED, LeadState.REJECTED, LeadState.REFUSED):
        await journaled(store, make_lead, state)
    found = await store.conservation()
    assert (found.received, found.holds, found.unjournaled) == (6, True, 0)
    assert found.by_state == {
        "pending": 1, "held": 2, "delivered": 1, "rejected": 1, "refused": 1, "expired": 0, "erased": 0
    }  # fmt: skip


async def test_unjournaled_is_counted_unless_the_lead_got_in_after_all(store, make_lead):
    lead = await journaled(store, make_lead)
    store.unjournaled(lead.id)
    store.unjournaled("never came")
    await store.flush()
    assert (await store.conservation()).unjournaled == 1


async def test_giving_up_waiting_leaves_either_the_whole_lead_or_none(store, make_lead):
    leads = [make_lead() for _ in range(20)]
    tasks = [asyncio.create_task(store.journal(lead, b"x")) for lead in leads]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    await store.flush()
    for lead, outcome in zip(leads, done, strict=True):
        found = await store.lead_body(lead.id)
        assert outcome is not None or found is not None
        assert found is None or await found.read() == b"x"
    assert (await store.conservation()).holds


async def test_lists_page_newest_first(store, make_lead):
    leads = [await journaled(store, make_lead, received_at=1000 + number // 2) for number in range(7)]
    seen, cursor = [], None
    while True:
        page = await store.leads(LeadFilter(), limit=3, cursor=cursor)
        seen += [lead.id for lead in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [lead.id for lead in reversed(leads)]


async def test_lists_filter(store, make_lead):
    held = await journaled(store, make_lead, HELD, site="other", form="f", received_at=5)
    await journaled(store, make_lead)

    async def found(**where):
        return [lead.id for lead in (await store.leads(LeadFilter(**where))).items]

    for where in ({"state": HELD}, {"site": "other"}, {"form": "f"}, {"until": 6}, {"since": 5, "until": 6}):
        assert await found(**where) == [held.id]
    assert await found(until=5) == []


@pytest.mark.parametrize("cursor", ["", "x", "é", "bm9uZQ", "WyJyIiwxLDFd", "W" * 1000])
async def test_made_up_cursors_are_refused(store, cursor):
    with pytest.raises(BadCursor):
        await store.leads(LeadFilter(), cursor=cursor)


class TestReleases:
    async def test_a_delivered_release(self, store, make_lead, clock):
        lead = await journaled(store, make_lead, HELD)
        await store.enqueue_release(lead.id, "ann")
        assert (await store.lead(lead.id)).releasing
        job = await store.claim_release(clock.now)
        assert (job.lead_id, job.by, job.attempt) == (lead.id, "ann", 1)
        assert await store.claim_release(clock.now) is None
        await store.release_result(job, True, 200, "")
        found = await store.lead(lead.id)
        assert (found.state, found.releasing) == (DELIVERED, False)
        assert await names(store, lead.id) == ["test", "release.requested", "release.delivered"]

    async def test_a_failed_release_stays_held_with_the_answer_shown(self, store, make_lead, clock):
        lead = await journaled(store, make_lead, HELD)
        await store.enqueue_release(lead.id, "ann")
        job = await store.claim_release(clock.now)
        await store.release_result(job, False, 403, "the origin answered 403")
        found = await store.lead(lead.id)
        assert (found.state, found.note, found.releasing) == (HELD, "the origin answered 403", False)
        await store.enqueue_release(lead.id, "ann")
        assert (await store.claim_release(clock.now)).lead_id == lead.id

    async def test_asking_twice_is_one_job(self, store, make_lead, clock):
        lead = await journaled(store, make_lead, HELD)
        await store.enqueue_release(lead.id, "ann")
        await store.enqueue_release(lead.id, "bob")
        assert (await store.claim_release(clock.now)).by == "ann"
        assert await store.claim_release(clock.now) is None

    async def test_tried_again_when_asked_for(self, store, make_lead, clock):
        lead = await journaled(store, make_lead, HELD)
        await store.enqueue_release(lead.id, "ann")
        job = await store.claim_release(clock.now)
        await store.release_result(job, False, None, "the origin was not reached", retry_at=clock.now + 10)
        assert await store.claim_release(clock.now + 9) is None
        again = await store.claim_release(clock.now + 10)
        assert (again.id, again.attempt) == (job.id, 2)

    async def test_a_lease_that_ran_out_is_unknown_and_not_sent_again(self, store, make_lead, clock):
        lead = await journaled(store, make_lead, HELD)
        await store.enqueue_release(lead.id, "ann")
        job = await store.claim_release(clock.now)
        assert await store.claim_release(job.leased_until) is None
        found = await store.lead(lead.id)
        assert (found.state, found.note, found.releasing) == (HELD, "delivery unknown", False)
        await store.release_result(job, True, 200, "")  # the answer came late
        assert (await store.lead(lead.id)).state is DELIVERED

    @pytest.mark.parametrize("state", [LeadState.REJECTED, LeadState.REFUSED])
    async def test_a_reviewer_may_think_again(self, store, make_lead, clock, state):
        lead = await journaled(store, make_lead, state)
        await store.enqueue_release(lead.id, "ann")
        assert (await store.lead(lead.id)).state is HELD

    @pytest.mark.parametrize("state", [None, DELIVERED])
    async def test_what_cannot_be_released(self, store, make_lead, state):
        lead = await journaled(store, make_lead, state)
        with pytest.raises(IllegalTransition):
            await store.enqueue_release(lead.id, "ann")
        with pytest.raises(UnknownLead):
            await store.enqueue_release("none", "ann")


class TestRestart:
    async def test_pending_leads_become_held_delivery_unknown(self, open_store, make_lead):
        store = await open_store()
        lead = await journaled(store, make_lead)
        other = await journaled(store, make_lead, DELIVERED)
        await store.close()
        store = await open_store()
        found = await store.lead(lead.id)
        assert (found.state, found.note) == (HELD, "delivery unknown")
        assert await names(store, lead.id) == ["delivery.unknown"]
        assert (await store.lead(other.id)).state is DELIVERED
        assert (await store.conservation()).holds
        assert await (await store.lead_body(lead.id)).read() == b"email=ann%40example.org"

    async def test_a_release_that_was_under_way_is_unknown(self, open_store, make_lead, clock):
        store = await open_store()
        lead, waiting = await journaled(store, make_lead, HELD), await journaled(store, make_lead, HELD)
        await store.enqueue_release(lead.id, "ann")
        await store.claim_release(clock.now)
        await store.enqueue_release(waiting.id, "ann")
        await store.close()
        store = await open_store()
        assert (await store.lead(lead.id)).note == "delivery unknown"
        assert (await store.claim_release(clock.now)).lead_id == waiting.id

    async def test_the_chain_goes_on_where_it_ended(self, open_store, make_lead):
        for _ in range(3):
            store = await open_store()
            await journaled(store, make_lead, HELD)
            await store.close()
        store = await open_store("gateway-1")
        await journaled(store, make_lead, HELD)
        report = verify(
            [*await store.entries("gateway-0"), *await store.entries("gateway-1")], heads=await store.writers()
        )
        assert report.ok
        assert {name: head.last for name, head in report.heads.items()} == {"gateway-0": 3, "gateway-1": 1}

    async def test_the_operator_writes_beside_a_running_gateway_and_recovers_nothing(self, open_store, make_lead):
        gateway = await open_store()
        pending = await journaled(gateway, make_lead)
        held = await journaled(gateway, make_lead, HELD)
        operator = await open_store("operator")
        assert (await operator.lead(pending.id)).state is PENDING
        await asyncio.gather(
            *[operator.settle(held.id, HELD, "seen", {"n": n}) for n in range(30)],
            *[gateway.settle(pending.id, PENDING, "busy", {"n": n}) for n in range(30)],
        )
        await operator.settle(held.id, LeadState.REJECTED, "reject", {})
        assert (await gateway.lead(held.id)).state is LeadState.REJECTED
        links = [*await gateway.entries("gateway-0"), *await gateway.entries("operator")]
        assert verify(links, heads=await gateway.writers()).ok
        assert len(links) == 62

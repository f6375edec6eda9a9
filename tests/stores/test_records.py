"""Records and events: chained, found again, never twice. One suite for every backend."""

from __future__ import annotations

import asyncio

import pytest

from detectors.observation import Client, Kind, Page, Unavailable
from gateway.evidence.chain import verify
from gateway.evidence.record import columns_of, decode, observation_of
from gateway.model import LeadState
from gateway.stores.canonical import Unencodable
from gateway.stores.errors import BadCursor, StoreUnavailable
from gateway.stores.records import RecordFilter
from geoip.network import Network
from rules.verdict import Decision, Ivt

NOW = 1_760_000_000_000_000


async def found(store, limit=50, **where):
    return [entry.id for entry in (await store.records(RecordFilter(**where), limit)).items]


async def test_a_record_comes_back_as_it_was_written(store, make_entry):
    entry = make_entry()
    assert store.record(entry)
    await store.flush()
    stored = await store.get_record(entry.id)
    assert (stored.type, stored.writer, stored.seq) == ("record", "gateway-0", 1)
    assert {name: (group.salt, group.value) for name, group in stored.personal.items()} == {
        group.group: (group.salt, group.value) for group in entry.personal
    }
    obs = observation_of(decode(stored.body), stored.personal)
    assert obs.client == Client("203.0.113.5", 4711)
    assert columns_of(stored.body) == entry.columns


async def test_unknown_records(store):
    assert await store.get_record("none") is None
    assert await store.events("none") == ()
    assert (await store.records(RecordFilter())).items == ()


async def test_records_and_events_of_a_writer_are_one_chain(store, make_entry):
    ids = []
    for number in range(700):  # more than one statement's worth
        entry = make_entry()
        ids.append(entry.id)
        store.record(entry)
        if number % 3 == 0:
            store.event(entry.id, "answered", {"status": 200, "number": number})
    await store.flush()
    links = []
    while page := await store.entries("gateway-0", after=len(links), limit=300):
        links += page
    report = verify(links, heads=await store.writers())
    assert report.ok
    assert report.checked == 700 + 234
    assert [link.id for link in links if link.type == "record"] == ids


async def test_events_are_told_oldest_first(store, make_entry, clock):
    entry = make_entry()
    store.record(entry)
    for number in range(3):
        clock.now += 1
        store.event(entry.id, f"event {number}", {"number": number})
    await store.flush()
    events = await store.events(entry.id)
    assert [(event.event, event.data, event.at) for event in events] == [
        (f"event {n}", {"number": n}, NOW + n + 1) for n in range(3)
    ]


async def test_events_hold_no_floats(store):
    with pytest.raises(Unencodable):
        store.event("r", "x", {"share": 0.1})


async def test_a_clock_that_falls_back_does_not_break_the_chain(store, make_entry, clock):
    for jump in (0, -(10**12), 10**15, -(10**9)):
        clock.now += jump
        entry = make_entry(at=clock.now)
        store.record(entry)
        store.event(entry.id, "seen", {})
    await store.flush()
    assert verify(await store.entries("gateway-0")).checked == 8


class TestTwice:
    async def test_a_second_run_adds_nothing_and_the_chain_stays_whole(self, open_store, make_entry):
        entries = [make_entry(source="replay") for _ in range(50)]
        for run in range(3):
            store = await open_store("replay")
            await store.add(entries)
            await store.flush()
            assert (store.stats().committed, store.stats().dropped) == (50 if run == 0 else 0, 0)
            await store.close()
        store = await open_store("replay")
        report = verify(await store.entries("replay"), heads=await store.writers())
        assert report.ok
        assert report.checked == 50
        assert await store.known([entries[0].id, "none"]) == {entries[0].id}

    async def test_new_ones_among_known_ones_are_added(self, store, make_entry):
        entries = [make_entry() for _ in range(9)]
        await store.add(entries[::2])
        await store.flush()
        await store.add([*entries, *entries])
        await store.flush()
        report = verify(await store.entries("gateway-0"))
        assert (report.ok, report.checked, store.stats().dropped) == (True, 9, 0)

    async def test_changes_of_leads_in_the_same_commit_are_made_once(self, store, make_entry, make_lead):
        entry, lead = make_entry(), make_lead()
        store.record(entry)
        await store.flush()
        journal = asyncio.create_task(store.journal(lead, b"x"))
        store.record(entry)
        await journal
        await store.flush()
        assert (await store.conservation()).received == 1
        assert verify(await store.entries("gateway-0")).checked == 1


async def test_a_full_queue_counts_what_it_drops(open_store, make_entry):
    store = await open_store(queue=10)
    kept = sum(store.record(make_entry()) for _ in range(200))
    await store.flush()
    assert kept + store.stats().dropped == 200
    assert store.stats().dropped > 0
    assert verify(await store.entries("gateway-0", limit=500)).checked == kept


async def test_adding_waits_for_room(open_store, make_entry):
    store = await open_store(queue=10)
    await store.add([make_entry() for _ in range(200)])
    await store.flush()
    assert (store.stats().committed, store.stats().dropped) == (200, 0)


async def test_what_cannot_be_stored_costs_only_itself(store, make_entry, make_lead):
    bad = make_entry(network=Network(2**70, "x", "DE"))  # no integer the columns can hold
    good = [make_entry() for _ in range(5)]
    for entry in (*good[:3], bad, *good[3:]):
        store.record(entry)
    lead = make_lead()
    await asyncio.gather(store.journal(lead, b"x"), return_exceptions=True)
    await store.flush()
    assert store.healthy
    assert store.stats().dropped == 1
    assert sorted(await found(store)) == sorted(entry.id for entry in good)
    assert await store.lead(lead.id) is not None
    assert verify(await store.entries("gateway-0")).checked == 5


async def test_what_a_visitor_puts_into_a_query_is_stored_whatever_it_is(store, make_entry, make_lead):
    """Else a %00 in a link would keep a landing out of the records."""
    entry, lead = make_entry(page=Page("www.acme.example", "/a\0", {"utm_campaign": "a\0b"})), make_lead()
    store.record(entry)
    await store.journal(lead, b"x")
    await store.settle(lead.id, LeadState.HELD, "held", {}, "a\0b")
    await store.flush()
    assert store.stats().dropped == 0
    assert decode((await store.get_record(entry.id)).body).facts.page.campaign == {"utm_campaign": "a\0b"}
    assert (await store.lead(lead.id)).state is LeadState.HELD
    assert await found(store, q="a\0b") == [entry.id]


async def test_a_lead_that_cannot_be_stored_is_refused_alone(store, make_lead):
    bad, good = make_lead(content_type="\ud800"), make_lead()
    done = await asyncio.gather(store.journal(bad, b"x"), store.journal(good, b"x"), return_exceptions=True)
    assert isinstance(done[0], StoreUnavailable)
    assert done[1] is None
    assert store.healthy


class TestLists:
    async def test_pages_hold_everything_once_newest_first(self, store, make_entry):
        entries = [make_entry(at=NOW + number // 3) for number in range(20)]
        await store.add(entries)
        await store.flush()
        seen, cursor = [], None
        while True:
            page = await store.records(RecordFilter(), 7, cursor)
            seen += [entry.id for entry in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [entry.id for entry in reversed(entries)]

    async def test_a_page_stays_where_it_was_when_records_arrive(self, store, make_entry):
        await store.add([make_entry(at=NOW + number) for number in range(10)])
        await store.flush()
        first = await store.records(RecordFilter(), 5)
        await store.add([make_entry(at=NOW + 100)])
        await store.flush()
        second = await store.records(RecordFilter(), 5, first.next_cursor)
        ids = [entry.id for entry in (*first.items, *second.items)]
        assert len(set(ids)) == 10
        assert second.next_cursor is None

    async def test_filters(self, store, make_entry):
        odd = make_entry(
            decision=Decision.REJECT,
            ivt=Ivt.GIVT,
            source="replay",
            at=NOW + 5,
            kind=Kind.SUBMISSION,
            site="other",
        )
        await store.add([make_entry(), odd, make_entry(at=NOW + 9)])
        await store.flush()
        for where in (
            {"verdict": "reject"},
            {"ivt": "givt"},
            {"kind": "submission"},
            {"site": "other"},
            {"source": "replay"},
            {"since": NOW + 5, "until": NOW + 6},
            {"verdict": "reject", "ivt": "givt", "kind": "submission", "site": "other", "since": NOW},
        ):
            assert await found(store, **where) == [odd.id], where
        for where in ({"verdict": "accept"}, {"ivt": "valid"}, {"kind": "landing"}, {"site": "acme"}):
            assert len(await found(store, **where)) == 2, where
        assert await found(store, verdict="reject", site="acme") == []

    @pytest.mark.parametrize(
        "q",
        [
            "/Special",
            "spring sale",
            "velocity.address",
            "FR",
            "réseau",
            "198.51.100.7",
            " 198.51.100.7 ",
            "::ffff:198.51.100.7",
        ],
    )
    async def test_search(self, store, make_entry, q):
        entry = make_entry(
            page=Page("www.acme.example", "/special", {"utm_campaign": "Spring Sale"}),
            network=Network(64501, "Réseau Exemple", "FR"),
            signals=["velocity.address.landing"],
            client=Client("198.51.100.7"),
        )
        await store.add([make_entry(), entry, make_entry()])
        await store.flush()
        assert await found(store, q=q) == [entry.id]

    @pytest.mark.parametrize("q", ["203.0.113.0", "203.0.113", "%", "_", "' OR 1=1", "2001:db8::1"])
    async def test_search_without_result(self, store, make_entry, q):
        await store.add([make_entry()])
        await store.flush()
        assert await found(store, q=q) == []

    async def test_an_unavailable_address_is_not_found(self, store, make_entry):
        await store.add([make_entry(client=Unavailable("proxy not trusted"))])
        await store.flush()
        assert await found(store, q="203.0.113.5") == []

    async def test_search_pages_too(self, store, make_entry):
        await store.add([make_entry(at=NOW + n, page=Page("h", "/a" if n % 2 else "/b")) for n in range(20)])
        await store.flush()
        first = await store.records(RecordFilter(q="/a"), 6)
        second = await store.records(RecordFilter(q="/a"), 6, first.next_cursor)
        assert (len(first.items), len(second.items), second.next_cursor) == (6, 4, None)

    @pytest.mark.parametrize("cursor", ["", "x", "é", "bm9uZQ", "WyJsIiwxLDFd", "WyJyIiwtMSwtMV0"])
    async def test_made_up_cursors_are_refused(self, store, cursor):
        with pytest.raises(BadCursor):
            await store.records(RecordFilter(), cursor=cursor)


async def test_generations_are_stored_once(store):
    await store.put_generation("abc", b"content")
    await store.put_generation("abc", b"other")
    assert await store.generation("abc") == b"content"
    assert await store.generation("none") is None


async def test_a_turn_is_given_to_one_in_so_much_time(open_store):
    one, other = await open_store(), await open_store("operator")
    given = await asyncio.gather(*[store.take_turn("mail", NOW, 100) for store in (one, other) * 5])
    assert sorted(given) == [False] * 9 + [True]
    assert await other.take_turn("another", NOW, 100)
    assert not await other.take_turn("mail", NOW + 99, 100)
    assert await other.take_turn("mail", NOW + 100, 100)
    assert not await one.take_turn("mail", NOW + 100, 100)
    assert await one.take_turn("mail", NOW - 1000, 100)  # a clock that was far ahead does not keep everybody waiting


async def test_a_closed_store_says_so(store, make_entry, make_lead):
    await store.close()
    await store.close()
    assert not store.record(make_entry())
    for call in (store.journal(make_lead(), b""), store.lead("x"), store.add([make_entry()]), store.flush()):
        with pytest.raises(StoreUnavailable, match="clos"):
            await call


async def test_closing_writes_what_was_queued(open_store, make_entry):
    store = await open_store()
    for _ in range(300):
        store.record(make_entry())
    await store.close()
    assert verify(await (await open_store()).entries("gateway-0")).checked == 300

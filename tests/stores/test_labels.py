"""Labels: durable when told so, the same twice is once, read in bulk in bounded pages. One suite for every backend."""

from __future__ import annotations

import asyncio

import pytest

from detectors.observation import Kind, Lead
from gateway.evidence.chain import verify
from gateway.model import Label, new_id
from gateway.stores import cursors
from gateway.stores.errors import BadCursor, UnknownRecord
from gateway.stores.labels import NewLabel, in_effect
from gateway.stores.leads import LeadFilter
from gateway.stores.postgres import noted as postgres_noted
from gateway.stores.sqlite import noted as sqlite_noted

NOW = 1_760_000_000_000_000
DAY = 86_400_000_000


def record_id(at, number=0):
    """A UUIDv7 of a time."""
    text = f"{at // 1000:012x}7{number:03x}8000000000000000"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def said(label, source="review", at=NOW, **more):
    return NewLabel(Label(label), "ann", source, at, **more)


async def seen(store, **where):
    return [(item.record, item.label.value) for item in (await store.labels(**where)).items]


async def test_a_label_is_an_event_of_its_record(store, make_entry):
    entry = make_entry()
    await store.add([entry])
    await store.flush()
    assert await store.label(entry.id, said("customer", "crm", value="1299.00", currency="EUR", ref="ab12"))
    [event] = await store.events(entry.id)
    assert (event.event, event.data) == (
        "label",
        {
            "label": "customer",
            "by": "ann",
            "source": "crm",
            "at": NOW,
            "value": "1299.00",
            "currency": "EUR",
            "ref": "ab12",
        },
    )
    assert verify(await store.entries("gateway-0"), heads=await store.writers()).checked == 2


async def test_a_lead_that_has_no_record_can_be_labelled_and_nothing_else(store, make_lead):
    lead = make_lead()
    await store.journal(lead, b"x")
    assert await store.label(lead.id, said("person"))
    for unknown in (new_id(), "none"):
        with pytest.raises(UnknownRecord):
            await store.label(unknown, said("person"))


async def test_the_same_twice_is_once(store, make_lead):
    lead = make_lead()
    await store.journal(lead, b"x")
    assert await store.label(lead.id, said("mql", "crm", ref="m1"))
    assert not await store.label(lead.id, said("mql", "crm", NOW + 5, ref="m2"))  # nothing new
    assert await store.label(lead.id, said("customer", "crm", NOW + 9, ref="m3"))
    assert not await store.label(lead.id, said("mql", "crm", NOW + 99, ref="m1"))  # the same message again
    assert not await store.label(lead.id, said("mql", "crm", NOW))  # what was said of that time
    assert await store.label(lead.id, said("customer", "review", NOW + 9))  # another source
    assert [event.data["label"] for event in await store.events(lead.id)] == ["mql", "customer", "customer"]


async def test_the_same_twice_in_one_commit_is_once(store, make_lead):
    lead = make_lead()
    await store.journal(lead, b"x")
    told = await asyncio.gather(*(store.label(lead.id, said("junk", "csv")) for _ in range(5)))
    assert sorted(told) == [False] * 4 + [True]
    assert [event.data["label"] for event in await store.events(lead.id)] == ["junk"]


async def test_a_later_label_of_the_same_source_replaces_the_earlier(store, make_lead):
    lead = make_lead()
    await store.journal(lead, b"x")
    for label, source, at in (
        ("junk", "review", 5),
        ("person", "review", 9),
        ("bot", "review", 7),
        ("not_fit", "crm", 1),
    ):
        assert await store.label(lead.id, said(label, source, NOW + at))
    assert [(e.source, e.label) for e in in_effect((await store.labels()).items)] == [
        ("crm", Label.NOT_FIT),
        ("review", Label.PERSON),
    ]
    for label, there in (("person", True), ("not_fit", True), ("junk", False), ("bot", False)):
        page = await store.leads(LeadFilter(label=Label(label)))
        assert [item.id for item in page.items] == [lead.id] * there


class TestInBulk:
    async def test_all_of_a_span_in_pages_record_by_record(self, store, make_entry):
        entries = [make_entry(record_id(NOW + day * DAY, n), at=NOW + day * DAY) for day in range(3) for n in range(5)]
        await store.add(entries)
        await store.flush()
        for entry in reversed(entries):
            await store.label(entry.id, said("person"))
            await store.label(entry.id, said("bot", "crm"))
        whole = [(entry.id, label) for entry in entries for label in ("person", "bot")]
        assert await seen(store) == whole
        assert await seen(store, since=NOW + DAY, until=NOW + 2 * DAY) == whole[10:20]
        walked, cursor = [], None
        while True:
            page = await store.labels(limit=7, cursor=cursor)
            assert len(page.items) <= 7
            walked += [(item.record, item.label.value) for item in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert walked == whole
        with pytest.raises(BadCursor):
            await store.labels(cursor="bm9uZQ")

    async def test_a_page_looks_at_so_many_events_and_no_more(self, store, make_entry, monkeypatch):
        for module in (cursors, postgres_noted, sqlite_noted):
            monkeypatch.setattr(module, "LOOKED_AT", 10)
        entries = [make_entry() for _ in range(12)]
        await store.add(entries)
        for entry in entries:
            store.event(entry.id, "other", {})
            store.event(entry.id, "another", {})
        await store.flush()
        await store.label(entries[-1].id, said("junk"))
        pages, cursor = [], None
        while len(pages) < 10:
            page = await store.labels(cursor=cursor)
            pages.append(len(page.items))
            if (cursor := page.next_cursor) is None:
                break
        assert pages == [0, 0, 1]

    async def test_other_events_by_name(self, store, make_entry):
        entry = make_entry()
        await store.add([entry])
        store.event(entry.id, "holdout", {"share": 5})
        store.event(entry.id, "other", {})
        await store.flush()
        page = await store.noted(("holdout", "none"))
        assert [(item.record, item.data) for item in page.items] == [(entry.id, {"share": 5})]


async def test_records_are_found_by_what_stands_beside_them(store, make_entry):
    lead = Lead("quote", (), {"email": ("Ann@Example.org",), "phone": ("+49 151 234",)})
    first, second = (make_entry(kind=Kind.SUBMISSION, lead=lead, at=NOW + n) for n in range(2))
    await store.add([first, second, make_entry()])
    await store.flush()
    assert await store.find("email:ann@example.org") == (second.id, first.id)
    assert await store.find("phone:49151234", 1) == (second.id,)
    assert await store.find("email:bob@example.org") == ()

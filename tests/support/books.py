"""After the storm: every answered visit is in the store as it was answered, once, and the chains hold. Reads as an operator does, on any store."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from origin import Origin
from traffic import DECLINED, FINAL, FORWARDED, HELD, LANDING, Traffic, number_of

from gateway import backends
from gateway import config as configuration
from gateway.evidence.chain import verify
from gateway.evidence.record import Record, decode
from gateway.stores.leads import LeadFilter, StoredLead
from gateway.stores.records import Store

PAGE_ROWS = 500


@dataclass
class Books:
    """What the store says. leads by id; records by id; chains: writer → entries."""

    leads: dict[str, StoredLead] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    entries: Counter[str] = field(default_factory=Counter)
    chains: dict[str, int] = field(default_factory=dict)
    unjournaled: int = 0


async def read_books(path: Path, environ: dict[str, str] | None = None) -> Books:
    """path: the settings of a gateway that has stopped."""
    environ = environ or dict(os.environ)
    store = await backends.operator_store(configuration.load(path, environ=environ), environ)
    books = Books()
    try:
        counts = await store.conservation()
        assert counts.holds, counts
        books.unjournaled = counts.unjournaled
        async for lead in _leads(store):
            books.leads[lead.id] = lead
        for writer, (last, _) in (await store.writers()).items():
            entries = []
            while len(entries) < last:
                more = await store.entries(writer, len(entries), PAGE_ROWS)
                assert more, f"{writer}: {len(entries)} of {last} entries are there"
                entries += more
            report = verify(entries)
            assert report.ok, report.broken
            books.chains[writer] = len(entries)
            books.entries.update(entry.id for entry in entries)
            books.records |= {entry.id: decode(entry.body) for entry in entries if entry.type == "record"}
    finally:
        await store.close()
    return books


async def _leads(store: Store) -> AsyncIterator[StoredLead]:
    cursor: str | None = None
    while True:
        page = await store.leads(LeadFilter(), PAGE_ROWS, cursor)
        for lead in page.items:
            yield lead
        cursor = page.next_cursor
        if cursor is None:
            return


def judge(books: Books, traffic: Traffic, origin: Origin) -> dict[str, int]:
    """Asserts that nothing was lost, doubled or mixed up; answers the counts."""
    posted = [request for request in origin.received if request.line.startswith(b"POST")]
    sent = Counter(number_of(request.body) for request in posted)
    assert [number for number, times in sent.items() if times > 1] == [], "delivered twice"
    ids = {number_of(request.body): str(request.field("X-Lead-Id")) for request in posted}
    kept = {visit.number for visit in traffic.of(HELD, DECLINED)}
    assert kept & set(sent) == set(), "what was held or declined was delivered all the same"
    expected: dict[str, str] = {}
    for visit in traffic.of(FORWARDED, HELD, DECLINED):
        if visit.trouble:
            continue
        lead_id = ids.get(visit.number) if visit.kind == FORWARDED else visit.reference
        assert lead_id, f"answered and never received: {visit}"
        expected[lead_id] = FINAL[visit.kind]
    lost = sorted(set(expected) - set(books.leads))
    assert lost == [], f"{len(lost)} answered submissions are in no store"
    wrong = {
        lead: (books.leads[lead].state, state) for lead, state in expected.items() if books.leads[lead].state != state
    }
    assert wrong == {}, f"leads are in another state than the visitor was told (store, told): {wrong}"
    doubled = [entry for entry, times in books.entries.items() if times > 1]
    assert doubled == [], "entries stand in two places"
    without = sorted(set(expected) - set(books.records))
    assert without == [], f"{len(without)} leads have no record"
    landings = sum(record.kind == "landing" for record in books.records.values())
    assert landings == len([visit for visit in traffic.of(LANDING) if not visit.trouble]), "page views without a record"
    return {
        "landings": landings,
        "leads": len(books.leads),
        **{state: sum(lead.state == state for lead in books.leads.values()) for state in FINAL.values()},
        "delivered to the site": len(sent),
        "entries": sum(books.chains.values()),
        "chains": len(books.chains),
    }

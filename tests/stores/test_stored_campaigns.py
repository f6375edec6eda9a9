"""The report of campaigns reads what either store holds, page by page, within bounds."""

from __future__ import annotations

import pytest

from detectors.behaviour import Campaign, Cell
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.signal import Signal
from gateway.evidence.record import build
from gateway.learning import campaigns
from gateway.learning.campaigns import as_json, in_text, tally
from gateway.model import Mode, new_id
from gateway.stores.records import RecordFilter
from rules.verdict import Decision, Ivt, Verdict

NOW = 1_760_000_000_000_000
MINUTE = 60_000_000
ROOFS = {"utm_campaign": "Roofs", "utm_source": "google"}
FLOODED = Cell("campaign roofs", 412, 38, 9, 90, 610, 49, 60, 300)
QUIET = Cell("publisher google", 40, 38, 9, 600, 610, 49, 60, 40)
FORM = Cell("form quote", 58, 4, 2, 90, 955, 28, 60, 58)


def entry(minute, cells=(), *, campaign=ROOFS, form=None, decision=Decision.ACCEPT, ivt=Ivt.VALID, site="acme"):
    kind = Kind.LANDING if form is None else Kind.SUBMISSION
    at = NOW + minute * MINUTE
    obs = Observation(
        kind, site, at, Page("acme.example", "/offer", campaign), Client("203.0.113.5"), Request("GET", "/offer", ()),
        Unavailable("test"), Unavailable("test"), campaign=Campaign(cells) if cells else None,
    )  # fmt: skip
    signals = [Signal("campaign.flood" if form is None else "campaign.form_flood")] if cells else []
    verdict = Verdict(decision, 91, 80, ivt, None, 0, "threshold", (), (), (), (), "")
    return build(
        obs, id=new_id(), mode=Mode.MONITOR, recorded_at=at, signals=signals, verdict=verdict, generation="0" * 64, form=form
    )  # fmt: skip


async def reported(store, **where):
    return await tally(store, RecordFilter(**where))


async def test_what_is_stored_is_counted_by_part(store, monkeypatch):
    monkeypatch.setattr(campaigns, "PAGE", 4)  # several pages
    for minute in range(6):
        store.record(entry(minute))
    for minute in (10, 12, 15):
        store.record(entry(minute, (FLOODED, QUIET), decision=Decision.REVIEW, ivt=Ivt.SIVT))
    store.record(entry(20, (FORM,), form="quote"))
    store.record(entry(21, campaign={}))  # no campaign brought it
    await store.flush()
    found = await reported(store)
    report = as_json(found)
    assert (report["records"], report["cut"]) == (11, False)
    rows = {each["part"]: each for each in report["items"]}
    assert list(rows) == ["campaign roofs", "form quote", "publisher google"]
    roofs = rows["campaign roofs"]
    assert (roofs["count"], roofs["review"], roofs["sivt"], roofs["flood"]) == (9, 3, 3, 3)
    assert (roofs["flood_first"], roofs["flood_last"]) == ("2025-10-09T09:03:20Z", "2025-10-09T09:08:20Z")
    assert roofs["flood_peak"] == {"share": 0.852, "clicks": 412, "usual": 38, "minutes": 60}
    assert (rows["publisher google"]["flood"], rows["publisher google"]["count"]) == (0, 9)
    assert (rows["form quote"]["counted"], rows["form quote"]["flood"]) == ("forms", 1)
    text = "\n".join(in_text(found))
    assert "at worst 412 in 60 minutes, usual is 38, 85 % in excess" in text and "33.3 %" in text


async def test_only_the_time_and_site_that_are_asked_for(store):
    for minute in range(4):
        store.record(entry(minute))
    store.record(entry(1, site="other"))
    await store.flush()
    within = as_json(await reported(store, since=NOW + MINUTE, until=NOW + 3 * MINUTE, site="acme"))
    assert [each["count"] for each in within["items"]] == [2, 2]
    assert in_text(await reported(store, since=NOW + 60 * MINUTE)) == [
        "0 records, and none that belongs to a campaign or a form."
    ]


async def test_made_up_names_do_not_fill_the_memory(store, monkeypatch):
    monkeypatch.setattr(campaigns, "PARTS", 8)
    for number in range(30):
        store.record(entry(0, campaign={"utm_campaign": f"made up {number}"}))
        store.record(entry(1, (FLOODED,), campaign={"utm_campaign": "Roofs"}))
    await store.flush()
    found = await reported(store)
    assert found.cut and len(found.rows()) <= 8
    assert found.rows()[0][1].flood == 30


@pytest.mark.parametrize("form", [None, "quote"])
async def test_a_flood_of_another_part_is_not_ours(store, form):
    store.record(entry(0, (Cell("campaign other", 412, 38, 9, 90, 610, 49, 60, 300),), form=form))
    await store.flush()
    assert [part.flood for _, part in (await reported(store)).rows()] in ([0, 0], [0])

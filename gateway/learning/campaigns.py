"""Campaigns, publishers, creatives and forms over a time, from the records: what their traffic was worth, and when they were flooded.

The board of a running gateway knows the last eight days as counts; records know each click as it was judged, for as long as they are kept. So this is
what a claim to an advertising platform stands on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from detectors.behaviour import Campaign
from detectors.campaign import flood
from detectors.observation import Click, Kind
from gateway.campaigns.cells import form_part, in_words, is_form, parts, site_of
from gateway.evidence.record import Facts, Record, decode
from gateway.reports.tallies import Classes
from gateway.stores.records import RecordFilter, Store

PAGE = 500
"""Records held at once, about 4 kB each."""

PARTS = 5_000
"""Parts that are counted, under 1 kB each. Beyond that the rarer half is forgotten, those with a flood last: anybody can invent campaigns."""

FLOODS = frozenset({"campaign.flood", "campaign.form_flood"})


class Peak(msgspec.Struct, frozen=True):
    """The worst of a flood: clicks (or posts) in so many minutes, what is usual, and the share of them in excess, 0..1."""

    share: float
    clicks: int
    usual: int
    minutes: int


class Part(msgspec.Struct):
    """One part of a campaign, or a form. flood: page views or posts that were told of a flood; first, last: of these, UTC microseconds."""

    classes: Classes = msgspec.field(default_factory=Classes)
    flood: int = 0
    first: int = 0
    last: int = 0
    peak: Peak | None = None


class CampaignTally:
    """Takes records in any order. cut: were parts forgotten, so that rare ones are missing or counted short?"""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self.records = 0
        self.cut = False

    def add(self, record: Record) -> None:
        self.records += 1
        keys = _keys(record)
        for key in keys:
            self._part(key).classes.add(record.verdict)
        if keys and any(signal.id in FLOODS for signal in record.signals):
            self._flooded({in_words(key): key for key in keys}, record.facts, record.occurred_at)

    def _flooded(self, names: dict[str, str], facts: Facts, at: int) -> None:
        """The signal names the worst part only; all that were flooded stand in the fact."""
        for cell in facts.campaign.cells if isinstance(facts.campaign, Campaign) else ():
            share, key = flood(cell), names.get(cell.name)
            if share is None or key is None:
                continue
            part = self._part(key)
            part.flood += 1
            part.first = min(part.first or at, at)
            part.last = max(part.last, at)
            if part.peak is None or share > part.peak.share:
                part.peak = Peak(round(share, 3), cell.clicks, cell.usual, cell.minutes)

    def _part(self, key: str) -> Part:
        known = self._parts.get(key)
        if known is None:
            if len(self._parts) >= PARTS:
                ranked = sorted(self._parts.items(), key=lambda item: (-item[1].flood, -item[1].classes.views))
                self._parts, self.cut = dict(ranked[: PARTS // 2]), True
            known = self._parts[key] = Part()
        return known

    def rows(self) -> list[tuple[str, Part]]:
        """(key of the part, what was counted): what was flooded first, then by page views or posts."""
        return sorted(self._parts.items(), key=lambda item: (-item[1].flood, -item[1].classes.views, item[0]))


def _keys(record: Record) -> tuple[str, ...]:
    if record.kind is Kind.SUBMISSION:
        return (form_part(record.site, record.form),) if record.form else ()
    click = record.facts.click
    return parts(record.site, record.facts.page.campaign, click.platform if isinstance(click, Click) else "")


async def tally(store: Store, where: RecordFilter, seen: Callable[[Record], None] = lambda _: None) -> CampaignTally:
    """Reads page by page, newest first. seen: told of each record. Raises StoreUnavailable."""
    found, cursor = CampaignTally(), None
    while True:
        page = await store.records(where, PAGE, cursor)
        for entry in page.items:
            try:
                record = decode(entry.body)
            except (msgspec.MsgspecError, ValueError):  # of another version, or damaged: `leadgate db check` tells
                continue
            found.add(record)
            seen(record)
        cursor = page.next_cursor
        if cursor is None:
            return found


def as_json(found: CampaignTally) -> dict[str, Any]:
    """For programs; times as in records."""
    return {"records": found.records, "cut": found.cut, "items": [_row(key, part) for key, part in found.rows()]}


def _row(key: str, part: Part) -> dict[str, Any]:
    classes, peak = part.classes, part.peak
    return {
        "site": site_of(key),
        "part": in_words(key),
        "counted": "forms" if is_form(key) else "page views",
        "count": classes.views,
        "review": classes.review,
        "reject": classes.reject,
        "givt": classes.givt,
        "sivt": classes.sivt,
        "undecided": classes.undecided,
        "flood": part.flood,
        "flood_first": _when(part.first) if part.flood else None,
        "flood_last": _when(part.last) if part.flood else None,
        "flood_peak": None if peak is None else msgspec.to_builtins(peak),
    }


SHOWN = 60
"""Rows for people; --json has all."""

WIDTH = 36
"""Characters of a part's name for people."""


def in_text(found: CampaignTally) -> list[str]:
    """Lines for people."""
    rows = found.rows()
    if not rows:
        return [f"{found.records:,} records, and none that belongs to a campaign or a form."]
    lines = [f"{found.records:,} records, {len(rows):,} parts of campaigns and forms"]
    if found.cut:
        lines.append("More parts than can be counted: rare ones are missing or counted short.")
    lines += ["", f"{'':{WIDTH}} {'count':>9} {'flagged':>8} {'GIVT':>7} {'SIVT':>7} {'in flood':>9}"]
    for key, part in rows[:SHOWN]:
        each = part.classes
        name = f"{site_of(key)}: {in_words(key)}"
        lines.append(
            f"{name if len(name) <= WIDTH else name[: WIDTH - 1] + '…':{WIDTH}} {each.views:>9,} {_share(each.review + each.reject, each.views):>8} "
            f"{_share(each.givt, each.views):>7} {_share(each.sivt, each.views):>7} {part.flood:>9,}"
        )
        if part.peak is not None:
            peak = part.peak
            lines.append(
                f"  flooded {_when(part.first)} to {_when(part.last)}; at worst {peak.clicks:,} in {peak.minutes} minutes, "
                f"usual is {peak.usual:,}, {100 * peak.share:.0f} % in excess"
            )
    if len(rows) > SHOWN:
        lines.append(f"… and {len(rows) - SHOWN:,} more: --json has all")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

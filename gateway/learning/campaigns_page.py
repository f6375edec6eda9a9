"""The report on campaigns as one self-contained page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.campaigns.cells import in_words, is_form, site_of
from gateway.learning.campaigns import SHOWN, CampaignTally, Part
from gateway.reports.pages import template

CUT = "There are more parts than can be counted, so rare ones are missing or counted short"


def render(found: CampaignTally, title: str, period: str, made_at: str) -> str:
    """title: whose campaigns; period: in words. The first SHOWN parts, what was flooded first."""
    rows = found.rows()
    sites = {site_of(key) for key, _ in rows}
    shown = [_row(key, part, len(sites) > 1) for key, part in rows[:SHOWN]]
    return template("campaigns_page.html").render(
        kind="Campaign report",
        title=title,
        period=period,
        notes=(CUT,) if found.cut else (),
        credit="",
        made_at=made_at,
        records=found.records,
        rows=len(rows),
        more=max(0, len(rows) - SHOWN),
        floods=[row for row in shown if row["peak"] is not None],
        flooded=sum(part.peak is not None for _, part in rows),
        campaigns=[row for row in shown if not row["form"]],
        forms=[row for row in shown if row["form"]],
    )


def _row(key: str, part: Part, several: bool) -> dict[str, Any]:
    name, peak = in_words(key), part.peak
    return {
        "name": f"{site_of(key)}: {name}" if several else name,
        "form": is_form(key),
        "counted": "posts" if is_form(key) else "page views",
        "counts": part.classes,
        "flood": part.flood,
        "peak": peak,
        "window": "" if peak is None else _window(peak.minutes),
        "excess": "" if peak is None else f"{100 * peak.share:.0f}\u00a0%",
        "first": _moment(part.first, "%Y-%m-%dT%H:%M:%SZ"),
        "last": _moment(part.last, "%Y-%m-%dT%H:%M:%SZ"),
        "first_words": _moment(part.first, "%Y-%m-%d %H:%M"),
        "last_words": _moment(part.last, "%Y-%m-%d %H:%M"),
    }


def _window(minutes: int) -> str:
    if minutes % 60:
        return f"{minutes} minutes"
    return "an hour" if minutes == 60 else f"{minutes // 60} hours"


def _moment(at: int, form: str) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime(form)

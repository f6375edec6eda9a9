"""The traffic-quality report as one self-contained page: charts are inline SVG, nothing is fetched, no script runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.reports.flagged_csv import visitor_text
from gateway.reports.pages import CLASSES, class_of, template
from gateway.reports.provenance import Provenance
from gateway.reports.tallies import Classes
from gateway.reports.traffic import Doubtful, Traffic
from gateway.reports.traffic_text import period
from gateway.reports.views import (
    CLASS_MEANINGS,
    CLASS_WORDS,
    DECISION_WORDS,
    FACT_WORDS,
    PLATFORM_WORDS,
    cut_address,
    network_name,
    reasons_against,
)

LABELS = 6
"""Labels under the time axis: what a phone has room for."""
ROOM = 5
"""A day that is a smaller part of the axis than one in so many has no label: on a phone it would touch the next."""


def render(traffic: Traffic, source: Provenance, *, full_addresses: bool = False) -> str:
    """The page. Addresses are cut to their neighbourhood unless `full_addresses`."""
    return template("traffic_page.html").render(
        t=traffic,
        source=source,
        kind="Traffic quality report",
        title=source.title,
        period=period(traffic),
        notes=source.notes,
        credit=source.credit,
        made_at=source.made_at,
        classes=[
            {
                "key": ivt.value,
                "name": CLASS_WORDS[ivt].partition(" (")[0],
                "short": CLASS_WORDS[ivt].partition(" (")[2].rstrip(")"),
                "meaning": CLASS_MEANINGS[ivt],
                "count": class_of(traffic.total, ivt),
            }
            for ivt in CLASSES
        ],
        timeline=_timeline(traffic),
        worst=[_row(found, full_addresses) for found in traffic.doubtful],
        unchecked=[(FACT_WORDS.get(fact, fact), why, count) for fact, why, count in traffic.unchecked],
        cut=not full_addresses,
        widest=max((row.flagged for row in traffic.reasons), default=0),
    )


def _timeline(traffic: Traffic) -> dict[str, Any]:
    """Columns of a chart 100 high and as wide as there are columns, stretched by the browser."""
    series = traffic.series
    top = _ceiling(max((counts.views for _, counts in series), default=0))
    columns = []
    for place, (at, counts) in enumerate(series):
        y, pieces = 100.0, []
        for ivt in CLASSES:
            height = 100 * class_of(counts, ivt) / top
            if height:
                y -= height
                pieces.append({"key": ivt.value, "y": f"{y:.3f}", "height": f"{height:.3f}"})
        columns.append({"x": place, "label": _moment(at, traffic.step), "counts": counts, "pieces": pieces})
    return {"columns": columns, "top": top, "half": top // 2, "labels": _labels(series, traffic.step)}


def _labels(series: Sequence[tuple[int, Classes]], step: str) -> list[tuple[str, int]]:
    """(label, columns it stands under), in order: a label for each day where columns are hours of several days, else a few at equal distances."""
    if step == "hour" and len(series) > 30:
        days = Counter(_moment(at, "day", short=True) for at, _ in series)
        return [(day if columns * ROOM >= len(series) else "", columns) for day, columns in days.items()]
    every = max(1, -(-len(series) // LABELS))
    found = [(at, min(every, len(series) - place)) for place, (at, _) in list(enumerate(series))[::every]]
    # what is left at the end may be too narrow for its label, which would lie over the one before
    return [(_moment(at, step, short=True) if 2 * columns >= every else "", columns) for at, columns in found]


def _moment(at: int, step: str, short: bool = False) -> str:
    moment = datetime.fromtimestamp(at / 1_000_000, UTC)
    if step == "hour":
        return f"{moment:%H:%M}" if short else f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment.day} {moment:%b}" if short else f"{moment:%a %Y-%m-%d}"


def _ceiling(value: int) -> int:
    """The next round even number at or above."""
    if value <= 2:
        return 2
    size = 1
    while size * 10 <= value:
        size *= 10
    steps = [
        10 * size,
        12 * size,
        15 * size,
        20 * size,
        25 * size,
        30 * size,
        40 * size,
        50 * size,
        60 * size,
        80 * size,
        100 * size,
    ]
    found = next(step for step in steps if step >= 10 * value)
    return -(-found // 20) * 2


def _row(found: Doubtful, full_addresses: bool) -> dict[str, Any]:
    view = found.view
    moment = datetime.fromtimestamp(view.at / 1_000_000, UTC)
    return {
        "when": f"{moment:%Y-%m-%d %H:%M:%S}",
        "iso": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "path": view.path,
        "platform": PLATFORM_WORDS.get(view.click[0], view.click[0]) if view.click else "",
        "address": "" if view.address is None else view.address if full_addresses else cut_address(view.address),
        "network": network_name(view.network, None) if view.network is not None else "",
        "agent": "no user agent" if not view.agent else visitor_text(view.agent)[:200],
        "quality": view.verdict.quality,
        "key": view.verdict.ivt.value,
        "class": CLASS_WORDS[view.verdict.ivt],
        "verdict": DECISION_WORDS[view.verdict.decision],
        "reasons": reasons_against(view.verdict),
        "id": view.id,
        "others": found.alike - 1,
    }

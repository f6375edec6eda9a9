"""The traffic-quality report as one self-contained page: charts are inline SVG, nothing is fetched, no script runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jinja2
import markupsafe

from gateway.reports.flagged_csv import visitor_text
from gateway.reports.provenance import Provenance
from gateway.reports.tallies import Classes
from gateway.reports.traffic import Doubtful, Traffic, rate
from gateway.reports.traffic_text import number, percent, period
from gateway.reports.views import (
    CLASS_MEANINGS,
    CLASS_WORDS,
    DECISION_WORDS,
    PLATFORM_WORDS,
    cut_address,
    network_name,
    reasons_against,
)
from rules.verdict import Ivt

CLASSES = (Ivt.VALID, Ivt.GIVT, Ivt.SIVT, Ivt.UNDECIDED)
LABELS = 6
"""Labels under the time axis: what a phone has room for."""


def render(traffic: Traffic, source: Provenance, *, full_addresses: bool = False) -> str:
    """The page. Addresses are cut to their neighbourhood unless `full_addresses`."""
    return _template().render(
        t=traffic,
        source=source,
        period=period(traffic),
        classes=[
            {
                "key": ivt.value,
                "name": CLASS_WORDS[ivt].partition(" (")[0],
                "short": CLASS_WORDS[ivt].partition(" (")[2].rstrip(")"),
                "meaning": CLASS_MEANINGS[ivt],
                "count": _of(traffic.total, ivt),
            }
            for ivt in CLASSES
        ],
        timeline=_timeline(traffic),
        worst=[_row(found, full_addresses) for found in traffic.doubtful],
        cut=not full_addresses,
        widest=max((row.flagged for row in traffic.reasons), default=0),
    )


@lru_cache(1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gateway.reports", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "share": _percent_of,
        "bar": _bar,
        "parts": _parts,
        "visitor": visitor_text,
        "credited": _credited,
    }
    return environment.get_template("traffic_page.html")


_NAMED = re.compile(r"\b(?!and )([\w-]+(?: (?!and )[\w-]+)*) \((https://[\w./-]+)\)")


def _credited(text: str) -> markupsafe.Markup:
    """Names with an address behind them become links to it, as the licences of the data ask."""
    linked = _NAMED.sub(r'<a href="\2" rel="noreferrer">\1</a>', str(markupsafe.escape(text)))
    return markupsafe.Markup(linked)  # noqa: S704 - escaped before the links were put in


def _percent_of(part: int, whole: int) -> str:
    return percent(part, whole).replace(" ", "\u00a0")


def _bar(part: int, whole: int) -> str:
    """Length of a bar in hundredths; what is there at all is seen."""
    share = rate(part, whole) or 0.0
    return f"{max(100 * share, 0.8 if part else 0):.2f}"


def _of(counts: Classes, ivt: Ivt) -> int:
    return {Ivt.VALID: counts.valid, Ivt.GIVT: counts.givt, Ivt.SIVT: counts.sivt, Ivt.UNDECIDED: counts.undecided}[ivt]


def _parts(counts: Classes, whole: int | None = None) -> list[dict[str, Any]]:
    """Pieces of a horizontal bar, in hundredths of `whole` (its own views if None)."""
    whole = counts.views if whole is None else whole
    at, parts = 0.0, []
    for ivt in CLASSES:
        count = _of(counts, ivt)
        if count:
            width = 100 * count / whole
            parts.append(
                {"key": ivt.value, "x": f"{at:.2f}", "width": f"{width:.2f}", "count": count, "name": CLASS_WORDS[ivt]}
            )
            at += width
    return parts


def _timeline(traffic: Traffic) -> dict[str, Any]:
    """Columns of a chart 100 high and as wide as there are columns, stretched by the browser."""
    series = traffic.series
    top = _ceiling(max((counts.views for _, counts in series), default=0))
    columns = []
    for place, (at, counts) in enumerate(series):
        y, pieces = 100.0, []
        for ivt in CLASSES:
            height = 100 * _of(counts, ivt) / top
            if height:
                y -= height
                pieces.append({"key": ivt.value, "y": f"{y:.3f}", "height": f"{height:.3f}"})
        columns.append({"x": place, "label": _moment(at, traffic.step), "counts": counts, "pieces": pieces})
    return {"columns": columns, "top": top, "half": top // 2, "labels": _labels(series, traffic.step)}


def _labels(series: Sequence[tuple[int, Classes]], step: str) -> list[tuple[str, int]]:
    """(label, columns it stands under), in order: a label for each day where columns are hours of several days, else a few at equal distances."""
    if step == "hour" and len(series) > 30:
        days = Counter(_moment(at, "day", short=True) for at, _ in series)
        return [(day if columns * 8 >= len(series) else "", columns) for day, columns in days.items()]
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

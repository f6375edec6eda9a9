"""What all report pages share: one shell and style, and how numbers and bars are written in them. Charts are inline SVG; nothing is fetched, no script runs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import jinja2
import markupsafe

from gateway.reports.flagged_csv import visitor_text
from gateway.reports.tallies import Classes
from gateway.reports.traffic import rate
from gateway.reports.traffic_text import number, percent
from gateway.reports.views import CLASS_WORDS
from rules.verdict import Ivt

CLASSES = (Ivt.VALID, Ivt.GIVT, Ivt.SIVT, Ivt.UNDECIDED)


@lru_cache(1)
def _environment() -> jinja2.Environment:
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
        "parts": parts,
        "visitor": visitor_text,
        "credited": _credited,
    }
    return environment


def template(name: str) -> jinja2.Template:
    """A page that extends report.html: it wants kind (of report), title, period, notes (each without its full stop), credit and made_at, "" for none."""
    return _environment().get_template(name)


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


def class_of(counts: Classes, ivt: Ivt) -> int:
    return {Ivt.VALID: counts.valid, Ivt.GIVT: counts.givt, Ivt.SIVT: counts.sivt, Ivt.UNDECIDED: counts.undecided}[ivt]


def parts(counts: Classes) -> list[dict[str, Any]]:
    """Pieces of a horizontal bar, in hundredths of the page views."""
    at, found = 0.0, []
    for ivt in CLASSES:
        count = class_of(counts, ivt)
        if count:
            width = 100 * count / counts.views
            found.append(
                {"key": ivt.value, "x": f"{at:.2f}", "width": f"{width:.2f}", "count": count, "name": CLASS_WORDS[ivt]}
            )
            at += width
    return found

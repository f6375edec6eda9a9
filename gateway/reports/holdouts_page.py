"""What hold-outs measured, as one self-contained page."""

from __future__ import annotations

from typing import Any

from gateway.labels.holdouts import FEW, ByForm, Estimate
from gateway.reports.pages import template

UNNAMED = "form not known"
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Ends of the scale of shares: the first that holds every interval of the page, so that small rates can be told apart."""


def render(found: ByForm, period: str, made_at: str, *, bounded: bool = False) -> str:
    """period: in words; bounded: was a time asked for, so that there may be more outside it?"""
    highest = max((each.high or 0.0 for each in (found.total, *found.forms.values())), default=0.0)
    top = next(step for step in STEPS if step >= highest)
    return template("holdouts_page.html").render(
        kind="False positives",
        title="How often is holding wrong?",
        period=period,
        notes=(),
        credit="",
        made_at=made_at,
        bounded=bounded,
        total=_row("", found.total, top),
        forms=[_row(name or UNNAMED, each, top) for name, each in found.forms.items()],
        few=found.total.followed < FEW,
        top=f"{100 * top:.0f}",
    )


def _row(name: str, found: Estimate, top: float) -> dict[str, Any]:
    """Texts for people, and the interval in hundredths of the scale."""
    low, high, rate = found.low or 0.0, found.high or 0.0, found.rate or 0.0
    known = found.rate is not None
    return {
        "name": name,
        "held_out": found.held_out,
        "followed": found.followed,
        "good": found.good,
        "known": known,
        "rate": _percent(rate) if known else "-",
        "low": _percent(low),
        "high": _percent(high),
        "lost": f"{found.good_lost:,.0f}" if found.good_lost is not None else "-",
        "lost_low": f"{found.good_lost_low or 0:,.0f}",
        "lost_high": f"{found.good_lost_high or 0:,.0f}",
        "stand_for": round(found.stand_for),
        "x": f"{100 * low / top:.2f}",
        "width": f"{max(0.8, 100 * (high - low) / top):.2f}",
        "mark": f"{min(99.2, 100 * rate / top):.2f}",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"

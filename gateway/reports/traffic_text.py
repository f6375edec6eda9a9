"""The traffic-quality report for a terminal: plain text that also reads well in a file or a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from gateway.reports.flagged_csv import visitor_text
from gateway.reports.provenance import Provenance
from gateway.reports.tallies import Classes
from gateway.reports.terminal import on_one_line, plain
from gateway.reports.traffic import Share, Traffic, day_name, rate
from gateway.reports.views import FACT_WORDS, cut_address

Row = Sequence[object]


def number(value: int) -> str:
    return f"{value:,}"


def percent(part: int, whole: int) -> str:
    share = rate(part, whole)
    if share is None:
        return "-"
    text = f"{100 * share:.1f}"
    if part and text == "0.0":
        return "<0.1 %"
    return (">99.9" if part < whole and text == "100.0" else text) + " %"


def table(rows: Iterable[Row], indent: str = "  ", widest: int = 76) -> list[str]:
    """Columns under one another; text to the left, numbers and percentages to the right."""
    cells = [[number(cell) if isinstance(cell, int) else on_one_line(str(cell)) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [min(widest, max(len(row[at]) for row in cells)) for at in range(len(cells[0]))]
    right = [all(_numeric(row[at]) for row in cells[1:] or cells) for at in range(len(widths))]
    lines = []
    for row in cells:
        fitted = [cell if len(cell) <= widest else cell[: widest - 1] + "…" for cell in row]
        line = "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(fitted, widths, right, strict=True)
        )
        lines.append((indent + line).rstrip())
    return lines


def _numeric(cell: str) -> bool:
    return cell in ("", "-") or (
        cell[0] in "0123456789<>" and cell.rstrip(" %").lstrip("<>").replace(",", "").replace(".", "").isdecimal()
    )


def period(traffic: Traffic) -> str:
    if traffic.first is None or traffic.last is None:
        return "no page views"
    first, last = (datetime.fromtimestamp(at / 1_000_000, UTC) for at in (traffic.first, traffic.last))
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def render(traffic: Traffic, days: Sequence[tuple[str, Classes]], source: Provenance) -> str:
    """The whole report."""
    total = traffic.total
    lines = [f"Traffic quality: {source.title}", *table([("Period", period(traffic)), *source.facts])]
    lines += [f"  Note: {note}" for note in source.notes]
    lines += ["", "Page views"]
    lines += table(
        [
            ("Judged", total.views, ""),
            ("Net of general invalid traffic (GIVT)", total.net_of_givt, percent(total.net_of_givt, total.views)),
            ("Net of GIVT and sophisticated (SIVT)", total.net_of_all, percent(total.net_of_all, total.views)),
            (
                "Decision rate (not undecided)",
                total.views - total.undecided,
                percent(total.views - total.undecided, total.views),
            ),
        ]
    )
    lines += ["", "By class                     By verdict"]
    classes = [("Valid", total.valid), ("GIVT", total.givt), ("SIVT", total.sivt), ("Undecided", total.undecided)]
    verdicts = [("Accepted", total.accept), ("For review", total.review), ("Rejected", total.reject), ("", None)]
    for (name, count), (verdict, found) in zip(classes, verdicts, strict=True):
        left = f"  {name:<10}{number(count):>9}  {percent(count, total.views):>7}"
        lines.append(
            (f"{left}   {verdict:<10}{number(found):>9}  {percent(found, total.views):>7}")
            if found is not None
            else left
        )
    if len(days) <= 62:
        lines += _section(
            "By day (UTC)",
            [("", "views", "valid", "GIVT", "SIVT", "undecided", "invalid"), *[(day, *_numbers(c)) for day, c in days]],
        )
    lines += _section(
        "Why: what spoke against flagged page views",
        [
            (row.flagged, row.text + (f" ({_examples(row.examples)})" if _examples(row.examples) else ""))
            for row in traffic.reasons[:12]
            if row.flagged
        ],
    )
    lines += _section(
        "Programs that say what they are",
        [(row.views, row.name, row.how + (f" by {row.by}" if row.by else "")) for row in traffic.crawlers[:20]],
    )
    lines += _section("Networks with most invalid page views", _shares(traffic.networks[:12], "network"))
    if traffic.campaigns:
        lines += _section("Campaigns", _shares(traffic.campaigns[:20], "campaign"))
    if traffic.platforms:
        lines += _section("Page views with an ad click id", _shares(traffic.platforms, "platform"))
    lines += _section("Flagged user agents", [(s.counts.views, visitor_text(s.name)) for s in traffic.agents[:10]])
    lines += _section("No page views", source.not_views)
    lines += _section(
        "Not known", [(count, f"{FACT_WORDS.get(fact, fact)}: {why}") for fact, why, count in traffic.unchecked[:6]]
    )
    if source.unreadable:
        lines += _section("Lines that could not be read", [(count, why) for why, count in source.unreadable])
        lines += [f"  {file}:{line}: {why}" for file, line, why in source.examples]
    return plain("\n".join(lines)) + "\n"


def _section(title: str, rows: Sequence[Row]) -> list[str]:
    return ["", title, *table(rows)] if rows else []


def _numbers(c: Classes) -> tuple[object, ...]:
    return c.views, c.valid, c.givt, c.sivt, c.undecided, percent(c.invalid, c.views)


def _shares(shares: Iterable[Share], title: str) -> list[Row]:
    rows: list[Row] = [(share.name, *_numbers(share.counts)) for share in shares]
    return [(title, "views", "valid", "GIVT", "SIVT", "undecided", "invalid"), *rows] if rows else []


def _examples(found: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {number(count)}" for name, count in found if name)


__all__ = ["cut_address", "day_name", "number", "percent", "period", "render", "table"]

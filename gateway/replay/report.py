"""What a replay says of itself, beside the traffic report: as text, as JSON, as a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.feeds.reading import credit, networks_in_words
from gateway.replay.session import Done
from gateway.reports import traffic_page, traffic_text
from gateway.reports.provenance import Provenance
from gateway.reports.tallies import Classes
from gateway.reports.traffic import Share, rate
from gateway.reports.traffic_text import number, percent


def text(done: Done, written: dict[str, str]) -> str:
    """The summary for the terminal. written: further files by kind."""
    result = done.result
    shown = traffic_text.render(done.traffic, done.days, provenance(done))
    lines = [
        "",
        f"{number(result.lines)} lines in {done.seconds:.1f} s ({number(_speed(done))} a second, rules and lists loaded in {done.ready_s:.1f} s)",
    ]
    lines += [f"{kind.upper()}: {path}" for kind, path in written.items()]
    if done.traffic.doubtful:
        lines.append(
            f"Why a page view was judged as it was: leadgate explain {done.traffic.doubtful[0].view.id} --store {done.store}"
        )
    return shown + "\n".join(lines) + "\n"


def page(done: Done, *, full_addresses: bool = False) -> str:
    """The report as one self-contained HTML page."""
    return traffic_page.render(done.traffic, provenance(done), full_addresses=full_addresses)


def provenance(done: Done) -> Provenance:
    result = done.result
    sources = [source for source in result.sources if source.problem is None or source.lines]
    formats = sorted({source.format for source in sources if source.format})
    names = [source.name for source in sources]
    bad = sum(result.unreadable.values())
    facts = [
        ("Lines", f"{number(result.lines)}: {number(result.judged)} page views, {number(sum(result.other.values()))} others"
         + (f", {number(result.form_posts)} form posts" if result.form_posts else "") + f", {number(bad)} not readable"),
        ("Format", ", ".join(formats) or "none"),
        ("Declared programs", f"{number(result.declared)} of all requests ({percent(result.declared, result.lines)}) name themselves in their user agent"),
        ("Records", f"{number(result.stored)} new in {done.store.name}" + (f", {number(result.known)} there before" if result.known else "")),
        ("Judged by", f"{'your settings' if done.configured else 'built-in rules and lists'}, generation {done.generation}"),
    ]  # fmt: skip
    facts += [("Networks", line) for line in networks_in_words(done.networks)]
    title = names[0].rpartition("/")[2] if len(names) == 1 else f"{len(names)} logs"
    return Provenance(
        title=title if names else "nothing could be read",
        facts=tuple(facts),
        notes=tuple(_notes(done)),
        not_views=tuple(result.other.most_common(12)),
        unreadable=tuple(result.unreadable.most_common(12)),
        examples=tuple([(name.rpartition("/")[2], line, why) for name, line, why in result.examples]),
        credit=credit(done.networks),
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _notes(done: Done) -> list[str]:
    """What a reader must know before he believes the numbers."""
    result = done.result
    notes = [s.problem for s in result.sources if s.problem is not None and not s.problem.endswith("the file is empty")]
    if result.judged and result.proxied * 10 >= result.judged:
        notes.append(
            f"{percent(result.proxied, result.judged)} of the page views show a proxy's address or a host name, so visitors cannot be told apart there. "
            "Log X-Forwarded-For behind the user agent, name the proxy under trusted_proxies, and give --config"
        )
    if result.outdated:
        notes.append(
            f"{number(result.known)} of these page views are in the store already, judged by other rules: this report shows today's verdicts, "
            "`explain` the earlier ones. Name another --store to keep both"
        )
    if result.backwards:
        notes.append(
            f"{number(result.backwards)} lines are more than ten minutes older than lines before them; counters stood still meanwhile"
        )
    if result.form_posts:
        notes.append(
            f"{number(result.form_posts)} form posts were seen, {number(result.suspicious_posts)} with findings against them. Logs hold no form "
            "contents, so they are recorded as undecided, left out of the numbers, and never become leads"
        )
    lost = sum(result.unreadable.values())
    if result.lines and lost * 20 >= result.lines:
        notes.append(f"{percent(lost, result.lines)} of the lines could not be read: the numbers are too small")
    return notes


def as_json(done: Done) -> dict[str, Any]:
    result, traffic = done.result, done.traffic
    source = provenance(done)
    return {
        "period": {"first": _when(traffic.first), "last": _when(traffic.last)},
        "files": msgspec.to_builtins(result.sources),
        "lines": result.lines,
        "page_views": result.judged,
        "form_posts": result.form_posts,
        "not_page_views": dict(result.other.most_common()),
        "unreadable": {"count": sum(result.unreadable.values()), "reasons": dict(result.unreadable.most_common()), "first": [
            {"file": name, "line": line, "reason": why} for name, line, why in result.examples
        ]},
        "declared_requests": result.declared,
        "totals": _classes(traffic.total),
        "ad_clicks": _classes(traffic.clicks),
        "by_day": [{"day": day, **_classes(counts)} for day, counts in done.days],
        "reasons": [
            {"signal": r.signal, "text": r.text, "ivt": r.ivt, "page_views": r.views, "flagged": r.flagged,
             "examples": {name: count for name, count in r.examples if name}}
            for r in traffic.reasons
        ],
        "crawlers": msgspec.to_builtins(traffic.crawlers),
        **{name: [_share(share) for share in getattr(traffic, name)] for name in ("networks", "campaigns", "platforms", "pages", "agents", "sites")},
        "not_known": [{"fact": fact, "reason": why, "page_views": count} for fact, why, count in traffic.unchecked],
        "notes": list(source.notes),
        "store": {"path": str(done.store), "new": result.stored, "known": result.known},
        "generation": done.generation,
        "networks": done.networks | {"credit": credit(done.networks)},
        "seconds": round(done.seconds, 3),
        "lines_per_second": _speed(done),
    }  # fmt: skip


def _classes(c: Classes) -> dict[str, Any]:
    return {
        "page_views": c.views,
        "valid": c.valid,
        "givt": c.givt,
        "sivt": c.sivt,
        "undecided": c.undecided,
        "gross": c.views,
        "net_of_givt": c.net_of_givt,
        "net_of_givt_and_sivt": c.net_of_all,
        "decision_rate": rate(c.views - c.undecided, c.views),
        "accept": c.accept,
        "review": c.review,
        "reject": c.reject,
    }


def _share(share: Share) -> dict[str, Any]:
    return {"name": share.name, **_classes(share.counts)}


def _when(at: int | None) -> str | None:
    return (
        None
        if at is None
        else datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def _speed(done: Done) -> int:
    return round(done.result.lines / max(done.seconds, 0.001))

"""Traffic quality: how many page views there were, what they were, and why. Counts only: no money, no modelled savings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gateway.reports.tallies import Classes, Counts, Tops
from gateway.reports.views import PLATFORM_WORDS, View, campaign_name, general_text, network_name
from rules.verdict import Decision, Ivt, Reason

HOUR = 3_600_000_000
GROUPS_KEPT = 5_000
DOUBTFUL_SHOWN = 20
PROVED, DENIED, CLAIMED = "proved", "denied", "only says so"

_CRAWLER_SIGNALS = {
    "crawler.verified": PROVED,
    "crawler.ads_verified": PROVED,
    "crawler.impersonated": DENIED,
    "crawler.unverified": CLAIMED,
    "bot.declared_crawler": CLAIMED,
    "bot.monitor": CLAIMED,
}


class Share(msgspec.Struct, frozen=True):
    """A named part of the traffic."""

    name: str
    counts: Classes


class ReasonRow(msgspec.Struct, frozen=True):
    """One signal over all page views. examples: what it found most often, with how often."""

    signal: str
    text: str
    ivt: str
    views: int
    flagged: int
    examples: tuple[tuple[str, int], ...]


class CrawlerRow(msgspec.Struct, frozen=True):
    """A program that says what it is. how: "proved", "denied" or "only says so"; by: what proved or denied it."""

    name: str
    how: str
    by: str
    views: int


class Doubtful(msgspec.Struct, frozen=True):
    """The most doubtful of `alike` page views from one network with one browser, flagged for the same reasons."""

    view: View
    alike: int


class Traffic(msgspec.Struct, frozen=True):
    """The finished report. Times are UTC microseconds; `series` is by day, or by hour where the period is shorter than four days."""

    first: int | None
    last: int | None
    total: Classes
    clicks: Classes
    step: str
    series: tuple[tuple[int, Classes], ...]
    reasons: tuple[ReasonRow, ...]
    crawlers: tuple[CrawlerRow, ...]
    networks: tuple[Share, ...]
    campaigns: tuple[Share, ...]
    platforms: tuple[Share, ...]
    pages: tuple[Share, ...]
    agents: tuple[Share, ...]
    doubtful: tuple[Doubtful, ...]
    unchecked: tuple[tuple[str, str, int], ...]
    sites: tuple[Share, ...]

    @property
    def decision_rate(self) -> float | None:
        """Share of page views, 0..1, on which a decision could be reached; None without any."""
        return rate(self.total.views - self.total.undecided, self.total.views)


def rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class Tally:
    """Takes page views one by one, in bounded memory; `traffic()` gives the report.

    wording  signal id → its text, with holes for evidence
    """

    def __init__(self, wording: Callable[[str], str]) -> None:
        self._wording = wording
        self._first: int | None = None
        self._last: int | None = None
        self._clicks = Classes()
        self._hours: defaultdict[int, Classes] = defaultdict(Classes)
        self._networks, self._campaigns, self._platforms = Tops(), Tops(), Tops(100)
        self._pages, self._agents, self._sites = Tops(), Tops(), Tops(1000)
        self._signals: dict[str, list[int]] = {}
        self._evidence: dict[str, Counts] = {}
        self._signal_ivt: dict[str, str] = {}
        self._crawlers: Counts = Counts()
        self._unchecked = Counts()
        self._doubtful: dict[tuple[str, ...], tuple[View, int]] = {}

    def add(self, view: View) -> None:
        verdict, at = view.verdict, view.at
        if self._first is None or at < self._first:
            self._first = at
        if self._last is None or at > self._last:
            self._last = at
        self._hours[at // HOUR].add(verdict)
        self._sites[view.site].add(verdict)
        self._pages[view.path].add(verdict)
        self._networks[network_name(view.network, view.address)].add(verdict)
        if view.campaign and (campaign := campaign_name(view.campaign)):
            self._campaigns[campaign].add(verdict)
        if view.click is not None:
            self._clicks.add(verdict)
            self._platforms[PLATFORM_WORDS.get(view.click[0], view.click[0])].add(verdict)
        for fact, why in verdict.unavailable:
            self._unchecked.add(f"{fact}\n{why}")
        if verdict.reasons:
            self._reasons(view)

    def _reasons(self, view: View) -> None:
        flagged = view.flagged
        crawler: tuple[str, ...] | None = None
        for reason in view.verdict.reasons:
            signal = reason.signal
            if reason.counted > 0:
                counted = self._signals.get(signal)
                if counted is None:
                    counted = self._signals[signal] = [0, 0]
                    self._evidence[signal] = Counts(1000)
                    self._signal_ivt[signal] = reason.ivt
                counted[0] += 1
                counted[1] += flagged
                if reason.evidence:
                    self._evidence[signal].add(_example(reason))
            how = _CRAWLER_SIGNALS.get(signal)
            if how is not None and (crawler is None or crawler[1] == CLAIMED):
                by = reason.evidence[1] if how != CLAIMED and len(reason.evidence) > 1 else ""
                if crawler is None or how != CLAIMED:
                    crawler = (reason.evidence[0] if reason.evidence else signal, how, by)
        if crawler is not None:
            self._crawlers.add("\n".join(crawler))
        if flagged:
            self._agents["no user agent" if not view.agent else view.agent].add(view.verdict)
            if view.verdict.decision is not Decision.ACCEPT or view.verdict.ivt is Ivt.SIVT:
                self._doubt(view)

    def _doubt(self, view: View) -> None:
        """Verified crawlers and others that were let in as what they are raise no doubt, and are not kept here."""
        kind = (
            network_name(view.network, view.address),
            view.agent or "",
            *[r.signal for r in view.verdict.reasons if r.counted > 0],
        )
        known = self._doubtful.get(kind)
        if known is not None:
            worst, alike = known
            self._doubtful[kind] = (view if _rank(view) < _rank(worst) else worst, alike + 1)
        elif len(self._doubtful) < GROUPS_KEPT:
            self._doubtful[kind] = (view, 1)

    def traffic(self) -> Traffic:
        total = Classes()
        for counts in self._hours.values():
            total.merge(counts)
        step, series = self._series()
        return Traffic(
            self._first,
            self._last,
            total,
            self._clicks,
            step,
            series,
            tuple(self._reason_rows()),
            tuple([_crawler(name, count) for name, count in self._crawlers.most(40)]),
            _shares(_more_than_once(self._networks.most(20, invalid=True))),
            _shares(self._campaigns.most(30)),
            _shares(self._platforms.most(12)),
            _shares(self._pages.most(15)),
            _shares(self._agents.most(20)),
            tuple(
                [
                    Doubtful(*row)
                    for row in sorted(self._doubtful.values(), key=lambda row: (*_rank(row[0]), -row[1]))[
                        :DOUBTFUL_SHOWN
                    ]
                ]
            ),
            tuple([(*_pair(name), count) for name, count in self._unchecked.most(12)]),
            _shares(self._sites.most(20)),
        )

    def _series(self) -> tuple[str, tuple[tuple[int, Classes], ...]]:
        """By day in UTC, or by hour for a short period; gaps are filled, so that a quiet day is seen."""
        if self._first is None or self._last is None:
            return "day", ()
        step = 1 if (self._last - self._first) < 96 * HOUR and len(self._hours) > 1 else 24
        summed: defaultdict[int, Classes] = defaultdict(Classes)
        for hour, counts in self._hours.items():
            summed[hour // step].merge(counts)
        low, high = min(summed), max(summed)
        if high - low > 800:  # wrong dates among the lines: only what there is
            return ("hour" if step == 1 else "day"), tuple((at * step * HOUR, summed[at]) for at in sorted(summed))
        return ("hour" if step == 1 else "day"), tuple([(at * step * HOUR, summed[at]) for at in range(low, high + 1)])

    def days(self) -> list[tuple[str, Classes]]:
        """By day in UTC, "2015-05-17", whatever the period."""
        summed: defaultdict[int, Classes] = defaultdict(Classes)
        for hour, counts in self._hours.items():
            summed[hour // 24].merge(counts)
        return [(day_name(at * 24 * HOUR), summed[at]) for at in sorted(summed)]

    def _reason_rows(self) -> list[ReasonRow]:
        rows = [
            ReasonRow(
                signal,
                general_text(self._wording(signal)),
                self._signal_ivt[signal],
                views,
                flagged,
                tuple(self._evidence[signal].most(4)),
            )
            for signal, (views, flagged) in self._signals.items()
        ]
        return sorted(rows, key=lambda row: (-row.flagged, -row.views, row.signal))


def _example(reason: Reason) -> str:
    """What it found, where that is a name; numbers differ each time, so there the text's own words serve."""
    first = reason.evidence[0]
    return "" if first.isdigit() else first


def _more_than_once(rows: list[tuple[str, Classes]]) -> list[tuple[str, Classes]]:
    """A long tail of neighbourhoods with one page view each says nothing, unless there is nothing else."""
    return [row for row in rows if row[1].invalid > 1] or rows[:5]


def _rank(view: View) -> tuple[bool, int]:
    """Paid clicks first, then the lowest quality."""
    return view.click is None, view.verdict.quality


def _crawler(key: str, views: int) -> CrawlerRow:
    name, how, by = key.split("\n")
    return CrawlerRow(name, how, by, views)


def _pair(key: str) -> tuple[str, str]:
    first, _, second = key.partition("\n")
    return first, second


def _shares(rows: list[tuple[str, Classes]]) -> tuple[Share, ...]:
    return tuple([Share(name, counts) for name, counts in rows])


def day_name(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d")


__all__ = ["CrawlerRow", "Doubtful", "ReasonRow", "Share", "Tally", "Traffic", "day_name", "rate"]

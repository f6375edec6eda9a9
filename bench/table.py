"""How well a score tells bad from good: recall where few of the good are hit, with counts and intervals, and the table of it.

A score is a number for one item: 0 (or less) says nothing against it, more says more. An item is hit from a threshold on. Two items of the same
score are hit together, so a scorer that only says yes or no has one operating point, and where it hits more of the good than allowed it has none.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

RATES = (0.001, 0.01)
"""Shares of the good that may be hit."""

NORMAL_95 = 1.959964
"""Half width of the middle 95 % of the normal distribution, in standard deviations."""


class Share(NamedTuple):
    """`hits` of `size`."""

    hits: int
    size: int

    @property
    def value(self) -> float:
        """0..1; NaN of nothing."""
        return self.hits / self.size if self.size else math.nan

    def interval(self) -> tuple[float, float]:
        """95 % interval of the share that these are a sample of (E. B. Wilson, JASA 22, 1927)."""
        if not self.size:
            return 0.0, 1.0
        share, size, square = self.value, self.size, NORMAL_95**2
        middle = (share + square / (2 * size)) / (1 + square / size)
        half = NORMAL_95 / (1 + square / size) * math.sqrt(share * (1 - share) / size + square / (4 * size * size))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.value:.3f} [{low:.3f}-{high:.3f}]"


class Point(NamedTuple):
    """Everything from `threshold` on is hit: this share of the bad, that of the good."""

    threshold: float
    found: Share
    wrong: Share


class Row(NamedTuple):
    """One line: how one scorer does on one ground.

    ground    what is told from what: "user agents, isbot"
    scorer    "bot.*", "verdict", "crawlerdetect"
    peer      somebody else's
    bad, good sizes
    at        the point at each of RATES, None where it has none
    service   what it hits as it is used: any finding of a detector, a lead that is held, a peer's yes
    note      what must be known to read it
    """

    ground: str
    scorer: str
    peer: bool
    bad: int
    good: int
    at: tuple[Point | None, ...]
    service: tuple[Share, Share]
    note: str = ""


class Absent(Exception):
    """Data or a program that this ground needs is not there; its text says which."""


def point(bad: Sequence[float], good: Sequence[float], threshold: float) -> Point:
    """What is hit from `threshold` on, which is above 0."""
    found, wrong = (sum(score >= threshold for score in scores) for scores in (bad, good))
    return Point(threshold, Share(found, len(bad)), Share(wrong, len(good)))


def recall_at(bad: Sequence[float], good: Sequence[float], rate: float) -> Point | None:
    """The lowest threshold at which a share of at most `rate` of the good is hit; None where there is none, or nothing good to measure it on.

    The threshold is one of the scores given to bad items: between two of them nothing changes.
    """
    if not bad or not good:
        return None
    ordered = sorted(good)
    for threshold in sorted({score for score in bad if score > 0}):
        if len(ordered) - bisect_left(ordered, threshold) <= rate * len(ordered):
            return point(bad, good, threshold)
    return None


def row(
    ground: str,
    scorer: str,
    bad: Sequence[float],
    good: Sequence[float],
    *,
    peer: bool = False,
    service: float | None = None,
    note: str = "",
) -> Row:
    """A line from the scores. `service`: the threshold in use; None where any score above 0 is acted upon."""
    used = point(bad, good, math.nextafter(0, 1) if service is None else service)
    at = tuple(recall_at(bad, good, rate) for rate in RATES)
    return Row(ground, scorer, peer, len(bad), len(good), at, (used.found, used.wrong), note)


class Scorer(NamedTuple):
    """`service`: the score from which it is acted upon; None: any above 0."""

    name: str
    score: Callable[[object], float]
    peer: bool = False
    service: float | None = None


class Ground(NamedTuple):
    """Bad and good items of one kind, and who scores them. Items are whatever the scorers take."""

    name: str
    bad: Sequence[object]
    good: Sequence[object]
    scorers: Sequence[Scorer]
    note: str = ""

    def rows(self) -> list[Row]:
        return [
            row(
                self.name,
                scorer.name,
                [scorer.score(item) for item in self.bad],
                [scorer.score(item) for item in self.good],
                peer=scorer.peer,
                service=scorer.service,
                note=self.note,
            )
            for scorer in self.scorers
        ]


HEAD = f"{'':<34} {'bad':>6} {'good':>6}  {'found at 0.1 % wrong':<21} {'found at 1 % wrong':<21} {'found as used':<21} wrong as used"


def lines(rows: Iterable[Row]) -> list[str]:
    """The table; rows of one ground stand together, peers are marked with "="."""
    found: list[str] = []
    ground = None
    for one in rows:
        if one.ground != ground:
            ground = one.ground
            found += ["", ground + (f"  ({one.note})" if one.note else "")]
        at = [f"{point.found!s:<21}" if point is not None else f"{'-':<21}" for point in one.at]
        hit, wrong = one.service
        found.append(
            f"{'  = ' if one.peer else '    '}{one.scorer:<30} {one.bad:>6} {one.good:>6}  {' '.join(at)} "
            f"{_share(hit):<21} {_share(wrong)}".rstrip()
        )
    return found


def _share(share: Share) -> str:
    return f"{share!s} {share.hits}" if share.size else "-"

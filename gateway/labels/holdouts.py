"""What hold-outs teach: how often holding is wrong, with how much certainty, and how many good leads it costs.

A hold-out stands for 1/share of the submissions that the score would have held. Their labels, mostly outcomes of a CRM, say who was a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from gateway.labels.sides import side_of
from gateway.stores.labels import EVENT as LABEL
from gateway.stores.labels import label_of
from gateway.stores.records import Store, StoredEvent

EVENT = "holdout"
MILLION = 1_000_000
PAGE = 1000
Z95 = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
FEW = 30
"""Labels below which single cases move the number visibly."""


class Estimate(msgspec.Struct, frozen=True):
    """held_out: forwarded for measuring; followed: of these, with a label that says who they were; good: of these, people.

    rate           the false-positive rate of holding, with its 95 % Wilson interval [low, high]; None where nothing is known. good / followed
                   where the share was always the same; else each counts 1/share, and the interval is that of as many labels as the weights leave
                   (Kish's effective sample size)
    stand_for      would-be holds that the hold-outs stand for (Horvitz-Thompson: each counts 1/share), themselves included
    good_lost      good leads among those that were held (each good hold-out counts 1/share - 1), corrected for those without a label yet
    good_lost_low, good_lost_high  its 95 % interval, made the same way
    """

    held_out: int
    followed: int
    good: int
    rate: float | None
    low: float | None
    high: float | None
    stand_for: float
    good_lost: float | None
    good_lost_low: float | None
    good_lost_high: float | None


def wilson(good: float, of: float, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), which holds near 0 and 1 and for few cases. of: 1 or more."""
    share, square = good / of, z * z
    middle = share + square / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + square / of)), min(1.0, (middle + spread) / (1 + square / of))


class _Weighted:
    """A share among cases that count differently, with its interval."""

    def __init__(self) -> None:
        self._all = self._good = self._squares = 0.0

    def add(self, weight: float, good: bool) -> None:
        self._all += weight
        self._good += weight * good
        self._squares += weight * weight

    def interval(self) -> tuple[float, float, float] | None:
        """(share, low, high); None where nothing counts."""
        if not self._all:
            return None
        share, effective = min(1.0, self._good / self._all), max(1.0, self._all**2 / self._squares)
        low, high = wilson(share * effective, effective)
        return share, min(low, share), max(high, share)


class Tally:
    """Adds up hold-outs record by record."""

    def __init__(self) -> None:
        self._held_out = self._followed = self._good = 0
        self._stand_for = self._held = 0.0
        self._would_be, self._kept_back = _Weighted(), _Weighted()

    def add(self, share: float, bad: bool | None) -> None:
        """share: above 0, at most 1; bad: None where nobody said what it was."""
        self._held_out += 1
        self._stand_for += 1 / share
        self._held += 1 / share - 1
        if bad is not None:
            self._followed += 1
            self._good += not bad
            self._would_be.add(1 / share, not bad)
            self._kept_back.add(1 / share - 1, not bad)

    def estimate(self) -> Estimate:
        rate = self._would_be.interval()
        if rate is None:
            return Estimate(self._held_out, 0, 0, None, None, None, self._stand_for, None, None, None)
        # Where only what is forwarded whole has labels, it is all that tells of the rest.
        lost = self._kept_back.interval() or rate
        return Estimate(
            self._held_out, self._followed, self._good, *rate, self._stand_for, *(part * self._held for part in lost),
        )  # fmt: skip


class ByForm(msgspec.Struct, frozen=True):
    """forms: by name of the form ("" where it is not known)."""

    total: Estimate
    forms: dict[str, Estimate]


async def measured(store: Store, since: int | None = None, until: int | None = None) -> ByForm:
    """Of the records whose time is in [since, until). Reads page by page; holds one record's events at a time. Raises StoreUnavailable."""
    total, forms = Tally(), dict[str, Tally]()

    def close(events: list[StoredEvent]) -> None:
        mark = next((event for event in events if event.event == EVENT), None)
        millionths = None if mark is None else mark.data.get("share")
        if mark is None or not isinstance(millionths, int) or not 0 < millionths <= MILLION:
            return
        side = side_of(label for event in events if (label := label_of(event)) is not None)
        for tally in (total, forms.setdefault(str(mark.data.get("form", "")), Tally())):
            tally.add(millionths / MILLION, None if side is None else side.bad)

    cursor: str | None = None
    open_: list[StoredEvent] = []
    while True:
        page = await store.noted((EVENT, LABEL), since, until, PAGE, cursor)
        for event in page.items:
            if open_ and open_[0].record != event.record:
                close(open_)
                open_ = []
            open_.append(event)
        cursor = page.next_cursor
        if cursor is None:
            close(open_)
            return ByForm(total.estimate(), {name: forms[name].estimate() for name in sorted(forms)})


def in_words(found: Estimate) -> Iterable[str]:
    """Lines for people."""
    if not found.held_out:
        yield "No submission was held out: set holdout.share at a form in enforce mode, and label what comes of it."
        return
    yield f"{found.held_out} submissions were forwarded although they would have been held; {found.followed} have a label."
    if found.rate is None or found.low is None or found.high is None:
        yield "Nothing can be said before some of them have a label or an outcome."
        return
    yield (
        f"{found.good} of these {found.followed} were people: holding is wrong in {found.rate:.1%} of cases "
        f"(95 % interval {found.low:.1%} to {found.high:.1%})."
    )
    yield (
        f"They stand for about {found.stand_for:.0f} would-be holds; about {found.good_lost:.0f} good leads were held "
        f"({found.good_lost_low:.0f} to {found.good_lost_high:.0f})."
    )
    if found.followed < FEW:
        yield f"Fewer than {FEW} labels: the interval is wide, and single cases move the number."

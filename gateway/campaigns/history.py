"""Clicks and engaged visitors of each cell over the last days, in buckets of ten minutes, and what is usual at this time of day."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from statistics import median

from detectors.behaviour import Cell
from detectors.campaign import fell
from gateway.campaigns.cells import FORM, SEPARATOR, SITE, in_words, is_form

BUCKET_S = 600
DAY = 86_400 // BUCKET_S
DAYS = 7
"""Earlier days that a baseline looks at: a whole week, so that weekends are among them."""

SPAN = (DAYS + 1) * DAY + 1
"""Buckets that are kept: eight days."""

CELLS = 600
"""Cells that are followed, over all sites; about 28 kB each."""

FORMS = 100
"""Cells of forms beside them: campaigns, whose names anybody can write into an address, do not crowd them out."""

SITES = 200
"""Cells of whole sites beside them, for the same reason."""

CROWDED, GIVEN_UP = 0.95, 0.2
"""Share of CELLS from which on cells of campaigns give way, and the share of them that does: those with the fewest clicks of all. Somebody who makes up
names for all of them must bring each as many clicks as real campaigns have; otherwise there is room again with the next bucket."""

LENGTHS = (2, 6, 36)
"""Windows, in buckets: twenty minutes for a flood, an hour, six hours for what is slow. The last bucket is not over yet."""

LATELY = LENGTHS[:2]
"""Those that say what is going on now: six hours remember a flood that is long over."""

AROUND = (-6, -4, -2, 0, 2, 4, 6)
"""Windows of an earlier day that are compared: those that ended up to an hour before or after this time of day."""

LEAST_FOLLOWED = 20
"""Visitors of a window on whom a share of engaged ones can stand."""

PERIOD = 36
"""Buckets over which the usual share is taken before the median of all such periods is: one bad night does not move it."""

FORM_PERIOD = DAY
"""The same for forms, which are sent far less often than pages are seen."""

CLICKS, FOLLOWED, ENGAGED, DEEP, PARTS = "cfedp"
"""What is counted of a cell: clicks; visitors whose first two minutes were looked at, those of them who went on to anything, those who went on to a second
page or a form, and those who fetched parts of the page."""

SPREAD = 1.4826
"""Makes the median absolute deviation of a normal distribution its standard deviation."""


_MOST = {FORM: FORMS, SITE: SITES, "": CELLS}


def _allotment(key: str) -> str:
    part = key.split(SEPARATOR, 2)[1]
    return part if part in _MOST else ""


class Series:
    """One cell's counts, a ring of SPAN buckets for each letter."""

    __slots__ = ("first", "rings")

    def __init__(self, first: int) -> None:
        self.first = first  # bucket since when the cell is followed
        self.rings = {letter: array("I", bytes(4 * SPAN)) for letter in (CLICKS, FOLLOWED, ENGAGED, DEEP, PARTS)}

    def total(self, letter: str, end: int, length: int) -> int:
        """Sum of the `length` buckets that end with bucket `end`."""
        ring = self.rings[letter]
        last = end % SPAN + 1
        begin = last - length
        return sum(ring[begin:last]) if begin >= 0 else sum(ring[begin % SPAN :]) + sum(ring[:last])


class History:
    """All cells. `now` is the bucket that is under way."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.now = 0
        self._usual: dict[tuple[str, int], tuple[int, int, int]] = {}
        self._engaged: dict[tuple[str, str], int] = {}
        self._held = dict.fromkeys(_MOST, 0)

    def turn(self, bucket: int) -> bool:
        """Time goes on: what is as old as the ring is long is forgotten, cells without any click since too. True where the clock was put back so far
        that nothing here fits any more: then all is forgotten, to be read again.
        """
        back = bucket < self.now - 1
        if back:
            self.series.clear()
            self._held = dict.fromkeys(_MOST, 0)
            self.now = 0
        if bucket <= self.now:
            return False
        gone = range(max(self.now + 1, bucket - SPAN + 1), bucket + 1) if self.now else ()
        for series in self.series.values():
            for ring in series.rings.values():
                for each in gone:
                    ring[each % SPAN] = 0
        self.now = bucket
        self._usual.clear()
        self._engaged.clear()
        for key in [key for key, series in self.series.items() if not any(series.rings[CLICKS])]:
            self._forget(key)
        if self._held[""] > CROWDED * CELLS:
            campaigns = [key for key in self.series if _allotment(key) == ""]
            campaigns.sort(key=lambda key: sum(self.series[key].rings[CLICKS]))
            for key in campaigns[: int(GIVEN_UP * CELLS)]:
                self._forget(key)
        return back

    def _forget(self, key: str) -> None:
        del self.series[key]
        self._held[_allotment(key)] -= 1

    def put(self, bucket: int, sums: Mapping[bytes, int]) -> None:
        """What was counted in a bucket; replaces what was known of it. Fields that are none of ours are passed over."""
        if not self.now - SPAN < bucket <= self.now:
            return
        place = bucket % SPAN
        for field, number in sums.items():
            try:
                key, letter = field[:-1].decode(), chr(field[-1])
            except (UnicodeDecodeError, IndexError):
                continue
            if key.count("\x1f") != 2:
                continue
            series = self.series.get(key)
            if series is None:
                allotment = _allotment(key)
                if self._held[allotment] >= _MOST[allotment]:
                    continue
                self._held[allotment] += 1
                series = self.series[key] = Series(bucket)
            series.first = min(series.first, bucket)
            if letter in series.rings:
                series.rings[letter][place] = min(number, 0xFFFFFFFF)

    def assets_usual(self, key: str) -> int:
        """Share of a site's visitors who fetch parts of its pages, in thousandths; -1 unknown. The median over the days: no flood moves it."""
        series = self.series.get(key)
        return -1 if series is None else self._engaged_usual(key, series, PARTS)

    def cell(self, key: str, lengths: tuple[int, ...] = LENGTHS) -> Cell | None:
        """The window, of these lengths, in which the cell differs most from what is usual; None where it had no click in the longest."""
        series = self.series.get(key)
        if series is None or not series.total(CLICKS, self.now, lengths[-1]):
            return None
        most: tuple[float, int, int, tuple[int, int, int]] | None = None
        for length in lengths:
            clicks = series.total(CLICKS, self.now, length)
            usual = self._usual.get((key, length))
            if usual is None:
                usual = self._usual[key, length] = _usual(series, self.now, length)
            middle, spread, windows = usual
            unlike = (clicks - middle) / max(spread, math.sqrt(middle), 3.0) if windows else 0.0
            if most is None or unlike > most[0]:
                most = (unlike, length, clicks, usual)
        assert most is not None
        _, length, clicks, (middle, spread, windows) = most
        followed = series.total(FOLLOWED, self.now, length)
        shares = []
        for letter in (ENGAGED, DEEP):
            now = series.total(letter, self.now, length) * 1000 // followed if followed >= LEAST_FOLLOWED else -1
            shares.append((now, self._engaged_usual(key, series, letter)))
        (now, before), deeper = shares
        deep = fell(*deeper, followed, deep=True) > fell(now, before, followed, deep=False)  # less by chance
        if deep:
            now, before = deeper
        return Cell(
            in_words(key),
            clicks,
            middle,
            spread,
            now,
            before,
            windows,
            length * BUCKET_S // 60,
            followed,
            deep,
        )

    def _engaged_usual(self, key: str, series: Series, letter: str) -> int:
        known = self._engaged.get((key, letter))
        if known is None:
            period = FORM_PERIOD if is_form(key) else PERIOD
            shares = [
                series.total(letter, end, period) * 1000 // followed
                for end in range(self.now - period, max(series.first, self.now - DAYS * DAY), -period)
                if (followed := series.total(FOLLOWED, end, period)) >= LEAST_FOLLOWED
            ]
            known = self._engaged[key, letter] = int(median(shares)) if len(shares) >= 2 else -1
        return known


def _usual(series: Series, now: int, length: int) -> tuple[int, int, int]:
    """Median and scaled median absolute deviation of earlier windows around this time of day, and how many there were."""
    sums = [series.total(CLICKS, end, length) for end in _ends(series.first, now, length)]
    if not sums:
        return 0, 0, 0
    middle = median(sums)
    return round(middle), round(SPREAD * median([abs(each - middle) for each in sums])), len(sums)


def _ends(first: int, now: int, length: int) -> Iterator[int]:
    for day in range(1, DAYS + 1):
        for around in AROUND:
            end = now - day * DAY + around
            if end - length + 1 >= first:
                yield end

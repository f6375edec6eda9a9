"""What the hot state is asked about a visitor's way through the site, and how its answers become the fact `Journey`.

Beside page views and posts, a session leaves two seals that are set in the background (gateway/campaigns): one when it fetched a picture, style or
script of the site, one when it saw a second page. Both are only looked at here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl

from detectors.behaviour import Journey
from detectors.observation import (
    Kind,
    Lead,
    Unavailable,
)
from gateway.facts.arrival import Arrival
from gateway.intake.clicks import FoundClick, click_id
from gateway.stores.hot import Beat, Beats, Hit, Look, Operation, Result, Sealed

QUERY = 8_192
"""Characters of a Referer's query that are looked at."""

PAIRS = 200
"""Parameters of it."""


def asset_key(scope: bytes, session: bytes) -> bytes:
    """Key of the seal that says that a session fetched parts of a page. scope: what keys of the site's landings have in common."""
    return b"J" + scope + session


def page_key(scope: bytes, session: bytes) -> bytes:
    """The same for a second page."""
    return b"P" + scope + session


class JourneyPlan:
    """Operations of one arrival. `at` is the place of the first in `ops`, -1 where nothing is asked."""

    __slots__ = ("_click_at", "_networks_at", "_page_at", "_session", "at", "looks", "page")

    def __init__(
        self,
        ops: list[Operation],
        arrival: Arrival,
        fresh: Callable[[str], bytes],
        scopes: tuple[bytes, bytes],
        session: bytes,
        network_mark: bytes,
    ) -> None:
        """scopes: what keys of the site's landings and of its submissions have in common; session: hash, empty where there is none.

        looks  keys of the seals that tell whether the session went on: it fetched parts of a page, saw a second page, sent a form
        page   the second of them
        """
        landings, submissions = scopes
        before = len(ops)
        self._networks_at = self._click_at = self._page_at = -1
        self._session = bool(session)
        self.looks: tuple[bytes, ...] = ()
        self.page = b""
        if session:
            assets, self.page = asset_key(landings, session), page_key(landings, session)
            self.looks = (assets, self.page, b"S" + submissions + session)
            ops += (Beat(b"R" + landings + session), Look(assets))
            if arrival.cookie is not None and network_mark:
                self._networks_at = len(ops)
                ops.append(Hit(b"w" + landings + session, network_mark))
        if arrival.kind is Kind.SUBMISSION:
            if session:
                self._page_at = len(ops)
                ops.append(Look(self.page))
            click = carried_click(arrival)
            if click is not None:
                self._click_at = len(ops)
                ops.append(Look(b"C" + landings + fresh(f"click\n{click.platform}\n{click.value}")))
        self.at = before if len(ops) > before else -1

    def read(
        self, results: Sequence[Result], partial: Mapping[int, str], assets_usual: int, settled: bool
    ) -> Journey | Unavailable | None:
        """None where there is neither a session nor a click id to ask about.

        partial       places whose answer may know less than it should: what they have not seen is then unknown
        assets_usual  share of the site's visitors who fetch parts of pages, in thousandths, -1 unknown
        settled       has clicks' first landings been noted long enough that one which is not known never was
        """
        at = self.at
        if at < 0:
            return None
        assets, networks, dwell_ms = -1, 0, -1
        count = mean = spread = 0
        if self._session:
            beats, seal = results[at], results[at + 1]
            if not isinstance(beats, Beats):
                return beats if isinstance(beats, Unavailable) else Unavailable("journey: no answer")
            count, dwell_ms = beats.count, beats.last_ms
            if at in partial:
                dwell_ms = -1
            if count:
                mean = beats.total // count
                spread = _spread(beats)
            if isinstance(seal, Sealed):
                assets = seal.count
            elif seal is None and at + 1 not in partial:
                assets = 0
            if self._networks_at >= 0:
                found = results[self._networks_at]
                networks = found[-1].distinct if isinstance(found, tuple) else 0
        landed: bool | None = None
        if self._click_at >= 0:
            known = results[self._click_at]
            if isinstance(known, Sealed):
                landed = True
            elif known is None and settled and self._click_at not in partial:
                landed = False
        second: bool | None = None
        if self._page_at >= 0:
            page = results[self._page_at]
            second = (
                True if isinstance(page, Sealed) else False if page is None and self._page_at not in partial else None
            )
        if assets == 0 and assets_usual < 0:
            assets = -1  # they may never come past us
        return Journey(assets, assets_usual, networks, count, mean, spread, dwell_ms, landed, second)


def _spread(beats: Beats) -> int:
    """Standard deviation divided by mean, in thousandths."""
    if not beats.total:
        return 0
    variance = max(0, beats.squares * beats.count - beats.total * beats.total)  # times count squared, exact
    return math.isqrt(variance * 1_000_000) // beats.total


def carried_click(arrival: Arrival) -> FoundClick | None:
    """The ad click id that a submission carries: in the address it was sent to, in a field named after it, or in the page it names as Referer."""
    if arrival.click is not None:
        return arrival.click
    found = click_id(arrival.lead.fields) if isinstance(arrival.lead, Lead) else None
    if found is None:
        _, mark, query = (arrival.request.header("referer") or "").partition("?")
        if mark:
            pairs = parse_qsl(query.partition("#")[0][:QUERY], max_num_fields=PAIRS) if query.count("&") < PAIRS else []
            found = click_id(pairs)
    return found

"""Notes that a visitor's browser fetched parts of a page (its pictures, styles and scripts), or went on to a page that is not judged. A program that
only wants the landing page does neither.

A page has dozens of parts, so only the first of a visitor is looked at closely; that costs as much as reading a landing's head, every further one a
look-up in a set.
"""

from __future__ import annotations

from collections.abc import Callable

from detectors.observation import Kind
from gateway.facts.arrival import Arrival
from gateway.generation import Generation, SiteRoutes
from gateway.intake import session_cookie
from gateway.intake.exchange import Exchange
from gateway.intake.target import Target
from gateway.model import now_us
from gateway.visits.arrivals import Arrivals

DESTINATIONS = frozenset({b"image", b"style", b"script", b"font"})
"""Values of Sec-Fetch-Dest (W3C Fetch Metadata) that mean a part of a page."""

ENDINGS = frozenset({
    "avif", "css", "gif", "ico", "jpeg", "jpg", "js", "mjs", "png", "svg", "webp", "woff", "woff2",
})  # fmt: skip
"""Of paths, where the browser does not send Sec-Fetch-Dest: old ones, and all over plain http."""

AGAIN_US = 600_000_000
"""Who stays is noted anew every ten minutes: sessions without a cookie begin anew with the day."""

VISITORS = 20_000
"""Visitors that are remembered, about 60 bytes each, twice: a full set becomes the old one, and the old one is forgotten."""


class PageParts:
    """note: told an arrival that tells the session, and whether it is a whole page; once in ten minutes for a visitor, or again after many others."""

    def __init__(self, arrivals: Arrivals, note: Callable[[Arrival, bool], None]) -> None:
        self._arrivals, self._note = arrivals, note
        self._young: set[int] = set()
        self._old: set[int] = set()

    def seen(self, exchange: Exchange, generation: Generation, site: SiteRoutes, target: Target) -> None:
        """Any request that is neither landing nor form. Raises nothing that Arrivals does not."""
        if exchange.method != "GET" or exchange.upgrade is not None:
            return
        head = exchange.index.get
        destination = head(b"sec-fetch-dest")
        page = destination == b"document"
        if not page and destination not in DESTINATIONS and target.path.rpartition(".")[2].lower() not in ENDINGS:
            return
        mode = site.site.session
        if mode == "off":
            return
        cookie = head(b"cookie") if mode == "cookie" else None
        if mode == "cookie" and (cookie is None or session_cookie.NAME.encode() not in cookie):
            return  # no session yet
        visitor = hash((
            page, now_us() // AGAIN_US, site.name, exchange.peer[0], head(b"x-forwarded-for"), head(b"user-agent"), head(b"accept-language"), cookie,
        ))  # fmt: skip
        if visitor in self._young:
            return
        if len(self._young) >= VISITORS:
            self._young, self._old = set(), self._young
        self._young.add(visitor)
        if visitor in self._old:
            return
        self._note(self._arrivals.read(exchange, generation, site, target, Kind.LANDING).arrival, page)

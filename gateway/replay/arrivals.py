"""From a line of a log to an arrival: is it a page view or a form post, whose, on which site, and under which id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Protocol

from detectors.observation import Client, Kind, Page, Request, Unavailable
from gateway.facts.arrival import Arrival
from gateway.generation import Generation, SiteRoutes
from gateway.intake import clicks
from gateway.intake.client_ip import TrustedProxies, canonical_address, resolve
from gateway.intake.target import Target
from gateway.intake.target import parse as read_target
from gateway.pipeline import Judgement
from gateway.replay.lines import LogLine
from geoip.network import Network

NO_BODIES = Unavailable("access logs hold no form contents")
NO_ADDRESS = Unavailable("the log names a host, not an address")
BEHIND_PROXY = Unavailable("the log shows the address of a proxy, not the visitor's")

_NOT_VISITORS = frozenset({"reserved:private", "reserved:loopback", "reserved:link-local", "reserved:shared"})

_REPEATS_KEPT = 65_536

# What a page is not, by the ending of its path. Feeds are read by programs at people's request, documents are opened from pages.
_IMAGES = "png jpg jpeg gif webp avif svg ico bmp tif tiff"
_PARTS = "css js mjs map json xml woff woff2 ttf otf eot webmanifest wasm vtt"
_MEDIA = "mp4 m4v mp3 m4a ogg ogv oga wav webm avi mov flv swf"
_FILES = "zip gz tgz bz2 xz 7z rar tar jar war exe msi dmg deb rpm apk iso bin img pdf doc docx xls xlsx ppt pptx odt csv txt md"
_FEEDS = "rss atom rdf ics"
NOT_PAGES = {
    ending: kind
    for kind, endings in (
        ("images", _IMAGES),
        ("scripts, styles, fonts and data", _PARTS),
        ("audio and video", _MEDIA),
        ("downloads and text files", _FILES),
        ("feeds", _FEEDS),
    )
    for ending in endings.split()
}


class Route(NamedTuple):
    """Where a line belongs. form: name of the form, None on a page view."""

    site: str
    judgement: Judgement
    form: str | None = None
    session: str = "derived"


class Routes(Protocol):
    """Which lines are judged, and by what. A text says why one is not; `skip` tells it without a close look at the target, where that can be."""

    def skip(self, line: LogLine) -> str | None: ...

    def find(self, line: LogLine, target: Target, source: str) -> Route | str: ...


def not_a_page(line: LogLine) -> str | None:
    """Why a line is no page view, where that can be told without reading the target closely; else None."""
    if line.method != "GET":
        if not line.method:
            return "no HTTP request"
        return "checks without content (HEAD)" if line.method == "HEAD" else f"other methods ({line.method[:12]})"
    path = line.target.partition("?")[0]
    ending = path.rpartition("/")[2].rpartition(".")[2]
    if len(ending) <= 11 and "." in path:
        kind = NOT_PAGES.get(ending.lower())
        if kind is not None:
            return "robots.txt" if path == "/robots.txt" else kind
    return None


@dataclass(frozen=True, slots=True)
class EveryPage:
    """Without settings: every page that was answered is a landing, each log a site of its own."""

    judgement: Judgement

    def skip(self, line: LogLine) -> str | None:
        if 300 <= line.status < 400 and line.status != 304 and line.method == "GET":
            return not_a_page(line) or "redirects (the page they lead to counts)"
        return not_a_page(line)

    def find(self, line: LogLine, target: Target, source: str) -> Route | str:
        return Route(source, self.judgement)


@dataclass(frozen=True, slots=True)
class Configured:
    """With settings: their sites, landing pages and forms.

    only  the site every line belongs to, for logs that name no host; None: the host tells
    """

    generation: Generation
    only: SiteRoutes | None

    def skip(self, line: LogLine) -> str | None:
        return None if line.method else not_a_page(line)

    def find(self, line: LogLine, target: Target, source: str) -> Route | str:
        site = self.only or self.generation.site(line.host.encode("latin-1") if line.host else None)
        if site is None:
            return "hosts that no site names" if line.host else "lines without a host"
        session = "off" if site.site.session == "off" else "derived"  # a log holds no cookies of ours
        for form in site.forms_at(target):
            return Route(site.name, form.judgement, form.form.name, session)
        landing = site.landing(line.method, target)
        if landing is None:
            return not_a_page(line) or "pages that are no landing page in the settings"
        return Route(site.name, landing.judgement, None, session)


class Arrivals:
    """Reads lines of one log; ids are the same whenever the same log is read again.

    source   name of the log
    network  address → Network, or Unavailable
    """

    def __init__(
        self, routes: Routes, source: str, trusted: TrustedProxies, network: Callable[[str], Network | Unavailable]
    ) -> None:
        self._routes, self._source, self._trusted, self._network = routes, source, trusted, network
        self._repeats: dict[bytes, int] = {}
        self._seed = source.encode("utf-8", "surrogateescape") + b"\n"

    def read(self, line: LogLine, raw: bytes) -> tuple[Arrival, Judgement] | str:
        """The arrival and what it is judged by, or why the line is neither page view nor form post."""
        why = self._routes.skip(line)
        if why is not None:
            return why
        target = read_target(line.target.encode("latin-1"), line.method, ())
        route = self._routes.find(line, target, self._source)
        if isinstance(route, str):
            return route
        query = target.query
        headers = line.headers
        if line.host:
            headers = (("Host", line.host), *headers)
        arrival = Arrival(
            id=self._id(line.at, raw),
            kind=Kind.LANDING if route.form is None else Kind.SUBMISSION,
            site=route.site,
            at=line.at,
            client=self._client(line),
            request=Request(
                line.method, line.target, headers, line.version, line.scheme, complete=False, ordered=False
            ),
            page=Page(line.host, target.path, clicks.campaign(query) if query else {}),
            session_mode=route.session,
            click=clicks.click_id(query) if query else None,
            lead=None if route.form is None else NO_BODIES,
            form=route.form,
        )
        return arrival, route.judgement

    def _client(self, line: LogLine) -> Client | Unavailable:
        address = canonical_address(line.address)
        if address is None:
            return NO_ADDRESS
        if not line.resolved and self._trusted.trusts(address):
            if line.forwarded is None:
                return BEHIND_PROXY
            found = resolve(address, ((b"x-forwarded-for", line.forwarded.encode("latin-1")),), self._trusted)
            if found.address is None:
                return Unavailable(f"client address: {found.problem}")
            address = found.address
        network = self._network(address)
        if isinstance(network, Network) and network.labels and network.labels[0] in _NOT_VISITORS:
            return BEHIND_PROXY  # counted by address, all visitors would be one busy visitor
        return Client(address)

    def _id(self, at: int, raw: bytes) -> str:
        """UUIDv7 of the log's time; in place of its random bits a hash of log, line, and how often just this line came before."""
        line = blake2b(self._seed + raw, digest_size=10).digest()
        repeat = self._repeats.get(line, 0)
        if (
            not repeat and len(self._repeats) >= _REPEATS_KEPT
        ):  # equal lines stand close together: old ones may be forgotten
            for old in tuple(self._repeats)[: _REPEATS_KEPT // 2]:
                del self._repeats[old]
        self._repeats[line] = repeat + 1
        if repeat:
            line = blake2b(line + repeat.to_bytes(8, "big"), digest_size=10).digest()
        return record_id(at, int.from_bytes(line, "big"))


def record_id(at: int, bits: int) -> str:
    """A UUIDv7 (RFC 9562) in text form: milliseconds of `at` (UTC microseconds), then the lowest 74 of `bits`."""
    value = (at // 1000) << 80 | 7 << 76 | (bits >> 62 & 0xFFF) << 64 | 2 << 62 | bits & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

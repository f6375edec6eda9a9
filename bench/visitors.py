"""Requests of made-up visitors, the same for wrk (over sockets) and for the stages (without): what ad traffic looks like.

Ordinary traffic: 2,800 browsers (makes, versions, systems, languages), each behind thousands of addresses; nine visits in ten are the first
from their address, one in ten is a reload of the visit 1,000 before; every click has an id of its own. So no velocity limit is met, as none is
where people click on ads. FLOOD is one browser behind one address.

A request is a template with marks of fixed width, so that a Content-Length holds for all that is made of it: NUMBER begins the next visit and
is its number (10 digits), ADDRESS the visitor's address (15 characters), PHONE 9 digits of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from detectors.client_hints import expected_brands

NUMBER, ADDRESS, PHONE = b"\1", b"\2", b"\3"
AGAIN_EVERY, AGAIN_AFTER = 10, 1000
ORDINARY, FLOOD = "ordinary", "flood"
HOST = b"offers.example"
TOKEN = b"a-token-for-measuring-0123456789abcdef"
"""What proxies and servers ask the gateway with."""

_MARKS = re.compile(b"([\1\2\3])")
_NETWORKS = (109, 151, 176, 178, 185, 188, 193, 194, 195)  # how addresses of access providers in Europe begin
_SCRAMBLE = 7_368_787  # odd, so that visitors have addresses of their own up to 9 millions of them
_VERSIONS = range(135, 143)
_SYSTEMS = (
    (b"Windows NT 10.0; Win64; x64", b'"Windows"', b""),
    (b"Macintosh; Intel Mac OS X 10_15_7", b'"macOS"', b""),
    (b"X11; Linux x86_64", b'"Linux"', b""),
    (b"Linux; Android 10; K", b'"Android"', b" Mobile"),
)
_LANGUAGES = (
    b"bg-BG", b"cs-CZ", b"da-DK", b"de-AT", b"de-CH", b"de-DE", b"el-GR", b"en-AU", b"en-CA", b"en-GB", b"en-IE", b"en-US", b"es-ES", b"fi-FI",
    b"fr-BE", b"fr-CH", b"fr-FR", b"hr-HR", b"hu-HU", b"it-IT", b"nl-NL", b"pl-PL", b"pt-PT", b"ro-RO", b"sv-SE",
)  # fmt: skip
_REFERRERS = (b"https://www.google.com/", b"https://www.google.de/", b"https://duckduckgo.com/")
_PAGE = b"text/html,application/xhtml+xml,application/xml;q=0.9,"
_ACCEPT = {
    "chromium": _PAGE + b"image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "safari": _PAGE + b"*/*;q=0.8",
}
_CLICK = b"?utm_source=google&utm_medium=cpc&utm_campaign=roofs&gclid=CjwKCAiA5Y6-BhBREiwAqk" + NUMBER
_LEAD = (
    b"full_name=Anna+Weber&email=anna.weber" + NUMBER + b"%40posteo.de&phone=%2B4915" + PHONE + b"&company=&message="
    b"We+have+a+house+from+1974+with+a+south+roof%2C+about+60+m2.+Please+call+in+the+evening."
)

Fields = list[tuple[bytes, bytes]]


class Browser(NamedTuple):
    """One make, version and system; `hints` are empty for Safari."""

    family: str
    agent: bytes
    hints: tuple[tuple[bytes, bytes], ...]


def _chromium(version: int, brand: str, system: tuple[bytes, bytes, bytes]) -> Browser:
    name, platform, mobile = system
    agent = b"Mozilla/5.0 (%b) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0%b Safari/537.36"
    agent = agent % (name, version, mobile) + (b" Edg/%d.0.0.0" % version if brand == "Microsoft Edge" else b"")
    brands = ", ".join([f'"{name}";v="{number}"' for name, number in expected_brands(version, brand)])
    hints = ((b"", brands.encode()), (b"-mobile", b"?1" if mobile else b"?0"), (b"-platform", platform))
    return Browser("chromium", agent, tuple([(b"sec-ch-ua" + name, value) for name, value in hints]))


def _safari(version: bytes) -> Browser:
    agent = b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%b Mobile/15E148 Safari/604.1"
    return Browser("safari", agent % version, ())


_BROWSERS = (
    *[_chromium(version, "Google Chrome", system) for version in _VERSIONS for system in _SYSTEMS],
    *[_chromium(version, "Microsoft Edge", system) for version in _VERSIONS for system in _SYSTEMS[:2]],
    *[_safari(version) for version in (b"17.5", b"17.6", b"18.1", b"18.3", b"18.5", b"18.6", b"26.0", b"26.1")],
)
SETS = len(_BROWSERS) * len(_LANGUAGES) * 2
"""Sets of headers, by `number % SETS`."""


def _language(number: int) -> bytes:
    tag = _LANGUAGES[number % len(_LANGUAGES)]
    more = b",en-US;q=0.8,en;q=0.7" if number // len(_LANGUAGES) % 2 else b""
    return b"%b,%b;q=0.9%b" % (tag, tag[:2], more)


def _browser(number: int) -> Browser:
    return _BROWSERS[number // (2 * len(_LANGUAGES)) % len(_BROWSERS)]


def _head(browser: Browser, first: Fields, site: bytes, referrer: bytes, language: bytes) -> Fields:
    fetch = (b"Site", site), (b"Mode", b"navigate"), (b"User", b"?1"), (b"Dest", b"document")
    return [
        *first[:2],
        *browser.hints,
        (b"Upgrade-Insecure-Requests", b"1"),
        *first[2:],
        (b"User-Agent", browser.agent),
        (b"Accept", _ACCEPT[browser.family]),
        *[(b"Sec-Fetch-" + name, value) for name, value in fetch if browser.hints or name != b"User"],
        (b"Referer", referrer),
        (b"Accept-Encoding", b"gzip, deflate, br, zstd" if browser.hints else b"gzip, deflate"),
        (b"Accept-Language", language),
    ]


def browser_head(number: int, host: bytes) -> Fields:
    """What this visitor's browser sends with a page view, in its order."""
    first = [(b"Host", host), (b"Connection", b"keep-alive")]
    return _head(_browser(number), first, b"cross-site", _REFERRERS[number % len(_REFERRERS)], _language(number))


def landing(number: int, host: bytes = HOST, path: bytes = b"/offer") -> bytes:
    """A click on an ad, as a template."""
    return _request(b"GET", path + _CLICK, [*browser_head(number, host), (b"X-Forwarded-For", ADDRESS)], b"")


def submission(number: int, host: bytes = HOST, path: bytes = b"/lead") -> bytes:
    """A form post with a contact of its own, as a template."""
    first = [
        (b"Host", host),
        (b"Connection", b"keep-alive"),
        (b"Origin", b"http://" + host),
        (b"Content-Type", b"application/x-www-form-urlencoded"),
    ]
    fields = _head(_browser(number), first, b"same-origin", b"http://%b/offer" % host, _language(number))
    return _request(b"POST", path, [*fields, (b"X-Forwarded-For", ADDRESS)], _LEAD)


def auth(number: int, host: bytes = HOST, path: bytes = b"/offer") -> bytes:
    """A proxy's question whether that click may pass, as Caddy and Traefik ask it."""
    asked = [
        (b"X-Forwarded-Method", b"GET"),
        (b"X-Forwarded-Uri", path + _CLICK),
        (b"X-Forwarded-Host", host),
        (b"X-Forwarded-Proto", b"http"),
        (b"X-Forwarded-For", ADDRESS),
        (b"X-Leadgate-Token", TOKEN),
    ]
    return _request(b"GET", b"/api/v1/auth", [*browser_head(number, host), *asked], b"")


def assess(number: int, host: bytes = HOST, path: bytes = b"/offer", batch: int = 0) -> bytes:
    """A server's question about that click; `batch` of them in one call, 0: one without a batch."""
    asked = [_question(number + place, host, path) for place in range(batch or 1)]
    body = b'{"items":[%b]}' % b",".join(asked) if batch else asked[0]
    fields = [
        (b"Host", b"127.0.0.1"),
        (b"Connection", b"keep-alive"),
        (b"Authorization", b"Bearer " + TOKEN),
        (b"Content-Type", b"application/json"),
    ]
    return _request(b"POST", b"/api/v1/assess", fields, body)


def _question(number: int, host: bytes, path: bytes) -> bytes:
    headers = [[name.decode(), value.decode()] for name, value in browser_head(number, host)]
    url = (b"http://" + host + path + _CLICK).decode()
    asked = {"kind": "landing", "method": "GET", "url": url, "headers": headers, "ip": ADDRESS.decode()}
    return json.dumps(asked).replace("\\u0001", "\1").replace("\\u0002", "\2").encode()


def _request(method: bytes, target: bytes, fields: Fields, body: bytes) -> bytes:
    if body:
        fields = [*fields[:2], (b"Content-Length", b"%d" % len(fill(body, 0))), *fields[2:]]
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target), *[b"%b: %b\r\n" % field for field in fields]]
    return b"".join([*lines, b"\r\n", body])


Template = Callable[[int], bytes]


def fill(template: bytes, number: int, traffic: str = ORDINARY) -> bytes:
    """The request of visit `number`; what bench/wrk/visits.lua does for wrk."""
    filled = []
    for part in _MARKS.split(template):
        if part == NUMBER:
            number += 1
            part = b"%010d" % number
        elif part == ADDRESS:
            part = address(number, traffic)
        elif part == PHONE:
            part = b"%09d" % (number * 104_729 % 999_999_937)
        filled.append(part)
    return b"".join(filled)


def address(number: int, traffic: str = ORDINARY) -> bytes:
    """15 characters. Every tenth visit is another one of the visitor of 1,000 visits before."""
    if traffic == FLOOD:
        return b"195.123.145.167"
    visitor = number - AGAIN_AFTER if number % AGAIN_EVERY == 0 and number >= AGAIN_AFTER else number
    network = _NETWORKS[visitor // 1_000_000 % len(_NETWORKS)]
    place = visitor * _SCRAMBLE % 1_000_000
    return b"%d.1%02d.1%02d.1%02d" % (network, place // 10_000, place // 100 % 100, place % 100)


def write(file: Path, template: Template, traffic: str, visits: int = 1) -> Path:
    """For wrk: templates of `visits` visits each, for all sets of headers, with NUL between them."""
    numbers = range(0, SETS if traffic == ORDINARY else 1, visits)
    file.write_bytes(b"\0".join([template(number) for number in numbers]))
    return file

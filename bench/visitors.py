"""Requests of made-up visitors, as the gateway's listener hands them on: for measuring stages without a socket."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import cast

from gateway.intake.exchange import Exchange

VISITORS = 5000
SYSTEMS = (
    (b"Windows NT 10.0; Win64; x64", b'"Windows"', b"en-GB,en-US;q=0.9,en;q=0.8"),
    (b"Macintosh; Intel Mac OS X 10_15_7", b'"macOS"', b"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    (b"X11; Linux x86_64", b'"Linux"', b"fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7"),
)
BRANDS = b'"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'
AGENT = b"Mozilla/5.0 (%b) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
ACCEPT = (
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    b"application/signed-exchange;v=b3;q=0.7"
)
_CHANCE = random.Random(7)
ADDRESSES = [
    b"%d.%d.%d.%d" % (78 + n % 17, _CHANCE.randrange(256), _CHANCE.randrange(256), _CHANCE.randrange(1, 255))
    for n in range(VISITORS)
]


def _exchange(method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> Exchange:
    first = {name.lower(): value for name, value in reversed(headers)}
    plain = SimpleNamespace(
        method=method,
        target=target,
        headers=tuple(headers),
        version=(1, 1),
        peer=("127.0.0.1", 50_000),
        tls=False,
        upgrade=None,
        header=first.get,
    )
    return cast(Exchange, plain)


def _browser(number: int) -> list[tuple[bytes, bytes]]:
    system, platform, _ = SYSTEMS[number % 3]
    return [
        (b"sec-ch-ua", BRANDS),
        (b"sec-ch-ua-mobile", b"?0"),
        (b"sec-ch-ua-platform", platform),
        (b"Upgrade-Insecure-Requests", b"1"),
        (b"User-Agent", AGENT % system),
        (b"Accept", ACCEPT),
    ]


def _tail(number: int, site: bytes, referrer: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"Sec-Fetch-Site", site),
        (b"Sec-Fetch-Mode", b"navigate"),
        (b"Sec-Fetch-User", b"?1"),
        (b"Sec-Fetch-Dest", b"document"),
        (b"Referer", referrer),
        (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
        (b"Accept-Language", SYSTEMS[number % 3][2]),
        (b"X-Forwarded-For", ADDRESSES[number % VISITORS]),
    ]


def landing(number: int) -> Exchange:
    """A click on an ad: Chrome's head, a click id of its own."""
    target = b"/offer?utm_source=google&utm_medium=cpc&utm_campaign=roofs&gclid=CjwKCAiA5Y6-BhBREiwAqk%010d" % number
    head = [(b"Host", b"offers.example"), (b"Connection", b"keep-alive"), *_browser(number)]
    return _exchange("GET", target, [*head, *_tail(number, b"cross-site", b"https://www.google.com/")])


def submission(number: int) -> tuple[Exchange, bytes]:
    """A form post and its body: a contact of its own."""
    body = (
        b"full_name=Anna+Weber%d&email=anna.weber%d%%40posteo.de&phone=%%2B4915%09d&company=&message=We+have+a+house+from"
        b"+1974+with+a+south+roof%%2C+about+60+m2.+Please+call+in+the+evening."
    ) % (number % 97, number, number * 104_729 % 999_999_937)
    head = [
        (b"Host", b"offers.example"),
        (b"Connection", b"keep-alive"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Cache-Control", b"max-age=0"),
        (b"Origin", b"http://offers.example"),
        (b"Content-Type", b"application/x-www-form-urlencoded"),
        *_browser(number),
        *_tail(number, b"same-origin", b"http://offers.example/offer"),
    ]
    return _exchange("POST", b"/lead", head), body

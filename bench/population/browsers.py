"""What people's browsers send: whole heads of real browsers and of made-up versions of them, and user agents of which nothing else is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from bench import visitors
from bench.population.names import Name
from detectors.browsers import claimed

CORPUS = Path(__file__).parent.parent.parent / "tests" / "corpus" / "browsers.yaml"
HOST = "www.acme.example"

_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_GOOGLE = "AppleWebKit/537.36 (KHTML, like Gecko)"

ODD = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_APPLE} Mobile/15E148 Instagram 390.0.0.28.85 (iPhone14,5; iOS 18_5; de_DE)",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) {_APPLE} Mobile/15E148 [FBAN/FBIOS;FBAV/520.0.0.38.101;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS]",
    f"Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) {_GOOGLE} Version/4.0 Chrome/138.0.7204.63 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/521.0.0.34.102;]",
    f"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A536B) {_GOOGLE} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) {_APPLE} CriOS/137.0.7151.107 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) {_APPLE} Version/16.6 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 10; MED-LX9; HMSCore 6.13.0.302) {_GOOGLE} Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; U; Android 12; ru-ru; Redmi Note 10) {_GOOGLE} Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.7.0",
    f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {_GOOGLE} Silk/130.4.1 like Chrome/130.0.6723.102 Safari/537.36",
    "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_GOOGLE} Chrome/138.0.0.0 Safari/537.36 OPR/122.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Opera/9.80 (Android; Opera Mini/36.2.2254/191.249; U; en) Presto/2.12.423 Version/12.16",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_GOOGLE} Chrome/138.0.0.0 Safari/537.36",
)  # fmt: skip
"""Shapes that pass for odd in statistics and belong to people: views inside apps, old and small browsers."""

KNOWN_WHOLE = 0.75
"""Share of people of whom the whole head is known; of the others only agent and language, as a server that asks tells them."""

Pairs = tuple[tuple[str, str], ...]


class Heads(NamedTuple):
    """family, for the report; heads of page view and post; complete: is all of them known."""

    family: str
    landing: Pairs
    post: Pairs
    complete: bool


def heads(person: Name, chance: random.Random, agents: Sequence[str] = ()) -> Heads:
    """`agents`: user agents of people beside ours."""
    language = _language(person, chance)
    if chance.random() >= KNOWN_WHOLE:
        agent = chance.choice(agents) if agents and chance.random() < 0.7 else chance.choice(ODD)
        pairs = (("User-Agent", agent), ("Accept-Language", language))
        return Heads(_family(agent), pairs, pairs, False)
    if chance.random() < 0.4:
        browser = _corpus()[chance.choice(sorted(_corpus()))]
        landing, post = (tuple(pair for row in browser[way] for pair in row.items()) for way in ("get", "post"))
    else:
        number = chance.randrange(visitors.SETS)
        landing, post = _made(number)
    landing, post = _speaking(landing, language), _speaking(post, language)
    return Heads(_family(dict(landing)["User-Agent"]), landing, post, True)


@cache
def _corpus() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(CORPUS))


@cache
def _made(number: int) -> tuple[Pairs, Pairs]:
    host = HOST.encode()
    return _read(visitors.landing(number, host)), _read(visitors.submission(number, host))


def _read(template: bytes) -> Pairs:
    head = visitors.fill(template, 0).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in head)]
    # the templates are written for an address without TLS, whose pages browsers tell less
    return tuple((name, value.replace("http://", "https://")) for name, value in pairs if name != "X-Forwarded-For")


def _speaking(pairs: Pairs, language: str) -> Pairs:
    return tuple((name, language if name == "Accept-Language" else value) for name, value in pairs)


def _language(person: Name, chance: random.Random) -> str:
    tag = f"{person.language}-{person.country}"
    if chance.random() < 0.15:
        return "en-US,en;q=0.9"
    return f"{tag},{person.language};q=0.9" + (",en-US;q=0.8,en;q=0.7" if chance.random() < 0.6 else "")


def _family(agent: str) -> str:
    browser = claimed(agent)
    if not browser.family:
        return "others"
    return f"{browser.family} {browser.platform}" + (" in an app" if browser.embedded else "")

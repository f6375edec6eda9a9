"""Heads of real browsers as programs send them that were given a copy, against the browsers' own heads. Orders as documented by each library and seen."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

from bench.grounds.judge import Judge, landing, post
from bench.population.browsers import heads
from bench.population.names import locales, name
from bench.table import Ground, Row
from detectors.observation import Kind, Observation

BROWSERS = Path(__file__).parent.parent.parent / "tests" / "corpus" / "browsers.yaml"
PEOPLE = 4_000

Pairs = list[tuple[str, str]]
Head = tuple[str, tuple[tuple[str, str], ...]]
"""Method and headers."""


def rows(judge: Judge) -> list[Row]:
    chance, known = random.Random(3), locales()
    good: list[Head] = []
    while len(good) < PEOPLE:
        head = heads(name(chance.choice(known), chance), chance)
        if head.complete:
            good += [("get", head.landing), ("post", head.post)]
    scorers = judge.scorers(_observe, ("header",), Kind.LANDING)
    note = "pages and forms of Chrome, Firefox and Safari; half of the good heads are made by rules"
    bad = [head for name in LIBRARIES for head in copies(LIBRARIES[name])]
    found = Ground("copies of browser heads by libraries", bad, good, scorers, note).rows()
    for family in ("chrome-windows", "firefox-linux", "safari-iphone"):
        bad = [head for name in LIBRARIES for head in copies(LIBRARIES[name], (family,))]
        found += Ground(f"copies of {family}", bad, good, scorers[:1]).rows()
    same = copies(lambda pairs: pairs)
    return found + Ground("copies byte for byte, by a socket", same, good, scorers, "not to be told by its head").rows()


def copies(
    send: Callable[[Pairs], Pairs], of: tuple[str, ...] = ("chrome-windows", "firefox-linux", "safari-iphone")
) -> list[Head]:
    heads = YAML(typ="safe").load(BROWSERS)
    sent = [
        (method, [pair for line in heads[name][method] for pair in line.items()])
        for name in of
        for method in ("get", "post")
    ]
    return [(method, tuple(send(pairs))) for method, pairs in sent]


def _observe(head: Head) -> Observation:
    method, pairs = head
    if method == "get":
        return landing(pairs, complete=True)
    return post(pairs, {"full_name": "Maria Keller", "email": "maria.keller@web.de"})


def _first(pairs: Pairs, *names: str) -> Pairs:
    """`names` moved to the front, in the order given; the rest follows as it was."""
    given = dict(pairs)
    return [(name, given[name]) for name in names if name in given] + [pair for pair in pairs if pair[0] not in names]


def _last(pairs: Pairs, *names: str) -> Pairs:
    return [pair for pair in pairs if pair[0] not in names] + [pair for pair in pairs if pair[0] in names]


LIBRARIES: dict[str, Callable[[Pairs], Pairs]] = {
    "requests": lambda pairs: _first(pairs, "Host", "User-Agent", "Accept-Encoding", "Accept", "Connection"),
    "httpx": lambda pairs: _first(pairs, "Host", "Accept", "Accept-Encoding", "Connection", "User-Agent"),
    "aiohttp": lambda pairs: _last(
        [pair for pair in pairs if pair[0] != "Connection"], "Content-Length", "Content-Type"
    ),
    "Go net/http": lambda pairs: _first(
        [(name.title(), value) for name, value in sorted(pairs)], "Host", "User-Agent", "Content-Length"
    ),
    "undici": lambda pairs: _first([(name.lower(), value) for name, value in pairs], "host", "connection"),
    "curl -H": lambda pairs: _first(
        _last([pair for pair in pairs if pair[0] != "Connection"], "Content-Length", "Content-Type"),
        "Host",
        "User-Agent",
        "Accept",
    ),
}

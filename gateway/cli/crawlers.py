"""`leadgate check --crawlers`: what a verified ad crawler and a person get on each landing page, side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from detectors.observation import Client, Kind, Page, Request, ReverseName, Unavailable
from detectors.reference import Reference
from gateway.config import Config
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.feeds.reading import described, open_networks
from gateway.generation import build as build_generation
from gateway.metrics import Metrics
from gateway.model import Mode, new_id, now_us
from gateway.pipeline import Judged, Pipeline
from gateway.stores.hot.memory import MemoryState
from gateway.upstream.client import Upstream
from rules import loader
from rules.verdict import Decision

# A person at home: current Chrome on Windows, as it sends a navigation over plain HTTP/1.1, from a range that no list names.
PERSON_ADDRESS = "198.51.100.23"
PERSON = (
    ("Host", "{host}"),
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/155.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept-Language", "en-GB,en;q=0.9"),
)
# AdsBot-Google, from its published ranges (google-special-crawlers).
ADSBOT_ADDRESS = "108.177.2.5"
ADSBOT = (
    ("Host", "{host}"),
    ("Connection", "keep-alive"),
    ("Accept", "text/html,application/xhtml+xml,application/signed-exchange;v=b3,application/xml;q=0.9,*/*;q=0.8"),
    ("From", "adsbot-google(at)google.com"),
    ("User-Agent", "AdsBot-Google (+http://www.google.com/adsbot.html)"),
    ("Accept-Encoding", "gzip, deflate, br"),
)


class Compared(msgspec.Struct, frozen=True):
    """One landing page: what each of the two gets, and whether it is the same."""

    site: str
    page: str
    crawler: str
    person: str
    crawler_by: str
    same: bool

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def as_text(self) -> str:
        head = f"{self.site} {self.page}: "
        if self.same:
            return head + f"a verified AdsBot and a person both get {self.person} (the crawler: {self.crawler_by})"
        return (
            head
            + f"a verified AdsBot gets {self.crawler}, a person {self.person} ({self.crawler_by}). Ads may be disapproved for this."
        )


def compare(config: Config) -> list[Compared]:
    """Sends both through the pipeline that the settings describe; nothing is stored and no site is asked."""
    return asyncio.run(_compare(config))


async def _compare(config: Config) -> list[Compared]:
    network = open_networks(config).reader
    ruleset = loader.load(local_dir=config.rules_path)
    generation = build_generation(
        config, ruleset, Reference.builtin(), described(network), lambda site: Upstream(site.origin)
    )
    found = []
    for site in generation.sites:
        for route in site.landings:
            got = []
            for address, headers in ((ADSBOT_ADDRESS, ADSBOT), (PERSON_ADDRESS, PERSON)):
                collector = Collector(b"\0" * 32, MemoryState(), network.lookup, _no_dns, lambda *_: False)
                pipeline = Pipeline(collector, lambda _: True, Metrics())
                arrival = _arrival(site.name, site.site.hosts, route.pattern.text, address, headers)
                got.append(await pipeline.judge(arrival, route.judgement))
            crawler, person = got
            found.append(
                Compared(
                    site.name,
                    route.pattern.text,
                    _gets(crawler),
                    _gets(person),
                    crawler.verdict.decided_by,
                    _gets(crawler) == _gets(person),
                )
            )
    return found


def _gets(judged: Judged) -> str:
    declined = judged.decision is Decision.REJECT and judged.by.mode is Mode.ENFORCE
    return "the decline page" if declined else "the page"


def _arrival(
    site: str, hosts: tuple[str, ...], path: str, address: str, headers: tuple[tuple[str, str], ...]
) -> Arrival:
    host = hosts[0] if hosts else "www.example.com"
    path = path.replace("*", "")
    sent = tuple([(name, value.format(host=host)) for name, value in headers])
    return Arrival(
        new_id(),
        Kind.LANDING,
        site,
        now_us(),
        Client(address),
        Request("GET", path, sent, "1.1", "https"),
        Page(host, path),
    )


async def _no_dns(_: str) -> ReverseName | Unavailable:
    return Unavailable("reverse DNS: not asked")

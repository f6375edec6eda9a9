"""Which share of known bots, bad addresses and dated lists each signal finds, and which share of known people it hits
by mistake.

    python bench/detection.py            reads LEADGATE_TEST_DATA (default ../shared/data)

Ratios only, no time. What a list is and where it comes from stands in the SOURCE.md beside it. Absent data is said,
never guessed.
"""

from __future__ import annotations

import csv
import gzip
import ipaddress
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from detectors import run
from detectors.email_domains import DomainKind
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import Reference
from geoip.network import Network
from geoip.reader import NetworkReader

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))
SAMPLE = 4_000  # addresses a list is thinned to

NOT_TOLD = Unavailable("not in this list")


class Row(NamedTuple):
    """One line of the table. `bad` and `good` are (name of the list, hits, size); None where there is no such list."""

    finding: str
    bad: tuple[str, int, int] | None
    good: tuple[str, int, int] | None


class Absent(Exception):
    """A list that this part needs is not there."""


def _lines(name: str) -> list[str]:
    path = DATA / name
    if not path.is_file():
        raise Absent(name)
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as text:
            return text.read().splitlines()
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _observe(
    agent: str | None = None, network: Network | Unavailable = NOT_TOLD, referer: str | None = None
) -> Observation:
    pairs = [(name, value) for name, value in (("User-Agent", agent), ("Referer", referer)) if value is not None]
    request = Request("GET", "/", tuple(pairs), complete=False, ordered=False)
    return Observation(
        Kind.LANDING, "bench", 0, Page("bench.example", "/"), Client("192.0.2.1"), request, network, NOT_TOLD
    )


def _hits(observations: Iterable[Observation], ref: Reference) -> tuple[Counter[str], int]:
    """How many observations show each signal, and how many observations there are."""
    found: Counter[str] = Counter()
    total = 0
    for obs in observations:
        total += 1
        found.update({signal.id for signal in run(obs, ref)[0]})
    return found, total


def agents(ref: Reference) -> list[Row]:
    rows = [line.split("\t", 1) for line in _lines("user-agents/bots.tsv")[1:] if "\t" in line]
    odd = _lines("user-agents/odd_but_human.txt")
    profiles = [json.loads(line)["userAgent"] for line in _lines("user-agents/browser_profiles.jsonl.gz")]
    sets = {
        "isbot bots": [agent for source, agent in rows if source == "isbot"],
        "monperrus bots": [agent for source, agent in rows if source == "monperrus"],
        "odd but human": odd,
        "browser profiles": profiles,
    }
    counted = {name: _kinds(ref, agents) for name, agents in sets.items()}

    def share(name: str, kinds: Sequence[str]) -> tuple[str, int, int]:
        return name, sum(counted[name][kind] for kind in kinds), len(sets[name])

    named = ("scanner", "http_library", "headless", "monitor", "crawler", "empty")
    table = [
        Row("bot.* (without unusual_agent)", share("isbot bots", named), share("odd but human", named)),
        Row("bot.* (without unusual_agent)", share("monperrus bots", named), share("browser profiles", named)),
        Row("bot.unusual_agent", share("isbot bots", ["unusual"]), share("odd but human", ["unusual"])),
        Row("bot.unusual_agent", share("monperrus bots", ["unusual"]), share("browser profiles", ["unusual"])),
    ]
    table += [
        Row(f"  bot class {kind}", share("isbot bots", [kind]), share("odd but human", [kind]))
        for kind in named
        if kind != "empty"
    ]
    found, total = _hits((_observe(agent) for agent in profiles), ref)
    table.append(
        Row(
            "any header signal",
            None,
            ("browser profiles", sum(n for name, n in found.items() if name.startswith("header.")), total),
        )
    )
    return table


def _kinds(ref: Reference, agents: Sequence[str]) -> Counter[str]:
    return Counter(ref.agents.declared(agent).kind for agent in agents)


def referrers(ref: Reference) -> list[Row]:
    spam = [row.split(",")[0] for row in _lines("referrer-spam/referrer_spam_dated.csv")[1:]]
    seen = {
        line.split('" "')[0].rsplit('"', 1)[-1]
        for line in _lines("access-log/apache_logs.gz")
        if '" "http' in line or '"http' in line
    }
    good = [value for value in seen if value.startswith("http")]
    bad_hits, bad_total = _hits((_observe(referer=f"http://{domain}/") for domain in spam), ref)
    good_hits, good_total = _hits((_observe(referer=value) for value in good), ref)
    return [
        Row(
            "referrer.spam",
            ("spam referrers", bad_hits["referrer.spam"], bad_total),
            ("referrers in a log", good_hits["referrer.spam"], good_total),
        )
    ]


def networks(ref: Reference) -> list[Row]:
    reader = NetworkReader(
        [DATA / "ip-asn" / "hosting-asn-country.mmdb"]
        if (DATA / "ip-asn" / "hosting-asn-country.mmdb").is_file()
        else []
    )
    listed = {int(row["asn"]): row for row in csv.DictReader(_lines("ip-asn/hosting_asns.csv")) if row["asn"].isdigit()}
    samples = [row for row in csv.DictReader(_lines("ip-asn/ip_asn_samples.csv")) if row["asn"].isdigit()]

    def observed(row: dict[str, str]) -> Observation:
        labels, asn = reader.lookup(row["ip"]).labels, int(row["asn"])
        kind = reader.kinds.of(asn, row["org"], labels)
        return _observe(network=Network(asn, row["org"], row["country"] or None, labels, kind))

    hosting = [row for row in samples if int(row["asn"]) in listed]
    others = [row for row in samples if int(row["asn"]) not in listed]
    bad, bad_total = _hits(map(observed, hosting), ref)
    good, good_total = _hits(map(observed, others), ref)
    by_size = [int(row["ipv4_addresses"] or 0) for row in listed.values()]
    owned = [
        int(row["ipv4_addresses"] or 0)
        for asn, row in listed.items()
        if reader.kinds.of(asn, row["routed_name"]) == "hosting"
    ]
    table = [
        Row(
            "network.hosting (sample addresses)",
            ("listed hosting", bad["network.hosting"], bad_total),
            ("all other", good["network.hosting"], good_total),
        ),
        Row("network.hosting (by IPv4 addresses)", ("listed hosting", sum(owned), sum(by_size)), None),
        Row("network.mobile", None, ("listed hosting", bad["network.mobile"], bad_total)),
    ]
    for list_name, signal in (
        ("apple-proxy", "network.relay"),
        ("googlebot", "crawler.verified"),
        ("google-special-crawlers", "crawler.ads_verified"),
        ("bing", "crawler.verified"),
        ("facebook", "crawler.ads_verified"),
        ("applebot", "crawler.verified"),
    ):
        found, total = _hits(
            (_observe(network=reader.lookup(address)) for address in _addresses(f"crawler-ranges/{list_name}.txt")), ref
        )
        wrong = sum(found[name] for name in ("network.hosting", "network.vpn", "network.tor"))
        table.append(
            Row(
                f"{signal}: {list_name}",
                (list_name, found[signal], total),
                ("hosting, VPN or Tor instead", wrong, total),
            )
        )
    return table


def _addresses(name: str) -> list[str]:
    """The first address behind each network of the list, thinned evenly to SAMPLE."""
    networks = [ipaddress.ip_network(line.strip()) for line in _lines(name) if line.strip()]
    step = max(1, len(networks) // SAMPLE)
    return [str(network[min(1, network.num_addresses - 1)]) for network in networks[::step]]


def emails(ref: Reference) -> list[Row]:
    dated = list(csv.DictReader(_lines("email/disposable_dated.csv")))
    years = sorted({row["first_listed"][:4] for row in dated})

    def disposable(domains: Iterable[str]) -> int:
        return sum(ref.domains.classify(domain).kind is DomainKind.DISPOSABLE for domain in domains)

    table = []
    for year in years:
        domains = [row["domain"] for row in dated if row["first_listed"].startswith(year)]
        table.append(Row(f"disposable, listed in {year}", (year, disposable(domains), len(domains)), None))
    for list_name in ("university_domains", "free_providers", "alias_forwarders"):
        domains = [line.strip() for line in _lines(f"email/{list_name}.txt") if line.strip()]
        table.append(Row("disposable", None, (list_name.replace("_", " "), disposable(domains), len(domains))))
    return table


def copies(ref: Reference) -> list[Row]:
    """The head of a real Chrome, given to a library as a list of headers, as the library then sends it (orders as
    documented and seen)."""
    with (Path(__file__).parent.parent / "tests" / "corpus" / "browsers.yaml").open() as text:
        heads = YAML(typ="safe").load(text)
    table = []
    for name, send in COPIES.items():
        flagged = total = 0
        for browser in ("chrome-windows", "firefox-linux"):
            for method in ("get", "post"):
                pairs = [pair for row in heads[browser][method] for pair in row.items()]
                request = Request(method.upper(), "/", tuple(send(pairs)), scheme="https")
                kind = Kind.LANDING if method == "get" else Kind.SUBMISSION
                obs = Observation(
                    kind, "bench", 0, Page("bench.example", "/"), Client("192.0.2.1"), request, NOT_TOLD, NOT_TOLD
                )
                flagged += any(signal.id.startswith("header.") for signal in run(obs, ref)[0])
                total += 1
        if name == "the browser itself":
            table.append(Row(f"any header signal: {name}", None, ("heads", flagged, total)))
        else:
            table.append(Row(f"any header signal: {name}", ("copies", flagged, total), None))
    return table


Pairs = list[tuple[str, str]]


def _first(pairs: Pairs, *names: str) -> Pairs:
    """`names` moved to the front, in the order given; the rest follows as it was."""
    given = dict(pairs)
    return [(name, given[name]) for name in names if name in given] + [pair for pair in pairs if pair[0] not in names]


COPIES: dict[str, Callable[[Pairs], Pairs]] = {
    "the browser itself": lambda pairs: pairs,
    "requests": lambda pairs: _first(pairs, "Host", "User-Agent", "Accept-Encoding", "Accept", "Connection"),
    "httpx": lambda pairs: _first(pairs, "Host", "Accept", "Accept-Encoding", "Connection", "User-Agent"),
    "aiohttp": lambda pairs: (
        [pair for pair in pairs if pair[0] not in ("Connection", "Content-Length", "Content-Type")]
        + [pair for pair in pairs if pair[0] in ("Content-Length", "Content-Type")]
    ),
    "Go net/http": lambda pairs: _first(
        [(name.title(), value) for name, value in sorted(pairs)], "Host", "User-Agent", "Content-Length"
    ),
    "undici": lambda pairs: _first([(name.lower(), value) for name, value in pairs], "host", "connection"),
    "curl -H": lambda pairs: _first(
        [pair for pair in pairs if pair[0] not in ("Content-Length", "Content-Type", "Connection")]
        + [pair for pair in pairs if pair[0] in ("Content-Length", "Content-Type")],
        "Host",
        "User-Agent",
        "Accept",
    ),
    "byte for byte": lambda pairs: pairs,
}

PARTS: tuple[tuple[str, Callable[[Reference], list[Row]]], ...] = (
    ("User agents", agents),
    ("Copies of browser heads, two browsers, page and form", copies),
    ("Referrers", referrers),
    ("Networks", networks),
    ("E-mail domains", emails),
)


def _cell(value: tuple[str, int, int] | None) -> str:
    if value is None or value[2] == 0:
        return "-"
    name, hits, size = value
    return f"{hits / size:.3f} of {size:,} {name}"


def main() -> int:
    ref = Reference.builtin()
    print(f"lists {ref.content_hash[:12]}, data {DATA}")
    print(f"{'finding':<42} {'found among bad':<38} hit among good")
    for title, part in PARTS:
        print(f"\n{title}")
        try:
            rows = part(ref)
        except Absent as absent:
            print(f"  no data: {DATA / str(absent)} is absent; set LEADGATE_TEST_DATA to the folder that holds it")
            continue
        for row in rows:
            print(f"  {row.finding:<40} {_cell(row.bad):<38} {_cell(row.good)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

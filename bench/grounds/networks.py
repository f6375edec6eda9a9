"""Addresses of rented machines, relays and crawlers against those of access providers, looked up as in service.

Peer: iporigin. Its ranges are among ours, and so are those of the crawlers' operators; what we add is the operator of the network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import cache
from typing import Any

import iporigin
import maxminddb

from bench.grounds import data
from bench.grounds.judge import Judge, landing
from bench.table import Ground, Row, Scorer
from detectors.observation import Kind
from geoip.reader import NetworkReader

SAMPLE = 2_000
"""Addresses that a long list is thinned to."""

CRAWLERS = (
    "googlebot",
    "google-special-crawlers",
    "bing",
    "applebot",
    "facebook",
    "openai",
    "duckduckbot",
    "perplexity",
    "telegram",
    "twitter",
)
NO_PEOPLE = frozenset({"hosting", "cdn", "tor", "vpn", "bot"})

RENTED = frozenset({
    7671, 8987, 9123, 13238, 13335, 13789, 13878, 15114, 15598, 22168, 22612, 28195, 29222, 32934, 37963, 38700, 40021, 40913, 44559, 47516, 51559, 52030,
    54113, 55960, 56005, 58519, 63737, 132839, 134548, 135097, 135354, 135629, 137718, 138915, 152194, 197019, 262448, 397280, 397423, 399077,
})  # fmt: skip
"""Systems of the sample that no list of hosting names and that are hosting, cloud, content or a crawler's own network by what they call themselves
(Amazon, Alibaba, Contabo, Namecheap, Cloudflare, ...): each was looked at. Whatever else is hit stays a mistake."""

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@cache
def reader() -> NetworkReader:
    """With the shipped database."""
    return NetworkReader([None])


@cache
def peer_kind(address: str) -> tuple[str, str]:
    """(kind, provider) by iporigin."""
    classify: Any = iporigin.classify  # the package has no types
    found = classify(address)
    return found.kind, found.provider or ""


def rows(judge: Judge) -> list[Row]:
    listed = {int(row["asn"]): row for row in data.table("ip-asn/hosting_asns.csv") if row["asn"].isdigit()}
    samples = [row for row in data.table("ip-asn/ip_asn_samples.csv") if row["asn"].isdigit()]
    labelled = [row["ip"] for row in samples if int(row["asn"]) not in listed]
    good = [row["ip"] for row in samples if int(row["asn"]) not in listed and int(row["asn"]) not in RENTED]
    ours = judge.scorers(lambda address: landing((), reader().lookup(address)), ("network",), Kind.LANDING)
    rented = Scorer("network.hosting", lambda address: float(reader().lookup(_text(address)).kind == "hosting"))
    theirs = Scorer("iporigin", lambda address: float(peer_kind(_text(address))[0] in NO_PEOPLE), peer=True)
    scorers = (rented, *ours, theirs)
    announced = list(_announced())
    first: dict[int, IPNetwork] = {}
    for asn, network in announced:
        first.setdefault(asn, network)
    vpn = {asn for asn, row in listed.items() if "x4b_vpn" in row["sources"]}
    note = "one address of each listed system; the lists hold carriers too"
    by_system = [_inside(network) for network in first.values()]
    found = Ground("rented machines, by system, labels as they are", by_system, labelled, scorers, note).rows()
    reviewed = f"{len(labelled) - len(good)} of the good are rented machines by their own name and left out"
    found += Ground("rented machines, by system, labels reviewed", by_system, good, scorers, reviewed).rows()
    spread = _by_addresses([network for _, network in announced if network.version == 4])
    found += Ground("rented machines, by IPv4 address", spread, good, scorers, "each address as likely as any").rows()
    sampled = [row["ip"] for row in samples if int(row["asn"]) in listed]
    found += Ground("rented machines, among sampled addresses", sampled, good, scorers).rows()
    exits = [_inside(network) for asn, network in first.items() if asn in vpn]
    found += Ground("systems listed as VPN", exits, good, scorers).rows()
    return found + _recognised(judge, good)


def _recognised(judge: Judge, good: list[str]) -> list[Row]:
    """Relays are people, crawlers prove themselves: both must be told from rented machines."""
    relays = addresses("crawler-ranges/apple-proxy.txt")
    scorers = (
        Scorer("network.relay", lambda address: float(reader().lookup(_text(address)).kind == "relay")),
        Scorer("iporigin", lambda address: float("Relay" in peer_kind(_text(address))[1]), peer=True),
    )
    found = Ground("privacy relay recognised", relays, good, scorers, "people; found is good here").rows()
    ours = judge.scorers(lambda address: landing((), reader().lookup(address)), ("network",), Kind.LANDING)
    taken = (*ours, Scorer("iporigin", lambda address: float(peer_kind(_text(address))[0] in NO_PEOPLE), peer=True))
    found += Ground("privacy relay taken for a machine", relays, good, taken, "people; found is wrong here").rows()
    proven = (
        Scorer("crawler range", lambda address: float(reader().lookup(_text(address)).kind in ("crawler", "fetcher"))),
        Scorer("iporigin", lambda address: float(peer_kind(_text(address))[0] == "bot"), peer=True),
    )
    every = [address for name in CRAWLERS for address in addresses(f"crawler-ranges/{name}.txt")]
    note = f"published ranges of {len(CRAWLERS)} operators"
    return found + Ground("crawlers recognised by range", every, good, proven, note).rows()


def addresses(name: str) -> list[str]:
    """An address inside each network of the list, at most SAMPLE, evenly spread."""
    return [_inside(ipaddress.ip_network(line.strip())) for line in data.thinned(data.lines(name), SAMPLE)]


def _announced() -> Iterator[tuple[int, IPNetwork]]:
    """(AS number, network) of the listed systems."""
    with maxminddb.open_database(data.path("ip-asn/hosting-asn-country.mmdb")) as database:
        for network, found in database:
            if isinstance(found, dict):
                yield int(found["autonomous_system_number"]), network


def _by_addresses(networks: list[IPNetwork]) -> list[str]:
    """SAMPLE addresses at even steps through all of them."""
    step = sum(network.num_addresses for network in networks) / SAMPLE
    found: list[str] = []
    behind, due = 0, step / 2
    for network in networks:
        while due < behind + network.num_addresses:
            found.append(str(network[int(due - behind)]))
            due += step
        behind += network.num_addresses
    return found


def _inside(network: IPNetwork) -> str:
    """IPv4 of a system may stand mapped in an IPv6 tree."""
    return str(network[min(1, network.num_addresses - 1)])


def _text(address: Any) -> str:
    return str(address)

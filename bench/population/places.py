"""Where people are: addresses drawn from the whole announced address space, by kind of network, as the shipped database and published ranges say it."""

from __future__ import annotations

import ipaddress
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from geoip.network import Network
from geoip.published import builtin as published_ranges
from geoip.ranges import V4_BITS
from geoip.reader import NetworkReader

SHARES: Mapping[str, float] = {
    "consumer": 0.50, "mobile": 0.14, "mixed": 0.08, "": 0.06, "business": 0.06, "education": 0.04, "government": 0.02, "relay": 0.04,
    "proxy": 0.015, "hosting": 0.02, "cdn": 0.01, "vpn": 0.02, "tor": 0.005,
}  # fmt: skip
"""How people come, roughly; the rare kinds are commoner here than in traffic, so that each can be measured. Hosting: gateways of companies, VPN of one's
own. An assumption, not a measurement."""

RANGED = frozenset({"relay", "proxy", "vpn", "tor"})
"""Found in published ranges: a draw from the whole space would meet too few."""

POOL = 400
"""Networks of each kind that people are spread over."""
DRAWS = 60_000
"""Addresses tried for each 400 of POOL: beyond that the rarest kinds stay smaller."""


class Place(NamedTuple):
    address: str
    network: Network


class Places:
    """Addresses by kind. `more`: real addresses to draw from besides."""

    def __init__(self, chance: random.Random, more: Iterable[str] = (), pool: int = POOL) -> None:
        self._reader = _reader()
        self._by_kind: dict[str, list[Place]] = defaultdict(list)
        self._home: dict[tuple[str, str], list[Place]] = defaultdict(list)
        self._chance = chance
        for address in more:
            self._add(address, pool * 4)
        wanted = [kind for kind in SHARES if kind not in RANGED]
        for _ in range(DRAWS * pool // POOL):
            if all(len(self._by_kind[kind]) >= pool for kind in wanted):
                break
            self._add(str(ipaddress.IPv4Address(chance.randrange(1 << 24, 224 << 24))), pool)
        ranged = _ranged()
        for address in chance.sample(ranged, min(len(ranged), DRAWS * pool // POOL // 4)):
            self._add(address, pool)
        self.kinds = [kind for kind in SHARES if self._by_kind[kind]]

    def draw(self, country: str) -> Place:
        """Somebody's place: nine in ten in the country, where it has networks of the kind."""
        kind = self._chance.choices(self.kinds, [SHARES[kind] for kind in self.kinds])[0]
        at_home = self._home.get((kind, country))
        if at_home and self._chance.random() < 0.9:
            return self._chance.choice(at_home)
        return self._chance.choice(self._by_kind[kind])

    def _add(self, address: str, most: int) -> None:
        network = self._reader.lookup(address)
        if network.kind not in SHARES or len(self._by_kind[network.kind]) >= most:
            return
        if network.asn is None and not network.labels:
            return
        place = Place(address, network)
        self._by_kind[network.kind].append(place)
        self._home[network.kind, network.country or ""].append(place)


@cache
def _reader() -> NetworkReader:
    return NetworkReader([None])


@cache
def _ranged() -> list[str]:
    """An address of each published range of the rare kinds."""
    found = []
    for entry in published_ranges():
        if entry.label.partition(":")[0] in RANGED:
            inside = min(entry.first + 1, entry.last)
            found.append(str(ipaddress.IPv4Address(inside) if entry.bits == V4_BITS else ipaddress.IPv6Address(inside)))
    return found

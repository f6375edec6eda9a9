"""Address in, network facts out: published ranges, feeds and any number of MMDB files, behind one bounded cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton

from geoip import builtin
from geoip.errors import GeoipError
from geoip.kinds import KINDS as ALL_KINDS
from geoip.kinds import Kinds
from geoip.mmdb import Database, Facts
from geoip.network import Network
from geoip.published import KINDS
from geoip.published import builtin as published_ranges
from geoip.ranges import V4_BITS, V6_BITS, LabelledRange, Ranges
from geoip.stored import Feed

CACHE_SIZE = 65_536
"""Addresses remembered: about 20 MB when full. Visitors come back within minutes, so a larger cache gains nothing."""

NETWORKS = 8_192
"""Networks remembered, of which many addresses are: about 4 MB when full."""

_RANK = {kind: place for place, kind in enumerate(dict.fromkeys(KINDS + ALL_KINDS))}


class NetworkReader:
    """Built once per generation; look-ups do no I/O (databases are mapped into memory) and may run in any thread.

    mmdb_paths  MMDB files, None for the shipped one; where several know a fact, the first one named wins
    ranges      labelled ranges instead of the published ones
    feeds       the operator's own labelled ranges, beside the published ones
    kinds       what decides over `Network.kind`, instead of the shipped table and words
    cache_size  addresses remembered
    Raises GeoipError, naming the file and the remedy, where a database is absent, damaged or not a database.
    """

    def __init__(
        self,
        mmdb_paths: Sequence[str | Path | None] = (),
        *,
        ranges: Iterable[LabelledRange] | None = None,
        feeds: Sequence[Feed] = (),
        kinds: Kinds | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.databases = tuple(builtin.database() if path is None else Database(path) for path in mmdb_paths)
        self.kinds = Kinds.builtin() if kinds is None else kinds
        self.ranges = _published() if ranges is None else Ranges(ranges, order=KINDS)
        self.feeds = tuple(feeds)
        self._fed = Ranges([entry for feed in feeds for entry in feed.ranges()], order=KINDS) if feeds else None
        told = partial(_merge_one, self.kinds)
        self._told: Callable[[Facts, tuple[str, ...]], Network] = lru_cache(maxsize=NETWORKS)(told)
        self.lookup = lru_cache(maxsize=cache_size)(self._lookup)
        """`lookup(address) -> Network`, see `_lookup`; remembers the last `cache_size` addresses."""

    def _lookup(self, address: str) -> Network:
        """Facts about the network of `address` (IPv4 or IPv6 text form, no zone, no brackets).

        Databases are asked in their order: for each fact the first that knows it answers.
        Labels are ordered by what they mean: crawler, fetcher, monitor, relay, tor, vpn, proxy, hosting, cdn, mobile.
        An address that is not public carries only its "reserved:…" label. Raises GeoipError for what is no address
        and for a database that turns out to be damaged; callers record that as an unavailable fact.
        """
        address, labels = self.labels_of(address)
        if labels and labels[0].startswith("reserved:"):
            return Network(labels=labels[:1], kind="reserved")
        if not self.databases:
            return Network(labels=labels, kind=self.kinds.of(None, None, labels))
        if len(self.databases) == 1:
            return self._told(self.databases[0].find(address), labels)
        return _merge([database.find(address) for database in self.databases], labels, self.kinds)

    def labels_of(self, address: str) -> tuple[str, tuple[str, ...]]:
        """The address (an IPv4-mapped one as IPv4) and the labels of published ranges and feeds, strongest first."""
        try:
            if ":" in address:
                packed, bits = inet_pton(AF_INET6, address), V6_BITS
            else:
                packed, bits = inet_pton(AF_INET, address), V4_BITS
        except (OSError, ValueError) as error:
            raise GeoipError("not an IP address") from error
        value = int.from_bytes(packed)
        if bits == V6_BITS and value >> 32 == 0xFFFF:  # IPv4-mapped: speak of the IPv4 address
            value, bits = value & 0xFFFFFFFF, V4_BITS
            address = ".".join(map(str, packed[12:]))
        labels = self.ranges.find(value, bits)
        if self._fed is not None and (own := self._fed.find(value, bits)):
            labels = _ordered(dict.fromkeys(labels + own))
        return address, labels

    @property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of the ranges, the kinds, the feeds and the databases."""
        digest = hashlib.sha256(f"{self.ranges.content_hash}\n{self.kinds.content_hash}".encode())
        for database in self.databases:
            digest.update(f"\n{database.sha256}".encode())
        for feed in self.feeds:
            digest.update(f"\n{feed.label} {feed.sha256}".encode())
        return digest.hexdigest()

    @property
    def age_s(self) -> float:
        """Seconds since the data of the first database was made; 0 where there is none."""
        return max(0.0, time.time() - self.databases[0].built_at) if self.databases else 0.0

    @property
    def oldest_feed_s(self) -> float:
        """Seconds since the source of the oldest feed last vouched for it; 0 where there is none."""
        now = time.time()
        return max((feed.age_s(now) for feed in self.feeds), default=0.0)

    def close(self) -> None:
        self.lookup.cache_clear()
        for database in self.databases:
            database.close()


@cache
def _published() -> Ranges:
    """Built once per process: it takes a second, the packages do not change under a running process, and it is
    immutable."""
    return Ranges(published_ranges(), order=KINDS)


def _ordered(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(labels, key=lambda label: _RANK[label.partition(":")[0]]))


def _merge_one(kinds: Kinds, facts: Facts, labels: tuple[str, ...]) -> Network:
    return _merge([facts], labels, kinds)


def _merge(found: list[Facts], labels: tuple[str, ...], kinds: Kinds) -> Network:
    asn, organisation, country, own, stated = found[0]
    for facts in found[1:]:
        if asn is None:
            asn, organisation = facts.asn, facts.organisation or organisation
        organisation = organisation or facts.organisation
        country = country or facts.country
        own += facts.labels
        stated = stated or facts.stated
    kind = kinds.of(asn, organisation, labels, own + stated)
    if own:  # published ranges name the operator, databases only the kind
        named = {label.partition(":")[0] for label in labels}
        labels = _ordered((*labels, *(x for x in dict.fromkeys(own) if x.partition(":")[0] not in named)))
    return Network(asn, organisation, country, labels, kind)

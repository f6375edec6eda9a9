"""Velocity: more requests than the people behind a counter can cause.

A fixed limit per address punishes whoever shares one: a carrier puts five hundred phones behind it, a school a whole class. So each limit grows with
the distinct browsers seen behind the counter and with the kind of network; what is known to be shared by thousands (a relay) is not judged at all.

What this cannot see: a bot behind one address that changes its user agent with every request looks like that many people. Below 64 browsers it is
held only to its allowance for so many; above, only short windows are judged, by the size of a crowd. Other detectors (headers, networks) have to find it.
In the same way identical machines (a computer room) count as one browser: where nothing says that the network is a school's, thirty of them
opening a page within a minute look like one bot. The signal alone therefore never rejects.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from detectors.data_files import load
from detectors.observation import WINDOWS, Count, Observation, Unavailable, Velocity
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

DISTINCT_CAP = 64
"""Distinct members are counted exactly up to here; the same number in the hot state."""

FULL_AT = 8.0
"""Strength is full at this many times the limit."""

LEAST = 0.15
"""Strength of one event more than allowed."""

LEAST_REST = 2_000
"""Page views of a site within a day, those of the window aside, below which nobody can say which share of them is usual for a browser."""

_PEOPLE = ("address", "prefix", "session")  # counters that a shared network inflates
_WORDS = {60: "a minute", 600: "10 minutes", 3600: "an hour", 86400: "a day"}


@dataclass(frozen=True, slots=True)
class Limit:
    """Events allowed in one window: `base` for the first browser and `each` for every further one.

    `most` is the largest strength (0..1) that the window may have: volume over hours speaks less for a program than pace.
    """

    base: int
    each: int
    most: float = 1.0

    def allowed(self, distinct: int) -> int:
        return self.base + self.each * max(0, distinct - 1)


@dataclass(frozen=True, slots=True)
class Counter:
    """All that decides over one counter of one kind of observation.

    spread  distinct members from which on it is judged
    only    kinds of network in which alone it is judged, or None
    shared  do people who share a network add up in it
    crowd   events allowed where the browsers are too many to count; None: not judged then
    times   by how much its share of the site's page views may exceed what it is else within a day; 0: the site's traffic does not matter
    """

    dimension: str
    window: int
    limit: Limit
    spread: int
    only: frozenset[str] | None
    shared: bool
    crowd: int | None
    times: int = 0

    def allowed(self, distinct: int, network: str, factor: int) -> int | None:
        """Events allowed in the window from a kind of network, or None where the counter says nothing."""
        if distinct < self.spread or (self.only is not None and network not in self.only):
            return None
        if not self.shared:
            return self.limit.allowed(distinct)
        if factor == 0:
            return None
        if distinct >= DISTINCT_CAP:
            return None if self.crowd is None else self.crowd * factor
        return self.limit.allowed(distinct) * factor


@dataclass(frozen=True, slots=True, eq=False)
class VelocityLimits:
    """The table of data/velocity_limits.yaml, ready to look up.

    counters    kind of observation → dimension → one Counter for each of WINDOWS, None where that window has no limit
    quiet       the same → events that no window of the dimension minds
    shared      kind of network → factor on the limits of shared counters; 0: not judged
    content_hash  SHA-256 (hexadecimal) of all of it
    """

    counters: Mapping[str, Mapping[str, Sequence[Counter | None]]]
    quiet: Mapping[str, Mapping[str, int]]
    shared: Mapping[str, int]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """The shipped table."""
        table, _ = load("velocity_limits.yaml")
        return cls.build(table)

    @classmethod
    def build(cls, table: Mapping[str, Any]) -> Self:
        """From a mapping shaped like data/velocity_limits.yaml."""
        counters: dict[str, dict[str, list[Counter | None]]] = {"landing": {}, "submission": {}}
        for name, windows in table["limits"].items():
            dimension, _, kind = name.partition(".")
            only = table["only_kinds"].get(dimension)
            for window, limit in windows.items():
                row = counters[kind].setdefault(dimension, [None] * len(WINDOWS))
                row[WINDOWS.index(window)] = Counter(
                    dimension=dimension,
                    window=window,
                    limit=Limit(**limit),
                    spread=table["spread"].get(dimension, 0),
                    only=None if only is None else frozenset(only),
                    shared=dimension in _PEOPLE,
                    crowd=table["crowd"][kind].get(window),
                    times=table.get("relative", {}).get(name, 0),
                )
        return cls(
            counters=counters,
            quiet={kind: {name: _least(row) for name, row in rows.items()} for kind, rows in counters.items()},
            shared=table["shared"],
            content_hash=hashlib.sha256(repr(table).encode()).hexdigest(),
        )

    def factor(self, network: str) -> int:
        """By how much shared counters are stretched in this kind of network; 0: they say nothing here."""
        return self.shared.get(network, 1)


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.velocity, Velocity):
        return
    kind, limits = obs.kind, ref.limits
    quiet = limits.quiet[kind]
    busy = []
    for dimension, row in obs.velocity.counts.items():
        least = quiet.get(dimension)
        if least is None:
            continue
        a, b, c, d = row
        if a.count <= least and b.count <= least and c.count <= least and d.count <= least:
            continue  # most visitors end here
        for counter, counted in zip(limits.counters[kind][dimension], row, strict=True):
            if counter is not None and counted.count > counter.limit.base:  # nobody is allowed less
                busy.append((counter, counted))
    if busy:
        yield from _judge(busy, kind.value, limits, obs.network, obs.velocity)


def _judge(
    busy: list[tuple[Counter, Count]],
    kind: str,
    limits: VelocityLimits,
    network: Network | Unavailable,
    velocity: Velocity,
) -> Iterator[Signal]:
    """The strongest window of each dimension."""
    place = network.kind if isinstance(network, Network) else ""
    factor = limits.factor(place)
    worst: dict[str, tuple[float, Counter, Count]] = {}
    for counter, counted in busy:
        allowed = counter.allowed(counted.distinct, place, factor)
        if allowed is not None and counter.times:
            usual = _usual(counter, velocity)
            allowed = None if usual is None else max(allowed, usual)
        if allowed is None or counted.count <= allowed:
            continue
        strength = max(LEAST, min(counter.limit.most, math.log(counted.count / allowed) / math.log(FULL_AT)))
        if counter.dimension not in worst or strength > worst[counter.dimension][0]:
            worst[counter.dimension] = (strength, counter, counted)
    for dimension, (strength, counter, counted) in worst.items():
        distinct = f"{counted.distinct} or more" if counted.distinct >= DISTINCT_CAP else str(counted.distinct)
        yield Signal(
            f"velocity.{dimension}.{kind}",
            evidence=(str(counted.count), _WORDS.get(counter.window, f"{counter.window} seconds"), distinct),
            strength=round(strength, 3),
        )


def _usual(counter: Counter, velocity: Velocity) -> int | None:
    """Events that would be usual for the traffic the site has now: the commonest phone grows with it. None where the site's day tells too little."""
    site, own = velocity.counts.get("site"), velocity.counts[counter.dimension]
    if site is None:
        return None
    place = WINDOWS.index(counter.window)
    rest = site[-1].count - site[place].count
    if rest < LEAST_REST:
        return None
    share = max(0, own[-1].count - own[place].count) / rest
    return math.ceil(counter.times * (share * site[place].count + math.sqrt(share * site[place].count)))


def _least(row: Sequence[Counter | None]) -> int:
    return min(counter.limit.base for counter in row if counter is not None)

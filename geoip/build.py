"""Builds the database of networks: one MMDB of the whole announced address space, put together from two sources.

network → autonomous_system_number, autonomous_system_organization, country_code and, where asked for, kind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import maxminddb
from mmdb_writer import SearchTreeLeaf, SearchTreeNode, TreeWriter

from geoip.errors import GeoipError
from geoip.files import replaced
from geoip.kinds import Kinds
from geoip.ranges import V4_BITS, V6_BITS
from geoip.sources import Progress, Span

DATABASE_TYPE = "Leadgate-Networks"
_EARLIEST = date(1990, 1, 1)
ATTRIBUTION = (
    "IP Geolocation by DB-IP (https://db-ip.com/), RouteViews (https://www.routeviews.org/) and NRO "
    "(https://www.nro.net/), CC BY 4.0"
)
"""Must be shown where results are shown, the first as a link."""

_BROADEST = {V4_BITS: 6, V6_BITS: 14}
"""Shortest prefix that one entry may hold: the widest real ones are /7s of the US armed forces and a /16 of IPv6. A
default route would be 0."""


class Demands(NamedTuple):
    """What a database must hold to be taken for whole: systems, share of all IPv4 addresses, IPv6 networks, bytes."""

    systems: int = 50_000
    v4_share: float = 0.6
    v6_networks: int = 50_000
    least_bytes: int = 5_000_000
    most_bytes: int = 64_000_000


WHOLE = Demands()
ANYTHING = Demands(0, 0.0, 0, 0)


class Made(NamedTuple):
    """networks: entries of both families; v4_share: of all 2^32 addresses; clipped: entries that overlapped another."""

    path: Path
    date: date
    bytes: int
    networks: int
    systems: int
    countries: int
    v4_share: float
    clipped: int


class _Segment(NamedTuple):
    first: int
    last: int
    leaf: SearchTreeLeaf


def build(
    announced: Iterable[Span],
    held: Iterable[Span],
    out: Path,
    of: date,
    *,
    kinds: Kinds | None = None,
    demands: Demands = WHOLE,
    progress: Progress = lambda *_: None,
) -> Made:
    """Writes the database to `out`, whole or not at all.

    announced  spans with AS number and organisation
    held       spans with countries
    of         the day the data is of; it becomes the database's build time
    kinds      also store what kind of network each is; the gateway does not need it and decides at each look-up
    Raises GeoipError where the sources are damaged, or less than `demands`.
    """
    if of < _EARLIEST:
        raise GeoipError(f"no database of networks is of {of}: name the day the data is of")
    leaves = _Leaves(kinds)
    root, clipped, networks, known = SearchTreeNode(), 0, 0, 0
    lists = (list(announced), list(held))
    for bits, step in ((V6_BITS, "IPv6"), (V4_BITS, "IPv4")):
        progress(f"putting together {step}", 0.3)
        sides = [_in_order([span for span in side if span.bits == bits], bits) for side in lists]
        clipped += sum(cut for _, cut in sides)
        segments = _joined(sides[0][0], sides[1][0], leaves)
        networks += len(segments)
        if bits == V6_BITS:
            segments = [s for s in segments if s.first >> 96]  # below stand the IPv4 addresses
            if len(segments) < demands.v6_networks:
                raise GeoipError(f"only {len(segments)} IPv6 networks: the sources are not whole; download them again")
            root = _tree(segments, bits) or root
        else:
            known = sum(s.last - s.first + 1 for s in segments)
            _hang(root, _tree(segments, bits))
    share = known / 2**V4_BITS
    if share < demands.v4_share or len(leaves.systems) < demands.systems:
        raise GeoipError(
            f"{len(leaves.systems)} systems and {share:.0%} of IPv4 are not the whole address space (expected are "
            f"{demands.systems} and {demands.v4_share:.0%}): the sources are not whole; download them again"
        )
    progress("writing", 0.7)
    size = _write(root, out, of, demands)
    progress("writing", 1.0)
    return Made(out, of, size, networks, len(leaves.systems), len(leaves.countries), share, clipped)


class _Leaves:
    """One leaf for each distinct content, so that equal neighbours are seen to be equal."""

    def __init__(self, kinds: Kinds | None) -> None:
        self._kinds = kinds
        self._known: dict[tuple[int | None, str | None, str | None], SearchTreeLeaf] = {}
        self.systems: set[int] = set()
        self.countries: set[str] = set()

    def of(self, asn: int | None, organisation: str | None, country: str | None) -> SearchTreeLeaf:
        key = (asn, organisation, country)
        if key not in self._known:
            content: dict[str, int | str] = {}
            if asn is not None:
                content["autonomous_system_number"] = asn
                self.systems.add(asn)
            if organisation is not None:
                content["autonomous_system_organization"] = organisation
            if country is not None:
                content["country_code"] = country
                self.countries.add(country)
            if self._kinds is not None and (kind := self._kinds.of(asn, organisation)):
                content["kind"] = kind
            self._known[key] = SearchTreeLeaf(content)
        return self._known[key]


def _in_order(spans: list[Span], bits: int) -> tuple[list[Span], int]:
    """Sorted, none overlapping; where two do, the later one gives way, and of the same networks those that were named
    later. Also answers how often that was."""
    spans.sort(key=lambda span: (span.first, span.last))
    kept: list[Span] = []
    clipped, end = 0, -1
    for span in spans:
        if span.last - span.first >= 1 << (bits - _BROADEST[bits]):
            raise GeoipError(f"one entry holds {span.last - span.first + 1} addresses: no operator announces so much")
        if span.first <= end:
            clipped += 1
            if span.last <= end:
                continue
            span = span._replace(first=end + 1)
        kept.append(span)
        end = span.last
    if clipped > 10 + len(spans) // 100:
        raise GeoipError(f"{clipped} of {len(spans)} entries overlap: the source is damaged; download it again")
    return kept, clipped


def _joined(announced: Sequence[Span], held: Sequence[Span], leaves: _Leaves) -> list[_Segment]:
    """Both sides cut where either changes; neighbours that say the same are one."""
    segments: list[_Segment] = []
    a, h, at = 0, 0, 0
    while a < len(announced) or h < len(held):
        system = announced[a] if a < len(announced) else None
        holder = held[h] if h < len(held) else None
        at = max(at, min(side.first for side in (system, holder) if side is not None))
        in_system = system is not None and system.first <= at
        in_holder = holder is not None and holder.first <= at
        ends = [
            side.last if inside else side.first - 1
            for side, inside in ((system, in_system), (holder, in_holder))
            if side is not None
        ]
        until = min(ends)
        asn = organisation = country = None
        if system is not None and in_system:
            asn, organisation, country = system.asn, system.organisation, system.country
        if holder is not None and in_holder:
            country = holder.country or country
        leaf = leaves.of(asn, organisation, country)
        if asn is None and organisation is None and country is None:
            pass  # a source of more than is asked for here: nobody is named
        elif segments and segments[-1].leaf is leaf and segments[-1].last == at - 1:
            segments[-1] = segments[-1]._replace(last=until)
        else:
            segments.append(_Segment(at, until, leaf))
        at = until + 1
        a += system is not None and system.last < at
        h += holder is not None and holder.last < at
    return segments


def _tree(segments: Sequence[_Segment], bits: int) -> SearchTreeNode | None:
    """The search tree of sorted segments. (The library's own insertion walks from the root for each network, twenty
    times slower.)"""

    def node(first: int, size: int, low: int, high: int) -> SearchTreeNode | SearchTreeLeaf | None:
        """The block of 2^size addresses at `first`, which only segments[low:high] touch."""
        while low < high and segments[low].last < first:
            low += 1
        if low >= high or segments[low].first > first + (1 << size) - 1:
            return None
        if segments[low].first <= first and segments[low].last >= first + (1 << size) - 1:
            return segments[low].leaf
        middle, size = first + (1 << (size - 1)), size - 1
        cut = _first_after(segments, middle, low, high)
        start = cut - 1 if cut > low and segments[cut - 1].last >= middle else cut
        return SearchTreeNode(node(first, size, low, cut), node(middle, size, start, high))

    found = node(0, bits, 0, len(segments))
    return found if isinstance(found, SearchTreeNode) else None


def _first_after(segments: Sequence[_Segment], middle: int, low: int, high: int) -> int:
    """The first of segments[low:high] that begins at `middle` or later."""
    while low < high:
        half = (low + high) // 2
        if segments[half].first < middle:
            low = half + 1
        else:
            high = half
    return low


def _hang(root: SearchTreeNode, v4: SearchTreeNode | None) -> None:
    """Puts the IPv4 tree where readers look for it: below 96 zero bits."""
    at = root
    for _ in range(V6_BITS - V4_BITS - 1):
        if not isinstance(at.left, SearchTreeNode):
            at.left = SearchTreeNode()
        at = at.left
    at.left = v4


def _write(root: SearchTreeNode, out: Path, of: date, demands: Demands) -> int:
    meta = {
        "ip_version": 6,
        "database_type": DATABASE_TYPE,
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "description": {"en": f"Networks, data of {of.isoformat()}. {ATTRIBUTION}"},
        "build_epoch": int(datetime(of.year, of.month, of.day, tzinfo=UTC).timestamp()),
    }
    with replaced(out) as name:
        TreeWriter(root, meta).write(str(name))
        size = name.stat().st_size
        if not demands.least_bytes <= size <= demands.most_bytes:
            raise GeoipError(f"{size} bytes is not the size of a whole database; the sources are not whole")
        with contextlib.closing(maxminddb.open_database(name, maxminddb.MODE_MMAP_EXT)) as made:
            if made.get("0.0.0.0") is not None or made.get("::") is not None:  # noqa: S104 - looked up, not listened on
                raise GeoipError("the sources give the unspecified address an owner; download them again")
    return size

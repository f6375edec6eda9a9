"""Is a fetched list what it should be? Wrong labels would reject or excuse visitors, so a doubtful list is not taken."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from gateway.feeds.errors import FeedRefused
from gateway.feeds.formats import Network
from geoip.published import RESERVED
from geoip.stored import Feed

BROADEST = {4: 8, 6: 19}
"""Shortest prefix that a published list may hold; a wider one is damage or an attack."""
MAX_NETWORKS = 1_000_000
"""Networks of one list, neighbours joined."""
SHRINKS = 0.5
"""A list that is smaller than this share of the last good one is more likely broken than mended."""

_RESERVED = {
    version: sorted(
        (int(net.network_address), int(net.broadcast_address), net)
        for net in (ipaddress.ip_network(network) for _, network in RESERVED)
        if net.version == version
    )
    for version in (4, 6)
}
_STARTS = {version: [first for first, _, _ in ranges] for version, ranges in _RESERVED.items()}


class Judged(NamedTuple):
    """networks: joined and in order; addresses: IPv4 addresses plus IPv6 /64 networks."""

    networks: tuple[str, ...]
    addresses: int


def judge(found: Sequence[Network], last: Feed | None, *, force: bool = False) -> Judged:
    """Raises FeedRefused. force: a list that shrank is taken; nothing else that is wrong."""
    if not found:
        raise FeedRefused("it holds no network", "look at the address and the format")
    for network in found:
        if network.prefixlen < BROADEST[network.version]:
            raise FeedRefused(
                f"it holds {network}, wider than /{BROADEST[network.version]}",
                "no operator publishes so much; look at the list",
            )
    joined: list[Network] = [
        *ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv4Network)),
        *ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv6Network)),
    ]
    if len(joined) > MAX_NETWORKS:
        raise FeedRefused(f"it holds {len(joined)} networks, more than {MAX_NETWORKS}", "take a smaller list")
    for network in joined:
        if (reserved := _reserved(network)) is not None:
            raise FeedRefused(
                f"it holds {network}, and {reserved} is reserved", "no visitor comes from there; look at the list"
            )
    addresses = sum(n.num_addresses if n.version == 4 else max(1, n.num_addresses >> 64) for n in joined)
    if last is not None and not force:
        for now, before, what in ((len(joined), last.entries, "networks"), (addresses, last.addresses, "addresses")):
            if now < before * SHRINKS:
                raise FeedRefused(
                    f"it shrank from {before} to {now} {what}",
                    "look whether that is meant, then take it with leadgate geoip refresh --force",
                )
    return Judged(tuple(map(str, joined)), addresses)


def _reserved(network: Network) -> Network | None:
    """The reserved range that `network` touches; reserved ranges do not overlap each other."""
    place = bisect_right(_STARTS[network.version], int(network.broadcast_address)) - 1
    if place < 0:
        return None
    _, last, reserved = _RESERVED[network.version][place]
    return reserved if last >= int(network.network_address) else None

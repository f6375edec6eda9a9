"""Notices a proxy that nobody trusts.

Behind an unnamed proxy every visitor has the proxy's address, and counting by address would flag them all. So where
most requests come from private addresses or from a CDN and carry forwarding headers, the address is "not available"
instead, and the operator is told which line to add."""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import lru_cache

from gateway.intake.client_ip import IPAddress, Resolved, parse_address

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

WINDOW = 200
"""Requests remembered."""

MINIMUM = 10
"""Requests that must have been seen before anything is concluded."""

PUBLISHED = {
    "cloudflare": "https://www.cloudflare.com/ips/",
    "fastly": "https://api.fastly.com/public-ip-list",
    "cloudfront": "https://ip-ranges.amazonaws.com/ip-ranges.json (service CLOUDFRONT)",
    "akamai": 'the "Origin IP Access Control List" of your Akamai account',
}
"""Where a content delivery network publishes the addresses it comes from."""


class ProxySuspicion:
    """Counts over the last 200 requests; give each request to `note`. One per listener, not thread-safe, memory
    bounded by the window.

    labels  names the published ranges that hold an address, as "kind:name"; only "cdn:…" is used
    """

    def __init__(self, labels: Callable[[str], tuple[str, ...]] = lambda address: ()) -> None:
        self._labels = labels
        self._recent: deque[str | None] = deque(maxlen=WINDOW)
        self._peers: Counter[str] = Counter()  # suspicious peers within the window: never more than WINDOW keys
        self._owner = lru_cache(1024)(self._look_up)

    def note(self, peer: str, resolved: Resolved) -> None:
        """Count one request."""
        suspect = peer if resolved.untrusted_forwarding and self._owner(peer) is not None else None
        if len(self._recent) == WINDOW:
            gone = self._recent[0]
            if gone is not None:
                self._peers[gone] -= 1
                if not self._peers[gone]:
                    del self._peers[gone]
        self._recent.append(suspect)
        if suspect is not None:
            self._peers[suspect] += 1

    @property
    def suspected(self) -> bool:
        """Do more than half of the recent requests come from such a proxy?"""
        return len(self._recent) >= MINIMUM and 2 * self._peers.total() > len(self._recent)

    def address_unavailable_reason(self, peer: str) -> str | None:
        """Why the address of a request from this peer says nothing about the visitor, or None where it can be
        used."""
        owner = self._owner(peer) if self.suspected else None
        if owner is None:
            return None
        whose = "a proxy" if owner == "" else f"the {owner} network"
        return f"the address is that of {whose} ({peer}) that nobody trusts: {self._remedy(owner)}"

    def advice(self) -> tuple[str, ...]:
        """What to add to the configuration, a sentence for each proxy network seen, most frequent first; empty where
        nothing is suspected."""
        if not self.suspected:
            return ()
        owners: Counter[str] = Counter()
        for peer, count in self._peers.items():
            owners[self._owner(peer) or ""] += count
        return tuple(self._remedy(owner) for owner, _ in owners.most_common())

    def _remedy(self, owner: str) -> str:
        if owner:
            listed = next(
                (where for name, where in PUBLISHED.items() if name in owner.lower().replace(" ", "")),
                "its documentation",
            )
            return f"add the ranges that {owner} publishes ({listed}) under trusted_proxies"
        networks = suggest(peer for peer in self._peers if not self._owner(peer))
        return "add " + ", ".join(f'"{network}"' for network in networks) + " under trusted_proxies"

    def _look_up(self, peer: str) -> str | None:
        """Name of the CDN that owns the address, "" for a private address, None for any other."""
        address = parse_address(peer)
        if address is None:
            return None
        for label in self._labels(str(address)):
            kind, _, name = label.partition(":")
            if kind == "cdn":
                return name
        return "" if any(address in block for block in _PRIVATE_BLOCKS) else None


# RFC 1918, RFC 6598 (balancers and overlay networks use it), loopback, link-local, RFC 4193. Narrower than
# `is_private`, which also holds the documentation and benchmarking ranges.
_BLOCKS = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 ::1 fc00::/7 fe80::/10"
_PRIVATE_BLOCKS = tuple(ipaddress.ip_network(block) for block in _BLOCKS.split())
_MANY = 4


def suggest(peers: Iterable[str]) -> tuple[str, ...]:
    """The narrowest sensible networks that hold these addresses: single addresses, a /24 (IPv6: /64) where several
    share it, or the whole private block where they are spread over more than four of those (an orchestrator hands
    them out). Texts that are no address are left out."""
    addresses = {address for peer in peers if (address := parse_address(peer)) is not None}
    near: dict[IPNetwork, list[IPAddress]] = {}
    for address in sorted(addresses, key=lambda found: (found.version, int(found))):
        near.setdefault(
            ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False), []
        ).append(address)
    found: list[str] = []
    for block in _PRIVATE_BLOCKS:
        inside = [network for network in near if network.network_address in block]
        if len(inside) > _MANY:
            found.append(str(block))
            for network in inside:
                del near[network]
    found += [str(held[0]) if len(held) == 1 else str(network) for network, held in near.items()]
    return tuple(found)

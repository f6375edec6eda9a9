"""Who an arrival comes from, as keyed hashes: the place, the browser, the session."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_network

from detectors.observation import Kind, Request
from gateway.facts.arrival import Arrival

DAY_US = 86_400_000_000


def places(address: str) -> tuple[str, str]:
    """The unit that counts as one address and the neighbourhood around it: address and /24 for IPv4, /64 and /48 for IPv6.
    The address is canonical, as `Client` holds it."""
    return _places_v6(address) if ":" in address else (address, address.rpartition(".")[0])


@lru_cache(maxsize=65_536)
def _places_v6(address: str) -> tuple[str, str]:
    number = int(IPv6Address(address))
    return str(ip_network((number >> 64 << 64, 64))), str(ip_network((number >> 80 << 80, 48)))


def browser_of(request: Request) -> str:
    """What stays the same for one browser on one device from request to request; two people with the same phone model share it."""
    first = request.first
    return f"{first.get('user-agent', '')}\n{first.get('accept-language', '')}\n{first.get('sec-ch-ua-platform', '')}"


class Hashes:
    """Keyed hashes, so that nobody who reads the hot state learns an address or a contact. key: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._keyed = blake2b(digest_size=16, key=key)
        # neighbourhoods and browsers come again; visitors, contacts and ids mostly do not
        self.stable = lru_cache(maxsize=65_536)(self.fresh)
        self.scopes = lru_cache(maxsize=4_096)(self._scopes_of)

    def _scopes_of(self, site: str) -> tuple[bytes, bytes]:
        """What keys of the site's landings and of its submissions have in common."""
        return self.fresh(f"{site}\n{Kind.LANDING}")[:7], self.fresh(f"{site}\n{Kind.SUBMISSION}")[:7]

    def fresh(self, text: str) -> bytes:
        """The keyed hash of a value, 16 bytes."""
        digest = self._keyed.copy()  # the key is worked in once
        digest.update(text.encode("utf-8", "surrogateescape"))
        return digest.digest()


def session_hash(
    arrival: Arrival, fresh: Callable[[str], bytes], network_mark: bytes, browser_mark: bytes | None
) -> bytes:
    """The keyed hash that stands for the arrival's session; empty where there is none."""
    if arrival.session_mode == "off":
        return b""
    if arrival.cookie is not None:
        return fresh(f"session\n{arrival.cookie[0]}")
    if arrival.session_mode == "cookie" or not network_mark or browser_mark is None:
        return b""
    day = arrival.at // DAY_US
    return fresh(f"derived\n{day}\n{arrival.site}\n{network_mark.hex()}\n{browser_mark.hex()}")

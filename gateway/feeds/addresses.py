"""Which addresses may be connected to. Asked for the address a connection is made to, however it was named: in the
URL, by DNS, or by a redirect."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

_LAST_FOUR_BYTES = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
"""IPv6 networks whose addresses end in the IPv4 address that is reached: NAT64 (RFC 6052), SIIT (RFC 2765), and the
IPv4-compatible ones (RFC 4291)."""
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Where the IPv4 address stands in these, each network decides for itself (RFC 8215)."""
_METADATA = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd20:ce::254"))
)
"""Where clouds tell a machine its credentials, beside link-local addresses: AWS, Alibaba, Azure, Oracle, Google."""


class AddressForbidden(OSError):
    """A connection to an address that is not public."""


def forbidden(address: str, allow_private: bool) -> str | None:
    """Why this machine must not connect to `address` (a text form, a zone is ignored); None where it may.

    Link-local addresses and the few others where clouds tell a machine its credentials are never connected to: nobody
    publishes lists there.
    """
    found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_link_local or found in _METADATA:
        return f"{found} is a link-local address" if found.is_link_local else f"{found} belongs to the cloud"
    if found.is_multicast or found.is_unspecified or found in _NAT64_LOCAL:
        return f"{found} is no address of one machine"
    site_local = isinstance(found, ipaddress.IPv6Address) and found.is_site_local
    if not allow_private and (site_local or not found.is_global):
        return f"{found} is not a public address"
    return None


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that is reached through an IPv6 address, where it is such a one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if int(address) > 1 and any(address in network for network in _LAST_FOUR_BYTES):  # not :: and ::1
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def guarded_sockets(allow_private: bool) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Makes the socket of each connection, for aiohttp's connector; an address in the URL itself, which asks no
    resolver, comes through here as well. Raises AddressForbidden."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if (why := forbidden(address[0], allow_private)) is not None:
            raise AddressForbidden(why)
        return socket.socket(family=family, type=kind, proto=protocol)

    return make

"""Which addresses may be connected to. Asked for the address a connection is made to, however it was named: in the
URL, by DNS, or by a redirect."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressForbidden(OSError):
    """A connection to an address that is not public."""


def forbidden(address: str, allow_private: bool) -> str | None:
    """Why this machine must not connect to `address` (a text form, a zone is ignored); None where it may.

    Link-local addresses are never connected to: clouds answer there with a machine's credentials, and nobody
    publishes lists there.
    """
    found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_link_local:
        return f"{found} is a link-local address"
    if found.is_multicast or found.is_unspecified:
        return f"{found} is no address of one machine"
    if not allow_private and not found.is_global:
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
    if address in _NAT64:
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

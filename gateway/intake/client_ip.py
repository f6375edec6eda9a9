"""Who sent the request: the client's address, resolved once from the socket and from what trusted proxies say.

Nobody is trusted unless named. Behind a trusted peer the client is the rightmost hop of `X-Forwarded-For` (all its
header lines read as one list) that is not itself a trusted proxy; where there is no `X-Forwarded-For`, the same is
read from `Forwarded` (RFC 7239). If a request carries both, `X-Forwarded-For` counts and `Forwarded` is ignored:
nearly every proxy maintains the former, few the latter, so a `Forwarded` beside it mostly comes from the client. A
proxy that maintains only `Forwarded` must therefore remove an `X-Forwarded-For` that it receives."""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, inet_pton

import msgspec

MAX_HOPS = 32
"""Hops looked at, from the right. Longer chains of trusted proxies do not exist; longer lists are made up."""

_ADDRESS_CACHE = 8192
_TRUST_CACHE = 4096

Headers = tuple[tuple[bytes, bytes], ...]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """The client of one request.

    address  canonical text form, IPv4-mapped IPv6 unmapped, zone id dropped; None where it cannot be known
             (`problem` says why)
    port     source port, or None where nobody tells it
    via      where the address comes from: "socket", "x-forwarded-for", "forwarded" or "x-real-ip"
    chain    the hops that were walked, client first, the socket's peer last
    untrusted_forwarding  the peer is not trusted, yet sends headers that only a proxy has reason to send
    problem  why the walk stopped early, in plain words, or None
    """

    address: str | None
    port: int | None
    via: str
    chain: tuple[str, ...]
    untrusted_forwarding: bool = False
    problem: str | None = None


class TrustedProxies:
    """The networks whose word about the client is believed, as CIDR or single addresses. Raises ValueError naming
    the entry that is none."""

    def __init__(self, cidrs: Iterable[str] = ()) -> None:
        spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for text in cidrs:
            try:
                network = ipaddress.ip_network(text.strip(), strict=False)
            except ValueError as error:
                raise ValueError(
                    f'"{text}" is not a network: write an address or a range such as "10.0.0.0/24"'
                ) from error
            spans[network.version].append((int(network.network_address), int(network.broadcast_address)))
        self._spans = {version: _merged(found) for version, found in spans.items()}
        self._any = any(spans.values())
        self._cached = lru_cache(_TRUST_CACHE)(self._look_up)

    def __bool__(self) -> bool:
        return self._any

    def trusts(self, address: str) -> bool:
        """Is this address, in canonical text form, one of them?"""
        return self._any and self._cached(address)

    def _look_up(self, address: str) -> bool:
        packed = packed_v4(address)
        if packed is not None:
            value, (starts, ends) = int.from_bytes(packed), self._spans[4]
        else:
            parsed = parse_address(address)
            if parsed is None:
                return False
            value, (starts, ends) = int(parsed), self._spans[parsed.version]
        at = bisect_right(starts, value) - 1
        return at >= 0 and value <= ends[at]


def _merged(spans: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(spans):
        if ends and start <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


@lru_cache(_ADDRESS_CACHE)
def parse_address(text: str) -> IPAddress | None:
    """An IPv4 or IPv6 address in any text form, or None. IPv4-mapped IPv6 becomes IPv4; a zone id ("%eth0") is
    dropped."""
    if len(text) > 64:
        return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def packed_v4(text: str) -> bytes | None:
    """The four bytes of an IPv4 address in dotted form, or None for any other text.

    Most visitors are new and have such an address: this takes a tenth of what `ipaddress` takes. POSIX lets inet_pton accept
    exactly four decimal numbers without leading zeros, so what it accepts is canonical as it stands.
    """
    try:
        return inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return None


def canonical_address(text: str) -> str | None:
    """The canonical text form of an address, or None if it is none."""
    return text if packed_v4(text) is not None else _canonical(text)


@lru_cache(_ADDRESS_CACHE)
def _canonical(text: str) -> str | None:
    address = parse_address(text)
    return None if address is None else str(address)


# What only a proxy has reason to send. The first two are also read; the others only show that a proxy is there.
_READ = {b"x-forwarded-for", b"forwarded"}
_TELLING = _READ | {
    b"x-real-ip",
    b"cf-connecting-ip",
    b"true-client-ip",
    b"fastly-client-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
}
_LENGTHS = frozenset(map(len, _TELLING))


def resolve(peer: str, headers: Headers, trusted: TrustedProxies, peer_port: int | None = None) -> Resolved:
    """Resolve the client of a request that came over a socket from `peer` (text form; "" for a Unix socket). Never
    raises."""
    address = canonical_address(peer)
    telling = [(name, value) for raw, value in headers if len(raw) in _LENGTHS and (name := raw.lower()) in _TELLING]
    if address is None:
        return Resolved(None, None, "socket", (), bool(telling), "the connection has no peer address")
    if not telling:
        return Resolved(address, peer_port, "socket", (address,))
    if not trusted.trusts(address):
        return Resolved(address, peer_port, "socket", (address,), True)
    lines = [value for name, value in telling if name == b"x-forwarded-for"]
    if lines:
        return _walk(address, _hops(lines), "x-forwarded-for", trusted)
    lines = [value for name, value in telling if name == b"forwarded"]
    if lines:
        nodes = forwarded_nodes(b",".join(lines).decode("latin-1"))
        if nodes is None:
            return Resolved(
                None, None, "forwarded", (address,), problem=f"the Forwarded header from {address} cannot be parsed"
            )
        return _walk(address, nodes, "forwarded", trusted)
    only = telling[0][0].decode("latin-1").title().replace("-Ip", "-IP")
    return Resolved(
        None,
        None,
        "socket",
        (address,),
        problem=f"the proxy {address} sends {only} but no X-Forwarded-For: let it send that",
    )


def told(headers: Headers, trusted: TrustedProxies) -> Resolved:
    """Resolve the client of a request that somebody else received and asks about: who asks holds our token, so that what he says counts as a
    trusted proxy's word, but he himself is nobody's client. `X-Real-IP` counts where there is no `X-Forwarded-For`. Never raises."""
    lines = [value for name, value in headers if len(name) == 15 and name.lower() == b"x-forwarded-for"]
    hops = _hops(lines) if lines else []
    if hops:
        return _walk("that asks", hops, "x-forwarded-for", trusted)
    single = next((value for name, value in headers if name.lower() == b"x-real-ip"), None)
    if single is not None:
        return _walk("that asks", [single.decode("latin-1").strip()], "x-real-ip", trusted)
    return Resolved(None, None, "socket", (), problem="the proxy that asks sends neither X-Forwarded-For nor X-Real-IP")


def _hops(lines: list[bytes]) -> list[str]:
    text = (lines[0] if len(lines) == 1 else b",".join(lines)).decode("latin-1")
    hops = [hop.strip(' \t"') for hop in text.rsplit(",", MAX_HOPS)[-MAX_HOPS:]]
    return [hop for hop in hops if hop]  # empty list elements mean nothing (RFC 9110 §5.6.1)


def _walk(peer: str, hops: list[str], via: str, trusted: TrustedProxies) -> Resolved:
    """From the right: a hop was written by the one behind it, so it is believed as long as that one is trusted."""
    chain = [peer]
    port: int | None = None
    for hop in reversed(hops):
        found = (hop, None) if packed_v4(hop) is not None else _node(hop)
        if found is None:
            what = (
                "does not name its client"
                if hop.lower() == "unknown" or hop.startswith("_")
                else "names a client that is no address"
            )
            return Resolved(None, None, via, tuple(reversed(chain)), problem=f"the proxy {chain[-1]} {what}")
        address, port = found
        chain.append(address)
        if not trusted.trusts(address):
            break
    if len(chain) == 1:  # a trusted proxy that speaks for itself, a health check say
        return Resolved(peer, None, "socket", (peer,))
    return Resolved(chain[-1], port, via, tuple(reversed(chain)))


_NODE = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w-]{2,64})\]|(?P<v4>\d{1,3}(?:\.\d{1,3}){3}))(?::(?P<port>\d{1,5}|_[\w.-]{1,32}))?",
    re.ASCII,
)


@lru_cache(_ADDRESS_CACHE)
def _node(text: str) -> tuple[str, int | None] | None:
    """(address, port) of "192.0.2.1", "192.0.2.1:4711", "[2001:db8::1]:4711" or a bare IPv6 address; None for
    anything else."""
    if len(text) > 128:
        return None
    match = _NODE.fullmatch(text)
    if match is None:
        address = canonical_address(text)
        return None if address is None else (address, None)
    address = canonical_address(match["v6"] or match["v4"])
    port = match["port"]
    if address is None:
        return None
    if port is None or port.startswith("_"):  # an obfuscated port tells nothing, but the address stands
        return address, None
    return (address, int(port)) if int(port) < 65536 else None


# forwarded-pair = token "=" ( token / quoted-string ). Stricter than needed nowhere, laxer in one place: an unquoted
# IPv6 address or port, which RFC 7239 §6 forbids, is sent by real proxies and cannot be misread.
_PAIR = re.compile(r'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))[ \t]*(;|,|$)')
_GAP = re.compile(r"[ \t]*([;,])")


def forwarded_nodes(text: str) -> list[str] | None:
    """The `for=` nodes of a Forwarded header, in order; "unknown" for an element without one. None if the header
    does not parse."""
    nodes: list[str] = []
    node: str | None = None
    pairs = 0
    at = 0
    while at < len(text):
        gap = _GAP.match(text, at)
        if gap is not None:
            at = gap.end()
            if gap[1] == "," and pairs:
                nodes.append(node or "unknown")
                node, pairs = None, 0
            continue
        match = _PAIR.match(text, at)
        if match is None:
            if text[at:].strip(" \t"):
                return None
            break
        at = match.end()
        pairs += 1
        if match[1].lower() == "for":
            if node is not None:  # RFC 7239 §4: a parameter must not occur twice in an element
                return None
            node = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
        if match[4] == ",":
            nodes.append(node or "unknown")
            node, pairs = None, 0
    if pairs:
        nodes.append(node or "unknown")
    return nodes[-MAX_HOPS:]

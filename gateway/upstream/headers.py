"""Request and answer heads as bytes: what is passed on, what is taken away, what is put in.

The permitted differences are the tables REQUEST_DIFFERENCES and ANSWER_DIFFERENCES below; docs/reference/proxy.md
repeats them and a test holds the two together. Everything else keeps its order, case, duplicates and bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.upstream import names

Fields = Sequence[tuple[bytes, bytes]]

VIA_NAME: Final = b"leadgate"

REQUEST_DIFFERENCES: Final[tuple[tuple[str, str], ...]] = (
    ("Connection", "removed, with every field it names except Host (RFC 9110 §7.6.1); `Upgrade` for a WebSocket"),
    ("Keep-Alive", "removed"),
    ("Proxy-Connection", "removed"),
    ("TE", "removed"),
    ("Trailer", "removed, as trailers are dropped (§6.5.1)"),
    ("Upgrade", "removed, except for a WebSocket"),
    ("Proxy-Authorization", "removed: credentials for a proxy end at the proxy (§11.7.2)"),
    (
        "Transfer-Encoding",
        "rebuilt: `chunked` when the length is not known in advance; trailers and chunk borders are not kept",
    ),
    ("Content-Length", "rebuilt, with the same value, in the same place"),
    ("Expect", "`100-continue` is passed on where the body streams from an HTTP/1.1 client, otherwise removed"),
    ("Via", "one line added: `1.0 leadgate` or `1.1 leadgate`, the version the visitor spoke (§7.6.3)"),
    ("X-Forwarded-For", "replaced by the peer's address; extended by it when the peer is a trusted proxy"),
    ("X-Forwarded-Proto", "replaced by `http` or `https`; kept when a trusted proxy sent it"),
    ("X-Forwarded-Host", "replaced by the Host as sent; kept when a trusted proxy sent it"),
    ("Forwarded", "replaced by one element of ours (RFC 7239); extended by it when the peer is a trusted proxy"),
    ("X-Forwarded-*", "any other: removed, kept when the peer is a trusted proxy"),
    ("X-Real-IP", "removed, kept when the peer is a trusted proxy"),
    ("X-Lead-*", "removed; the gateway's own are added"),
    ("names with _", "removed when they become one of the names here, or Host, with `_` read as `-`"),
)

ANSWER_DIFFERENCES: Final[tuple[tuple[str, str], ...]] = (
    ("Connection", "removed, with every field it names; our own `close`, `keep-alive` or, for a WebSocket, `Upgrade`"),
    ("Keep-Alive", "removed"),
    ("Proxy-Connection", "removed"),
    ("TE", "removed"),
    ("Trailer", "removed, as trailers are dropped (§6.5.1)"),
    ("Upgrade", "removed, except in the 101 of a WebSocket"),
    ("Proxy-Authenticate", "removed: a challenge by a proxy is for the next hop only (§11.7.1)"),
    ("Proxy-Authentication-Info", "removed (§11.7.3)"),
    (
        "Transfer-Encoding",
        "rebuilt: `chunked` when the length is not known; for HTTP/1.0 visitors the end of the connection",
    ),
    ("Content-Length", "rebuilt, with the same value, in the same place; removed from 1xx and 204 (§8.6)"),
    ("Via", "one line added: `1.0 leadgate` or `1.1 leadgate`, the version the origin spoke"),
)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What we say about the visitor's connection. `trusted` keeps what the peer claims and extends it."""

    peer: str  # address of the directly connected peer, IPv4 or IPv6 text
    proto: str  # "http" or "https", as the visitor's connection to us
    host: bytes | None = None  # Host as sent
    trusted: bool = False  # the peer is a configured trusted proxy


def _node(address: str) -> bytes:
    """RFC 7239 §6: IPv6 in brackets and quotes; a zone id is of no use to others."""
    address = address.partition("%")[0]
    return f'"[{address}]"'.encode() if ":" in address else address.encode("ascii", "replace")


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _forwarding_lines(forwarded: Forwarded, kept: dict[int, list[bytes]]) -> list[bytes]:
    """Our forwarding fields, for `kept` what a trusted peer claimed (kind -> values in order)."""
    peer = forwarded.peer.partition("%")[0].encode("ascii", "replace")
    proto = forwarded.proto.encode()
    element = b"for=" + _node(forwarded.peer)
    if forwarded.host is not None:
        element += b";host=" + _quoted(forwarded.host)
    element += b";proto=" + proto
    lines = [
        b"X-Forwarded-For: " + b", ".join([*kept.get(names.FORWARDED_FOR, ()), peer]) + b"\r\n",
        b"Forwarded: " + b", ".join([*kept.get(names.FORWARDED, ()), element]) + b"\r\n",
    ]
    if names.FORWARDED_PROTO not in kept:
        lines.append(b"X-Forwarded-Proto: " + proto + b"\r\n")
    if names.FORWARDED_HOST not in kept and forwarded.host is not None:
        lines.append(b"X-Forwarded-Host: " + forwarded.host + b"\r\n")
    return lines


def _checked(parts: list[bytes], lines: int) -> bytes:
    """Join a head; a stray line break or NUL would let one message become two, so it ends here with ValueError."""
    head = b"".join(parts)
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise ValueError("a header field holds a line break or NUL")
    return head


_EVERYDAY_CONNECTION: Final = frozenset((b"close", b"keep-alive", b"upgrade", b"keep-alive, upgrade"))


def _named(headers: Fields) -> frozenset[bytes]:
    """Names that any Connection field lists, in lower case; empty for the everyday values."""
    found: frozenset[bytes] = frozenset()
    for name, value in headers:
        if names.classify(name)[0] == names.CONNECTION and value.lower() not in _EVERYDAY_CONNECTION:
            found |= names.options(value)
    return found - {b"host"}


def request_head(
    method: str,
    target: bytes,
    headers: Fields,
    *,
    version: tuple[int, int],
    forwarded: Forwarded,
    add: Fields = (),
    strip_names: frozenset[bytes] = frozenset(),
    content_length: int | None = None,
    chunked: bool = False,
    websocket: bool = False,
    keep_expect: bool = False,
    identity: bool = False,
) -> bytes:
    """The head as the origin gets it, up to and with the empty line; always HTTP/1.1.

    `headers` as received, `version` the visitor's; `strip_names` in lower case; `content_length` and `chunked` frame the
    body that follows (neither: no body); `identity` asks for an answer without content coding. Raises ValueError when a
    part could end the line it stands in.
    """
    if b" " in target or not target:
        raise ValueError("a request target is empty or holds a space")
    out = [method.encode("ascii"), b" ", target, b" HTTP/1.1\r\n"]
    put = out.extend
    lines = 2
    named = _named(headers)
    kept: dict[int, list[bytes]] = {}
    framed = not chunked and content_length is None
    asked = False
    switched: set[int] = set()
    for name, value in headers:
        kind, lower = names.classify(name)
        if lower in strip_names or (lower in named and not (websocket and kind == names.UPGRADE)):
            continue
        if kind == names.PLAIN or kind == names.HOST:
            if identity and lower == b"accept-encoding":
                if asked:
                    continue
                asked, value = True, b"identity"
        elif kind == names.LENGTH or kind == names.ENCODING:
            if framed or (kind == names.LENGTH) is chunked:
                continue
            framed = True
            value = b"chunked" if chunked else b"%d" % (content_length or 0)
        elif kind == names.CONNECTION or kind == names.UPGRADE:
            if not websocket or kind in switched or (kind == names.UPGRADE and value.lower() != b"websocket"):
                continue
            switched.add(kind)
            if kind == names.CONNECTION:
                value = b"Upgrade"
        elif kind == names.EXPECT:
            if not keep_expect:
                continue
        elif forwarded.trusted and names.FORWARDED_FOR <= kind <= names.FORWARDING:
            if kind != names.FORWARDING and value:
                kept.setdefault(kind, []).append(value)
            if kind == names.FORWARDED_FOR or kind == names.FORWARDED:
                continue
        elif kind != names.PROXY_RESPONSE:
            continue
        put((name, b": ", value, b"\r\n"))
        lines += 1
    if identity and not asked:
        put((b"Accept-Encoding: identity\r\n",))
        lines += 1
    if not framed:
        put((b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % (content_length or 0),))
        lines += 1
    ours = _forwarding_lines(forwarded, kept)
    put((b"Via: %d.%d %b\r\n" % (*version, VIA_NAME), *ours))
    for name, value in add:
        put((name, b": ", value, b"\r\n"))
    put((b"\r\n",))
    return _checked(out, lines + 1 + len(ours) + len(add))


def response_head(
    status: int,
    reason: bytes,
    headers: Fields,
    *,
    version: tuple[int, int],
    content_length: int | None = None,
    chunked: bool = False,
    connection: bytes | None = None,
    add: Fields = (),
    strip_names: frozenset[bytes] = frozenset(),
    websocket: bool = False,
) -> bytes:
    """The head as the visitor gets it, up to and with the empty line; always HTTP/1.1.

    `version` is the origin's; `connection` the value of our own Connection field; framing as in `request_head`: with
    neither the answer has no body, or ends with the connection.
    """
    out = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    put = out.extend
    lines = 2
    named = _named(headers)
    framed = not chunked and content_length is None
    for name, value in headers:
        kind, lower = names.classify(name)
        if lower in strip_names or (lower in named and not (websocket and kind == names.UPGRADE)):
            continue
        if kind == names.LENGTH or kind == names.ENCODING:
            if framed or (kind == names.LENGTH) is chunked:
                continue
            framed = True
            value = b"chunked" if chunked else b"%d" % (content_length or 0)
        elif kind == names.CONNECTION:
            if connection is None:
                continue
            value, connection = connection, None
        elif kind == names.UPGRADE:
            if not websocket:
                continue
        elif kind == names.HOP or kind == names.PROXY_RESPONSE:
            continue
        put((name, b": ", value, b"\r\n"))
        lines += 1
    if not framed:
        put((b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % (content_length or 0),))
        lines += 1
    if connection is not None:
        put((b"Connection: ", connection, b"\r\n"))
        lines += 1
    put((b"Via: %d.%d %b\r\n" % (*version, VIA_NAME),))
    for name, value in add:
        put((name, b": ", value, b"\r\n"))
    put((b"\r\n",))
    return _checked(out, lines + 1 + len(add))

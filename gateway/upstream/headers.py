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

# By the version of the message as received; the pseudonym stands for our host name (RFC 9110 §7.6.3).
VIA: Final = {(1, 0): b"Via: 1.0 leadgate", (1, 1): b"Via: 1.1 leadgate"}

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


def _quoted(value: bytes) -> bytes:
    if b"\\" not in value and b'"' not in value:
        return b'"' + value + b'"'
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _forwarding_lines(forwarded: Forwarded, kept: dict[int, list[bytes]]) -> list[bytes]:
    """Our forwarding fields, for `kept` what a trusted peer claimed (kind -> values in order)."""
    peer = forwarded.peer.partition("%")[0].encode("ascii", "replace")  # a zone id is of no use to others
    proto = forwarded.proto.encode()
    element = b'for="[%b]"' % peer if b":" in peer else b"for=" + peer  # RFC 7239 §6
    if forwarded.host is not None:
        element += b";host=" + _quoted(forwarded.host)
    element += b";proto=" + proto
    if not kept:
        lines = [b"X-Forwarded-For: " + peer, b"Forwarded: " + element]
    else:
        lines = [
            b"X-Forwarded-For: " + b", ".join([*kept.get(names.FORWARDED_FOR, ()), peer]),
            b"Forwarded: " + b", ".join([*kept.get(names.FORWARDED, ()), element]),
        ]
    if names.FORWARDED_PROTO not in kept:
        lines.append(b"X-Forwarded-Proto: " + proto)
    if names.FORWARDED_HOST not in kept and forwarded.host is not None:
        lines.append(b"X-Forwarded-Host: " + forwarded.host)
    return lines


def _joined(lines: list[bytes]) -> bytes:
    """A head of its lines; a stray line break or NUL would let one message become two, so it ends here with ValueError."""
    lines += (b"", b"")
    head = b"\r\n".join(lines)
    ends = len(lines) - 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise ValueError("a header field holds a line break or NUL")
    return head


EVERYDAY_CONNECTION: Final = frozenset((b"close", b"keep-alive", b"upgrade", b"keep-alive, upgrade"))


def named_by_connection(headers: Fields, *, websocket: bool) -> frozenset[bytes]:
    """Names that any Connection field lists, in lower case, but for those that stay whatever it says."""
    found: frozenset[bytes] = frozenset()
    for name, value in headers:
        if names.classify(name)[0] == names.CONNECTION:
            found |= names.options(value)
    return found - ({b"host", b"upgrade", b"connection"} if websocket else {b"host", b"connection"})


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
    _named_known: bool = False,
) -> bytes:
    """The head as the origin gets it, up to and with the empty line; always HTTP/1.1.

    `headers` as received, `version` the visitor's; `strip_names` in lower case; `content_length` and `chunked` frame the
    body that follows (neither: no body); `identity` asks for an answer without content coding. Raises ValueError when a
    part could end the line it stands in.
    """
    if b" " in target or not target:
        raise ValueError("a request target is empty or holds a space")
    out = [method.encode("ascii") + b" " + target + b" HTTP/1.1"]
    put = out.append
    kept: dict[int, list[bytes]] = {}
    framed = not chunked and content_length is None
    asked = False
    plain = not strip_names and not identity
    switched: set[int] = set()
    for name, value in headers:
        kind, lower = names.known(name) or names.classify(name)
        if not kind and plain:
            put(name + b": " + value)
            continue
        if kind == names.CONNECTION and not _named_known and value.lower() not in EVERYDAY_CONNECTION:
            # Rare: it names other fields. Once more, without them.
            return request_head(
                method, target, headers, version=version, forwarded=forwarded, add=add,
                strip_names=strip_names | named_by_connection(headers, websocket=websocket), content_length=content_length, chunked=chunked,
                websocket=websocket, keep_expect=keep_expect, identity=identity, _named_known=True,
            )  # fmt: skip
        if lower in strip_names:
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
        put(name + b": " + value)
    if identity and not asked:
        put(b"Accept-Encoding: identity")
    if not framed:
        put(b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (content_length or 0))
    put(VIA[version])
    out += _forwarding_lines(forwarded, kept)
    for name, value in add:
        put(name + b": " + value)
    return _joined(out)


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
    _named_known: bool = False,
) -> bytes:
    """The head as the visitor gets it, up to and with the empty line; always HTTP/1.1.

    `version` is the origin's; `connection` the value of our own Connection field; framing as in `request_head`: with
    neither the answer has no body, or ends with the connection.
    """
    out = [b"HTTP/1.1 %d %b" % (status, reason)]
    put = out.append
    framed = not chunked and content_length is None
    for name, value in headers:
        kind, lower = names.known(name) or names.classify(name)
        if not kind and not strip_names:
            put(name + b": " + value)
            continue
        if kind == names.CONNECTION and not _named_known and value.lower() not in EVERYDAY_CONNECTION:
            return response_head(
                status, reason, headers, version=version, content_length=content_length, chunked=chunked, connection=connection,
                add=add, strip_names=strip_names | named_by_connection(headers, websocket=websocket), websocket=websocket, _named_known=True,
            )  # fmt: skip
        if lower in strip_names:
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
        put(name + b": " + value)
    if not framed:
        put(b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (content_length or 0))
    if connection is not None:
        put(b"Connection: " + connection)
    put(VIA[version])
    for name, value in add:
        put(name + b": " + value)
    return _joined(out)

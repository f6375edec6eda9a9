"""What a header field means to a proxy, by its name. RFC 9110 §7.6.1 is the source for the hop-by-hop names."""

from __future__ import annotations

from typing import Final

PLAIN: Final = 0  # passed on as it is
HOP: Final = 1  # meant for one connection only: removed
CONNECTION: Final = 2  # removed, with all it names
UPGRADE: Final = 3  # removed, save for a WebSocket
LENGTH: Final = 4  # framing: rebuilt
ENCODING: Final = 5  # framing: rebuilt
EXPECT: Final = 6  # passed on only where the body streams
HOST: Final = 7  # passed on, never removed, whatever Connection names
FORWARDED_FOR: Final = 8  # rebuilt: replaced, or extended for a trusted proxy
FORWARDED: Final = 9  # likewise
FORWARDED_PROTO: Final = 10  # rebuilt, or kept when a trusted proxy sent it
FORWARDED_HOST: Final = 11  # likewise
FORWARDING: Final = 12  # other claims about the visitor's side (X-Forwarded-Port, X-Real-IP): only from a trusted proxy
OURS: Final = 13  # X-Lead-*: never from outside
SHADOW: Final = 14  # becomes one of the above when `_` is read as `-`, as CGI-style origins do: removed from requests
PROXY_REQUEST: Final = 15  # credentials for a proxy: consumed here
PROXY_RESPONSE: Final = 16  # a challenge by a proxy: meant for the next hop only

SPECIAL: Final[dict[bytes, int]] = {
    b"connection": CONNECTION,
    b"keep-alive": HOP,
    b"proxy-connection": HOP,
    b"te": HOP,
    b"trailer": HOP,
    b"transfer-encoding": ENCODING,
    b"content-length": LENGTH,
    b"upgrade": UPGRADE,
    b"expect": EXPECT,
    b"host": HOST,
    b"proxy-authorization": PROXY_REQUEST,
    b"proxy-authenticate": PROXY_RESPONSE,
    b"proxy-authentication-info": PROXY_RESPONSE,
    b"x-forwarded-for": FORWARDED_FOR,
    b"x-forwarded-proto": FORWARDED_PROTO,
    b"x-forwarded-host": FORWARDED_HOST,
    b"forwarded": FORWARDED,
    b"x-real-ip": FORWARDING,
}

# Names recur: a look-up costs a tenth of lowering and comparing. Emptied when full, so that invented names cannot grow it.
# Loops over fields ask `known` first and `classify` only for what is not there.
_CACHE_LIMIT: Final = 2048
_cache: dict[bytes, tuple[int, bytes]] = {}


known: Final = _cache.get


def _kind_of(lower: bytes) -> int:
    kind = SPECIAL.get(lower)
    if kind is not None:
        return kind
    if lower.startswith(b"x-lead-"):
        return OURS
    if lower.startswith(b"x-forwarded-"):
        return FORWARDING
    return PLAIN


def classify(name: bytes) -> tuple[int, bytes]:
    """(kind, name in lower case) of a field name as received."""
    found = _cache.get(name)
    if found is None:
        lower = name.lower()
        kind = _kind_of(lower)
        if kind == PLAIN and b"_" in lower and _kind_of(lower.replace(b"_", b"-")) != PLAIN:
            kind = SHADOW
        found = (kind, lower)
        if len(name) <= 128:
            if len(_cache) >= _CACHE_LIMIT:
                _cache.clear()
            _cache[name] = found
    return found


def options(value: bytes) -> frozenset[bytes]:
    """The comma-separated, case-insensitive options of a Connection field, in lower case."""
    return frozenset(part for part in (item.strip(b" \t") for item in value.lower().split(b",")) if part)

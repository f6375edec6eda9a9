"""The request that a proxy asks about: read back from the authorisation request that the proxy made of it.

Proxies say in three ways what the visitor sent: `X-Forwarded-Method` and `X-Forwarded-Uri` (Traefik, Caddy, our nginx recipe),
`X-Original-Method` and `X-Original-URI` or `X-Original-URL` (what nginx configurations mostly use), or the path behind our own (Envoy). A visitor
can send any of these fields too, and a proxy that does not use them passes them on; so the path behind our own counts first, then
`X-Forwarded-Uri`, which the proxies that know it overwrite, and the rest only where there is neither.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

Fields = tuple[tuple[bytes, bytes], ...]

MAX_TARGET = 16_384
"""Bytes of a target. What is longer is no landing page."""

TOKEN_FIELD = b"x-leadgate-token"
"""May hold our token where a proxy cannot write `Authorization` without taking the visitor's away."""

_METHOD = re.compile(rb"[A-Za-z]{1,20}")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#\\]*)(.*)", re.IGNORECASE | re.DOTALL)
_ADDED = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade",
        b"content-length", b"host", b"forwarded", b"x-real-ip", b"x-request-id", TOKEN_FIELD,
    }
)  # fmt: skip
"""Fields that end at the proxy, that it writes itself, or that our recipes add; and every X-Forwarded-* and X-Envoy-*."""
_ADDED_PREFIXES = (b"x-forwarded-", b"x-envoy-")
_ORIGINAL = frozenset({b"x-original-uri", b"x-original-url", b"x-original-method"})


def _classified(name: bytes) -> tuple[bool, bytes]:
    """Is this field the visitor's own wherever it comes from; and, where it may not be, its name in lower case."""
    lower = name.lower()
    if lower in _ADDED or lower.startswith(_ADDED_PREFIXES):
        return False, lower
    return True, lower if lower in _ORIGINAL or lower == b"authorization" else b""


_remembered = lru_cache(1024)(_classified)
_REMEMBERED_BYTES = 48  # longer names are made up: they would only push out others


class Original(msgspec.Struct, frozen=True, gc=False):
    """What the visitor sent, as far as the proxy told.

    target   of the request line, in origin form
    host     None where nobody named it
    headers  as received, without what the proxy or the recipe added; `Host` first
    """

    method: str
    target: bytes
    host: bytes | None
    scheme: str
    headers: Fields


def read(rest: bytes, method: str, fields: Fields, token_field: bytes) -> Original | None:
    """The visitor's request, or None where the proxy does not say what it was.

    rest         path and query behind our own path, "" where there is none
    method       of the authorisation request
    token_field  the field that held our token, in lower case: it is none of the visitor's
    """
    told: dict[bytes, bytes] = {}
    kept = []
    for field in fields:
        name = field[0]
        own, lower = _remembered(name) if len(name) <= _REMEMBERED_BYTES else _classified(name)
        if lower:
            told.setdefault(lower, field[1].strip())
        if own and (not lower or lower != token_field):
            kept.append(field)
    host = told.get(b"host")
    named: bytes | None = None
    forwarded = told.get(b"x-forwarded-uri")
    original = told.get(b"x-original-uri") or told.get(b"x-original-url")
    if rest:
        target = rest
    elif forwarded:
        target, named = forwarded, told.get(b"x-forwarded-method")
        host = told.get(b"x-forwarded-host") or host
    elif original:
        target, named = original, told.get(b"x-original-method") or told.get(b"x-forwarded-method")
        host = told.get(b"x-forwarded-host") or host
    else:
        return None
    scheme = told.get(b"x-forwarded-proto", b"").partition(b",")[0].strip().lower()
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        target = absolute[3] or b"/"
        host = told.get(b"x-forwarded-host") or absolute[2].rpartition(b"@")[2] or host
        scheme = scheme or absolute[1].lower()
    if len(target) > MAX_TARGET or target[:1] != b"/":
        return None
    if named is not None and _METHOD.fullmatch(named):
        method = named.decode("ascii").upper()
    if original and not (rest or forwarded):
        kept = [field for field in kept if field[0].lower() not in _ORIGINAL]
    if host is not None:
        kept.insert(0, (b"Host", host))
    return Original(method, target, host, "https" if scheme == b"https" else "http", tuple(kept))

"""The first-party session cookie `_lg_s`, and the session that needs no cookie.

The cookie is signed, so that a session's age cannot be made up. It holds a random id and the time it was first set,
nothing about the visitor."""

from __future__ import annotations

import binascii
import hmac
import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from gateway.intake.keys import Key, KeyRing

NAME = "_lg_s"
MAX_AGE_S = 90 * 86400
"""How long a session lasts. Long enough for the 60 days that ad platforms look back, with a margin."""

MAX_COOKIE_BYTES = 16_384
"""Bytes of Cookie header that are looked at; browsers send at most about 4 KiB for each cookie."""

_MAX_TRIED = 8
_PURPOSE = b"leadgate session cookie 1"
_HEAD = struct.Struct(">B4sQ16s")
_MAC_BYTES = 16
_SIZE = _HEAD.size + _MAC_BYTES
_LENGTH = 60
_VERSION = 1


class SessionCookie(msgspec.Struct, frozen=True, gc=False):
    """A session whose signature holds: id (32 hexadecimal digits) and time of issue in integer UTC microseconds."""

    id: str
    issued_us: int


class CookieReading(msgspec.Struct, frozen=True, gc=False):
    """cookie: the session, or None; forged: a session cookie with a bad signature was sent, beside it or instead."""

    cookie: SessionCookie | None
    forged: bool = False


_NONE = CookieReading(None)


def begin(key: Key, now_us: int) -> tuple[str, SessionCookie]:
    """A new session: the value of its cookie, 60 characters that need no quoting, and what reading it would give."""
    identifier = os.urandom(16)
    return _sign(key, now_us, identifier), SessionCookie(identifier.hex(), now_us)


def _sign(key: Key, now_us: int, identifier: bytes) -> str:
    head = _HEAD.pack(_VERSION, key.tag, now_us, identifier)
    return urlsafe_b64encode(head + key.mac(_PURPOSE, head, _MAC_BYTES)).decode("ascii").rstrip("=")


def read(ring: KeyRing, cookie_header: bytes | None, now_us: int) -> CookieReading:
    """The session in a Cookie header (several header lines joined by "; "). Never raises.

    Browsers may send more than one cookie of the name (another path or domain): the first whose signature holds
    counts. A cookie that is too old, or of a version or signed by a key that is not held any more, is no session,
    but not forged either. If the clock was set back, the session starts now."""
    if not cookie_header or b"_lg_s" not in cookie_header:
        return _NONE
    forged = False
    for value in _values(cookie_header):
        data = _decode(value)
        if data is None:
            forged = True
            continue
        version, tag, issued_us, identifier = _HEAD.unpack_from(data)
        key = ring.find(tag)
        if version != _VERSION or key is None:
            continue
        if not hmac.compare_digest(key.mac(_PURPOSE, data[: _HEAD.size], _MAC_BYTES), data[_HEAD.size :]):
            forged = True
        elif now_us - issued_us <= MAX_AGE_S * 1_000_000:
            return CookieReading(SessionCookie(identifier.hex(), min(issued_us, now_us)), forged)
    return CookieReading(None, forged)


def _values(header: bytes) -> list[bytes]:
    found: list[bytes] = []
    for part in header[:MAX_COOKIE_BYTES].split(b";"):
        name, equals, value = part.partition(b"=")
        if equals and name.strip() == b"_lg_s":
            found.append(value.strip().strip(b'"'))
            if len(found) == _MAX_TRIED:
                break
    return found


def _decode(value: bytes) -> bytes | None:
    if len(value) != _LENGTH:
        return None
    try:
        data = urlsafe_b64decode(value)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == _SIZE and urlsafe_b64encode(data) == value else None


def set_cookie_header(value: str, secure: bool) -> bytes:
    """The value of a Set-Cookie header. `secure` where the visitor came over TLS."""
    attributes = f"{NAME}={value}; Path=/; Max-Age={MAX_AGE_S}; HttpOnly; SameSite=Lax"
    return (attributes + "; Secure" if secure else attributes).encode("ascii")

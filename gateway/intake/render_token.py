"""The signed token that is rendered into a form: which page view it belongs to and when that was.

A token is 53 bytes, 71 characters in URL-safe base64: version, key tag, time of issue, page view, nonce, and an HMAC
over those and the form's name. It tells the time to submit without trusting the browser, and a copy can be
recognised by its nonce. It does not prove that a person looked at the page."""

from __future__ import annotations

import binascii
import hmac
import os
import struct
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from gateway.intake.keys import Key, KeyRing

FIELD = "_lg_t"
"""Name of the hidden form field that carries the token."""

MAX_SKEW_US = 120 * 1_000_000
"""How far in the future an issue time may lie: the clock was set back meanwhile, or belongs to another machine."""

_VERSION = 1
_PURPOSE = b"leadgate render token 1"
_HEAD = struct.Struct(">B4sQ16s8s")
_MAC_BYTES = 16
_SIZE = _HEAD.size + _MAC_BYTES
_LENGTH = 71


class TokenReading(msgspec.Struct, frozen=True, gc=False):
    """What a submitted token says.

    state      "missing", "malformed", "forged" (bad signature, or another form's), "expired", "valid"
    page_id    the page view it was rendered into, a UUID in text form; None unless the signature holds
    issued_us  when, integer UTC microseconds; None unless the signature holds
    nonce      16 hexadecimal digits, unique for each token; None unless the signature holds
    age_ms     milliseconds from rendering to now, -1 where unknown
    """

    state: str
    page_id: str | None = None
    issued_us: int | None = None
    nonce: str | None = None
    age_ms: int = -1


MISSING = TokenReading("missing")
MALFORMED = TokenReading("malformed")
FORGED = TokenReading("forged")
EXPIRED = TokenReading("expired")


def mint(key: Key, form: str, page_id: str, now_us: int) -> str:
    """A new token for the form of that name on the page view `page_id`. Raises ValueError if `page_id` is no UUID."""
    head = _HEAD.pack(_VERSION, key.tag, now_us, uuid.UUID(page_id).bytes, os.urandom(8))
    return urlsafe_b64encode(head + key.mac(_PURPOSE, head + form.encode(), _MAC_BYTES)).rstrip(b"=").decode("ascii")


def read(ring: KeyRing, token: str | None, form: str, now_us: int, max_age_s: int) -> TokenReading:
    """Check a submitted token. Never raises.

    A token signed by a key that is not held any more reads as "expired": that it is old is all that can be known,
    and an honest page that was open while keys changed must not count as forged.
    """
    if not token:
        return MISSING
    if len(token) != _LENGTH:
        return MALFORMED
    try:
        data = urlsafe_b64decode(token + "=")
    except (binascii.Error, ValueError):
        return MALFORMED
    # The comparison refuses the spellings that a lax decoder takes for the same bytes: a nonce is to be used once.
    if len(data) != _SIZE or urlsafe_b64encode(data)[:_LENGTH].decode("ascii") != token:
        return MALFORMED
    version, tag, issued_us, page, nonce = _HEAD.unpack_from(data)
    if version != _VERSION:
        return MALFORMED
    key = ring.find(tag)
    if key is None:
        return EXPIRED
    if not hmac.compare_digest(key.mac(_PURPOSE, data[: _HEAD.size] + form.encode(), _MAC_BYTES), data[_HEAD.size :]):
        return FORGED
    age_us = now_us - issued_us
    if age_us < -MAX_SKEW_US:
        return MALFORMED
    age_us = max(age_us, 0)
    state = "expired" if age_us > max_age_s * 1_000_000 else "valid"
    return TokenReading(state, str(uuid.UUID(bytes=page)), issued_us, nonce.hex(), age_us // 1000)


def hidden_input(token: str) -> bytes:
    """The HTML of the hidden field, ASCII. A token needs no escaping."""
    return b'<input type="hidden" name="_lg_t" value="' + token.encode("ascii") + b'">'

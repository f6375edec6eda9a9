"""Canonical bytes (RFC 8785 JSON, without floats) and how an entry is put into its writer's chain.

RFC 8785 wants keys in order of their UTF-16 code units, shortest escapes and no white space. msgspec writes exactly
that, except that it sorts keys by
code point, which differs only where an object has keys beyond U+FFFF next to keys from U+E000 on; that rare case is
sorted again here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

SCHEMA = 1
"""Version of the record and event format."""

MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader gives back unchanged (RFC 8785 §3.2.2.3)."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_PLAIN = msgspec.json.Encoder()
_BEYOND_FFFF = re.compile(b"[\xf0-\xf4]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_GIL_KEPT = 2047
"""hashlib lets go of the interpreter lock from 2048 bytes on, and a busy loop gives it back only 5 ms later: so it is
fed in smaller pieces.
"""


class Unencodable(ValueError):
    """A value that has no canonical form: a float, an integer beyond 2^53, a key that is no text."""


def canonical(value: object) -> bytes:
    """RFC 8785 bytes of a struct, mapping, sequence, text or integer. Lone surrogates, which JSON cannot carry,
    become U+FFFD.
    """
    try:
        fast = _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _PLAIN.encode(_resorted(msgspec.to_builtins(value)))
    if fast.isascii() or _BEYOND_FFFF.search(fast) is None:
        return fast
    return _PLAIN.encode(_resorted(msgspec.to_builtins(value)))


def _resorted(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        items = ((clean(str(key)), _resorted(item)) for key, item in value.items())
        return dict(sorted(items, key=lambda item: item[0].encode("utf-16-be")))
    if isinstance(value, list | tuple):
        return [_resorted(item) for item in value]
    return value


def clean(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot carry, as U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def check_plain(value: object) -> None:
    """Raise Unencodable where `value` (made of dicts, lists, text, integers, booleans and None) has no canonical
    form.
    """
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Unencodable(f"{value} is beyond 2^53")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Unencodable(f"the key {key!r} is no text")
            check_plain(item)
    elif isinstance(value, list | tuple):
        for item in value:
            check_plain(item)
    else:
        raise Unencodable(f"a {type(value).__name__} has no canonical form")


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    if len(data) <= _GIL_KEPT:
        return hashlib.sha256(data).hexdigest()
    view = memoryview(data)
    state = hashlib.sha256(view[:_GIL_KEPT])
    for start in range(_GIL_KEPT, len(data), _GIL_KEPT):
        state.update(view[start : start + _GIL_KEPT])
    return state.hexdigest()


def salted_digest(salt: bytes, value: bytes) -> str:
    """SHA-256(salt ‖ value), hexadecimal: what a record holds of a group of personal values."""
    return digest(salt + value)


def event_parts(event_id: str, record_id: str, at: int, event: str, data: Mapping[str, object]) -> tuple[bytes, ...]:
    """The three parts of an event's canonical form (see `chained`). Raises Unencodable."""
    check_plain(data)
    check_plain(at)
    return (
        canonical({"at": at, "data": data, "event": event, "id": event_id})[:-1],
        canonical({"record": record_id, "schema": SCHEMA})[1:-1],
        canonical({"type": "event"})[1:-1],
    )


def chained(parts: tuple[bytes, ...], writer: str, seq: int, prev_hash: str) -> tuple[bytes, str]:
    """An entry's whole canonical form and its hash.

    parts   the canonical form without prev_hash, seq and writer, cut where these belong: keys before "prev_hash"
            (with the opening brace), keys before
            "seq", keys before "writer"; everything else is encoded off the writer thread
    writer  [a-z0-9-]+
    """
    body = b'%b,"prev_hash":"%b",%b,"seq":%d,%b,"writer":"%b"}' % (
        parts[0],
        prev_hash.encode(),
        parts[1],
        seq,
        parts[2],
        writer.encode(),
    )
    return body, digest(body)


__all__ = [
    "MAX_INTEGER",
    "SCHEMA",
    "Unencodable",
    "canonical",
    "chained",
    "check_plain",
    "clean",
    "digest",
    "event_parts",
    "salted_digest",
]

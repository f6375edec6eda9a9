"""Names and values of a query or of an `application/x-www-form-urlencoded` body.

Of our own, because the libraries that are fast enough leave out a field whose bytes are not valid UTF-8: a field
that the origin would still read, and that nobody would have judged.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

Pair = tuple[str, str]


def pairs(data: bytes, decode: Callable[[bytes], str]) -> list[Pair]:
    """Every (name, value) in received order, empty ones included, split at "&" alone (WHATWG URL §5.1). An escape
    that is none stays as it is; empty pieces ("a=1&&b=2") mean nothing. Never raises if `decode` does not."""
    found: list[Pair] = []
    data = data.replace(b"+", b" ")
    if not data.isascii():
        for part in data.split(b"&"):
            if part:
                key, _, content = part.partition(b"=")
                found.append((decode(unquote_to_bytes(key)), decode(unquote_to_bytes(content))))
        return found
    for piece in data.decode("ascii").split("&"):
        if piece:
            name, _, value = piece.partition("=")
            if "%" in piece:
                if "%" in name:
                    name = decode(unquote_to_bytes(name))
                if "%" in value:
                    value = decode(unquote_to_bytes(value))
            found.append((name, value))
    return found

"""Cursors of lists, and what a free-text search looks for: the same for every backend."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import TypeVar

import msgspec

from gateway.stores.errors import BadCursor
from gateway.stores.keys import HASH, KeyRing
from gateway.stores.operations import blind_token

LOOKED_AT = 100_000
"""Records a free-text search looks through for one page; the page then ends early, with a cursor to go on from."""


class Numbered(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor holds where rows are numbered: time and number of the last row given out. `kind` keeps one list's
    cursors out of another.
    """

    kind: str
    at: int
    n: int

    def sound(self) -> bool:
        return 0 <= self.n < 2**62


class Named(msgspec.Struct, frozen=True, array_like=True):
    """The same where rows are known by their ids."""

    kind: str
    at: int
    id: str

    def sound(self) -> bool:
        return len(self.id) == 36 and self.id.isascii() and self.id.replace("-", "").isalnum()


Position = TypeVar("Position", Numbered, Named)


def cursor_of(position: Numbered | Named) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def position_of(cursor: str | None, kind: str, form: type[Position]) -> Position | None:
    """Raises BadCursor."""
    if cursor is None:
        return None
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = msgspec.json.decode(data, type=form)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if position.kind != kind or abs(position.at) >= 2**62 or not position.sound():
        raise BadCursor
    return position


def address_tokens(keys: KeyRing, q: str | None) -> tuple[bytes, ...]:
    """The keyed hashes of `q`, one for each key, where it is an address."""
    try:
        address = ipaddress.ip_address((q or "").strip())
    except ValueError:
        return ()
    mapped = getattr(address, "ipv4_mapped", None)
    return tuple(blind_token(key, f"address:{mapped or address}") for key in keys.all(HASH))

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


class Following(msgspec.Struct, frozen=True, array_like=True):
    """The same in lists of events, record by record: the record, and within it when (or as which number) the last event was written, and its id
    ("" where events are numbered).
    """

    kind: str
    at: int
    record: str
    id: str

    def sound(self) -> bool:
        return all(
            len(each) <= 64 and each.isascii() and each.replace("-", "").isalnum()
            for each in (self.record, self.id or "0")
        )


Position = TypeVar("Position", Numbered, Named, Following)


def first_id(at: int) -> str:
    """The smallest UUIDv7 of a time (UTC microseconds), cut to what an id can say."""
    text = f"{min(max(at // 1000, 0), 2**48 - 1):012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"


LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def cursor_of(position: Numbered | Named | Following) -> str:
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


def term_tokens(keys: KeyRing, term: str) -> tuple[bytes, ...]:
    """The keyed hashes of a look-up term ("email:…", see records.Personal), one for each key."""
    return tuple(blind_token(key, term) for key in keys.all(HASH))


def address_tokens(keys: KeyRing, q: str | None) -> tuple[bytes, ...]:
    """The keyed hashes of `q`, one for each key, where it is an address."""
    try:
        address = ipaddress.ip_address((q or "").strip())
    except ValueError:
        return ()
    mapped = getattr(address, "ipv4_mapped", None)
    return tuple(blind_token(key, f"address:{mapped or address}") for key in keys.all(HASH))

"""What belongs to another store and waits here unwritten, as bytes: see gateway.stores.carry.carried.Loose."""

from __future__ import annotations

import msgspec

from gateway.stores.carry.carried import Loose
from gateway.stores.operations import EventEntry, Settle, Unjournaled
from gateway.stores.records import Entry

_KINDS: dict[str, type[Loose]] = {"entry": Entry, "event": EventEntry, "settle": Settle, "unjournaled": Unjournaled}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_ENCODER = msgspec.msgpack.Encoder()


def encode(item: Loose) -> bytes:
    return _ENCODER.encode((_NAMES[type(item)], item))


def decode(data: bytes) -> Loose:
    """Raises msgspec.DecodeError, KeyError."""
    name, raw = msgspec.msgpack.decode(data, type=tuple[str, msgspec.Raw])
    return msgspec.msgpack.decode(raw, type=_KINDS[name])

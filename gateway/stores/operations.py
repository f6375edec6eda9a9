"""What a store is asked to write, and how each request ends: the same for every backend."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from gateway.model import LeadState, new_id
from gateway.stores.canonical import event_parts
from gateway.stores.errors import IllegalTransition, StoreError, UnknownLead
from gateway.stores.keys import HASH, Key, KeyRing
from gateway.stores.leads import TRANSITIONS, NewLead
from gateway.stores.records import Entry

TOKEN_BYTES = 16
OPERATOR = "operator"
"""Writer of the command line: may write beside a running gateway, and so takes no lock and does no recovery."""


class EventEntry(msgspec.Struct, frozen=True, gc=False):
    """An event ready to be chained."""

    id: str
    parts: tuple[bytes, ...]
    record: str
    at: int
    event: str


class LeadRow(msgspec.Struct, frozen=True, gc=False):
    """A sealed lead. pieces: (number, sealed bytes) that are not stored yet."""

    lead: NewLead
    key_id: str
    salt: bytes
    head: bytes
    length: int
    chunks: int
    pieces: tuple[tuple[int, bytes], ...]


class Pieces(msgspec.Struct, frozen=True, gc=False):
    """Pieces of a long body that is still arriving."""

    lead_id: str
    pieces: tuple[tuple[int, bytes], ...]


class Unjournaled(msgspec.Struct, frozen=True, gc=False):
    lead_id: str


class Settle(msgspec.Struct, frozen=True, gc=False):
    """A change of a lead's state and the event that tells of it."""

    lead_id: str
    state: LeadState
    note: str
    at: int
    event: EventEntry


Change = LeadRow | Pieces | Unjournaled | Settle
Item = Entry | EventEntry
"""What becomes a link of the writer's chain."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of an operation: its value, or why it could not be made (nothing of it was written then)."""

    value: object = None
    error: StoreError | None = None


class Duplicate(Exception):
    """An id is there already: the batch is to be tried again, with a look at which."""


def make_event(record_id: str, event: str, data: Mapping[str, object], at: int) -> EventEntry:
    """Raises Unencodable."""
    event_id = new_id()
    return EventEntry(event_id, event_parts(event_id, record_id, at, event, data), record_id, at, event)


def blind_token(key: Key, term: str) -> bytes:
    """The keyed hash by which a personal value can be looked up."""
    return token(key.derive("blind"), term)


def blind_key(keys: KeyRing) -> bytes:
    """The key that new tokens are made with."""
    return keys.current(HASH).derive("blind")


def token(key: bytes, term: str) -> bytes:
    keyed = _keyed(key).copy()
    keyed.update(term.encode("utf-8", "replace"))
    return keyed.digest()[:TOKEN_BYTES]


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> hmac.HMAC:
    """HMAC-SHA256 with its key worked in, to be copied. `hmac.digest` would hand the interpreter to another thread each time, which costs a
    writer's thread more than the hash."""
    return hmac.new(key, digestmod="sha256")


def check_transition(states: Mapping[str, LeadState], lead_id: str, wanted: LeadState) -> None:
    """Raises UnknownLead, IllegalTransition."""
    state = states.get(lead_id)
    if state is None:
        raise UnknownLead(lead_id)
    if wanted != state and wanted not in TRANSITIONS[state]:
        raise IllegalTransition(lead_id, state.value, wanted.value, tuple(item.value for item in TRANSITIONS[state]))

"""What is carried from one store to another, byte for byte: chains stay whole, sealed bodies stay sealed, nothing is judged or hashed again.

A spool is drained this way, and a store is copied this way. Taking in a batch twice is the same as taking it in once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.stores.operations import EventEntry, Settle, Unjournaled
from gateway.stores.records import Columns, Entry


class CarriedPersonal(msgspec.Struct, frozen=True, gc=False):
    """One group of personal values as it is stored. tokens: keyed hashes it can be looked up by, 16 bytes each, one behind the other."""

    group: str
    salt: bytes
    tokens: bytes
    value: bytes


class CarriedEntry(msgspec.Struct, frozen=True, gc=False):
    """One link of a writer's chain.

    n        its number in the store it comes from: the order in which it was written there
    columns  the index over it, where it is a record
    about    (record, at, event), where it is an event
    """

    n: int
    type: str
    id: str
    writer: str
    seq: int
    hash: str
    body: bytes
    columns: Columns | None = None
    about: tuple[str, int, str] | None = None
    personal: tuple[CarriedPersonal, ...] = ()


class CarriedLead(msgspec.Struct, frozen=True, gc=False):
    """A lead as it is stored: head and pieces encrypted (None: erased); `pieces` are (number, sealed bytes)."""

    id: str
    site: str
    form: str
    received_at: int
    state: str
    state_at: int
    note: str
    scheme: str
    content_type: str
    destination: str
    origin: str
    success: bytes
    length: int
    chunks: int
    key_id: str
    salt: bytes
    head: bytes | None
    pieces: tuple[tuple[int, bytes], ...] = ()


class CarriedJob(msgspec.Struct, frozen=True, gc=False):
    """A release that somebody asked for."""

    lead: str
    by: str
    requested_at: int
    due_at: int
    attempt: int
    leased_until: int | None
    outcome: str | None


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What is carried at once. keys: (purpose, id) of keys that the rows need; generations: (digest, at, content)."""

    entries: tuple[CarriedEntry, ...] = ()
    leads: tuple[CarriedLead, ...] = ()
    jobs: tuple[CarriedJob, ...] = ()
    generations: tuple[tuple[str, int, bytes], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    unjournaled: int = 0


class Absorbs(Protocol):
    """A store that can take in what another one wrote."""

    async def absorb(self, batch: Batch) -> None:
        """Take in a batch, in one transaction; what is there already (by id) is left as it is, but for the state of a lead that was changed there
        later, or is only guessed here ("delivery unknown"). Counts leads that are new as received. Raises StoreUnavailable, StoreCorrupt where
        an id is there with another hash."""


Loose = Entry | EventEntry | Settle | Unjournaled
"""What a store was given and has not written: no link of a chain yet. Each has an id of its own (that of the entry, of the event, of the lead), so
that giving it in twice is the same as once."""


class HandsOver(Protocol):
    """A store whose queue can be kept elsewhere while it is away."""

    def hand_over(self) -> list[Loose]:
        """Give up, in order, all that nobody waits for and that is not known to be committed: also what stood in a commit whose end is unknown."""

    async def take_back(self, items: Sequence[Loose]) -> None:
        """Write them in order; durable when it returns. An entry or event whose id is there already is left out; a change of state that is
        impossible by now is counted as unsettled. Raises StoreUnavailable; then some may be written."""

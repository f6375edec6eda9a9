"""Leads as the store takes them in and gives them out, and how their state may change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec

from gateway.model import Label, LeadState

P, H, D, R, F, X, E = (
    LeadState.PENDING,
    LeadState.HELD,
    LeadState.DELIVERED,
    LeadState.REJECTED,
    LeadState.REFUSED,
    LeadState.EXPIRED,
    LeadState.ERASED,
)
TRANSITIONS: Mapping[LeadState, tuple[LeadState, ...]] = {
    P: (H, D, R, F),
    H: (D, R, F, X, E),
    D: (E,),
    R: (H, D, X, E),  # a reviewer may think again
    F: (H, X, E),  # the origin's validation may have been wrong
    X: (E,),
    E: (),
}
"""The legal changes of a lead's state. Staying in a state is always legal (it adds the event, nothing else)."""


class NewLead(msgspec.Struct, frozen=True):
    """A submission before anything was decided. `head`, `peer` and `client` are encrypted at rest, as is the body.

    head          raw request head as received, with its final empty line
    peer          socket address of the visitor's connection, "address:port"
    client        the client's address as resolved then, or None
    scheme        "http" or "https", as the visitor came
    content_type  for listing; not personal
    destination   where it goes: "origin"
    origin        URL of the origin at that time
    success       JSON: how the origin says that it took the lead
    """

    id: str
    site: str
    form: str
    received_at: int
    head: bytes
    peer: str
    client: str | None = None
    scheme: str = "http"
    content_type: str = ""
    destination: str = "origin"
    origin: str = ""
    success: bytes = b"{}"


class StoredLead(msgspec.Struct, frozen=True):
    """A lead without its personal values. `note` says in words what is special about its state ("delivery unknown",
    "the origin answered 403").
    """

    id: str
    site: str
    form: str
    received_at: int
    state: LeadState
    state_at: int
    note: str
    scheme: str
    content_type: str
    destination: str
    origin: str
    success: bytes
    length: int
    releasing: bool


class LeadBody(msgspec.Struct, frozen=True):
    """What the visitor sent, decrypted. `chunks` reads the body piece by piece (at most 256 KiB each) and can be run
    through once.
    """

    lead: StoredLead
    head: bytes
    peer: str
    client: str | None
    chunks: AsyncIterator[bytes]

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks])


class ReleaseJob(msgspec.Struct, frozen=True):
    """A held lead that a person released. by: who; attempt: 1 for the first try; leased_until: after that its outcome
    counts as unknown.
    """

    id: int
    lead_id: str
    by: str
    attempt: int
    leased_until: int


class LeadFilter(msgspec.Struct, frozen=True):
    """Which leads. `since` inclusive, `until` exclusive, by the time of receipt; `label`: one that is in effect from
    any source.
    """

    state: LeadState | None = None
    site: str | None = None
    form: str | None = None
    since: int | None = None
    until: int | None = None
    label: Label | None = None


class LeadPage(msgspec.Struct, frozen=True):
    """Newest first. `next_cursor` is None on the last page."""

    items: tuple[StoredLead, ...]
    next_cursor: str | None


class Conservation(msgspec.Struct, frozen=True):
    """Is every submission accounted for?

    received     submissions that were journaled, counted on their own when they came
    by_state     leads in each state, counted now
    unjournaled  submissions that were passed on although the store could not commit: outside the promise, and counted
    holds        received = sum over states
    """

    received: int
    by_state: dict[str, int]
    unjournaled: int
    holds: bool

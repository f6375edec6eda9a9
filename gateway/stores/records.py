"""The system of record: its interface and the types that go in and come out. Every backend has the same interface and
passes the same tests.

What is written is either awaited (a lead, a change of its state: durable when the call returns) or queued for the
next group commit (records,
events: off the request path, bounded, what finds no room is counted). Records and events are immutable canonical
bytes, chained per writer; all other
columns are an index over them. Times are integer UTC microseconds, ids UUIDv7 text.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.model import LeadState
from gateway.stores.leads import Conservation, LeadBody, LeadFilter, LeadPage, NewLead, ReleaseJob, StoredLead

if TYPE_CHECKING:  # they are made of what stands here
    from gateway.stores.labels import EventPage, LabelPage, NewLabel

PERSONAL_GROUPS = ("network", "browser", "person")
"""The three groups of personal values, each erasable and disclosable by itself."""

FIRST_PREV = "0" * 64
"""prev_hash of a writer's first entry (seq 1)."""


class Personal(msgspec.Struct, frozen=True, gc=False):
    """One group of personal values of one record.

    value   canonical JSON of the group; the record holds SHA-256(salt ‖ value)
    salt    16 random bytes
    terms   what the group can be looked up by ("address:203.0.113.5", "email:…", "phone:…"); the store keeps keyed
            hashes of them only
    """

    group: str
    salt: bytes
    value: bytes
    terms: tuple[str, ...] = ()


class Columns(msgspec.Struct, frozen=True, gc=False):
    """The index over a record: nothing here that its canonical bytes do not say.

    search   lower-case text that `q` looks in: path, campaign values, signal ids, country, organisation
    """

    at: int
    kind: str
    site: str
    form: str | None
    verdict: str
    ivt: str
    category: str | None
    quality: int
    source: str
    asn: int | None
    country: str | None
    search: str


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record ready to be chained: canonical bytes in three parts, between which the writer puts prev_hash, seq and
    its name (see canonical.seal).

    Made by gateway.evidence.record.build.
    """

    id: str
    parts: tuple[bytes, bytes, bytes]
    columns: Columns
    personal: tuple[Personal, ...] = ()


class StoredEntry(msgspec.Struct, frozen=True):
    """One link of a writer's chain, as it was written.

    type      "record" or "event"
    body      canonical bytes
    hash      SHA-256(body), hexadecimal
    personal  the groups that are still there, by name; empty for events
    """

    type: str
    id: str
    writer: str
    seq: int
    hash: str
    body: bytes
    personal: dict[str, Personal] = {}


class StoredEvent(msgspec.Struct, frozen=True):
    """What was learned of a record after it was written."""

    id: str
    record: str
    at: int
    event: str
    data: dict[str, object]
    writer: str
    seq: int
    hash: str


class RecordFilter(msgspec.Struct, frozen=True):
    """Which records. `since` inclusive, `until` exclusive; `q` is a part of the path, a campaign value, a signal id,
    the country or the organisation,
    or exactly an address."""

    kind: str | None = None
    verdict: str | None = None
    ivt: str | None = None
    site: str | None = None
    q: str | None = None
    since: int | None = None
    until: int | None = None
    source: str | None = None


class RecordPage(msgspec.Struct, frozen=True):
    """Newest first. `next_cursor` is None on the last page."""

    items: tuple[StoredEntry, ...]
    next_cursor: str | None


class StoreStats(msgspec.Struct, frozen=True):
    """Counters since the start, for metrics.

    queued       waits for the next commit now
    dropped      records and events that found no room
    failed       commits that failed
    unsettled    queued changes of a lead's state that turned out to be impossible
    """

    queued: int
    committed: int
    commits: int
    dropped: int
    failed: int
    unsettled: int
    unjournaled: int


class Store(Protocol):
    """A system of record. Reads see what is committed."""

    async def journal(self, lead: NewLead, body: bytes | AsyncIterable[bytes]) -> None:
        """Store a submission as `pending`; durable when it returns. Raises StoreUnavailable; then nothing of it
        stays. If the caller stops waiting, it may still be stored: tell `unjournaled` then, which counts it only if it
        was not.
        """

    def unjournaled(self, lead_id: str) -> None:
        """Count a submission that was passed on without being stored; the count is kept in memory until the store can
        commit.
        """

    def record(self, entry: Entry) -> bool:
        """Queue a record for the next group commit. False, and counted, where the queue is full. A record whose id is
        there already is not added again.
        """

    def event(self, record_id: str, event: str, data: Mapping[str, object]) -> bool:
        """Queue an event about a record. No personal values, no floats. False, and counted, where the queue is full."""

    async def add(self, entries: Sequence[Entry]) -> None:
        """Queue many records, waiting for room (replay). Raises StoreUnavailable where the store cannot commit."""

    async def label(self, record_id: str, label: NewLabel) -> bool:
        """Say what a record or lead was; durable when it returns. False where the same was said before, and nothing
        is added. Raises UnknownRecord, StoreUnavailable.
        """

    async def settle(
        self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str = ""
    ) -> None:
        """Change a lead's state, with its event, in one transaction; durable when it returns. Raises UnknownLead,
        IllegalTransition, StoreUnavailable.
        """

    def settle_soon(
        self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str = ""
    ) -> None:
        """The same without waiting; kept and tried again while the store cannot commit; what turns out to be
        impossible is counted.
        """

    async def flush(self) -> None:
        """Return when all that was queued before is durable. Raises StoreUnavailable where the store cannot commit."""

    async def close(self) -> None:
        """Commit what is queued, then close."""

    @property
    def healthy(self) -> bool:
        """Did the last commit succeed?"""

    @property
    def trouble(self) -> str | None:
        """Why the last commit failed, for the operator; None when healthy."""

    @property
    def lag(self) -> int:
        """How many records, events and changes wait for a commit."""

    def stats(self) -> StoreStats: ...

    async def known(self, record_ids: Sequence[str]) -> set[str]:
        """Which of these records are there already (replay)."""

    async def get_record(self, record_id: str) -> StoredEntry | None: ...

    async def records(self, where: RecordFilter, limit: int = 50, cursor: str | None = None) -> RecordPage:
        """Raises BadCursor."""

    async def events(self, record_id: str) -> tuple[StoredEvent, ...]:
        """Oldest first."""

    async def noted(
        self,
        names: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> EventPage:
        """Events of these names, of all records whose time is in [since, until), in bounded pages. Raises BadCursor."""

    async def labels(
        self, since: int | None = None, until: int | None = None, cursor: str | None = None, limit: int = 1000
    ) -> LabelPage:
        """All labels of the records whose time is in [since, until): for learning, in bounded pages; see `in_effect`
        for which of them count. Raises BadCursor.
        """

    async def find(self, term: str, limit: int = 10) -> tuple[str, ...]:
        """Ids of the records with a personal value, newest first: "email:…" in lower case, "phone:" and digits,
        "address:…". Those whose values were erased are not found.
        """

    async def entries(self, writer: str, after: int = 0, limit: int = 1000) -> tuple[StoredEntry, ...]:
        """A writer's chain by seq, from `after` on, for verification and exports."""

    async def writers(self) -> dict[str, tuple[int, str]]:
        """Who wrote: seq and hash of each writer's last entry."""

    async def lead(self, lead_id: str) -> StoredLead | None: ...

    async def leads(self, where: LeadFilter, limit: int = 50, cursor: str | None = None) -> LeadPage:
        """Raises BadCursor."""

    async def lead_body(self, lead_id: str) -> LeadBody | None:
        """None where the lead is unknown or erased."""

    async def conservation(self) -> Conservation: ...

    async def oldest(self, state: LeadState) -> int | None:
        """When the longest-waiting lead in this state was received; None where there is none."""

    async def put_generation(self, digest: str, content: bytes) -> None:
        """Store a generation's content once."""

    async def generation(self, digest: str) -> bytes | None: ...

    async def take_turn(self, name: str, now: int, every: int) -> bool:
        """True for one caller in `every` microseconds: work that only one of many gateways may do, such as mail to the
        reviewer. Raises StoreUnavailable.
        """

    async def enqueue_release(self, lead_id: str, by: str) -> None:
        """Ask for a held, rejected or refused lead to be sent (it is `held` meanwhile). Asking twice is one job.
        Raises UnknownLead, IllegalTransition, StoreUnavailable.
        """

    async def claim_release(self, now: int) -> ReleaseJob | None:
        """The next job that is due, leased. A job whose lease ran out without a result is closed as "delivery
        unknown": its lead stays held and is not
        sent again unless a person asks again."""

    async def release_result(
        self, job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None = None
    ) -> None:
        """What became of a release. Not delivered: the lead stays held with `detail` shown; with `retry_at` the job
        is tried again then (only where the
        origin cannot have seen it). `detail` holds no personal values."""

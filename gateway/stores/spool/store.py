"""A shared store with a spool: while the shared one is away, what visitors send is made durable in a local file and given to it when it is back.

    up and nothing spooled     all goes to the shared store
    away                       leads, records, events and changes go to the spool; reading raises StoreUnavailable; releases rest
    up and something spooled   what is new goes to the shared store; the spool is emptied in the background, step by step

Where a change of a lead belongs is decided where both could be meant, in the spool's own transaction: is the lead here, it is changed here; if not, the
change is kept and given to the shared store, which has the lead.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from gateway.model import LeadState, now_us
from gateway.stores.errors import StoreUnavailable, UnknownLead, UnknownRecord
from gateway.stores.keys import KeyRing
from gateway.stores.labels import EventPage, LabelPage, NewLabel
from gateway.stores.leads import Conservation, LeadBody, LeadFilter, LeadPage, NewLead, ReleaseJob, StoredLead
from gateway.stores.operations import Settle, make_event
from gateway.stores.records import Entry, RecordFilter, RecordPage, StoredEntry, StoredEvent, StoreStats
from gateway.stores.spool.draining import Primary
from gateway.stores.spool.file import open_spool
from gateway.stores.spool.keeper import Keeper, SpoolSettings
from gateway.stores.sqlite.store import SqliteSettings

_REMEMBERED = 10_000
"""Leads known to be in the shared store and on their way: more than a gateway has at once; of those forgotten the spool finds out."""


class SpooledStore:
    """See gateway.stores.records.Store for what the methods promise."""

    def __init__(self, keeper: Keeper, clock: Callable[[], int]) -> None:
        self._keeper, self._clock = keeper, clock
        self._spool = keeper.spool
        self._there: dict[str, None] = {}  # leads that the shared store took, whose end is not known yet
        self.on_spooled: Callable[[str], None] = lambda site: None
        """Told the site of each submission that was made durable in the spool."""

    @classmethod
    async def open(
        cls,
        connect: Callable[[], Awaitable[Primary]],
        directory: Path,
        keys: KeyRing,
        *,
        writer: str,
        settings: SpoolSettings | None = None,
        clock: Callable[[], int] = now_us,
    ) -> SpooledStore:
        """connect: opens the shared store; tried once here for a moment, and from then on in the background until it succeeds. Raises StoreUnopenable
        where the spool, or a shared store that answers, cannot be used."""
        settings = settings or SpoolSettings()
        opened = await asyncio.to_thread(
            open_spool, directory, writer, keys, settings=SqliteSettings(queue=settings.queue), clock=clock
        )
        keeper = Keeper(connect, opened, directory, keys, settings, clock)
        try:
            await keeper.start()
        except BaseException:
            await opened.close()
            raise
        return cls(keeper, clock)

    # Writing.

    async def journal(self, lead: NewLead, body: bytes | AsyncIterable[bytes]) -> None:
        primary = self._keeper.up
        if primary is not None:
            again = body if isinstance(body, bytes) else _Replayed(body)
            try:
                await primary.journal(lead, again)
            except StoreUnavailable as error:
                self._keeper.failed(error.reason)
                body = again
            else:
                self._there[lead.id] = None
                if len(self._there) > _REMEMBERED:
                    del self._there[next(iter(self._there))]
                return
        self._keeper.touch()
        try:
            await self._spool.journal(lead, body)
        finally:
            self._keeper.touch()
        self.on_spooled(lead.site)

    def unjournaled(self, lead_id: str) -> None:
        primary = self._keeper.up
        if primary is not None:
            primary.unjournaled(lead_id)
        else:
            self._keeper.touch()
            self._spool.unjournaled(lead_id)

    def record(self, entry: Entry) -> bool:
        primary = self._keeper.up
        if primary is not None:
            return primary.record(entry)
        return self._keeper.room_for_records() and self._spool.record(entry)

    def event(self, record_id: str, event: str, data: Mapping[str, object]) -> bool:
        primary = self._keeper.up
        if primary is not None:
            return primary.event(record_id, event, data)
        return self._keeper.room_for_records() and self._spool.event(record_id, event, data)

    async def add(self, entries: Sequence[Entry]) -> None:
        await self._keeper.there().add(entries)

    def _item(self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str) -> Settle:
        now = self._clock()
        return Settle(lead_id, state, note, now, make_event(lead_id, event, data, now))

    async def label(self, record_id: str, label: NewLabel) -> bool:
        """Not spooled: whether the record exists can only be said by the shared store, and whoever labels can wait."""
        primary = self._keeper.there()
        try:
            return await primary.label(record_id, label)
        except UnknownRecord:
            if await self._spool.lead(record_id) is None and await self._spool.get_record(record_id) is None:
                raise
            raise StoreUnavailable(
                f"record {record_id} is on its way from the spool to PostgreSQL: try again in a moment"
            ) from None

    async def settle(
        self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str = ""
    ) -> None:
        if self._keeper.used:
            self._keeper.touch()
            if await self._spool.settle_here(self._item(lead_id, state, event, data, note)):
                return
        await self._keeper.there().settle(lead_id, state, event, data, note)

    def settle_soon(
        self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str = ""
    ) -> None:
        primary, there = self._keeper.up, self._there.pop(lead_id, self) is None
        if primary is not None and (there or not self._keeper.used):
            primary.settle_soon(lead_id, state, event, data, note)
        else:
            self._keeper.touch()
            self._spool.settle_here_or_keep(self._item(lead_id, state, event, data, note))

    async def flush(self) -> None:
        primary = self._keeper.up
        if primary is not None:
            await primary.flush()
        if self._keeper.used:
            await self._spool.flush()

    async def close(self) -> None:
        await self._keeper.close()

    async def put_generation(self, digest: str, content: bytes) -> None:
        primary = self._keeper.up
        if primary is not None:
            try:
                await primary.put_generation(digest, content)
            except StoreUnavailable as error:
                self._keeper.failed(error.reason)
            else:
                return
        self._keeper.touch()
        await self._spool.put_generation(digest, content)

    async def take_turn(self, name: str, now: int, every: int) -> bool:
        return await self._keeper.there().take_turn(name, now, every)

    async def enqueue_release(self, lead_id: str, by: str) -> None:
        primary = self._keeper.there()
        try:
            await primary.enqueue_release(lead_id, by)
        except UnknownLead:
            if await self._spool.lead(lead_id) is None:
                raise
            raise StoreUnavailable(
                f"lead {lead_id} is on its way from the spool to PostgreSQL: try again in a moment"
            ) from None

    async def claim_release(self, now: int) -> ReleaseJob | None:
        """None while the shared store is away: releases rest."""
        primary = self._keeper.up
        return None if primary is None else await primary.claim_release(now)

    async def release_result(
        self, job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None = None
    ) -> None:
        await self._keeper.there().release_result(job, delivered, status, detail, retry_at)

    # How it does.

    @property
    def healthy(self) -> bool:
        """Is the shared store there? While it is not, `spooling` says whether visitors notice."""
        return self._keeper.up is not None

    @property
    def spooling(self) -> bool:
        """Is what comes made durable although `trouble` tells of something?"""
        return self._keeper.blocked if self._keeper.up is not None else self._spool.healthy

    @property
    def trouble(self) -> str | None:
        return self._keeper.trouble()

    @property
    def waiting(self) -> int:
        """How many leads, records, events and changes wait in spools, as last looked."""
        return self._keeper.waiting()

    @property
    def lag(self) -> int:
        """With what waits in spools."""
        return self._keeper.lag()

    def stats(self) -> StoreStats:
        return self._keeper.stats()

    # Reading.

    async def known(self, record_ids: Sequence[str]) -> set[str]:
        return await self._keeper.there().known(record_ids)

    async def get_record(self, record_id: str) -> StoredEntry | None:
        found = await self._keeper.there().get_record(record_id)
        return await self._spool.get_record(record_id) if found is None and self._keeper.used else found

    async def records(self, where: RecordFilter, limit: int = 50, cursor: str | None = None) -> RecordPage:
        return await self._keeper.there().records(where, limit, cursor)

    async def events(self, record_id: str) -> tuple[StoredEvent, ...]:
        return await self._keeper.there().events(record_id)

    async def noted(
        self,
        names: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> EventPage:
        return await self._keeper.there().noted(names, since, until, limit, cursor)

    async def labels(
        self, since: int | None = None, until: int | None = None, cursor: str | None = None, limit: int = 1000
    ) -> LabelPage:
        return await self._keeper.there().labels(since, until, cursor, limit)

    async def find(self, term: str, limit: int = 10) -> tuple[str, ...]:
        return await self._keeper.there().find(term, limit)

    async def entries(self, writer: str, after: int = 0, limit: int = 1000) -> tuple[StoredEntry, ...]:
        return await self._keeper.there().entries(writer, after, limit)

    async def writers(self) -> dict[str, tuple[int, str]]:
        return await self._keeper.there().writers()

    async def lead(self, lead_id: str) -> StoredLead | None:
        found = await self._keeper.there().lead(lead_id)
        return await self._spool.lead(lead_id) if found is None and self._keeper.used else found

    async def leads(self, where: LeadFilter, limit: int = 50, cursor: str | None = None) -> LeadPage:
        return await self._keeper.there().leads(where, limit, cursor)

    async def lead_body(self, lead_id: str) -> LeadBody | None:
        found = await self._keeper.there().lead_body(lead_id)
        return await self._spool.lead_body(lead_id) if found is None and self._keeper.used else found

    async def conservation(self) -> Conservation:
        """With what is in spools; never while something is between the two."""
        async with self._keeper.moving:
            parts = [await self._keeper.there().conservation()]
            parts += [await spool.conservation() for spool in self._keeper.spools]
        by_state = {state: sum(part.by_state.get(state, 0) for part in parts) for state in parts[0].by_state}
        return Conservation(
            sum(part.received for part in parts),
            by_state,
            sum(part.unjournaled for part in parts),
            all(part.holds for part in parts),
        )

    async def oldest(self, state: LeadState) -> int | None:
        async with self._keeper.moving:
            found = [await self._keeper.there().oldest(state)]
            found += [await spool.oldest(state) for spool in self._keeper.spools]
        return min((at for at in found if at is not None), default=None)

    async def generation(self, digest: str) -> bytes | None:
        return await self._keeper.there().generation(digest)


class _Replayed:
    """A body that arrives in pieces, for a second store after a first one has read some of them. Holds what was read: at most the body."""

    def __init__(self, body: AsyncIterable[bytes]) -> None:
        self._rest = body.__aiter__()
        self._read: list[bytes] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in tuple(self._read):
            yield piece
        with contextlib.suppress(StopAsyncIteration):
            while True:
                piece = await anext(self._rest)
                self._read.append(piece)
                yield piece

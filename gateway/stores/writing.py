"""The half of a store that writes: the same for every backend, because each has a queue and commits what waits in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import Any

from gateway.model import LeadState
from gateway.stores.errors import StoreUnavailable
from gateway.stores.group_commit import CommitQueue
from gateway.stores.keys import SEAL, KeyRing
from gateway.stores.labels import EVENT as LABEL
from gateway.stores.labels import EventPage, LabelPage, labels_in
from gateway.stores.leads import NewLead
from gateway.stores.operations import EventEntry, LeadRow, Pieces, Settle, Unjournaled, make_event
from gateway.stores.records import Entry, StoreStats
from gateway.stores.sealing import CHUNK_BYTES, Sealer, even


class WritingStore(ABC):
    """See gateway.stores.records.Store for what the methods promise. writer: the name of its chain."""

    _writer: CommitQueue[Any]

    def __init__(self, keys: KeyRing, queue: CommitQueue[Any], name: str, clock: Callable[[], int]) -> None:
        self._keys, self._writer, self.writer, self._clock = keys, queue, name, clock

    @abstractmethod
    def _forget_pieces(self, lead_id: str) -> object:
        """The operation that drops pieces of a body whose lead was never stored."""

    async def journal(self, lead: NewLead, body: bytes | AsyncIterable[bytes]) -> None:
        sealer = Sealer(self._keys.current(SEAL), lead.id)
        if isinstance(body, bytes):
            parts = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
            pieces = [(number, sealer.chunk(number, part)) for number, part in enumerate(parts, 1)]
            await self._journal(sealer, lead, len(body), len(parts), pieces)
            return
        stored = False
        try:
            length = number = 0
            async for part in even(body):
                length, number = length + len(part), number + 1
                await self._writer.do(Pieces(lead.id, ((number, sealer.chunk(number, part)),)), len(part))
            await self._journal(sealer, lead, length, number, [])
            stored = True
        finally:
            if not stored and number:
                self._writer.do_soon(self._forget_pieces(lead.id))

    async def _journal(
        self, sealer: Sealer, lead: NewLead, length: int, chunks: int, pieces: list[tuple[int, bytes]]
    ) -> None:
        head = sealer.head(lead, length, chunks)
        row = LeadRow(lead, sealer.key_id, sealer.salt, head, length, chunks, tuple(pieces))
        await self._writer.do(row, length + len(head))

    def unjournaled(self, lead_id: str) -> None:
        self._writer.counters.unjournaled += 1
        self._writer.do_soon(Unjournaled(lead_id))

    def record(self, entry: Entry) -> bool:
        return self._writer.put(entry)

    def event(self, record_id: str, event: str, data: Mapping[str, object]) -> bool:
        return self._writer.put(self._event(record_id, event, data))

    def _event(self, record_id: str, event: str, data: Mapping[str, object]) -> EventEntry:
        return make_event(record_id, event, data, self._clock())

    async def add(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if not self._writer.has_room():
                await self.flush()
            if not self._writer.put(entry):
                raise StoreUnavailable("the store is closing")
        if self._writer.trouble is not None:
            raise StoreUnavailable(self._writer.trouble)

    async def settle(
        self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str = ""
    ) -> None:
        await self._writer.do(self._settle(lead_id, state, event, data, note))

    def settle_soon(
        self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str = ""
    ) -> None:
        self._writer.do_soon(self._settle(lead_id, state, event, data, note))

    def _settle(self, lead_id: str, state: LeadState, event: str, data: Mapping[str, object], note: str) -> Settle:
        return Settle(lead_id, state, note, self._clock(), self._event(lead_id, event, data))

    @abstractmethod
    async def noted(
        self,
        names: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> EventPage: ...

    async def labels(
        self, since: int | None = None, until: int | None = None, cursor: str | None = None, limit: int = 1000
    ) -> LabelPage:
        page = await self.noted((LABEL,), since, until, limit, cursor)
        return LabelPage(labels_in(page.items), page.next_cursor)

    async def flush(self) -> None:
        await self._writer.flush()

    # How it does.

    @property
    def healthy(self) -> bool:
        return self._writer.trouble is None

    @property
    def trouble(self) -> str | None:
        return self._writer.trouble

    @property
    def lag(self) -> int:
        return self._writer.lag

    def stats(self) -> StoreStats:
        c = self._writer.counters
        return StoreStats(self.lag, c.committed, c.commits, c.dropped, c.failed, c.unsettled, c.unjournaled)

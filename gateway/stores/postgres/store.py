"""The system of record in PostgreSQL, shared by many gateways: durable leads, chained records.

All in the event loop: one connection that writes, a few that read. Made and closed in the loop that uses it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import cast

from gateway.model import LeadState, now_us
from gateway.stores.carry.carried import Batch, Loose
from gateway.stores.errors import StoreUnavailable
from gateway.stores.keys import SEAL, KeyRing
from gateway.stores.leads import Conservation, LeadBody, LeadFilter, LeadPage, NewLead, ReleaseJob, StoredLead
from gateway.stores.operations import (
    OPERATOR,
    EventEntry,
    LeadRow,
    Pieces,
    Settle,
    Unjournaled,
    make_event,
)
from gateway.stores.postgres import lists, outbox, reads
from gateway.stores.postgres.absorb import Absorb, TakeBack
from gateway.stores.postgres.commit import Operation, Transaction
from gateway.stores.postgres.connect import Readers, connect
from gateway.stores.postgres.errors import FAILURES, unopenable
from gateway.stores.postgres.opening import opened, used_keys
from gateway.stores.postgres.recovery import MakeDays, Sweep, drop_pieces
from gateway.stores.postgres.settings import PostgresSettings
from gateway.stores.postgres.writer import Writer
from gateway.stores.records import Entry, RecordFilter, RecordPage, StoredEntry, StoredEvent, StoreStats
from gateway.stores.sealing import CHUNK_BYTES, Damaged, Sealer, even

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CARRY_S = 5.0
"""How long a batch of another store may take: no visitor waits for it, though his commit may."""
_BACK_AT_ONCE = 200


class PostgresStore:
    """See gateway.stores.records.Store for what the methods promise; also Absorbs and HandsOver (stores.carried)."""

    def __init__(
        self, settings: PostgresSettings, keys: KeyRing, writer: Writer, name: str, clock: Callable[[], int]
    ) -> None:
        self._settings, self._keys, self._writer, self.writer, self._clock = settings, keys, writer, name, clock
        self._readers = Readers(settings)
        self._closed = False

    @classmethod
    async def open(
        cls,
        settings: PostgresSettings,
        keys: KeyRing,
        *,
        writer: str = "gateway-0",
        clock: Callable[[], int] = now_us,
    ) -> PostgresStore:
        """Open the store, making the tables in an empty database (not for the operator), and recover what a crash of
        this writer left: its pending leads become held, "delivery unknown". Raises StoreUnopenable; StoreUnreachable
        where trying again may help.
        """
        if not _NAME.fullmatch(writer):
            raise ValueError(f"a writer's name is made of a-z, 0-9 and -, not {writer!r}")
        connection, head, days = await opened(settings, keys, writer, clock, recover=writer != OPERATOR)

        def chores(well_for: float) -> Sequence[Operation]:
            if writer == OPERATOR:
                return ()
            days_ahead = MakeDays(days, now_us())
            # After trouble the others need time to say that they live.
            if well_for < 3 * settings.heartbeat_s:
                return (days_ahead,)
            return (days_ahead, Sweep(settings.dead_after_s, clock))

        task = Writer(settings, writer, keys, connection, head, days, chores)
        store = cls(settings, keys, task, writer, clock)
        task.start()
        return store

    @staticmethod
    async def keys_used(settings: PostgresSettings) -> frozenset[tuple[str, str]]:
        """(purpose, id) of every key the store has used; none where there is no store yet. For KeyRing.open. Raises
        StoreUnopenable.
        """
        connection = await connect(settings)
        try:
            async with asyncio.timeout(settings.read_s):
                return await used_keys(connection)
        except FAILURES as error:
            raise unopenable(settings, error) from error
        finally:
            connection.terminate()

    # Writing.

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
                self._writer.do_soon(partial(drop_pieces, leads=[lead.id]))

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

    async def flush(self) -> None:
        await self._writer.flush()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        self._readers.close()

    async def put_generation(self, digest: str, content: bytes) -> None:
        await self._writer.do(partial(_put_generation, digest=digest, content=content, at=self._clock()))

    async def take_turn(self, name: str, now: int, every: int) -> bool:
        return bool(await self._writer.do(partial(_take_turn, name=name, now=now, every=every)))

    async def enqueue_release(self, lead_id: str, by: str) -> None:
        await self._writer.do(outbox.enqueue(lead_id, by, self._clock(), self._event))

    async def claim_release(self, now: int) -> ReleaseJob | None:
        return cast(
            "ReleaseJob | None",
            await self._writer.do(outbox.claim(now, self._settings.lease_s * 1_000_000, self._event)),
        )

    async def release_result(
        self, job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None = None
    ) -> None:
        await self._writer.do(outbox.result(job, delivered, status, detail, retry_at, self._clock(), self._event))

    # What other stores give and take.

    async def absorb(self, batch: Batch) -> None:
        await self._writer.do(Absorb(batch, self._settings.place, self._clock()), seconds=_CARRY_S)

    def hand_over(self) -> list[Loose]:
        return self._writer.hand_over()

    async def take_back(self, items: Sequence[Loose]) -> None:
        for start in range(0, len(items), _BACK_AT_ONCE):
            part = TakeBack(tuple(items[start : start + _BACK_AT_ONCE]))
            self._writer.counters.unsettled += cast("int", await self._writer.do(part, seconds=_CARRY_S))

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

    # Reading.

    async def known(self, record_ids: Sequence[str]) -> set[str]:
        return await self._readers.run(reads.known, record_ids)

    async def get_record(self, record_id: str) -> StoredEntry | None:
        return await self._readers.run(reads.entry_by_id, record_id)

    async def records(self, where: RecordFilter, limit: int = 50, cursor: str | None = None) -> RecordPage:
        return await self._readers.run(lists.record_page, self._keys, where, limit, cursor)

    async def events(self, record_id: str) -> tuple[StoredEvent, ...]:
        return await self._readers.run(reads.events_of, record_id)

    async def entries(self, writer: str, after: int = 0, limit: int = 1000) -> tuple[StoredEntry, ...]:
        return await self._readers.run(reads.chain_of, writer, after, limit)

    async def writers(self) -> dict[str, tuple[int, str]]:
        return await self._readers.run(reads.writers)

    async def lead(self, lead_id: str) -> StoredLead | None:
        return await self._readers.run(reads.lead_by_id, lead_id)

    async def leads(self, where: LeadFilter, limit: int = 50, cursor: str | None = None) -> LeadPage:
        return await self._readers.run(lists.lead_page, where, limit, cursor)

    async def lead_body(self, lead_id: str) -> LeadBody | None:
        found = await self._readers.run(reads.lead_with_head, lead_id)
        if found is None or found[1] is None:
            return None
        lead, key_id, salt, head = found[0], *found[1]
        sealer = Sealer(self._keys.get(SEAL, key_id), lead_id, salt)
        envelope = sealer.open_head(head)
        return LeadBody(
            lead, envelope.head, envelope.peer, envelope.client, self._chunks(sealer, lead_id, envelope.chunks)
        )

    async def _chunks(self, sealer: Sealer, lead_id: str, count: int) -> AsyncIterator[bytes]:
        for number in range(1, count + 1):
            sealed = await self._readers.run(reads.sealed_chunk, lead_id, number)
            if sealed is None:
                raise Damaged(lead_id, f"body (piece {number})")
            yield sealer.open_chunk(number, sealed)

    async def conservation(self) -> Conservation:
        return await self._readers.run(reads.conservation)

    async def oldest(self, state: LeadState) -> int | None:
        return await self._readers.run(reads.oldest, state)

    async def generation(self, digest: str) -> bytes | None:
        return await self._readers.run(reads.generation, digest)


async def _put_generation(transaction: Transaction, digest: str, content: bytes, at: int) -> None:
    await transaction.connection.execute(
        "INSERT INTO generations (digest, at, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", digest, at, content
    )


async def _take_turn(transaction: Transaction, name: str, now: int, every: int) -> bool:
    """A time that lies ahead counts for nothing: somebody's clock was wrong."""
    status = await transaction.connection.execute(
        "INSERT INTO turns AS t (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at "
        "WHERE t.at <= $3 OR t.at > $4",
        name,
        now,
        now - every,
        now + every,
    )
    return status == "INSERT 0 1"

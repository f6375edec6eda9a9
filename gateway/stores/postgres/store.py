"""The system of record in PostgreSQL, shared by many gateways: durable leads, chained records.

All in the event loop: one connection that writes, a few that read. Made and closed in the loop that uses it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import cast

from gateway.model import LeadState, now_us
from gateway.stores.carry.carried import Batch, Loose
from gateway.stores.keys import SEAL, KeyRing
from gateway.stores.labels import EventPage, NewLabel
from gateway.stores.leads import Conservation, LeadBody, LeadFilter, LeadPage, ReleaseJob, StoredLead
from gateway.stores.operations import (
    OPERATOR,
)
from gateway.stores.postgres import lists, noted, outbox, reads
from gateway.stores.postgres.absorb import Absorb, TakeBack
from gateway.stores.postgres.commit import Operation, Transaction
from gateway.stores.postgres.connect import Readers, connect
from gateway.stores.postgres.errors import FAILURES, unopenable
from gateway.stores.postgres.opening import opened, used_keys
from gateway.stores.postgres.recovery import MakeDays, Sweep, drop_pieces
from gateway.stores.postgres.settings import PostgresSettings
from gateway.stores.postgres.writer import Writer
from gateway.stores.records import RecordFilter, RecordPage, StoredEntry, StoredEvent
from gateway.stores.sealing import Damaged, Sealer
from gateway.stores.writing import WritingStore

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CARRY_S = 5.0
"""How long a batch of another store may take: no visitor waits for it, though his commit may."""
_BACK_AT_ONCE = 200


class PostgresStore(WritingStore):
    """See gateway.stores.records.Store for what the methods promise; also Absorbs and HandsOver (stores.carry.carried)."""

    _writer: Writer

    def __init__(
        self, settings: PostgresSettings, keys: KeyRing, writer: Writer, name: str, clock: Callable[[], int]
    ) -> None:
        super().__init__(keys, writer, name, clock)
        self._settings = settings
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

    def _forget_pieces(self, lead_id: str) -> Operation:
        return partial(drop_pieces, leads=[lead_id])

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

    async def label(self, record_id: str, label: NewLabel) -> bool:
        return bool(await self._writer.do(noted.add_label(record_id, label, self._event)))

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

    # Reading.

    async def known(self, record_ids: Sequence[str]) -> set[str]:
        return await self._readers.run(reads.known, record_ids)

    async def get_record(self, record_id: str) -> StoredEntry | None:
        return await self._readers.run(reads.entry_by_id, record_id)

    async def records(self, where: RecordFilter, limit: int = 50, cursor: str | None = None) -> RecordPage:
        return await self._readers.run(lists.record_page, self._keys, where, limit, cursor)

    async def events(self, record_id: str) -> tuple[StoredEvent, ...]:
        return await self._readers.run(reads.events_of, record_id)

    async def noted(
        self,
        names: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> EventPage:
        return await self._readers.run(noted.noted, names, since, until, limit, cursor)

    async def find(self, term: str, limit: int = 10) -> tuple[str, ...]:
        return await self._readers.run(noted.find, self._keys, term, limit)

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

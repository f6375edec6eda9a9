"""The system of record in one SQLite file: durable leads, chained records, one writer's thread, one reader's thread."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

import msgspec

from gateway.model import LeadState, now_us
from gateway.stores.errors import StoreMissing, StoreUnavailable, StoreUnopenable
from gateway.stores.group_commit import Bounds
from gateway.stores.keys import SEAL, KeyRing
from gateway.stores.labels import EventPage, NewLabel
from gateway.stores.leads import Conservation, LeadBody, LeadFilter, LeadPage, ReleaseJob, StoredLead
from gateway.stores.operations import OPERATOR as OPERATOR
from gateway.stores.records import RecordFilter, RecordPage, StoredEntry, StoredEvent
from gateway.stores.sealing import Damaged, Sealer
from gateway.stores.sqlite import noted, outbox, reads
from gateway.stores.sqlite.commit import Operation, Transaction
from gateway.stores.sqlite.recovery import check_end, check_keys, note_keys, recover
from gateway.stores.sqlite.schema import connect, connect_reading, explained, lock
from gateway.stores.sqlite.writer import Writer
from gateway.stores.writing import WritingStore

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_P = ParamSpec("_P")
_T = TypeVar("_T")


class SqliteSettings(msgspec.Struct, frozen=True):
    """Bounds of the store, each with its reason.

    queue        records and events that may wait for a commit (about 4 kB each); beyond it they are dropped and counted
    linger_ms    how long a commit waits for more records, where nobody waits for it: fewer commits, less switching between
                 threads; a killed process loses at most so much of records (never a lead)
    busy_ms      how long to wait for another process that is writing
    lease_s      how long a release may take before its delivery counts as unknown
    durable      False for replay: a power cut may lose the last moments, which a second run adds again
    """

    queue: int = 20_000
    linger_ms: int = 100
    busy_ms: int = 5_000
    lease_s: int = 120
    durable: bool = True


class SqliteStore(WritingStore):
    """See gateway.stores.records.Store for what the methods promise."""

    _writer: Writer

    def __init__(
        self,
        path: Path,
        keys: KeyRing,
        writer: Writer,
        lock_fd: int | None,
        settings: SqliteSettings,
        name: str,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(keys, writer, name, clock)
        self._path, self._lock_fd, self._settings = path, lock_fd, settings
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-reads")
        self._reading: sqlite3.Connection | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        path: str | Path,
        keys: KeyRing,
        *,
        writer: str = "gateway-0",
        settings: SqliteSettings | None = None,
        clock: Callable[[], int] = now_us,
        lock_fd: int | None = None,
    ) -> Self:
        """Open the store, making the file where there is none (not for the operator), and recover what a crash left: pending leads become
        held, "delivery unknown". `lock_fd` is the file's lock where the caller took it, the store's from now on. Raises StoreUnopenable.
        """
        if not _NAME.fullmatch(writer):
            raise ValueError(f"a writer's name is made of a-z, 0-9 and -, not {writer!r}")
        path, settings = Path(path).absolute(), settings or SqliteSettings()
        if writer == OPERATOR and not path.exists():
            raise StoreMissing(
                path, "there is no store yet", "Start the gateway once, or check `store:` in the configuration"
            )
        lock_fd = lock(path) if lock_fd is None and writer != OPERATOR else lock_fd
        try:
            synchronous = "FULL" if settings.durable else "NORMAL"
            connection = connect(
                path, synchronous=synchronous, busy_ms=settings.busy_ms, create=True, alone=lock_fd is not None
            )
            try:
                check_keys(path, connection, keys)
                check_end(path, connection)
                note_keys(connection, keys)
                if writer != OPERATOR:
                    recover(connection, writer, keys, clock)
            except sqlite3.Error as error:
                raise explained(path, error) from error
            finally:
                connection.close()
            again = partial(connect, path, synchronous=synchronous, busy_ms=settings.busy_ms, create=False)
            bounds = Bounds(settings.queue, settings.linger_ms / 1000)
            thread = Writer(path, writer, keys, bounds, again)
        except StoreUnopenable:
            if lock_fd is not None:
                os.close(lock_fd)
            raise
        store = cls(path, keys, thread, lock_fd, settings, writer, clock)
        thread.start()
        return store

    @staticmethod
    def keys_used(path: str | Path) -> frozenset[tuple[str, str]]:
        """(purpose, id) of every key the store has used; none where there is no store yet. For KeyRing.open. Raises
        StoreUnopenable.
        """
        path = Path(path).absolute()
        if not path.exists():
            return frozenset()
        with closing(connect_reading(path, 5_000)) as connection:
            try:
                if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'keys_used'").fetchone():
                    return frozenset()
                return frozenset(connection.execute("SELECT purpose, id FROM keys_used").fetchall())
            except sqlite3.Error as error:
                raise explained(path, error) from error

    # Writing.

    def _forget_pieces(self, lead_id: str) -> Operation:
        return partial(_drop_pieces, lead_id=lead_id)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._reader.shutdown)
        if self._reading is not None:
            self._reading.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)

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

    # Reading.

    async def _read(
        self, function: Callable[Concatenate[sqlite3.Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run in the reader's thread. Raises StoreUnavailable, and what `function` raises."""

        def run() -> _T:
            try:
                if self._reading is None:
                    self._reading = connect_reading(self._path, self._settings.busy_ms)
                return function(self._reading, *args, **kwargs)
            except (sqlite3.Error, StoreUnopenable) as error:
                if self._reading is not None:
                    self._reading.close()
                    self._reading = None
                raise StoreUnavailable(f"{self._path}: {error}") from error

        if self._closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reader, run)

    async def known(self, record_ids: Sequence[str]) -> set[str]:
        return await self._read(reads.known, record_ids)

    async def get_record(self, record_id: str) -> StoredEntry | None:
        return await self._read(reads.entry_by_id, record_id)

    async def records(self, where: RecordFilter, limit: int = 50, cursor: str | None = None) -> RecordPage:
        return await self._read(reads.record_page, self._keys, where, limit, cursor)

    async def events(self, record_id: str) -> tuple[StoredEvent, ...]:
        return await self._read(reads.events_of, record_id)

    async def noted(
        self,
        names: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> EventPage:
        return await self._read(noted.noted, names, since, until, limit, cursor)

    async def find(self, term: str, limit: int = 10) -> tuple[str, ...]:
        return await self._read(noted.find, self._keys, term, limit)

    async def entries(self, writer: str, after: int = 0, limit: int = 1000) -> tuple[StoredEntry, ...]:
        return await self._read(reads.chain_of, writer, after, limit)

    async def writers(self) -> dict[str, tuple[int, str]]:
        return await self._read(reads.writers)

    async def lead(self, lead_id: str) -> StoredLead | None:
        return await self._read(reads.lead_by_id, lead_id)

    async def leads(self, where: LeadFilter, limit: int = 50, cursor: str | None = None) -> LeadPage:
        return await self._read(reads.lead_page, where, limit, cursor)

    async def lead_body(self, lead_id: str) -> LeadBody | None:
        lead, sealed = await self.lead(lead_id), await self._read(reads.sealed_head, lead_id)
        if lead is None or sealed is None:
            return None
        key_id, salt, head = sealed
        sealer = Sealer(self._keys.get(SEAL, key_id), lead_id, salt)
        envelope = sealer.open_head(head)
        return LeadBody(
            lead, envelope.head, envelope.peer, envelope.client, self._chunks(sealer, lead_id, envelope.chunks)
        )

    async def _chunks(self, sealer: Sealer, lead_id: str, count: int) -> AsyncIterator[bytes]:
        for number in range(1, count + 1):
            sealed = await self._read(reads.sealed_chunk, lead_id, number)
            if sealed is None:
                raise Damaged(lead_id, f"body (piece {number})")
            yield sealer.open_chunk(number, sealed)

    async def conservation(self) -> Conservation:
        return await self._read(reads.conservation)

    async def oldest(self, state: LeadState) -> int | None:
        return await self._read(reads.oldest, state)

    async def generation(self, digest: str) -> bytes | None:
        return await self._read(reads.generation, digest)


def _drop_pieces(transaction: Transaction, lead_id: str) -> None:
    """Pieces of a body whose lead was never stored."""
    transaction.connection.execute(
        "DELETE FROM lead_chunks WHERE lead = ?1 AND NOT EXISTS (SELECT 1 FROM leads WHERE id = ?1)", (lead_id,)
    )


def _put_generation(transaction: Transaction, digest: str, content: bytes, at: int) -> None:
    transaction.connection.execute(
        "INSERT INTO generations (digest, at, content) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (digest, at, content)
    )


def _take_turn(transaction: Transaction, name: str, now: int, every: int) -> bool:
    """A time that lies ahead counts for nothing: somebody's clock was wrong."""
    cursor = transaction.connection.execute(
        "INSERT INTO turns (name, at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET at = excluded.at "
        "WHERE turns.at <= ?2 - ?3 OR turns.at > ?2 + ?3",
        (name, now, every),
    )
    return cursor.rowcount > 0

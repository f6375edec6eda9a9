"""One writer's connection to PostgreSQL, and its commits: each in one transaction, tried again where something is in the
way that can be moved (partitions, ids that are there already, a lock).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import asyncpg

from gateway.stores.errors import StoreUnavailable
from gateway.stores.group_commit import Work
from gateway.stores.keys import KeyRing
from gateway.stores.operations import Duplicate, Outcome, blind_key
from gateway.stores.postgres.commit import Head, MissingDays, Operation, Transaction, begin
from gateway.stores.postgres.connect import Connection, connect
from gateway.stores.postgres.errors import FAILURES, POISON, state_of
from gateway.stores.postgres.partitions import Partitions
from gateway.stores.postgres.settings import PostgresSettings

_ATTEMPTS = 5
_CONTENDED = ("40P01", "40001", "55P03")
_UNSURE = ("08", "57")
"""Kinds of errors after which a COMMIT may have taken place."""


class Unsure(Exception):
    """The connection broke while the server was committing. head: the writer's row if it did; why: what broke."""

    def __init__(self, head: Head, outcomes: list[Outcome], written: int, why: Exception) -> None:
        super().__init__(str(why))
        self.head, self.outcomes, self.written, self.why = head, outcomes, written, why


class Link:
    """Owns the writing connection and what is known of the writer's row.

    look       the next commits find out first which ids are there
    committed  entries written since the start; commits: how many there were
    """

    def __init__(
        self, settings: PostgresSettings, name: str, keys: KeyRing, connection: Connection, head: Head, days: Partitions
    ) -> None:
        self.head, self.days, self.look = head, days, False
        self.committed = self.commits = 0
        self.fault: Callable[[str], Awaitable[None]] | None = None  # tests: called at "begin", "commit" and "committed"
        self._settings, self._name, self._keys = settings, name, keys
        self._connection: Connection | None = connection

    async def commit(self, work: Work[Operation]) -> list[Outcome]:
        """Again where something is in the way that can be moved. Raises FAILURES, POISON, StoreUnopenable, Unsure."""
        look, seconds = self.look, max(self._settings.deadline_s, *(each.seconds or 0 for each in work.operations), 0)
        for attempt in range(1, _ATTEMPTS + 1):
            connection = await self._connected()
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    return await self._transaction(connection, work, limit, look=look)
            except Duplicate:
                look = True
            except MissingDays as missing:
                await self._sound(connection, self.days.make(connection, missing.days))
            except asyncpg.CheckViolationError:
                if attempt == _ATTEMPTS or not self.days.forget():
                    raise
            except FAILURES as error:
                if state_of(error) not in _CONTENDED or attempt == _ATTEMPTS:
                    raise
        raise StoreUnavailable("the store is in the way of itself: ids that are there and are not")

    async def _sound(self, connection: Connection, work: Awaitable[None]) -> None:
        """After an error in between, the connection is not used again."""
        try:
            async with asyncio.timeout(self._settings.read_s):
                await work
        except BaseException:
            self._drop_connection(connection)
            raise

    async def _connected(self) -> Connection:
        """The connection, made anew where it broke."""
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            self._connection = await connect(self._settings)
        return self._connection

    async def took_place(self, unsure: Unsure) -> bool:
        """Did the commit whose answer was lost? Waits for the transaction to end, since that holds the row. Raises
        FAILURES, StoreUnopenable.
        """
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._settings.connect_s):
                found = await begin(connection, unsure.head, int(self._settings.connect_s * 1000))
                await connection.execute("ROLLBACK")
        except BaseException:
            self._drop_connection(connection)
            raise
        if found is None:
            self._committed(unsure.head, unsure.written)
            return True
        # No, if the row is as it was before; else another process of this name wrote since, and only ids tell.
        self.look = found.token != self.head.token
        return False

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*FAILURES):
                await self._connection.close(timeout=self._settings.deadline_s)

    async def _transaction(
        self, connection: Connection, work: Work[Operation], limit: asyncio.Timeout, *, look: bool
    ) -> list[Outcome]:
        try:
            await self._told("begin")
            moved = await begin(connection, self.head, int(self._settings.deadline_s * 1000))
            head = self.head if moved is None else moved
            key = blind_key(self._keys)
            transaction = Transaction(connection, self._name, head, key, self.days, look=look)
            outcomes = await transaction.apply([waiting.operation for waiting in work.operations])
            written = await transaction.finish(work.entries)
            head, statements = transaction.closing()
            await self._told("commit")
        except (Duplicate, MissingDays, *POISON, *FAILURES) as error:
            await self._roll_back(connection, error)
            raise
        except BaseException:
            self._drop_connection(connection)
            raise
        try:
            await connection.execute(statements)
            await self._told("committed")
        except (*FAILURES, asyncio.CancelledError) as error:
            self._drop_connection(connection)
            ended = isinstance(error, asyncio.CancelledError) and not limit.expired()
            if ended or (isinstance(error, asyncpg.PostgresError) and state_of(error)[:2] not in _UNSURE):
                raise
            why = error if isinstance(error, Exception) else TimeoutError()
            raise Unsure(head, outcomes, written, why) from error
        self._committed(head, written)
        return outcomes

    def _committed(self, head: Head, written: int) -> None:
        self.head, self.look = head, False
        self.commits += 1
        self.committed += written

    async def _told(self, moment: str) -> None:
        if self.fault is not None:
            await self.fault(moment)

    async def _roll_back(self, connection: Connection, error: Exception) -> None:
        """Keep the connection where the server itself said what was wrong."""
        broken = not isinstance(error, Duplicate | MissingDays | asyncpg.PostgresError) and not isinstance(
            error, POISON
        )
        if broken or connection.is_closed():
            self._drop_connection(connection)
            return
        try:
            await connection.execute("ROLLBACK")
        except FAILURES:
            self._drop_connection(connection)

    def _drop_connection(self, connection: Connection) -> None:
        connection.terminate()
        if self._connection is connection:
            self._connection = None

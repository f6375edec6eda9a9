"""Connections to PostgreSQL: nothing about them outlives a transaction, so that a pooler may share them out.

No statement stays prepared, nothing is set but within a transaction, nothing is listened to. TCP notices by itself
when the other end is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from gateway.stores.errors import StoreUnavailable, StoreUnopenable
from gateway.stores.postgres.errors import FAILURES, unavailable, unopenable
from gateway.stores.postgres.settings import PostgresSettings

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

_P = ParamSpec("_P")
_T = TypeVar("_T")

IDLE_MS = 10_000
"""A transaction whose gateway was frozen in the middle is ended by the server then, and its locks with it."""


async def connect(settings: PostgresSettings) -> Connection:
    """Raises StoreUnopenable."""
    try:
        tls = settings.ssl_context()
    except OSError:  # ssl.SSLError is one. Its words name nothing that helps
        where = settings.ca_file or "the machine's certificate authorities"
        raise StoreUnopenable(where, "it cannot be read as certificates (PEM)", "Correct postgres.ca") from None
    try:
        return await asyncpg.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password or "",  # else the client looks for one in files and the environment
            database=settings.database,
            ssl=tls,
            timeout=settings.connect_s,
            statement_cache_size=0,
            target_session_attrs=SessionAttribute.any,
        )
    except FAILURES as error:
        raise unopenable(settings, error) from None  # the cause's frames hold the password


async def roll_back(connection: Connection, error: BaseException) -> None:
    """After an error within a transaction. What was broken off by a deadline is not waited for once more: the connection is closed then. Raises
    FAILURES.
    """
    if isinstance(error, asyncio.CancelledError):
        connection.terminate()
    elif not connection.is_closed():
        await connection.execute("ROLLBACK")


class Readers:
    """A few connections for reading; each look-up is a transaction that sees one state of the store."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(settings.readers)
        self._idle: list[Connection] = []
        self._closed = False

    async def run(
        self, function: Callable[Concatenate[Connection, _P], Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Raises StoreUnavailable, and what `function` raises."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            async with asyncio.timeout(self._settings.read_s), self._free:
                while self._idle:
                    connection = self._idle.pop()
                    try:
                        return await self._once(connection, function, *args, **kwargs)
                    except FAILURES:
                        if not connection.is_closed():  # it broke while nobody looked: another is tried
                            raise
                return await self._once(await connect(self._settings), function, *args, **kwargs)
        except FAILURES as error:
            raise unavailable(self._settings, error) from error
        except StoreUnopenable as error:
            raise StoreUnavailable(str(error)) from error

    async def _once(
        self,
        connection: Connection,
        function: Callable[Concatenate[Connection, _P], Awaitable[_T]],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        whole = False
        try:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                found = await function(connection, *args, **kwargs)
            except BaseException as error:
                await roll_back(connection, error)
                whole = not connection.is_closed()
                raise
            await connection.execute("COMMIT")
            whole = True
            return found
        finally:
            if whole and not self._closed:
                self._idle.append(connection)
            else:
                connection.terminate()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().terminate()

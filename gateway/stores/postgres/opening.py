"""What is done once when the PostgreSQL store is opened: tables, keys, the end of the chain, what a crash left open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.model import now_us
from gateway.stores.errors import StoreUnreachable
from gateway.stores.keys import KeyRing
from gateway.stores.operations import blind_key
from gateway.stores.postgres.commit import Head, MissingDays, Transaction, begin
from gateway.stores.postgres.connect import Connection, connect
from gateway.stores.postgres.errors import FAILURES, unopenable
from gateway.stores.postgres.partitions import AHEAD, DAY_US, Partitions, day_of
from gateway.stores.postgres.recovery import Recover, check_end, head_of, note_keys
from gateway.stores.postgres.schema import prepare
from gateway.stores.postgres.settings import PostgresSettings

_OPENING_S = 60.0
"""Tables and partitions are made in well under a second; a server that is busy with others may need its time."""
_LOCK_MS = 5_000


async def opened(
    settings: PostgresSettings, keys: KeyRing, writer: str, clock: Callable[[], int], *, recover: bool
) -> tuple[Connection, Head, Partitions]:
    """The writing connection, the end of the writer's chain and the days that have partitions. Raises
    StoreUnopenable.
    """
    connection = await connect(settings)
    try:
        async with asyncio.timeout(_OPENING_S):
            await prepare(settings, connection, create=recover)
            await note_keys(connection, keys)
            head, days = await head_of(connection, writer), Partitions()
            await check_end(settings, connection, writer, head)
            today = now_us()
            if recover:
                await days.make(connection, _days(today))
                more = True
                while more:
                    head, more = await _recover(settings, connection, writer, head, keys, days, clock)
    except FAILURES as error:
        connection.terminate()
        raise unopenable(settings, error) from error
    except BaseException:
        connection.terminate()
        raise
    return connection, head, days


def _days(now: int) -> list[int]:
    days = [day_of(now + ahead * DAY_US) for ahead in range(AHEAD + 1)]
    return [day for day in days if day is not None]


async def _recover(
    settings: PostgresSettings,
    connection: Connection,
    writer: str,
    head: Head,
    keys: KeyRing,
    days: Partitions,
    clock: Callable[[], int],
) -> tuple[Head, bool]:
    """Some of what was left open; the writer's row afterwards, and whether there is more."""
    for _ in range(3):  # the days of the leads may have no partition yet
        head = await begin(connection, head, _LOCK_MS) or head
        transaction = Transaction(connection, writer, head, blind_key(keys), days, look=False)
        try:
            more = await Recover(clock())(transaction)
            await transaction.finish([])
        except MissingDays as missing:
            await connection.execute("ROLLBACK")
            await days.make(connection, missing.days)
            continue
        head, statements = transaction.closing()
        await connection.execute(statements)
        return head, more
    raise StoreUnreachable(settings.place, "its partitions come and go", "Look at who makes and drops them")


async def used_keys(connection: Connection) -> frozenset[tuple[str, str]]:
    await connection.execute("BEGIN READ ONLY")
    found: frozenset[tuple[str, str]] = frozenset()
    if await connection.fetchval("SELECT to_regclass('keys_used') IS NOT NULL"):
        rows = await connection.fetch("SELECT purpose, id FROM keys_used")
        found = frozenset((row["purpose"], row["id"]) for row in rows)
    await connection.execute("COMMIT")
    return found

"""What an operator should know of the PostgreSQL that the settings name, before a gateway starts on it."""

from __future__ import annotations

import asyncio

import asyncpg

from gateway.stores.errors import StoreReadOnly
from gateway.stores.postgres.connect import Connection, connect
from gateway.stores.postgres.errors import FAILURES, unopenable
from gateway.stores.postgres.opening import used_keys
from gateway.stores.postgres.schema import prepare, standing_of
from gateway.stores.postgres.settings import PostgresSettings

PATIENCE_S = 5.0
"""How long the whole look may take: a person waits for it."""

_MAY_MAKE = "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
_OWNS = "(SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('writers'))"


async def look(settings: PostgresSettings) -> frozenset[tuple[str, str]]:
    """(purpose, id) of every key that the store has used, where a gateway could start on it. Changes nothing.

    Raises StoreUnopenable: StoreUnreachable where a gateway that has its keys would start all the same, and keep what comes in its spool.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = await connect(settings)
            try:
                return await _look(settings, connection)
            finally:
                connection.terminate()
    except FAILURES as error:
        raise unopenable(settings, error) from error


async def _look(settings: PostgresSettings, connection: Connection) -> frozenset[tuple[str, str]]:
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise StoreReadOnly(
            settings.place, "it is a standby", "Name the primary in `store:`, or a name that follows the fail-over"
        )
    found = await standing_of(settings, connection)
    if found.found:
        await prepare(settings, connection, create=False)
    if not await connection.fetchval(f"SELECT {_MAY_MAKE}" + (f" AND {_OWNS}" if found.found else "")):
        raise unopenable(settings, asyncpg.InsufficientPrivilegeError("permission denied"))
    return await used_keys(connection)

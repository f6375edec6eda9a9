"""PostgreSQL's tables, and the steps to them.

`entries` is the truth (canonical bytes, chained per writer); `records` and `events` are indexes over it. Personal
values stand in one table per group, so that a group can be erased by itself. What grows with the visitors is
partitioned by day (gateway.stores.postgres.partitions). What a writer counts stands in its own row of `writers`, which
every one of its commits locks anyway: no two workers wait for each other, and no two processes of one name can fork
its chain.

Each step of MIGRATIONS is one transaction with a short lock_timeout, so that running gateways are not held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from gateway.stores.errors import StoreCorrupt, StoreTooNew, StoreTooOld
from gateway.stores.migrations import Migration, Standing, standing
from gateway.stores.postgres.connect import Connection, connect, roll_back
from gateway.stores.postgres.errors import FAILURES, state_of, unopenable
from gateway.stores.postgres.partitions import edges
from gateway.stores.postgres.settings import PostgresSettings

_TRIES, _PAUSE_S = 60, 0.25
"""How often a step that waits for a lock, or for another gateway that makes the same step, is tried."""

_FORMAT_1 = """
CREATE TABLE writers (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE,
  seq bigint NOT NULL DEFAULT 0, hash bytea NOT NULL, token bigint NOT NULL DEFAULT 0,
  received bigint NOT NULL DEFAULT 0, unjournaled bigint NOT NULL DEFAULT 0,
  seen_at timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 20);
CREATE TABLE keys_used (purpose text, id text, PRIMARY KEY (purpose, id));
CREATE TABLE generations (digest text PRIMARY KEY, at bigint NOT NULL, content bytea NOT NULL);
CREATE TABLE turns (name text PRIMARY KEY, at bigint NOT NULL);

CREATE TABLE entries (seq bigint NOT NULL, writer integer NOT NULL, event boolean NOT NULL, id uuid PRIMARY KEY,
  hash bytea NOT NULL, body bytea NOT NULL) PARTITION BY RANGE (id);
CREATE INDEX entries_chain ON entries (writer, seq);

CREATE TABLE records (at bigint NOT NULL, id uuid NOT NULL, quality smallint NOT NULL, asn bigint, kind text NOT NULL,
  site text NOT NULL, form text, verdict text NOT NULL, ivt text NOT NULL, category text, source text NOT NULL,
  country text, search text NOT NULL, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE INDEX records_site ON records (site, at, id);
CREATE INDEX records_submissions ON records (at, id) WHERE kind = 'submission';
CREATE INDEX records_verdict ON records (verdict, at, id) WHERE verdict <> 'accept';
CREATE INDEX records_ivt ON records (ivt, at, id) WHERE ivt <> 'valid';

CREATE TABLE events (record uuid NOT NULL, at bigint NOT NULL, id uuid NOT NULL, event text NOT NULL,
  PRIMARY KEY (record, at, id)) PARTITION BY RANGE (record);

CREATE TABLE personal_network (id uuid PRIMARY KEY, salt bytea NOT NULL, tokens bytea NOT NULL, value bytea NOT NULL)
  PARTITION BY RANGE (id);
CREATE TABLE personal_browser (id uuid PRIMARY KEY, salt bytea NOT NULL, tokens bytea NOT NULL, value bytea NOT NULL)
  PARTITION BY RANGE (id);
CREATE TABLE personal_person (id uuid PRIMARY KEY, salt bytea NOT NULL, tokens bytea NOT NULL, value bytea NOT NULL)
  PARTITION BY RANGE (id);
CREATE TABLE blind (token bytea NOT NULL, at bigint NOT NULL, id uuid NOT NULL, PRIMARY KEY (token, at, id))
  PARTITION BY RANGE (at);

CREATE TABLE leads (id uuid PRIMARY KEY, received_at bigint NOT NULL, state_at bigint NOT NULL, length bigint NOT NULL,
  chunks integer NOT NULL, writer integer NOT NULL, site text NOT NULL, form text NOT NULL, state text NOT NULL,
  note text NOT NULL, scheme text NOT NULL, content_type text NOT NULL, destination text NOT NULL, origin text NOT NULL,
  success bytea NOT NULL, key_id text NOT NULL, salt bytea NOT NULL, head bytea);
ALTER TABLE leads ALTER head SET STORAGE EXTERNAL;
CREATE INDEX leads_received ON leads (received_at, id);
CREATE INDEX leads_state ON leads (state, received_at, id);
CREATE INDEX leads_pending ON leads (writer) WHERE state = 'pending';
CREATE TABLE lead_chunks (lead uuid NOT NULL, no integer NOT NULL, arriving integer, data bytea NOT NULL,
  PRIMARY KEY (lead, no));
ALTER TABLE lead_chunks ALTER data SET STORAGE EXTERNAL;
CREATE INDEX lead_chunks_arriving ON lead_chunks (arriving) WHERE arriving IS NOT NULL;

CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lead uuid NOT NULL, by text NOT NULL,
  requested_at bigint NOT NULL, due_at bigint NOT NULL, attempt integer NOT NULL DEFAULT 0, leased_until bigint,
  leased_by integer, outcome text);
CREATE UNIQUE INDEX outbox_open ON outbox (lead) WHERE outcome IS NULL;
CREATE INDEX outbox_due ON outbox (due_at) WHERE outcome IS NULL;
"""
"""Encrypted bytes are stored as they are (EXTERNAL): they do not get smaller. `arriving` is the writer of a piece whose
lead is not there yet. `token` changes with every commit of a writer, so that it can be told whether one whose answer was
lost took place.
"""


def _statements(text: str) -> tuple[str, ...]:
    return tuple(statement.strip() for statement in text.split(";") if statement.strip())


MIGRATIONS = (Migration(1, "the store's tables", (*_statements(_FORMAT_1), *edges()), oldest=1, quick=True),)
VERSION = MIGRATIONS[-1].version

_VERSIONS = "CREATE TABLE schema_version (version integer PRIMARY KEY, oldest integer NOT NULL, applied_at timestamptz NOT NULL)"


async def standing_of(settings: PostgresSettings, connection: Connection) -> Standing:
    """Raises StoreCorrupt, StoreTooNew."""
    await connection.execute("BEGIN READ ONLY")
    try:
        row = None
        if await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL"):
            row = await connection.fetchrow("SELECT version, oldest FROM schema_version ORDER BY version DESC LIMIT 1")
        await connection.execute("COMMIT")
    except BaseException as error:
        await roll_back(connection, error)
        if isinstance(error, asyncpg.UndefinedColumnError):
            raise _foreign(settings, "schema_version") from error
        raise
    if row is None:
        return standing(MIGRATIONS, 0)
    if row["version"] > VERSION and row["oldest"] > VERSION:
        raise StoreTooNew(
            settings.place,
            f"a newer Leadgate made its tables (format {row['version']}, this one knows {VERSION})",
            "Run that version, or newer",
        )
    return standing(MIGRATIONS, row["version"])


async def prepare(settings: PostgresSettings, connection: Connection, *, create: bool) -> None:
    """Check the format; make the tables in an empty database where `create` is. Raises StoreUnopenable."""
    found = await standing_of(settings, connection)
    if found.found == 0 and create:
        await _steps(settings, connection, found.pending, lambda step: None)
    elif found.pending:
        told = f"an older Leadgate made its tables (format {found.found}, this one writes {found.wanted})"
        raise StoreTooOld(
            settings.place,
            told if found.found else "there is no store in the database yet",
            "Bring it up to date: leadgate db upgrade"
            if found.found
            else "Start the gateway once, or: leadgate db upgrade",
        )


async def standing_at(settings: PostgresSettings) -> Standing:
    """For `leadgate db check`. Raises StoreUnopenable."""
    connection = await connect(settings)
    try:
        return await standing_of(settings, connection)
    except FAILURES as error:
        raise unopenable(settings, error) from error
    finally:
        connection.terminate()


async def upgrade(settings: PostgresSettings, on_step: Callable[[Migration], None] = lambda step: None) -> Standing:
    """Make the steps that are missing, each in a transaction of its own, while gateways run; `on_step` is told of each
    that was made. Where the store is then. Raises StoreUnopenable.
    """
    connection = await connect(settings)
    try:
        found = await standing_of(settings, connection)
        await _steps(settings, connection, found.pending, on_step)
        return await standing_of(settings, connection)
    except FAILURES as error:
        raise unopenable(settings, error) from error
    finally:
        connection.terminate()


async def _steps(
    settings: PostgresSettings,
    connection: Connection,
    steps: tuple[Migration, ...],
    on_step: Callable[[Migration], None],
) -> None:
    for step in steps:
        for _ in range(_TRIES):
            try:
                if await _made(settings, connection, step):
                    on_step(step)
                break
            except FAILURES as error:
                if connection.is_closed() or state_of(error) not in _LATER:
                    raise unopenable(settings, error) from error
                last = error
            await asyncio.sleep(_PAUSE_S)
        else:
            raise unopenable(settings, last)


_LATER = ("55P03", "40P01", "42P07", "42710", "23505", "XX000", "25P02")
"""A lock that others hold; somebody else is making the same table at this moment (in several words)."""


async def _made(settings: PostgresSettings, connection: Connection, step: Migration) -> bool:
    """One step, unless somebody else made it. Raises StoreCorrupt where the names are taken by another program."""
    await connection.execute("BEGIN; SET LOCAL lock_timeout = 1000")
    try:
        there = await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL")
        if not there:
            await connection.execute(_VERSIONS)
        await connection.execute("LOCK TABLE schema_version IN EXCLUSIVE MODE")
        if await connection.fetchval("SELECT count(*) FROM schema_version WHERE version >= $1", step.version):
            await connection.execute("ROLLBACK")
            return False
        for statement in step.statements:
            try:
                await connection.execute(statement)
            except asyncpg.DuplicateTableError as error:
                raise _foreign(settings, str(error).split('"')[1]) from error
        await connection.execute(
            "INSERT INTO schema_version VALUES ($1, $2, now())",
            step.version,
            step.oldest,
        )
        await connection.execute("COMMIT")
    except BaseException as error:
        await roll_back(connection, error)
        raise
    return True


def _foreign(settings: PostgresSettings, name: str) -> StoreCorrupt:
    return StoreCorrupt(
        settings.place, f"it has a table {name} of another program", "Name a database of Leadgate's own in `store:`"
    )

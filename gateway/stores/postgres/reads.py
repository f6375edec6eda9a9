"""Reading the PostgreSQL store: single things, chains, sums. Each function runs in a transaction of its own.

Ids are handed over as text and cast by the server: the client knows how to send a list of texts without asking the
server first, which would leave settings behind in a session.
"""
# ruff: noqa: S608  (the statements are put together from constants; values are always bound)

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from gateway.model import LeadState
from gateway.stores.leads import Conservation, StoredLead
from gateway.stores.postgres.connect import Connection
from gateway.stores.postgres.copy import is_id
from gateway.stores.records import PERSONAL_GROUPS, Personal, StoredEntry, StoredEvent

_ENTRY = "e.event, e.id, (SELECT w.name FROM writers AS w WHERE w.id = e.writer) AS writer, e.seq, e.hash, e.body"
LEAD = (
    "l.id, l.site, l.form, l.received_at, l.state, l.state_at, l.note, l.scheme, l.content_type, l.destination, l.origin, "
    "l.success, l.length, EXISTS (SELECT FROM outbox AS o WHERE o.lead = l.id AND o.outcome IS NULL) AS releasing"
)


class _Event(msgspec.Struct):
    at: int
    data: dict[str, object]
    event: str
    id: str
    record: str


async def entries_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, StoredEntry]:
    """Records, by id."""
    rows = await connection.fetch(
        f"SELECT {_ENTRY} FROM entries AS e WHERE e.id = ANY($1::text[]::uuid[]) AND NOT e.event", list(ids)
    )
    return {entry.id: entry for entry in await _with_personal(connection, rows)}


async def entry_by_id(connection: Connection, record_id: str) -> StoredEntry | None:
    if not is_id(record_id):
        return None
    return (await entries_by_id(connection, [record_id])).get(record_id)


async def chain_of(connection: Connection, writer: str, after: int, limit: int) -> tuple[StoredEntry, ...]:
    rows = await connection.fetch(
        f"SELECT {_ENTRY} FROM entries AS e WHERE e.writer = (SELECT id FROM writers WHERE name = $1) AND e.seq > $2 "
        "ORDER BY e.seq LIMIT $3",
        writer,
        after,
        limit,
    )
    return await _with_personal(connection, rows)


async def _with_personal(connection: Connection, rows: Sequence[asyncpg.Record]) -> tuple[StoredEntry, ...]:
    """Entries from rows of `_ENTRY`, with the groups of personal values that are still there."""
    ids = [str(row["id"]) for row in rows if not row["event"]]
    found: dict[str, dict[str, Personal]] = {}
    if ids:
        groups = " UNION ALL ".join(
            f"SELECT '{group}' AS name, id, salt, value FROM personal_{group} WHERE id = ANY($1::text[]::uuid[])"
            for group in PERSONAL_GROUPS
        )
        for row in await connection.fetch(groups, ids):
            personal = Personal(row["name"], row["salt"], row["value"])
            found.setdefault(str(row["id"]), {})[row["name"]] = personal
    return tuple(_entry(row, found) for row in rows)


def _entry(row: asyncpg.Record, personal: dict[str, dict[str, Personal]]) -> StoredEntry:
    kind, record_id = "event" if row["event"] else "record", str(row["id"])
    digest, groups = row["hash"].hex(), {} if row["event"] else personal.get(record_id, {})
    return StoredEntry(kind, record_id, row["writer"], row["seq"], digest, row["body"], groups)


async def known(connection: Connection, ids: Sequence[str]) -> set[str]:
    statement = "SELECT id FROM entries WHERE id = ANY($1::text[]::uuid[])"
    rows = await connection.fetch(statement, [each for each in ids if is_id(each)])
    return {str(row["id"]) for row in rows}


async def events_of(connection: Connection, record_id: str) -> tuple[StoredEvent, ...]:
    if not is_id(record_id):
        return ()
    found = await connection.fetch("SELECT id FROM events WHERE record = $1 ORDER BY at, id", record_id)
    return await events_by_id(connection, [str(row["id"]) for row in found])


async def events_by_id(connection: Connection, ids: Sequence[str]) -> tuple[StoredEvent, ...]:
    """In the order of `ids`."""
    if not ids:
        return ()
    rows = await connection.fetch(f"SELECT {_ENTRY} FROM entries AS e WHERE e.id = ANY($1::text[]::uuid[])", ids)
    by_id = {str(row["id"]): row for row in rows}
    there = [by_id[each] for each in ids if each in by_id]
    decoded = [(msgspec.json.decode(row["body"], type=_Event), row) for row in there]
    return tuple(
        StoredEvent(e.id, e.record, e.at, e.event, e.data, row["writer"], row["seq"], row["hash"].hex())
        for e, row in decoded
    )


async def writers(connection: Connection) -> dict[str, tuple[int, str]]:
    rows = await connection.fetch("SELECT name, seq, hash FROM writers WHERE seq > 0")
    return {row["name"]: (row["seq"], row["hash"].hex()) for row in rows}


async def lead_by_id(connection: Connection, lead_id: str) -> StoredLead | None:
    if not is_id(lead_id):
        return None
    row = await connection.fetchrow(f"SELECT {LEAD} FROM leads AS l WHERE l.id = $1", lead_id)
    return None if row is None else lead_of(row)


def lead_of(row: asyncpg.Record) -> StoredLead:
    """From a row of LEAD."""
    values = dict(row)
    return StoredLead(**(values | {"id": str(values["id"]), "state": LeadState(values["state"])}))


async def lead_with_head(
    connection: Connection, lead_id: str
) -> tuple[StoredLead, tuple[str, bytes, bytes] | None] | None:
    """The lead, and (key id, salt, sealed head) or None where it is erased; None where it is unknown."""
    lead = await lead_by_id(connection, lead_id)
    if lead is None:
        return None
    row = await connection.fetchrow("SELECT key_id, salt, head FROM leads WHERE id = $1", lead_id)
    return lead, None if row is None or row["head"] is None else (row["key_id"], row["salt"], row["head"])


async def sealed_chunk(connection: Connection, lead_id: str, number: int) -> bytes | None:
    found = await connection.fetchval("SELECT data FROM lead_chunks WHERE lead = $1 AND no = $2", lead_id, number)
    return None if found is None else bytes(found)


async def conservation(connection: Connection) -> Conservation:
    """In one transaction, so that the sums belong together."""
    states = {row[0]: row[1] for row in await connection.fetch("SELECT state, count(*) FROM leads GROUP BY state")}
    sums = await connection.fetchrow(
        "SELECT coalesce(sum(received), 0)::bigint, coalesce(sum(unjournaled), 0)::bigint FROM writers"
    )
    assert sums is not None
    by_state = {state.value: states.get(state.value, 0) for state in LeadState}
    return Conservation(sums[0], by_state, sums[1], sums[0] == sum(by_state.values()))


async def oldest(connection: Connection, state: LeadState) -> int | None:
    found = await connection.fetchval("SELECT min(received_at) FROM leads WHERE state = $1", state.value)
    return None if found is None else int(found)


async def generation(connection: Connection, digest: str) -> bytes | None:
    found = await connection.fetchval("SELECT content FROM generations WHERE digest = $1", digest)
    return None if found is None else bytes(found)

"""Events by name, and the labels among them, in PostgreSQL."""
# ruff: noqa: S608  (the statements are put together from constants of this file; values are always bound)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.stores.cursors import LAST_ID, LOOKED_AT, Following, cursor_of, first_id, position_of, term_tokens
from gateway.stores.errors import UnknownRecord
from gateway.stores.keys import KeyRing
from gateway.stores.labels import EVENT, EventPage, NewLabel, already
from gateway.stores.operations import EventEntry
from gateway.stores.postgres.commit import Call, Transaction
from gateway.stores.postgres.connect import Connection
from gateway.stores.postgres.copy import is_id
from gateway.stores.postgres.reads import events_by_id

_NO_ID = "00000000-0000-0000-0000-000000000000"

_TOLD = (
    "SELECT j.data ->> 'label' AS label, row_number() OVER (PARTITION BY j.data ->> 'source' "
    "ORDER BY (j.data ->> 'at')::bigint DESC, v.at DESC, v.id DESC) AS place FROM events AS v JOIN LATERAL "
    "(SELECT convert_from(e.body, 'UTF8')::json -> 'data' AS data FROM entries AS e WHERE e.id = v.id) AS j ON true "
    "WHERE v.record = l.id AND v.event = 'label'"
)
LABELLED = f"EXISTS (SELECT FROM ({_TOLD}) AS told WHERE place = 1 AND label = ?)"
"""A condition on leads AS l: the label is the latest of its source, as `labels.in_effect` has it."""


class _Data(msgspec.Struct):
    data: dict[str, object]


def add_label(record_id: str, new: NewLabel, event: Callable[[str, str, Mapping[str, object]], EventEntry]) -> Call:
    async def call(transaction: Transaction) -> bool:
        if not is_id(record_id):
            raise UnknownRecord(record_id)
        connection = transaction.connection
        there = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM entries WHERE id = $1 AND NOT event) OR EXISTS (SELECT FROM leads WHERE id = $1)",
            record_id,
        )
        if not there:
            raise UnknownRecord(record_id)
        told = await connection.fetch(
            "SELECT id FROM events WHERE record = $1 AND event = $2 ORDER BY at, id", record_id, EVENT
        )
        ids = [str(row["id"]) for row in told]
        rows = (
            await connection.fetch("SELECT id, body FROM entries WHERE id = ANY($1::text[]::uuid[])", ids)
            if ids
            else []
        )
        bodies = {str(row["id"]): row["body"] for row in rows}
        earlier = [msgspec.json.decode(bodies[each], type=_Data).data for each in ids if each in bodies]
        if already([*earlier, *transaction.labels.get(record_id, ())], new):
            return False
        transaction.entry(event(record_id, EVENT, new.data()))
        transaction.labels.setdefault(record_id, []).append(new.data())
        return True

    return call


async def noted(
    connection: Connection,
    names: Sequence[str],
    since: int | None,
    until: int | None,
    limit: int,
    cursor: str | None,
) -> EventPage:
    """Raises BadCursor."""
    position = position_of(cursor, "e", Following)
    first = _NO_ID if since is None else first_id(since)
    last = LAST_ID if until is None else first_id(until)
    after = (first, -(2**62), _NO_ID) if position is None else (position.record, position.at, position.id)
    # The bounds of the record by themselves, so that other days' partitions are left alone.
    looked = (
        "SELECT record, at, id, event FROM events WHERE (record, at, id) > ($1::uuid, $2::bigint, $3::uuid) "
        "AND record >= $1::uuid AND record < $4::uuid ORDER BY record, at, id LIMIT"
    )
    values = (*after, last)
    rows = await connection.fetch(
        f"SELECT record, at, id FROM ({looked} {LOOKED_AT}) AS looked WHERE event = ANY($5::text[]) ORDER BY record, at, id LIMIT $6::bigint",
        *values,
        list(names),
        limit + 1,
    )
    end = rows[limit - 1] if len(rows) > limit else None
    if end is None:
        end = await connection.fetchrow(
            f"SELECT record, at, id FROM ({looked} 1 OFFSET {LOOKED_AT - 1}) AS looked", *values
        )
    items = await events_by_id(connection, [str(row["id"]) for row in rows[:limit]])
    following = None if end is None else cursor_of(Following("e", end["at"], str(end["record"]), str(end["id"])))
    return EventPage(items, following)


async def find(connection: Connection, keys: KeyRing, term: str, limit: int) -> tuple[str, ...]:
    tokens = list(term_tokens(keys, term))
    marks = ", ".join(f"${number}" for number in range(1, len(tokens) + 1))
    rows = await connection.fetch(
        f"SELECT DISTINCT at, id FROM blind WHERE token IN ({marks}) ORDER BY at DESC, id DESC LIMIT ${len(tokens) + 1}",
        *tokens,
        limit,
    )
    return tuple(str(row["id"]) for row in rows)

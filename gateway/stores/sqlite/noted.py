"""Events by name, and the labels among them, in the SQLite store."""
# ruff: noqa: S608  (the statements are put together from constants of this file; values are always bound)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.stores.cursors import LAST_ID, LOOKED_AT, Following, cursor_of, first_id, position_of, term_tokens
from gateway.stores.errors import UnknownRecord
from gateway.stores.keys import KeyRing
from gateway.stores.labels import EVENT, EventPage, NewLabel, already
from gateway.stores.operations import EventEntry
from gateway.stores.records import StoredEvent
from gateway.stores.sqlite.commit import Call, Transaction


class _Event(msgspec.Struct):
    at: int
    data: dict[str, object]
    event: str
    id: str
    record: str


_DECODER = msgspec.json.Decoder(_Event)

_TOLD = (
    "SELECT json_extract(j.text, '$.data.label') AS label, row_number() OVER (PARTITION BY json_extract(j.text, '$.data.source') "
    "ORDER BY json_extract(j.text, '$.data.at') DESC, v.at DESC, j.id DESC) AS place FROM events AS v JOIN "
    "(SELECT n, id, CAST(body AS TEXT) AS text FROM entries) AS j ON j.n = v.n WHERE v.record = l.id AND v.event = 'label'"
)
LABELLED = f"EXISTS (SELECT 1 FROM ({_TOLD}) WHERE place = 1 AND label = ?)"
"""A condition on leads AS l: the label is the latest of its source, as `labels.in_effect` has it."""


def add_label(record_id: str, new: NewLabel, event: Callable[[str, str, Mapping[str, object]], EventEntry]) -> Call:
    def call(transaction: Transaction) -> bool:
        connection = transaction.connection
        there = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM entries WHERE id = ?1 AND type = 'record') OR "
            "EXISTS (SELECT 1 FROM leads WHERE id = ?1)",
            (record_id,),
        ).fetchone()[0]
        if not there:
            raise UnknownRecord(record_id)
        rows = connection.execute(
            "SELECT CAST(e.body AS BLOB) FROM events AS v JOIN entries AS e ON e.n = v.n WHERE v.record = ? AND v.event = ? "
            "ORDER BY v.at, v.n",
            (record_id, EVENT),
        ).fetchall()
        earlier = [*(_DECODER.decode(body).data for (body,) in rows), *transaction.labels.get(record_id, ())]
        if already(earlier, new):
            return False
        transaction.entry(event(record_id, EVENT, new.data()))
        transaction.labels.setdefault(record_id, []).append(new.data())
        return True

    return call


def noted(
    connection: sqlite3.Connection,
    names: Sequence[str],
    since: int | None,
    until: int | None,
    limit: int,
    cursor: str | None,
) -> EventPage:
    """Raises BadCursor."""
    position = position_of(cursor, "e", Following)
    first = "" if since is None else first_id(since)
    last = LAST_ID if until is None else first_id(until)
    after, number = (first, -1) if position is None else (position.record, position.at)
    values = (after, number, after, last)  # the bound by itself, so that the index begins there
    looked = (
        "SELECT record, n, event FROM events WHERE (record, n) > (?, ?) AND record >= ? AND record < ? "
        "ORDER BY record, n LIMIT"
    )
    marks = ",".join("?" * len(names))
    rows = connection.execute(
        f"SELECT record, n FROM ({looked} {LOOKED_AT}) WHERE event IN ({marks}) LIMIT ?", (*values, *names, limit + 1)
    ).fetchall()
    end = rows[limit - 1] if len(rows) > limit else None
    if end is None:
        last_looked = f"SELECT record, n FROM ({looked} 1 OFFSET {LOOKED_AT - 1})"
        end = connection.execute(last_looked, values).fetchone()
    numbers = msgspec.json.encode([n for _, n in rows[:limit]]).decode()
    bodies = connection.execute(
        "SELECT e.n, e.writer, e.seq, e.hash, CAST(e.body AS BLOB) FROM entries AS e WHERE e.n IN (SELECT value FROM json_each(?))",
        (numbers,),
    ).fetchall()
    by_number = {n: rest for n, *rest in bodies}
    items = tuple(_event(by_number[n]) for _, n in rows[:limit])
    return EventPage(items, None if end is None else cursor_of(Following("e", end[1], end[0], "")))


def _event(row: Sequence[object]) -> StoredEvent:
    writer, seq, digest, body = row
    e = _DECODER.decode(body)  # type: ignore[arg-type]
    return StoredEvent(e.id, e.record, e.at, e.event, e.data, writer, seq, digest)  # type: ignore[arg-type]


def find(connection: sqlite3.Connection, keys: KeyRing, term: str, limit: int) -> tuple[str, ...]:
    tokens = term_tokens(keys, term)
    rows = connection.execute(
        f"SELECT DISTINCT e.id, r.at FROM blind AS b JOIN records AS r ON r.n = b.n JOIN entries AS e ON e.n = b.n "
        f"WHERE b.token IN ({','.join('?' * len(tokens))}) ORDER BY r.at DESC, e.id DESC LIMIT ?",
        (*tokens, limit),
    ).fetchall()
    return tuple(record_id for record_id, _ in rows)

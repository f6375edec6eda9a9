"""Reading an SQLite store for another one: batches in the order in which it was written, bounded by rows and bytes. Nothing is opened, judged or
hashed again. Each function runs on a connection of the caller's and sees what is committed.

Entries are carried once each, in order of `n`, so that a chain arrives without gaps. Leads are carried in order of receipt.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from gateway.stores.carry.carried import CarriedEntry, CarriedJob, CarriedLead, CarriedPersonal
from gateway.stores.records import PERSONAL_GROUPS, Columns
from gateway.stores.sqlite.commit import RECORD_COLUMNS

_LEAD = (
    "id, site, form, received_at, state, state_at, note, scheme, content_type, destination, origin, CAST(success AS BLOB), length, chunks, key_id, "
    "CAST(salt AS BLOB), CAST(head AS BLOB)"
)


class Limits(msgspec.Struct, frozen=True):
    """How much is carried at once; one row at least, however long it is.

    rows   few enough that a transaction of the other store is short, and visitors' commits need not wait for it
    size   bytes of bodies and pieces: what is held in memory meanwhile
    """

    rows: int = 500
    size: int = 4 * 1024 * 1024


def _cut(sizes: Sequence[int], limits: Limits) -> int:
    """How many of the first rows fit."""
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if number and total > limits.size:
            return number
    return len(sizes)


def leads(
    connection: sqlite3.Connection, after: int, limits: Limits, *, settled: bool = False
) -> tuple[tuple[CarriedLead, ...], int]:
    """Leads behind number `after`, with all their pieces, and the number of the last one (`after` where there is none). settled: leave out those
    whose delivery is under way."""
    only = "AND state <> 'pending'" if settled else ""
    head = connection.execute(
        f"SELECT n, length + ifnull(length(head), 0) FROM leads WHERE n > ? {only} ORDER BY n LIMIT ?",  # noqa: S608 - constants
        (after, limits.rows),
    ).fetchall()
    numbers = [n for n, _ in head[: _cut([size for _, size in head], limits)]]
    if not numbers:
        return (), after
    wanted = msgspec.json.encode(numbers).decode()
    rows = connection.execute(
        f"SELECT {_LEAD} FROM leads WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n",  # noqa: S608 - constants
        (wanted,),
    ).fetchall()
    pieces = connection.execute(
        "SELECT lead, no, CAST(data AS BLOB) FROM lead_chunks WHERE lead IN (SELECT id FROM leads WHERE n IN (SELECT value FROM json_each(?))) "
        "ORDER BY lead, no",
        (wanted,),
    ).fetchall()
    by_lead = {lead: tuple((no, data) for _, no, data in group) for lead, group in groupby(pieces, lambda row: row[0])}
    found = [CarriedLead(*row, by_lead.get(row[0], ())) for row in rows]  # type: ignore[call-arg]
    return tuple(found), numbers[-1]


def entries(connection: sqlite3.Connection, after: int, limits: Limits) -> tuple[CarriedEntry, ...]:
    """Links of chains behind number `after`, records with their index and the groups of personal values that are still there."""
    rows = connection.execute(
        "SELECT n, type, id, writer, seq, hash, CAST(body AS BLOB) FROM entries WHERE n > ? ORDER BY n LIMIT ?",
        (after, limits.rows),
    ).fetchall()
    rows = rows[: _cut([len(row[6]) for row in rows], limits)]
    if not rows:
        return ()
    between = (rows[0][0], rows[-1][0])
    columns = {
        n: Columns(*values)
        for n, *values in connection.execute(
            f"SELECT {RECORD_COLUMNS} FROM records WHERE n BETWEEN ? AND ?",  # noqa: S608 - constants
            between,
        )
    }
    about = {
        n: (record, at, event)
        for n, record, at, event in connection.execute(
            "SELECT n, record, at, event FROM events WHERE n BETWEEN ? AND ?", between
        )
    }
    personal = _personal(connection, between)
    found = [
        CarriedEntry(*row, columns.get(row[0]), about.get(row[0]), tuple(personal.get(row[0], ())))  # type: ignore[call-arg]
        for row in rows
    ]
    return tuple(found)


def _personal(connection: sqlite3.Connection, between: tuple[int, int]) -> dict[int, list[CarriedPersonal]]:
    found: dict[int, list[CarriedPersonal]] = {}
    for group in PERSONAL_GROUPS:
        statement = f"SELECT n, CAST(salt AS BLOB), CAST(tokens AS BLOB), CAST(value AS BLOB) FROM personal_{group} WHERE n BETWEEN ? AND ?"  # noqa: S608
        for n, salt, tokens, value in connection.execute(statement, between):
            found.setdefault(n, []).append(CarriedPersonal(group, salt, tokens, value))
    return found


def jobs(connection: sqlite3.Connection, after: int, limits: Limits) -> tuple[tuple[CarriedJob, ...], int]:
    """Releases behind number `after`, and the number of the last one."""
    rows = connection.execute(
        "SELECT id, lead, by, requested_at, due_at, attempt, leased_until, outcome FROM outbox WHERE id > ? ORDER BY id LIMIT ?",
        (after, limits.rows),
    ).fetchall()
    return tuple(CarriedJob(*row) for _, *row in rows), rows[-1][0] if rows else after


def generations(connection: sqlite3.Connection) -> Iterator[tuple[str, int, bytes]]:
    """One by one: a store has few, of some hundred kilobytes each."""
    yield from connection.execute("SELECT digest, at, CAST(content AS BLOB) FROM generations ORDER BY at, digest")


def keys(connection: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    return tuple(connection.execute("SELECT purpose, id FROM keys_used ORDER BY purpose, id").fetchall())


def counter(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def number_of(connection: sqlite3.Connection, ends: dict[str, int]) -> int:
    """The number behind which entries are missing in a store whose chains end at these numbers (`seq` by writer)."""
    found = connection.execute(
        "SELECT min(n) FROM entries AS e WHERE seq > ifnull((SELECT value FROM json_each(?) WHERE key = e.writer), 0)",
        (msgspec.json.encode(ends).decode(),),
    ).fetchone()[0]
    if found is not None:
        return int(found) - 1
    return int(connection.execute("SELECT ifnull(max(n), 0) FROM entries").fetchone()[0])

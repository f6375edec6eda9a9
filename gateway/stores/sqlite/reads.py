"""Reading the SQLite store. Each function runs in the reader's thread on its own connection and sees what is
committed.
"""
# ruff: noqa: S608  (the statements are put together from constants of this file; values are always bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from gateway.model import LeadState
from gateway.stores.cursors import LOOKED_AT, Numbered, address_tokens, cursor_of, position_of
from gateway.stores.keys import KeyRing
from gateway.stores.leads import Conservation, LeadFilter, LeadPage, StoredLead
from gateway.stores.records import PERSONAL_GROUPS, Personal, RecordFilter, RecordPage, StoredEntry, StoredEvent
from gateway.stores.sqlite.noted import LABELLED

# CAST: whoever changed a value by hand may have left text where bytes were, and must be found out, not crash the reader.
_ENTRY = "e.n, e.type, e.id, e.writer, e.seq, e.hash, CAST(e.body AS BLOB)"
_LEAD = (
    "l.n, l.id, l.site, l.form, l.received_at, l.state, l.state_at, l.note, l.scheme, l.content_type, l.destination, l.origin, "
    "l.success, l.length, EXISTS (SELECT 1 FROM outbox AS o WHERE o.lead = l.id AND o.outcome IS NULL)"
)
_Row = tuple[object, ...]


class _Event(msgspec.Struct):
    at: int
    data: dict[str, object]
    event: str
    id: str
    record: str


class _Where:
    """Conditions and their values, joined by AND."""

    def __init__(self) -> None:
        self.terms: list[str] = ["1"]
        self.values: list[object] = []

    def add(self, term: str, *values: object) -> None:
        self.terms.append(term)
        self.values += values

    def __str__(self) -> str:
        return " AND ".join(self.terms)


def entry_by_id(connection: sqlite3.Connection, record_id: str) -> StoredEntry | None:
    rows = connection.execute(f"SELECT {_ENTRY} FROM entries AS e WHERE e.id = ? AND e.type = 'record'", (record_id,))
    return next(iter(_with_personal(connection, rows.fetchall())), None)


def chain_of(connection: sqlite3.Connection, writer: str, after: int, limit: int) -> tuple[StoredEntry, ...]:
    rows = connection.execute(
        f"SELECT {_ENTRY} FROM entries AS e WHERE e.writer = ? AND e.seq > ? ORDER BY e.seq LIMIT ?",
        (writer, after, limit),
    )
    return _with_personal(connection, rows.fetchall())


def _with_personal(connection: sqlite3.Connection, rows: Sequence[_Row]) -> tuple[StoredEntry, ...]:
    """Entries from rows of `_ENTRY`, with the groups of personal values that are still there."""
    numbers = msgspec.json.encode([row[0] for row in rows if row[1] == "record"]).decode()
    found: dict[object, dict[str, Personal]] = {}
    for group in PERSONAL_GROUPS:
        statement = f"SELECT n, CAST(salt AS BLOB), CAST(value AS BLOB) FROM personal_{group} WHERE n IN (SELECT value FROM json_each(?))"
        for n, salt, value in connection.execute(statement, (numbers,)).fetchall():
            found.setdefault(n, {})[group] = Personal(group, salt, value)
    return tuple(StoredEntry(*row[1:], found.get(row[0], {})) for row in rows)  # type: ignore[call-arg, arg-type]


def known(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    statement = "SELECT id FROM entries WHERE id IN (SELECT value FROM json_each(?))"
    return {row[0] for row in connection.execute(statement, (msgspec.json.encode(list(ids)).decode(),)).fetchall()}


def events_of(connection: sqlite3.Connection, record_id: str) -> tuple[StoredEvent, ...]:
    rows = connection.execute(
        "SELECT e.writer, e.seq, e.hash, CAST(e.body AS BLOB) FROM events AS v JOIN entries AS e ON e.n = v.n WHERE v.record = ? "
        "ORDER BY v.at, v.n",
        (record_id,),
    ).fetchall()
    decoded = [(msgspec.json.decode(body, type=_Event), *rest) for *rest, body in rows]
    return tuple(StoredEvent(e.id, e.record, e.at, e.event, e.data, *rest) for e, *rest in decoded)


def writers(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    rows = connection.execute("SELECT writer, max(seq), hash FROM entries GROUP BY writer").fetchall()
    return {writer: (seq, digest) for writer, seq, digest in rows}


def record_page(
    connection: sqlite3.Connection, keys: KeyRing, where: RecordFilter, limit: int, cursor: str | None
) -> RecordPage:
    """Newest first. Raises BadCursor."""
    position = position_of(cursor, "r", Numbered)
    terms = _Where()
    if where.kind is not None:
        terms.add(
            "kind = 'submission'" if where.kind == "submission" else "kind = ?", *_unless(where.kind, "submission")
        )
    if where.verdict is not None:  # the second half lets the partial index serve
        terms.add("verdict = ?" + ("" if where.verdict == "accept" else " AND verdict <> 'accept'"), where.verdict)
    if where.ivt is not None:
        terms.add("ivt = ?" + ("" if where.ivt == "valid" else " AND ivt <> 'valid'"), where.ivt)
    if where.site is not None:
        terms.add("site = ?", where.site)
    if where.source is not None:
        terms.add("source = ?", where.source)
    _times(terms, "at", where.since, where.until)
    if position is not None:
        terms.add("(at, n) < (?, ?)", position.at, position.n)
    tokens = address_tokens(keys, where.q)
    if tokens:
        marks = ",".join("?" * len(tokens))
        terms.add(f"n IN (SELECT n FROM blind WHERE token IN ({marks}))", *tokens)
    elif where.q:
        return _search(connection, terms, where.q.lower(), limit)
    rows = connection.execute(
        f"SELECT at, n FROM records WHERE {terms} ORDER BY at DESC, n DESC LIMIT ?",
        (*terms.values, limit + 1),
    ).fetchall()
    more = len(rows) > limit
    return _records(connection, rows[:limit], rows[limit - 1] if more else None)


def _unless(value: str, literal: str) -> tuple[str, ...]:
    return () if value == literal else (value,)


def _times(terms: _Where, column: str, since: int | None, until: int | None) -> None:
    if since is not None:
        terms.add(f"{column} >= ?", since)
    if until is not None:
        terms.add(f"{column} < ?", until)


def _search(connection: sqlite3.Connection, terms: _Where, text: str, limit: int) -> RecordPage:
    """Look through the newest `LOOKED_AT` records that match the rest. A page may so hold fewer than `limit`, and
    still a cursor to go on from.
    """
    newest = f"SELECT at, n, search FROM records WHERE {terms} ORDER BY at DESC, n DESC LIMIT {LOOKED_AT}"
    rows = connection.execute(
        f"SELECT at, n FROM ({newest}) WHERE instr(search, ?) > 0 LIMIT ?",
        (*terms.values, text, limit + 1),
    ).fetchall()
    if len(rows) > limit:
        return _records(connection, rows[:limit], rows[limit - 1])
    end = connection.execute(
        f"SELECT at, n FROM records WHERE {terms} ORDER BY at DESC, n DESC LIMIT 1 OFFSET {LOOKED_AT - 1}",
        terms.values,
    ).fetchone()
    return _records(connection, rows, end)


def _records(connection: sqlite3.Connection, rows: Sequence[_Row], last: _Row | None) -> RecordPage:
    numbers = [row[1] for row in rows]
    found = connection.execute(
        f"SELECT {_ENTRY} FROM entries AS e WHERE e.n IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(numbers).decode(),),
    ).fetchall()
    by_number = {row[0]: row for row in found}
    items = _with_personal(connection, [by_number[n] for n in numbers])
    return RecordPage(items, None if last is None else cursor_of(Numbered("r", last[0], last[1])))  # type: ignore[arg-type]


def lead_by_id(connection: sqlite3.Connection, lead_id: str) -> StoredLead | None:
    row = connection.execute(f"SELECT {_LEAD} FROM leads AS l WHERE l.id = ?", (lead_id,)).fetchone()
    return None if row is None else _lead(row)


def _lead(row: _Row) -> StoredLead:
    _, *values = row
    values[4] = LeadState(str(values[4]))
    values[-1] = bool(values[-1])
    return StoredLead(*values)  # type: ignore[arg-type]


def lead_page(connection: sqlite3.Connection, where: LeadFilter, limit: int, cursor: str | None) -> LeadPage:
    """Newest first. Raises BadCursor."""
    position = position_of(cursor, "l", Numbered)
    terms = _Where()
    equal: Iterable[tuple[str, object]] = (
        ("l.state", where.state and where.state.value),
        ("l.site", where.site),
        ("l.form", where.form),
    )
    for column, value in equal:
        if value is not None:
            terms.add(f"{column} = ?", value)
    _times(terms, "l.received_at", where.since, where.until)
    if where.label is not None:
        terms.add(LABELLED, where.label.value)
    if position is not None:
        terms.add("(l.received_at, l.n) < (?, ?)", position.at, position.n)
    rows = connection.execute(
        f"SELECT {_LEAD} FROM leads AS l WHERE {terms} ORDER BY l.received_at DESC, l.n DESC LIMIT ?",
        (*terms.values, limit + 1),
    ).fetchall()
    last = rows[limit - 1] if len(rows) > limit else None
    items = tuple(_lead(row) for row in rows[:limit])
    return LeadPage(items, None if last is None else cursor_of(Numbered("l", last[4], last[0])))


def sealed_head(connection: sqlite3.Connection, lead_id: str) -> tuple[str, bytes, bytes] | None:
    """(key id, salt, sealed head), or None where the lead is unknown or erased."""
    row = connection.execute("SELECT key_id, salt, head FROM leads WHERE id = ?", (lead_id,)).fetchone()
    return None if row is None or row[2] is None else row


def sealed_chunk(connection: sqlite3.Connection, lead_id: str, number: int) -> bytes | None:
    row = connection.execute(
        "SELECT CAST(data AS BLOB) FROM lead_chunks WHERE lead = ? AND no = ?", (lead_id, number)
    ).fetchone()
    return None if row is None else row[0]


def conservation(connection: sqlite3.Connection) -> Conservation:
    """Counted in one read transaction, so that the sums belong together."""
    connection.execute("BEGIN")
    try:
        states = dict(connection.execute("SELECT state, count(*) FROM leads GROUP BY state").fetchall())
        counters = dict(connection.execute("SELECT name, value FROM counters").fetchall())
    finally:
        connection.execute("COMMIT")
    by_state = {state.value: states.get(state.value, 0) for state in LeadState}
    received = counters["received"]
    return Conservation(received, by_state, counters["unjournaled"], received == sum(by_state.values()))


def oldest(connection: sqlite3.Connection, state: LeadState) -> int | None:
    row = connection.execute("SELECT min(received_at) FROM leads WHERE state = ?", (state.value,)).fetchone()
    return None if row is None else row[0]


def generation(connection: sqlite3.Connection, digest: str) -> bytes | None:
    row = connection.execute("SELECT content FROM generations WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else row[0]

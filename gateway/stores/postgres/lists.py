"""Pages of the PostgreSQL store, newest first. The partitions are in order of time, so that a page over the newest
records looks at the newest day, and at older ones only where that has too few.
"""
# ruff: noqa: S608  (the statements are put together from constants of this file; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import asyncpg

from gateway.model import now_us
from gateway.stores.cursors import LOOKED_AT, Named, address_tokens, cursor_of, position_of
from gateway.stores.keys import KeyRing
from gateway.stores.leads import LeadFilter, LeadPage
from gateway.stores.postgres.connect import Connection
from gateway.stores.postgres.copy import free_text
from gateway.stores.postgres.noted import LABELLED
from gateway.stores.postgres.partitions import DAY_US
from gateway.stores.postgres.reads import LEAD, entries_by_id, lead_of
from gateway.stores.records import RecordFilter, RecordPage

_NEWEST = (2, 31)
"""Days."""


class _Where:
    """Conditions and their values, joined by AND; `?` stands for a value."""

    def __init__(self) -> None:
        self.terms: list[str] = ["true"]
        self.values: list[object] = []

    def add(self, term: str, *values: object) -> None:
        for value in values:
            term = term.replace("?", self.value(value), 1)
        self.terms.append(term)

    def value(self, value: object) -> str:
        self.values.append(free_text(value) if isinstance(value, str) else value)
        return f"${len(self.values)}"

    def __str__(self) -> str:
        return " AND ".join(self.terms)


def _times(terms: _Where, column: str, since: int | None, until: int | None) -> None:
    if since is not None:
        terms.add(f"{column} >= ?", since)
    if until is not None:
        terms.add(f"{column} < ?", until)


async def record_page(
    connection: Connection, keys: KeyRing, where: RecordFilter, limit: int, cursor: str | None
) -> RecordPage:
    """Raises BadCursor."""
    position = position_of(cursor, "r", Named)
    terms = _Where()
    if where.kind is not None:
        if where.kind == "submission":
            terms.add("kind = 'submission'")
        else:
            terms.add("kind = ?", where.kind)
    if where.verdict is not None:  # the second half lets the partial index serve
        terms.add("verdict = ?" + ("" if where.verdict == "accept" else " AND verdict <> 'accept'"), where.verdict)
    if where.ivt is not None:
        terms.add("ivt = ?" + ("" if where.ivt == "valid" else " AND ivt <> 'valid'"), where.ivt)
    if where.site is not None:
        terms.add("site = ?", where.site)
    if where.source is not None:
        terms.add("source = ?", where.source)
    _times(terms, "at", where.since, where.until)
    if position is not None:  # `at <=` by itself, so that newer partitions are left alone
        terms.add("at <= ? AND (at, id) < (?, ?::uuid)", position.at, position.at, position.id)
    tokens = address_tokens(keys, where.q)
    if where.q and not tokens:
        return await _search(connection, terms, where.q.lower(), limit)
    marks, most = ", ".join(terms.value(token) for token in tokens), terms.value(limit + 1)
    until = position.at if position is not None else where.until
    for first in _firsts(now_us() if until is None else until, where.since):
        recent = "true" if first is None else f"at >= {first}"
        look_up = f"AND (at, id) IN (SELECT at, id FROM blind WHERE token IN ({marks}) AND {recent})" if tokens else ""
        rows = await connection.fetch(
            f"SELECT at, id FROM records WHERE {terms} AND {recent} {look_up} ORDER BY at DESC, id DESC LIMIT {most}",
            *terms.values,
        )
        if len(rows) > limit:
            break
    more = len(rows) > limit
    return await _records(connection, rows[:limit], rows[limit - 1] if more else None)


def _firsts(until: int, since: int | None) -> Iterator[int | None]:
    """From when on to look, one after the other, until a page is full: the newest days mostly have enough, and the
    server need not plan for all others. None: as far as there is anything.
    """
    for days in _NEWEST:
        first = until - days * DAY_US
        if since is None or since < first:
            yield first
    yield None


async def _search(connection: Connection, terms: _Where, text: str, limit: int) -> RecordPage:
    """Look through the newest LOOKED_AT records that match the rest. A page may so hold fewer than `limit`, and still
    a cursor to go on from.
    """
    newest = f"SELECT at, id, search FROM records WHERE {terms} ORDER BY at DESC, id DESC LIMIT {LOOKED_AT}"
    counted = len(terms.values)
    rows = await connection.fetch(
        f"SELECT at, id FROM ({newest}) AS newest WHERE strpos(search, {terms.value(text)}) > 0 "
        f"ORDER BY at DESC, id DESC LIMIT {terms.value(limit + 1)}",
        *terms.values,
    )
    if len(rows) > limit:
        return await _records(connection, rows[:limit], rows[limit - 1])
    end = await connection.fetchrow(
        f"SELECT at, id FROM records WHERE {terms} ORDER BY at DESC, id DESC LIMIT 1 OFFSET {LOOKED_AT - 1}",
        *terms.values[:counted],
    )
    return await _records(connection, rows, end)


async def _records(connection: Connection, rows: Sequence[asyncpg.Record], last: asyncpg.Record | None) -> RecordPage:
    ids = [str(row["id"]) for row in rows]
    found = await entries_by_id(connection, ids)
    items = tuple(found[each] for each in ids if each in found)
    return RecordPage(items, None if last is None else cursor_of(Named("r", last["at"], str(last["id"]))))


async def lead_page(connection: Connection, where: LeadFilter, limit: int, cursor: str | None) -> LeadPage:
    """Raises BadCursor."""
    position = position_of(cursor, "l", Named)
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
        terms.add("(l.received_at, l.id) < (?, ?::uuid)", position.at, position.id)
    rows = await connection.fetch(
        f"SELECT {LEAD} FROM leads AS l WHERE {terms} ORDER BY l.received_at DESC, l.id DESC "
        f"LIMIT {terms.value(limit + 1)}",
        *terms.values,
    )
    last = rows[limit - 1] if len(rows) > limit else None
    items = tuple(lead_of(row) for row in rows[:limit])
    return LeadPage(items, None if last is None else cursor_of(Named("l", last["received_at"], str(last["id"]))))

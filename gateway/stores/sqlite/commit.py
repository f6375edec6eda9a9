"""What one group commit writes. Runs in the writer's thread, inside one transaction; whole tables' rows go in by few
statements, because each statement
hands the interpreter over to the loop and waits to get it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby

import msgspec

from gateway.model import LeadState
from gateway.stores.canonical import chained
from gateway.stores.errors import StoreError, StoreUnavailable
from gateway.stores.keys import KeyRing
from gateway.stores.operations import (
    Change,
    Duplicate,
    EventEntry,
    Item,
    LeadRow,
    Outcome,
    Pieces,
    Settle,
    Unjournaled,
    blind_key,
    check_transition,
    token,
)
from gateway.stores.records import FIRST_PREV, PERSONAL_GROUPS, Entry

_SIZES = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows in one statement. Powers of two: any number of rows takes as few statements as it has ones in binary."""

Call = Callable[["Transaction"], object]
"""Any other change; raises StoreError before it has written anything where it cannot be made."""

Operation = Change | Call


def insert(connection: sqlite3.Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    """All rows, in as few statements as their number allows; the statements' sizes are few, so that they stay
    prepared.
    """
    start, width = 0, len(rows[0]) if rows else 0
    one = "(" + ",".join("?" * width) + ")"
    for size in _SIZES:
        while len(rows) - start >= size:
            statement = f"INSERT INTO {table} ({columns}) VALUES {','.join([one] * size)}"  # noqa: S608
            connection.execute(statement, list(chain.from_iterable(rows[start : start + size])))
            start += size


class Transaction:
    """One open transaction (BEGIN IMMEDIATE done). `entry` collects what goes into the chain; `finish` writes it.

    labels  what was told of a record in this transaction: it is not among the entries before it is finished
    """

    def __init__(self, connection: sqlite3.Connection, writer: str, key: bytes) -> None:
        self.connection = connection
        self._writer = writer
        self._blind_key = key
        self._entries: list[Item] = []
        self.labels: dict[str, list[Mapping[str, object]]] = {}

    def entry(self, entry: Item) -> None:
        self._entries.append(entry)

    def apply(self, operations: Sequence[Operation | None]) -> list[Outcome]:
        """Carry out operations; one outcome each. New leads come first, the rest in order: a flood mixes them, and each
        stretch of one kind is a statement.
        """
        order = sorted(range(len(operations)), key=lambda number: not isinstance(operations[number], LeadRow))
        outcomes: list[Outcome] = []
        for kind, group in groupby([operations[number] for number in order], type):
            batch = list(group)
            if kind is LeadRow:
                outcomes += self._journal([item for item in batch if isinstance(item, LeadRow)])
            elif kind is Settle:
                outcomes += self._settle([item for item in batch if isinstance(item, Settle)])
            else:
                outcomes += [self._other(item) for item in batch]
        return [outcome for _, outcome in sorted(zip(order, outcomes, strict=True), key=lambda pair: pair[0])]

    def _other(self, item: Operation | None) -> Outcome:
        if isinstance(item, Pieces):
            self._pieces([(item.lead_id, number, data) for number, data in item.pieces])
            return Outcome()
        if isinstance(item, Unjournaled):
            if not self._which(
                "leads", [item.lead_id]
            ):  # a commit that came too late for the visitor still counts as stored
                self._count("unjournaled", 1)
            return Outcome()
        if isinstance(item, LeadRow | Settle):
            raise TypeError("handled in groups")
        if item is None:  # somebody only waits for what was queued before
            return Outcome()
        try:
            return Outcome(item(self))
        except StoreError as error:
            return Outcome(error=error)

    def _journal(self, batch: list[LeadRow]) -> list[Outcome]:
        there = self._which("leads", [row.lead.id for row in batch])
        outcomes, fresh = [], []
        for row in batch:
            if row.lead.id in there:
                outcomes.append(Outcome(error=StoreUnavailable(f"a lead with the id {row.lead.id} is there already")))
            else:
                there.add(row.lead.id)
                fresh.append(row)
                outcomes.append(Outcome())
        columns = (
            "id, site, form, received_at, state, state_at, note, scheme, content_type, destination, origin, success, "
            "length, chunks, key_id, salt, head"
        )
        insert(self.connection, "leads", columns, [_lead_columns(row) for row in fresh])
        self._pieces([(row.lead.id, number, data) for row in fresh for number, data in row.pieces])
        if fresh:
            self._count("received", len(fresh))
        return outcomes

    def _pieces(self, rows: list[tuple[object, ...]]) -> None:
        insert(self.connection, "lead_chunks", "lead, no, data", rows)

    def _count(self, counter: str, by: int) -> None:
        self.connection.execute("UPDATE counters SET value = value + ? WHERE name = ?", (by, counter))

    def _which(self, table: str, ids: list[str]) -> set[str]:
        """Which of these ids the table has; told in one row."""
        statement = f"SELECT group_concat(id) FROM {table} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
        found = self.connection.execute(statement, (msgspec.json.encode(ids).decode(),)).fetchone()[0]
        return set(found.split(",")) if found else set()

    def states(self, ids: list[str]) -> dict[str, LeadState]:
        """The states of these leads; unknown ones are absent."""
        statement = "SELECT group_concat(id || ' ' || state) FROM leads WHERE id IN (SELECT value FROM json_each(?))"
        found = self.connection.execute(statement, (msgspec.json.encode(ids).decode(),)).fetchone()[0]
        pairs = (pair.split(" ") for pair in found.split(",")) if found else ()
        return {lead_id: LeadState(state) for lead_id, state in pairs}

    def _settle(self, batch: list[Settle]) -> list[Outcome]:
        states = self.states([item.lead_id for item in batch])
        outcomes: list[Outcome] = []
        changed: dict[str, tuple[str, str, int, str]] = {}
        for item in batch:
            try:
                check_transition(states, item.lead_id, item.state)
            except StoreError as error:
                outcomes.append(Outcome(error=error))
                continue
            states[item.lead_id] = item.state
            changed[item.lead_id] = (item.lead_id, item.state.value, item.at, item.note)
            self.entry(item.event)
            outcomes.append(Outcome())
        if changed:
            self.connection.execute(
                "UPDATE leads SET state = new.state, state_at = new.at, note = new.note FROM (SELECT value ->> 0 AS id, value ->> 1 AS "
                "state, value ->> 2 AS at, value ->> 3 AS note FROM json_each(?)) AS new WHERE leads.id = new.id",
                (msgspec.json.encode(list(changed.values())).decode(),),
            )
        return outcomes

    def settle(self, lead_id: str, state: LeadState, note: str, at: int, event: EventEntry) -> None:
        """One change, from within a call. Raises UnknownLead, IllegalTransition."""
        error = self._settle([Settle(lead_id, state, note, at, event)])[0].error
        if error is not None:
            raise error

    def finish(self, entries: Sequence[Item], *, look: bool) -> int:
        """Write the chain: what operations collected, then `entries`. With `look`, records that are there already are
        left out, else they raise
        Duplicate. Gives the number of entries written."""
        todo: list[Item] = [*self._entries, *entries]
        if look:
            there = self._which("entries", [item.id for item in todo])
            fresh: dict[str, Item] = {}
            for item in todo:
                if item.id not in there:
                    fresh.setdefault(item.id, item)
            todo = list(fresh.values())
        if not todo:
            return 0
        n, seq, prev = self.connection.execute(
            "SELECT ifnull(max(n), 0), 0, ? FROM entries UNION ALL SELECT * FROM (SELECT (SELECT max(n) FROM entries), seq, hash "
            "FROM entries WHERE writer = ? ORDER BY seq DESC LIMIT 1)",
            (FIRST_PREV, self._writer),
        ).fetchall()[-1]
        try:
            self._write(todo, n, seq, prev)
        except sqlite3.IntegrityError as error:
            if look:
                raise
            raise Duplicate from error
        return len(todo)

    def _write(self, todo: list[Item], n: int, seq: int, prev: str) -> None:
        writer, key = self._writer, self._blind_key
        rows: list[tuple[object, ...]] = []
        records: list[tuple[object, ...]] = []
        events: list[tuple[object, ...]] = []
        blind: list[tuple[object, ...]] = []
        personal: dict[str, list[tuple[object, ...]]] = {group: [] for group in PERSONAL_GROUPS}
        for item in todo:
            n, seq = n + 1, seq + 1
            body, prev = chained(item.parts, writer, seq, prev)
            if isinstance(item, Entry):
                rows.append((n, writer, seq, "record", item.id, prev, body))
                records.append((n, *msgspec.structs.astuple(item.columns)))
                for group in item.personal:
                    tokens = [token(key, term) for term in group.terms]
                    blind += [(token, n) for token in set(tokens)]
                    personal[group.group].append((n, group.salt, b"".join(tokens), group.value))
            else:
                rows.append((n, writer, seq, "event", item.id, prev, body))
                events.append((n, item.record, item.at, item.event))
        connection = self.connection
        insert(connection, "entries", "n, writer, seq, type, id, hash, body", rows)
        insert(connection, "records", RECORD_COLUMNS, records)
        insert(connection, "events", "n, record, at, event", events)
        for name, values in personal.items():
            insert(connection, f"personal_{name}", "n, salt, tokens, value", values)
        insert(connection, "blind", "token, n", blind)


RECORD_COLUMNS = "n, at, kind, site, form, verdict, ivt, category, quality, source, asn, country, search"


def _lead_columns(row: LeadRow) -> tuple[object, ...]:
    lead = row.lead
    pending = LeadState.PENDING.value
    return (
        *(lead.id, lead.site, lead.form, lead.received_at, pending, lead.received_at, "", lead.scheme),
        *(lead.content_type, lead.destination, lead.origin, lead.success, row.length, row.chunks),
        *(row.key_id, row.salt, row.head),
    )


def begin(connection: sqlite3.Connection, writer: str, keys: KeyRing) -> Transaction:
    """Open a transaction that waits for its turn with other processes."""
    connection.execute("BEGIN IMMEDIATE")
    return Transaction(connection, writer, blind_key(keys))


__all__ = [
    "RECORD_COLUMNS",
    "Call",
    "Duplicate",
    "EventEntry",
    "LeadRow",
    "Operation",
    "Outcome",
    "Pieces",
    "Settle",
    "Transaction",
    "Unjournaled",
    "begin",
    "check_transition",
    "insert",
]

"""What one group commit writes to PostgreSQL, inside one transaction that holds its writer's row.

The row in `writers` says where the chain ends. It is locked first, so that two processes of one name write one after
the other; `token` changes with each commit, so that a commit whose answer was lost can be told from one that never was.
Leads are locked in the order of their ids, so that gateways do not wait for each other in a circle.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby

import asyncpg
import msgspec

from gateway.model import LeadState
from gateway.stores.canonical import chained
from gateway.stores.errors import StoreError, StoreUnavailable
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
    check_transition,
    token,
)
from gateway.stores.postgres.connect import IDLE_MS, Connection
from gateway.stores.postgres.copy import (
    big,
    blind_row,
    copy,
    data,
    entry_row,
    event_row,
    free_text,
    integer,
    is_id,
    personal_row,
    raw_id,
    record_row,
    row,
    text,
)
from gateway.stores.postgres.partitions import Partitions, day_of, day_of_id
from gateway.stores.records import FIRST_PREV

_SLICE = 100
"""Entries after which the loop may do something else: a few milliseconds."""

FIRST_HASH = bytes.fromhex(FIRST_PREV)


class Head(msgspec.Struct, frozen=True):
    """A writer's row, as last known. id: its number; seq and hash: of its last entry; token: of its last commit."""

    id: int
    seq: int
    hash: bytes
    token: int


class MissingDays(Exception):
    """Partitions are to be made first."""

    def __init__(self, days: frozenset[int]) -> None:
        super().__init__(f"no partitions for days {sorted(days)}")
        self.days = days


Call = Callable[["Transaction"], Awaitable[object]]
"""Any other change; raises StoreError before it has written anything where it cannot be made."""

Operation = Change | Call


class Transaction:
    """One open transaction. `entry` collects what goes into the chain; `finish` writes it; `commit` ends it.

    look    find out which ids are there already, instead of failing on them
    labels  what was told of a record in this transaction: it is not among the entries before it is finished
    """

    def __init__(
        self, connection: Connection, writer: str, head: Head, key: bytes, days: Partitions, *, look: bool
    ) -> None:
        self.connection, self.head, self.look = connection, head, look
        self.received = self.unjournaled = 0
        self._writer, self._key, self.days = writer, key, days
        self._entries: list[Item] = []
        self.labels: dict[str, list[Mapping[str, object]]] = {}
        self._states: dict[str, LeadState] = {}

    def entry(self, entry: Item) -> None:
        self._entries.append(entry)

    async def apply(self, operations: Sequence[Operation | None]) -> list[Outcome]:
        """Carry out operations; one outcome each. New leads come first, then changes and calls in order: a flood mixes
        them, and each stretch of one kind is a statement.
        """
        outcomes: dict[int, Outcome] = {}
        numbered = list(enumerate(operations))
        rows = [(number, item) for number, item in numbered if isinstance(item, LeadRow)]
        outcomes |= zip([number for number, _ in rows], await self._journal([item for _, item in rows]), strict=True)
        await self._pieces([(p.lead_id, self.head.id, p.pieces) for _, p in numbered if isinstance(p, Pieces)])
        settles = [item for _, item in numbered if isinstance(item, Settle)]
        if settles:
            await self.states([item.lead_id for item in settles])
        done = await self.which("entries", [s.event.id for s in settles]) if self.look else frozenset()
        rest = [pair for pair in numbered if not isinstance(pair[1], LeadRow | Pieces | Unjournaled | None)]
        for kind, group in groupby(rest, lambda pair: type(pair[1]) is Settle):
            batch = list(group)
            if kind:
                made = await self._settle([item for _, item in batch if isinstance(item, Settle)], done)
                outcomes |= zip([number for number, _ in batch], made, strict=True)
                continue
            for number, item in batch:
                if item is not None and not isinstance(item, Change):
                    outcomes[number] = await self._call(item)
        await self.count([item.lead_id for _, item in numbered if isinstance(item, Unjournaled)])
        return [outcomes.get(number, Outcome()) for number, _ in numbered]

    async def _call(self, call: Call) -> Outcome:
        try:
            return Outcome(await call(self))
        except StoreError as error:
            return Outcome(error=error)

    async def _journal(self, batch: list[LeadRow]) -> list[Outcome]:
        there: set[str] = await self.which("leads", [item.lead.id for item in batch]) if self.look else set()
        outcomes, fresh = [], []
        for item in batch:
            if item.lead.id in there:
                outcomes.append(Outcome(error=StoreUnavailable(f"a lead with the id {item.lead.id} is there already")))
            else:
                there.add(item.lead.id)
                fresh.append(item)
                outcomes.append(Outcome())
        await self.copy("leads", [_lead_row(item, self.head.id) for item in fresh])
        await self._pieces([(item.lead.id, None, item.pieces) for item in fresh])
        for item in fresh:
            if item.chunks > len(item.pieces):
                await self._arrived(item)
        self.received += len(fresh)
        return outcomes

    async def _arrived(self, item: LeadRow) -> None:
        """The pieces that came before belong to a lead now. Raises ValueError where they are gone."""
        statement = "UPDATE lead_chunks SET arriving = NULL WHERE lead = $1 AND arriving = $2"
        status = await self.connection.execute(statement, item.lead.id, self.head.id)
        if int(status.split(" ")[1]) != item.chunks - len(item.pieces):
            raise ValueError("pieces of its body are gone: another gateway of the same name was started")

    async def _pieces(self, batch: list[tuple[str, int | None, tuple[tuple[int, bytes], ...]]]) -> None:
        rows = [
            row(data(raw_id(lead)), integer(number), integer(arriving), data(piece))
            for lead, arriving, pieces in batch
            for number, piece in pieces
        ]
        await self.copy("lead_chunks", rows)

    async def copy(self, table: str, rows: Sequence[bytes]) -> None:
        """Raises Duplicate where an id is there already and nobody looked."""
        try:
            await copy(self.connection, table, rows)
        except asyncpg.UniqueViolationError as error:
            if self.look:
                raise
            raise Duplicate from error

    async def count(self, leads: list[str]) -> None:
        there = await self.which("leads", leads)  # a commit that came too late for the visitor still counts as stored
        self.unjournaled += sum(lead not in there for lead in leads)

    async def which(self, table: str, ids: Sequence[str]) -> set[str]:
        """Which of these ids the table has. table: entries or leads."""
        known = [each for each in ids if is_id(each)]
        if not known:
            return set()
        statement = f"SELECT id FROM {table} WHERE id = ANY($1::text[]::uuid[])"  # noqa: S608
        return {str(found[0]) for found in await self.connection.fetch(statement, known)}

    async def states(self, ids: Sequence[str]) -> dict[str, LeadState]:
        """The leads' states, by id; unknown ones are absent. They stay as they are until the transaction ends."""
        ask = [each for each in ids if each not in self._states and is_id(each)]
        if ask:
            rows = await self.connection.fetch(
                "SELECT id, state FROM leads WHERE id = ANY($1::text[]::uuid[]) ORDER BY id FOR UPDATE", ask
            )
            self._states |= {str(found["id"]): LeadState(found["state"]) for found in rows}
        return self._states

    async def _settle(self, batch: list[Settle], done: AbstractSet[str]) -> list[Outcome]:
        states = await self.states([item.lead_id for item in batch])
        outcomes: list[Outcome] = []
        changed: dict[str, Settle] = {}
        for item in batch:
            if item.event.id in done:
                outcomes.append(Outcome())
                continue
            try:
                check_transition(states, item.lead_id, item.state)
            except StoreError as error:
                outcomes.append(Outcome(error=error))
                continue
            states[item.lead_id] = item.state
            changed[item.lead_id] = item
            self.entry(item.event)
            outcomes.append(Outcome())
        if changed:
            rows = changed.values()
            await self.connection.execute(
                "UPDATE leads SET state = new.state, state_at = new.at::bigint, note = new.note FROM "
                "unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS new (id, state, at, note) "
                "WHERE leads.id = new.id::uuid",
                list(changed),
                [item.state.value for item in rows],
                [str(item.at) for item in rows],
                [free_text(item.note) for item in rows],
            )
        return outcomes

    async def settle(self, lead_id: str, state: LeadState, note: str, at: int, event: EventEntry) -> None:
        """One change, from within a call. Raises UnknownLead, IllegalTransition."""
        error = (await self._settle([Settle(lead_id, state, note, at, event)], frozenset()))[0].error
        if error is not None:
            raise error

    async def finish(self, entries: Sequence[Item]) -> int:
        """Write the chain: what operations collected, then `entries`. With `look`, those that are there already are
        left out, else they raise Duplicate. Gives the number of entries written. Raises MissingDays.
        """
        todo: list[Item] = [*self._entries, *entries]
        if self.look:
            there = await self.which("entries", [item.id for item in todo])
            fresh: dict[str, Item] = {}
            for item in todo:
                if item.id not in there:
                    fresh.setdefault(item.id, item)
            todo = list(fresh.values())
        if todo:
            await self._write(todo)
        return len(todo)

    async def _write(self, todo: list[Item]) -> None:
        writer, key, number = self._writer, self._key, self.head.id
        seq, prev = self.head.seq, self.head.hash.hex()
        rows: dict[str, list[bytes]] = {}
        links, records, events, blind = [], [], [], []
        days: set[int | None] = set()
        for position, item in enumerate(todo):
            if position % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            seq += 1
            body, prev = chained(item.parts, writer, seq, prev)
            raw, is_event = raw_id(item.id), isinstance(item, EventEntry)
            links.append(entry_row(raw, number, seq, is_event, bytes.fromhex(prev), body))
            days.add(day_of_id(raw))
            if isinstance(item, EventEntry):
                about = raw_id(item.record)
                days.add(day_of_id(about))
                events.append(event_row(about, item.at, raw, item.event))
                continue
            at = item.columns.at
            days.add(day_of(at))
            records.append(record_row(raw, item.columns))
            for group in item.personal:
                tokens = [token(key, term) for term in group.terms]
                blind += [blind_row(each, at, raw) for each in set(tokens)]
                personal = personal_row(raw, group.salt, b"".join(tokens), group.value)
                rows.setdefault(f"personal_{group.group}", []).append(personal)
        missing = self.days.missing(days)
        if missing:
            raise MissingDays(missing)
        await self.copy("entries", links)
        for table, some in (("records", records), ("events", events), *rows.items(), ("blind", blind)):
            await self.copy(table, some)
        self.head = Head(number, seq, bytes.fromhex(prev), self.head.token)

    def closing(self) -> tuple[Head, str]:
        """The writer's row as it will be, and the statements that end the transaction."""
        head = Head(self.head.id, self.head.seq, self.head.hash, secrets.randbits(62))
        statement = (
            f"UPDATE writers SET seq = {head.seq}, hash = '\\x{head.hash.hex()}', token = {head.token}, "  # noqa: S608 - numbers
            f"received = received + {self.received}, unjournaled = unjournaled + {self.unjournaled}, seen_at = now() "
            f"WHERE id = {head.id}; COMMIT"
        )
        return head, statement


async def begin(connection: Connection, head: Head, lock_ms: int) -> Head | None:
    """Open a transaction and lock the writer's row. Gives the row as it is where that is not as expected, else None.

    Durable when committed, whatever the server's default; a frozen gateway holds its locks for IDLE_MS at most.
    """
    status = await connection.execute(
        f"BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = {lock_ms}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}; "
        f"SELECT FROM writers WHERE id = {head.id} AND token = {head.token} FOR UPDATE"
    )
    if status == "SELECT 1":
        return None
    found = await connection.fetchrow("SELECT id, seq, hash, token FROM writers WHERE id = $1 FOR UPDATE", head.id)
    if found is None:
        raise asyncpg.UndefinedTableError("the writer's row is gone")
    return Head(found["id"], found["seq"], found["hash"], found["token"])


def _lead_row(item: LeadRow, writer: int) -> bytes:
    lead = item.lead
    return row(
        *(data(raw_id(lead.id)), big(lead.received_at), big(lead.received_at), big(item.length), integer(item.chunks)),
        *(
            integer(writer),
            text(lead.site),
            text(lead.form),
            text(LeadState.PENDING.value),
            text(""),
            text(lead.scheme),
        ),
        *(text(lead.content_type), text(lead.destination), text(lead.origin), data(lead.success), text(item.key_id)),
        *(data(item.salt), data(item.head)),
    )


__all__ = ["FIRST_HASH", "Call", "Head", "MissingDays", "Operation", "Transaction", "begin"]

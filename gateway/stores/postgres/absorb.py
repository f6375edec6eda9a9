"""Taking in what another store wrote, byte for byte, as a change within a transaction. Twice is the same as once: ids
tell what is there already.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.model import LeadState
from gateway.stores.carry.carried import Batch, CarriedEntry, CarriedJob, CarriedLead, Loose
from gateway.stores.errors import StoreCorrupt, StoreError
from gateway.stores.leads import TRANSITIONS
from gateway.stores.operations import TOKEN_BYTES, Settle, Unjournaled
from gateway.stores.postgres.commit import FIRST_HASH, Head, MissingDays, Transaction
from gateway.stores.postgres.copy import (
    big,
    blind_row,
    data,
    entry_row,
    event_row,
    free_text,
    integer,
    personal_row,
    raw_id,
    record_row,
    row,
    text,
)
from gateway.stores.postgres.outbox import UNKNOWN
from gateway.stores.postgres.partitions import day_of, day_of_id


class Absorb(msgspec.Struct, frozen=True):
    """See gateway.stores.carry.carried.Absorbs. What may be refused is looked at before anything is written."""

    batch: Batch
    place: str
    now: int

    async def __call__(self, transaction: Transaction) -> None:
        batch, connection = self.batch, transaction.connection
        fresh = await self._fresh(transaction)
        heads = await self._heads(transaction, fresh)
        missing = transaction.days.missing(day for entry in fresh for day in _days(entry))
        if missing:
            raise MissingDays(missing)
        for purpose, key_id in batch.keys:
            await connection.execute("INSERT INTO keys_used VALUES ($1, $2) ON CONFLICT DO NOTHING", purpose, key_id)
        for digest, at, content in batch.generations:
            await connection.execute(
                "INSERT INTO generations VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", digest, at, content
            )
        await _entries(transaction, fresh, heads)
        await _leads(transaction, batch.leads)
        for job in batch.jobs:
            await _job(transaction, job)
        transaction.unjournaled += batch.unjournaled

    async def _fresh(self, transaction: Transaction) -> list[CarriedEntry]:
        """What is not there yet. Raises StoreCorrupt where an id is there with another hash."""
        entries = {entry.id: entry for entry in self.batch.entries}
        if not entries:
            return []
        statement = "SELECT id, hash FROM entries WHERE id = ANY($1::text[]::uuid[])"
        for found in await transaction.connection.fetch(statement, list(entries)):
            entry = entries.pop(str(found["id"]))
            if entry.hash != found["hash"].hex():
                raise StoreCorrupt(
                    self.place,
                    f"the entry {entry.id} of {entry.writer} is there with another content",
                    "Run `leadgate verify` on both stores: one of them was changed",
                )
        return sorted(entries.values(), key=lambda entry: (entry.writer, entry.seq))

    async def _heads(self, transaction: Transaction, fresh: list[CarriedEntry]) -> dict[str, Head]:
        """The rows of the entries' writers, locked. Raises StoreCorrupt where a chain would fork."""
        names = sorted({entry.writer for entry in fresh})
        if not names:
            return {}
        await transaction.connection.execute(
            "INSERT INTO writers (name, hash) SELECT name, $2 FROM unnest($1::text[]) AS name ORDER BY name "
            "ON CONFLICT (name) DO NOTHING",
            names,
            FIRST_HASH,
        )
        rows = await transaction.connection.fetch(
            "SELECT id, name, seq, hash, token FROM writers WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE",
            names,
        )
        heads = {found["name"]: Head(found["id"], found["seq"], found["hash"], found["token"]) for found in rows}
        for entry in fresh:
            if entry.seq <= heads[entry.writer].seq:
                raise StoreCorrupt(
                    self.place,
                    f"the chain of {entry.writer} has another entry {entry.seq} already",
                    "Two stores were written under one writer's name: give each gateway its own",
                )
        return heads


def _days(entry: CarriedEntry) -> Iterable[int | None]:
    yield day_of_id(raw_id(entry.id))
    if entry.columns is not None:
        yield day_of(entry.columns.at)
    if entry.about is not None:
        yield day_of_id(raw_id(entry.about[0]))


async def _entries(transaction: Transaction, fresh: list[CarriedEntry], heads: dict[str, Head]) -> None:
    rows: dict[str, list[bytes]] = {"entries": []}
    for entry in fresh:
        raw, head = raw_id(entry.id), heads[entry.writer]
        rows["entries"].append(
            entry_row(raw, head.id, entry.seq, entry.type == "event", bytes.fromhex(entry.hash), entry.body)
        )
        heads[entry.writer] = Head(head.id, entry.seq, bytes.fromhex(entry.hash), head.token)
        if entry.about is not None:
            record, at, event = entry.about
            rows.setdefault("events", []).append(event_row(raw_id(record), at, raw, event))
        if entry.columns is None:
            continue
        at = entry.columns.at
        rows.setdefault("records", []).append(record_row(raw, entry.columns))
        tokens: set[bytes] = set()
        for group in entry.personal:
            personal = personal_row(raw, group.salt, group.tokens, group.value)
            rows.setdefault(f"personal_{group.group}", []).append(personal)
            starts = range(0, len(group.tokens), TOKEN_BYTES)
            tokens |= {group.tokens[start : start + TOKEN_BYTES] for start in starts}
        rows.setdefault("blind", []).extend(blind_row(token, at, raw) for token in tokens)
    for table, some in rows.items():
        await transaction.copy(table, some)
    for head in heads.values():
        if head.id == transaction.head.id:
            transaction.head = head
        else:
            await transaction.connection.execute(
                "UPDATE writers SET seq = $2, hash = $3 WHERE id = $1", head.id, head.seq, head.hash
            )


async def _leads(transaction: Transaction, leads: tuple[CarriedLead, ...]) -> None:
    if not leads:
        return
    connection, states = transaction.connection, await transaction.states([lead.id for lead in leads])
    fresh = [lead for lead in {lead.id: lead for lead in leads}.values() if lead.id not in states]
    if fresh:  # pieces of a body whose lead did not get in then
        await connection.execute(
            "DELETE FROM lead_chunks WHERE lead = ANY($1::text[]::uuid[])", [lead.id for lead in fresh]
        )
    await transaction.copy("leads", [_lead_row(lead, transaction.head.id) for lead in fresh])
    pieces = [
        row(data(raw_id(lead.id)), integer(number), integer(None), data(piece))
        for lead in fresh
        for number, piece in lead.pieces
    ]
    await transaction.copy("lead_chunks", pieces)
    transaction.received += len(fresh)
    new = {lead.id for lead in fresh}
    known = [lead for lead in leads if lead.id not in new]
    if not known:
        return
    rows = await connection.fetch(
        "SELECT id, state_at, note FROM leads WHERE id = ANY($1::text[]::uuid[])", [lead.id for lead in known]
    )
    since = {str(found["id"]): (found["state_at"], found["note"]) for found in rows}
    for lead in known:
        if _goes_on(lead, states[lead.id], *since[lead.id]):
            states[lead.id], since[lead.id] = LeadState(lead.state), (lead.state_at, lead.note)
            await connection.execute(
                "UPDATE leads SET state = $2, state_at = $3, note = $4 WHERE id = $1",
                *(lead.id, lead.state, lead.state_at, free_text(lead.note)),
            )


def _goes_on(lead: CarriedLead, state: LeadState, state_at: int, note: str) -> bool:
    """Is the lead further where it comes from? "Delivery unknown" is a guess, which what is known replaces whenever it was known; else the later word
    counts, where the change is legal."""
    wanted = LeadState(lead.state)
    if wanted is not state and wanted not in TRANSITIONS[state]:
        return False
    guessed = state is LeadState.PENDING or (state is LeadState.HELD and note == UNKNOWN)
    return lead.state_at > state_at or (guessed and wanted is not state)


def _lead_row(lead: CarriedLead, writer: int) -> bytes:
    return row(
        *(data(raw_id(lead.id)), big(lead.received_at), big(lead.state_at), big(lead.length), integer(lead.chunks)),
        *(
            integer(writer),
            text(lead.site),
            text(lead.form),
            text(LeadState(lead.state).value),
            text(free_text(lead.note)),
        ),
        *(text(lead.scheme), text(lead.content_type), text(lead.destination), text(lead.origin), data(lead.success)),
        *(text(lead.key_id), data(lead.salt), data(lead.head)),
    )


async def _job(transaction: Transaction, job: CarriedJob) -> None:
    await transaction.connection.execute(
        "INSERT INTO outbox (lead, by, requested_at, due_at, attempt, leased_until, leased_by, outcome) "
        "SELECT $1::uuid, $2::text, $3::bigint, $4, $5, $6, $7, $8 WHERE NOT EXISTS "
        "(SELECT FROM outbox WHERE lead = $1::uuid AND by = $2::text AND requested_at = $3::bigint) "
        "ON CONFLICT (lead) WHERE outcome IS NULL DO NOTHING",
        *(job.lead, job.by, job.requested_at, job.due_at, job.attempt, job.leased_until),
        *(None if job.leased_until is None else transaction.head.id, job.outcome),
    )


class TakeBack(msgspec.Struct, frozen=True):
    """See gateway.stores.carry.carried.HandsOver. Gives the number of changes that are impossible by now."""

    items: tuple[Loose, ...]

    async def __call__(self, transaction: Transaction) -> int:
        items, impossible = self.items, 0
        settles = [item for item in items if isinstance(item, Settle)]
        links = [item for item in items if not isinstance(item, Settle | Unjournaled)]
        there = await transaction.which("entries", [item.event.id for item in settles] + [item.id for item in links])
        await transaction.states([item.lead_id for item in settles])
        for item in items:
            if isinstance(item, Unjournaled):
                await transaction.count([item.lead_id])
            elif isinstance(item, Settle):
                if item.event.id in there:
                    continue
                there.add(item.event.id)
                try:
                    await transaction.settle(item.lead_id, item.state, item.note, item.at, item.event)
                except StoreError:
                    impossible += 1
            elif item.id not in there:
                there.add(item.id)
                transaction.entry(item)
        return impossible

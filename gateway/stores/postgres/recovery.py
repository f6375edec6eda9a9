"""What a gateway that stopped left open, closed by itself when it starts again, or by any other when it stays away.

A lead whose delivery was under way may have been delivered, so it is held for a person and not sent again. Whether a
writer lives is told by the server's clock: each commit, and a heartbeat when there is none, says so.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.model import LeadState
from gateway.stores.canonical import digest
from gateway.stores.errors import StoreCorrupt
from gateway.stores.keys import HASH, SEAL, KeyRing
from gateway.stores.operations import make_event
from gateway.stores.postgres import outbox
from gateway.stores.postgres.commit import FIRST_HASH, Head, MissingDays, Transaction
from gateway.stores.postgres.connect import Connection
from gateway.stores.postgres.partitions import AHEAD, DAY_US, Partitions, day_of
from gateway.stores.postgres.settings import PostgresSettings

_AT_ONCE = 200
"""Leads, or pieces, of a dead writer that are closed in one transaction, so that it stays short."""

_STOPPED = {"reason": "the gateway stopped before it knew what became of the delivery"}
_GONE = {"reason": "the gateway that had it was not seen for too long"}


async def note_keys(connection: Connection, keys: KeyRing) -> None:
    """Raises KeyProblem where one that the store has used is missing."""
    await connection.execute("BEGIN")
    for row in await connection.fetch("SELECT purpose, id FROM keys_used"):
        keys.get(row["purpose"], row["id"])
    for purpose in (HASH, SEAL):
        for key in keys.all(purpose):
            await connection.execute("INSERT INTO keys_used VALUES ($1, $2) ON CONFLICT DO NOTHING", purpose, key.id)
    await connection.execute("COMMIT")


async def head_of(connection: Connection, writer: str) -> Head:
    """The writer's row, made where there is none."""
    await connection.execute("BEGIN")
    await connection.execute(
        "INSERT INTO writers (name, hash) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET seen_at = now()",
        writer,
        FIRST_HASH,
    )
    row = await connection.fetchrow("SELECT id, seq, hash, token FROM writers WHERE name = $1", writer)
    await connection.execute("COMMIT")
    assert row is not None
    return Head(row["id"], row["seq"], row["hash"], row["token"])


async def check_end(settings: PostgresSettings, connection: Connection, writer: str, head: Head) -> None:
    """The writer's newest entry must be what its hash says; `verify` checks the rest. Raises StoreCorrupt."""
    await connection.execute("BEGIN READ ONLY")
    row = await connection.fetchrow("SELECT hash, body FROM entries WHERE writer = $1 AND seq = $2", head.id, head.seq)
    await connection.execute("COMMIT")
    if row is not None and (row["hash"] != head.hash or digest(row["body"]) != head.hash.hex()):
        raise StoreCorrupt(
            settings.place,
            f"the newest entry of {writer} ({head.seq}) does not match its hash",
            "Restore the database from its backup",
        )


class MakeDays(msgspec.Struct, frozen=True):
    """Partitions for today and the next days."""

    days: Partitions
    now: int

    async def __call__(self, transaction: Transaction) -> None:
        missing = self.days.missing(day_of(self.now + ahead * DAY_US) for ahead in range(AHEAD + 1))
        if missing:
            raise MissingDays(missing)


class Recover(msgspec.Struct, frozen=True):
    """Close what this writer left open when it stopped. True: there is more."""

    now: int

    async def __call__(self, transaction: Transaction) -> bool:
        now, own = self.now, transaction.head.id
        await outbox.expire(
            transaction, now, lambda record, event, data: make_event(record, event, data, now), own_leases=True
        )
        return await _close(transaction, own, now, _STOPPED)


class Sweep(msgspec.Struct, frozen=True):
    """Close what one dead writer left open. Its row is locked meanwhile: should it come back, it waits."""

    dead_after_s: float
    clock: Callable[[], int]

    async def __call__(self, transaction: Transaction) -> bool:
        dead = await transaction.connection.fetchval(
            "SELECT id FROM writers WHERE seen_at < now() - make_interval(secs => $1) AND id <> $2 AND ("
            "EXISTS (SELECT FROM leads WHERE leads.writer = writers.id AND state = 'pending') OR "
            "EXISTS (SELECT FROM lead_chunks WHERE arriving = writers.id)) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
            self.dead_after_s,
            transaction.head.id,
        )
        return dead is not None and await _close(transaction, dead, self.clock(), _GONE)


async def _close(transaction: Transaction, writer: int, now: int, told: dict[str, str]) -> bool:
    connection = transaction.connection
    rows = await connection.fetch(
        "SELECT id FROM leads WHERE writer = $1 AND state = 'pending' ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
        writer,
        _AT_ONCE,
    )
    for row in rows:
        lead_id = str(row["id"])
        event = make_event(lead_id, "delivery.unknown", told, now)
        await transaction.settle(lead_id, LeadState.HELD, outbox.UNKNOWN, now, event)
    pieces = await connection.execute(
        "DELETE FROM lead_chunks WHERE (lead, no) IN (SELECT lead, no FROM lead_chunks WHERE arriving = $1 "
        "LIMIT $2 FOR UPDATE SKIP LOCKED)",
        writer,
        _AT_ONCE,
    )
    return len(rows) == _AT_ONCE or pieces == f"DELETE {_AT_ONCE}"


class Retract(msgspec.Struct, frozen=True):
    """Take out leads that got in after their visitors had been told that they could not."""

    leads: tuple[str, ...]

    async def __call__(self, transaction: Transaction) -> None:
        rows = await transaction.connection.fetch(
            "DELETE FROM leads WHERE id = ANY($1::text[]::uuid[]) AND state = 'pending' AND writer = $2 RETURNING id",
            list(self.leads),
            transaction.head.id,
        )
        await drop_pieces(transaction, [str(row["id"]) for row in rows])
        transaction.received -= len(rows)


async def drop_pieces(transaction: Transaction, leads: list[str]) -> None:
    """Pieces of bodies whose leads are not there."""
    await transaction.connection.execute(
        "DELETE FROM lead_chunks WHERE lead = ANY($1::text[]::uuid[]) "
        "AND NOT EXISTS (SELECT FROM leads WHERE leads.id = lead_chunks.lead)",
        leads,
    )

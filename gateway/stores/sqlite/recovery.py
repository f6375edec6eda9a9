"""What is done once when the SQLite store is opened: are the keys there, is its end sound, what did a crash leave open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.model import LeadState
from gateway.stores.canonical import digest
from gateway.stores.errors import StoreCorrupt
from gateway.stores.keys import HASH, SEAL, KeyRing
from gateway.stores.operations import Settle, make_event
from gateway.stores.sqlite import outbox
from gateway.stores.sqlite.commit import begin


def check_keys(path: Path, connection: sqlite3.Connection, keys: KeyRing) -> None:
    for purpose, key_id in connection.execute("SELECT purpose, id FROM keys_used").fetchall():
        keys.get(purpose, key_id)


def note_keys(connection: sqlite3.Connection, keys: KeyRing) -> None:
    used = [(purpose, key.id) for purpose in (HASH, SEAL) for key in keys.all(purpose)]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT OR IGNORE INTO keys_used VALUES (?, ?)", used)
    connection.execute("COMMIT")


def check_end(path: Path, connection: sqlite3.Connection) -> None:
    """The newest entry must be what its hash says; `verify` checks the rest."""
    row = connection.execute(
        "SELECT hash, CAST(body AS BLOB), writer, seq FROM entries ORDER BY n DESC LIMIT 1"
    ).fetchone()
    if row is not None and digest(row[1]) != row[0]:
        raise StoreCorrupt(
            path, f"its newest entry ({row[2]} {row[3]}) does not match its hash", "Restore it from its backup"
        )


def recover(connection: sqlite3.Connection, writer: str, keys: KeyRing, clock: Callable[[], int]) -> None:
    """What a stopped gateway left open is held for a person: it may have been delivered, so it is not sent again."""
    now = clock()
    transaction = begin(connection, writer, keys)
    outbox.expire(transaction, now, lambda record, event, data: make_event(record, event, data, now), all_leases=True)
    rows = connection.execute("SELECT id FROM leads WHERE state = 'pending'").fetchall()
    told = {"reason": "the gateway stopped before it knew what became of the delivery"}
    transaction.apply(
        [
            Settle(lead_id, LeadState.HELD, outbox.UNKNOWN, now, make_event(lead_id, "delivery.unknown", told, now))
            for (lead_id,) in rows
        ]
    )
    connection.execute("DELETE FROM lead_chunks WHERE NOT EXISTS (SELECT 1 FROM leads WHERE id = lead_chunks.lead)")
    transaction.finish([], look=False)
    connection.execute("COMMIT")

"""A store that stands in for the shared one: an SQLite file that can be made to go away, to hang and to lose its answer, with what a spool asks of it."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec

from gateway.model import LeadState
from gateway.stores.errors import StoreCorrupt, StoreUnavailable
from gateway.stores.operations import EventEntry, Unjournaled
from gateway.stores.records import Entry
from gateway.stores.sqlite.commit import RECORD_COLUMNS
from gateway.stores.sqlite.store import SqliteStore

FURTHER = {"pending": {"held", "delivered", "rejected", "refused", "expired", "erased"}}
FURTHER["held"] = FURTHER["pending"] - {"held"}


class StandIn(SqliteStore):
    """away       nothing can be committed or read; what is queued waits
    unanswered    what is queued while away is committed all the same, and nobody is told: the end of the commit is unknown
    slow_s        how long a commit takes to fail while away
    refuses       absorb says that what it is given cannot be right
    """

    away = False
    unanswered = False
    refuses = False
    slow_s = 0.0

    @property
    def waiting(self):
        return self.__dict__.setdefault("_waiting_items", [])

    async def _there(self):
        if self.away:
            await asyncio.sleep(self.slow_s)
            raise StoreUnavailable("the server does not answer")

    @property
    def healthy(self):
        return not self.away and super().healthy

    @property
    def trouble(self):
        return "the server does not answer" if self.away else super().trouble

    def come_back(self):
        self.away = False
        for item in self.hand_over():
            self._give(item)

    def _give(self, item):
        if isinstance(item, Entry | EventEntry):
            self._writer.put(item)
        else:
            self._writer.do_soon(item)

    def _wait_or_give(self, item):
        if not self.away:
            self._give(item)
            return True
        if self.unanswered:
            self._give(item)
        self.waiting.append(item)
        return True

    async def journal(self, lead, body):
        await self._there()
        await super().journal(lead, body)

    def unjournaled(self, lead_id):
        self._wait_or_give(Unjournaled(lead_id))

    def record(self, entry):
        return self._wait_or_give(entry)

    def event(self, record_id, event, data):
        return self._wait_or_give(self._event(record_id, event, data))

    async def settle(self, *args, **more):
        await self._there()
        await super().settle(*args, **more)

    def settle_soon(self, lead_id, state, event, data, note=""):
        self._wait_or_give(self._settle(lead_id, state, event, data, note))

    async def flush(self):
        await self._there()
        await super().flush()

    async def put_generation(self, digest, content):
        await self._there()
        await super().put_generation(digest, content)

    async def _read(self, function, *args, **kwargs):
        await self._there()
        return await super()._read(function, *args, **kwargs)

    def hand_over(self):
        items = list(self.waiting)
        self.waiting.clear()
        return items

    async def take_back(self, items):
        await self._there()
        for item in items:
            self._give(item)
        await super().flush()

    async def absorb(self, batch):
        await self._there()
        if self.refuses:
            raise StoreCorrupt("postgresql://127.0.0.1/leadgate", "an entry is there with another hash", "Look at it")
        await self._writer.do(partial(absorb, batch=batch))


def absorb(transaction, batch):
    """A batch into an SQLite file."""
    connection = transaction.connection
    fresh = []
    for entry in batch.entries:
        row = connection.execute("SELECT hash FROM entries WHERE id = ?", (entry.id,)).fetchone()
        if row is None:
            fresh.append(entry)
        elif row[0] != entry.hash:
            raise StoreCorrupt("the store", f"{entry.id} is there with another hash", "Look at it")
    for purpose, key in batch.keys:
        connection.execute("INSERT OR IGNORE INTO keys_used VALUES (?, ?)", (purpose, key))
    for row in batch.generations:
        connection.execute("INSERT OR IGNORE INTO generations VALUES (?, ?, ?)", row)
    for lead in batch.leads:
        _lead(connection, lead)
    number = connection.execute("SELECT ifnull(max(n), 0) FROM entries").fetchone()[0]
    for n, entry in enumerate(fresh, number + 1):
        _entry(connection, n, entry)
    for job in batch.jobs:
        values = msgspec.structs.astuple(job)
        if not connection.execute(
            "SELECT 1 FROM outbox WHERE lead = ? AND requested_at = ?", (job.lead, job.requested_at)
        ).fetchone():
            connection.execute(
                "INSERT INTO outbox (lead, by, requested_at, due_at, attempt, leased_until, outcome) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
    connection.execute("UPDATE counters SET value = value + ? WHERE name = 'unjournaled'", (batch.unjournaled,))


def _lead(connection, lead):
    row = connection.execute("SELECT state FROM leads WHERE id = ?", (lead.id,)).fetchone()
    if row is not None:
        if lead.state in FURTHER.get(row[0], ()):
            connection.execute(
                "UPDATE leads SET state = ?, state_at = ?, note = ? WHERE id = ?",
                (LeadState(lead.state), lead.state_at, lead.note, lead.id),
            )
        return
    *values, pieces = msgspec.structs.astuple(lead)
    columns = (
        "id, site, form, received_at, state, state_at, note, scheme, content_type, destination, origin, success, "
        "length, chunks, key_id, salt, head"
    )
    connection.execute(f"INSERT INTO leads ({columns}) VALUES ({','.join('?' * len(values))})", values)
    for number, data in pieces:
        connection.execute("INSERT OR REPLACE INTO lead_chunks VALUES (?, ?, ?)", (lead.id, number, data))
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'received'")


def _entry(connection, n, entry):
    connection.execute(
        "INSERT INTO entries (n, writer, seq, type, id, hash, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (n, entry.writer, entry.seq, entry.type, entry.id, entry.hash, entry.body),
    )
    if entry.columns is not None:
        values = (n, *msgspec.structs.astuple(entry.columns))
        connection.execute(f"INSERT INTO records ({RECORD_COLUMNS}) VALUES ({','.join('?' * len(values))})", values)
    if entry.about is not None:
        connection.execute("INSERT INTO events (n, record, at, event) VALUES (?, ?, ?, ?)", (n, *entry.about))
    for group in entry.personal:
        connection.execute(
            f"INSERT INTO personal_{group.group} VALUES (?, ?, ?, ?)", (n, group.salt, group.tokens, group.value)
        )
        for start in range(0, len(group.tokens), 16):
            connection.execute("INSERT OR IGNORE INTO blind VALUES (?, ?)", (group.tokens[start : start + 16], n))

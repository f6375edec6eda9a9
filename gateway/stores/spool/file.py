"""One spool file: an SQLite store that keeps what belongs to another store until it can be given to it.

What is new while the other store is away (leads, records, events) is written here as it is everywhere, in a chain of this file's own: the writer's
name holds what the file was marked with when it was made, so that a spool that was lost never continues a chain that is known elsewhere.

What the other store had begun (entries of its queue, changes of leads that it has) waits in `loose`: it becomes part of its chains.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import cast

import msgspec

from gateway.model import now_us
from gateway.stores.carry import carrying
from gateway.stores.carry.carried import Batch, CarriedLead, Loose
from gateway.stores.carry.carrying import Limits
from gateway.stores.errors import StoreCorrupt, StoreLocked
from gateway.stores.keys import KeyRing
from gateway.stores.leads import Conservation
from gateway.stores.operations import Settle, Unjournaled, check_transition
from gateway.stores.spool import loose
from gateway.stores.sqlite.commit import Transaction
from gateway.stores.sqlite.schema import connect, explained, lock
from gateway.stores.sqlite.store import SqliteSettings, SqliteStore

SUFFIX = ".db"
_NAME_LENGTH = 40
"""Of a writer's name, what goes into the name of the spool's chain: with the rest it stays below the 63 characters that a writer's name may have."""

_UNNAMED = re.compile(r"[^a-z0-9-]")

_KEPT_AT_ONCE = 500
"""Items in one commit: visitors' submissions go in between."""

_SAME_NAME = 8
"""Files tried for one writer: another gateway may be emptying the one that was left behind under its name."""


class Content(msgspec.Struct, frozen=True):
    """What waits in a spool. pending: of the leads, those whose delivery is under way, which are carried once it is known; loose: changes and entries
    that the other store had begun."""

    leads: int = 0
    pending: int = 0
    entries: int = 0
    loose: int = 0
    generations: int = 0
    unjournaled: int = 0

    def __bool__(self) -> bool:
        return bool(self.leads or self.entries or self.loose or self.generations or self.unjournaled)

    def __add__(self, other: Content) -> Content:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Content(*(a + b for a, b in zip(mine, theirs, strict=True)))


class Spool(SqliteStore):
    """Opened by `open_spool`."""

    @property
    def path(self) -> Path:
        return self._path

    # In.

    def settle_here_or_keep(self, item: Settle) -> None:
        """Change the lead where it is here, else keep the change for the other store; nobody waits."""
        self._writer.do_soon(partial(_settle_or_keep, item=item))

    async def settle_here(self, item: Settle) -> bool:
        """False where the lead is not here. Raises IllegalTransition, StoreUnavailable."""
        return cast("bool", await self._writer.do(partial(_settle_here, item=item)))

    async def keep(self, items: Sequence[Loose]) -> None:
        """Keep for the other store; durable when it returns. Raises StoreUnavailable."""
        for start in range(0, len(items), _KEPT_AT_ONCE):
            await self._writer.do(partial(_keep, items=items[start : start + _KEPT_AT_ONCE]))

    def unjournaled(self, lead_id: str) -> None:
        """For the other store to count, which may have the lead after all; not where it is here."""
        self._writer.counters.unjournaled += 1
        self._writer.do_soon(partial(_note_unjournaled, item=Unjournaled(lead_id)))

    # Out.

    async def conservation(self) -> Conservation:
        found = await super().conservation()
        kept = await self._read(_kept_unjournaled)
        return Conservation(found.received, found.by_state, found.unjournaled + kept, found.holds)

    async def content(self) -> Content:
        return await self._read(content)

    async def batch(self, limits: Limits) -> Batch:
        """What is carried next; an empty one where only what cannot be carried yet is left."""
        return await self._read(_batch, limits)

    async def loose(self, limit: int) -> list[tuple[int, Loose]]:
        return await self._read(_loose, limit)

    async def carried(self, batch: Batch) -> None:
        """Forget what the other store has now. A lead that was changed meanwhile stays, and is carried again."""
        await self._writer.do(partial(_forget, batch=batch))

    async def given_back(self, numbers: Sequence[int]) -> None:
        await self._writer.do(partial(_forget_loose, numbers=numbers))

    async def remove(self) -> None:
        """Close it and delete its files; for an empty one. The lock is held until all is gone."""
        lock_fd, self._lock_fd = self._lock_fd, None
        try:
            await self.close()
            for suffix in ("-wal", "-shm", "", ".lock"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        finally:
            if lock_fd is not None:
                os.close(lock_fd)


def open_spool(
    directory: Path,
    writer: str,
    keys: KeyRing,
    *,
    settings: SqliteSettings | None = None,
    clock: Callable[[], int] = now_us,
) -> Spool:
    """The spool of this writer, made where there is none; leads that were on their way when its last holder ended are held, "delivery unknown". Raises
    StoreUnopenable."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(1, _SAME_NAME + 1):
        stem = writer if number == 1 else f"{writer}-{number}"
        try:
            return adopt(directory / (stem + SUFFIX), keys, settings=settings, clock=clock)
        except StoreLocked:
            if number == _SAME_NAME:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def adopt(
    path: Path, keys: KeyRing, *, settings: SqliteSettings | None = None, clock: Callable[[], int] = now_us
) -> Spool:
    """A spool by its file. Raises StoreLocked where its holder is alive, and StoreUnopenable."""
    lock_fd = lock(
        path
    )  # before its mark is read: its holder may just be taking it away, and another be made in its place
    try:
        name = f"{_UNNAMED.sub('-', path.stem.lower())[:_NAME_LENGTH].strip('-') or 'left'}-spool-{_made(path)}"
    except BaseException:
        os.close(lock_fd)
        raise
    return Spool.open(path, keys, writer=name, settings=settings, clock=clock, lock_fd=lock_fd)


def _made(path: Path) -> str:
    """Its mark. A file whose maker was killed, or had no room, before it had its tables is given them now. Raises StoreUnopenable."""
    try:
        with closing(connect(path, synchronous="FULL", busy_ms=5_000, create=True, alone=True)) as connection:
            row = connection.execute("SELECT value FROM marks WHERE name = 'made'").fetchone()
    except sqlite3.Error as error:
        raise explained(path, error) from error
    if row is None:
        raise StoreCorrupt(path, "it is no spool: it has no mark", "Keep the file and report it")
    return str(row[0])


def content(connection: sqlite3.Connection) -> Content:
    connection.execute("BEGIN")
    try:
        states = dict(connection.execute("SELECT state, count(*) FROM leads GROUP BY state").fetchall())
        last = connection.execute("SELECT ifnull(max(n), 0) FROM entries").fetchone()[0]
        begun = connection.execute("SELECT count(*) FROM loose").fetchone()[0]
        generations = connection.execute("SELECT count(*) FROM generations").fetchone()[0]
        return Content(
            leads=sum(states.values()),
            pending=states.get("pending", 0),
            entries=last - _carried_to(connection),
            loose=begun,
            generations=generations,
            unjournaled=carrying.counter(connection, "unjournaled"),
        )
    finally:
        connection.execute("COMMIT")


def _kept_unjournaled(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM loose WHERE kind = 'unjournaled'").fetchone()[0])


def _carried_to(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM marks WHERE name = 'carried'").fetchone()
    return 0 if row is None else int(row[0])


def _batch(connection: sqlite3.Connection, limits: Limits) -> Batch:
    """Leads before what was written about them."""
    connection.execute("BEGIN")
    try:
        keys = carrying.keys(connection)
        generations = tuple(carrying.generations(connection))
        unjournaled = carrying.counter(connection, "unjournaled")
        leads, _ = carrying.leads(connection, 0, limits, settled=True)
        entries = () if leads else carrying.entries(connection, _carried_to(connection), limits)
    finally:
        connection.execute("COMMIT")
    return Batch(entries, leads, (), generations, keys, unjournaled)


def _forget(transaction: Transaction, batch: Batch) -> None:
    connection = transaction.connection
    gone = 0
    for lead in batch.leads:
        gone += _forget_lead(connection, lead)
    if gone:
        connection.execute("UPDATE counters SET value = value - ? WHERE name = 'received'", (gone,))
    if batch.unjournaled:
        connection.execute("UPDATE counters SET value = value - ? WHERE name = 'unjournaled'", (batch.unjournaled,))
    for digest, _, _ in batch.generations:
        connection.execute("DELETE FROM generations WHERE digest = ?", (digest,))
    if batch.entries:
        last = batch.entries[-1].n
        for table in ("blind", "records", "events", "personal_network", "personal_browser", "personal_person"):
            connection.execute(f"DELETE FROM {table} WHERE n <= ?", (last,))  # noqa: S608 - constants
        connection.execute(  # a chain's last entry stays: the next one follows it
            "DELETE FROM entries WHERE n <= ? AND EXISTS "
            "(SELECT 1 FROM entries AS later WHERE later.writer = entries.writer AND later.seq > entries.seq)",
            (last,),
        )
        connection.execute("INSERT OR REPLACE INTO marks VALUES ('carried', ?)", (str(last),))


def _forget_lead(connection: sqlite3.Connection, lead: CarriedLead) -> int:
    gone = connection.execute(
        "DELETE FROM leads WHERE id = ? AND state = ? AND state_at = ? AND note = ?",
        (lead.id, lead.state, lead.state_at, lead.note),
    ).rowcount
    if gone:
        connection.execute("DELETE FROM lead_chunks WHERE lead = ?", (lead.id,))
    return gone


def _loose(connection: sqlite3.Connection, limit: int) -> list[tuple[int, Loose]]:
    rows = connection.execute("SELECT n, CAST(item AS BLOB) FROM loose ORDER BY n LIMIT ?", (limit,)).fetchall()
    try:
        return [(n, loose.decode(item)) for n, item in rows]
    except (msgspec.DecodeError, KeyError) as error:
        raise StoreCorrupt(
            "the spool", f"something that waits in it cannot be read ({error})", "Keep the file and report it"
        ) from error


def _forget_loose(transaction: Transaction, numbers: Sequence[int]) -> None:
    statement = "DELETE FROM loose WHERE n IN (SELECT value FROM json_each(?))"
    transaction.connection.execute(statement, (msgspec.json.encode(list(numbers)).decode(),))


def _keep(transaction: Transaction, items: Sequence[Loose]) -> None:
    for item in items:
        transaction.connection.execute(
            "INSERT INTO loose (kind, item) VALUES (?, ?)", (type(item).__name__.lower(), loose.encode(item))
        )


def _settle_here(transaction: Transaction, item: Settle) -> bool:
    states = transaction.states([item.lead_id])
    if not states:
        return False
    check_transition(states, item.lead_id, item.state)
    transaction.settle(item.lead_id, item.state, item.note, item.at, item.event)
    return True


def _settle_or_keep(transaction: Transaction, item: Settle) -> None:
    if not _settle_here(transaction, item):
        _keep(transaction, (item,))


def _note_unjournaled(transaction: Transaction, item: Unjournaled) -> None:
    """Counted by the other store, where the lead is not there after all; not where it is here."""
    if not transaction.states([item.lead_id]):
        _keep(transaction, (item,))

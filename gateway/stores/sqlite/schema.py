"""The SQLite file: its tables, and opening it with clear errors.

`entries` is the truth (canonical bytes, chained per writer); `records` and `events` are indexes over it, rows with
the same `n`. Personal values stand
in one table per group, so that a group can be erased by itself. Large things come last in a row and the indexes are
partial where most rows are of one
kind: both keep a page of a million records quick.

MIGRATIONS are the steps from an empty file to today's format. Whoever has the file to itself (the lock) makes quick
steps when it opens it; all others are made by `leadgate db upgrade` alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gateway.stores.errors import (
    StoreCorrupt,
    StoreLocked,
    StoreMissing,
    StoreReadOnly,
    StoreTooNew,
    StoreTooOld,
    StoreUnopenable,
)
from gateway.stores.migrations import Migration, Standing, standing

_APPLICATION = 0x4C474154  # "LGAT"

_FORMAT_1 = """
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE keys_used (purpose TEXT, id TEXT, PRIMARY KEY (purpose, id)) WITHOUT ROWID;
CREATE TABLE generations (digest TEXT PRIMARY KEY, at INTEGER NOT NULL, content BLOB NOT NULL);

CREATE TABLE entries (n INTEGER PRIMARY KEY, writer TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, id TEXT
NOT NULL, hash TEXT NOT NULL,
  body BLOB NOT NULL);
CREATE UNIQUE INDEX entries_id ON entries (id);
CREATE UNIQUE INDEX entries_chain ON entries (writer, seq);

CREATE TABLE records (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, site TEXT NOT NULL, form TEXT,
verdict TEXT NOT NULL,
  ivt TEXT NOT NULL, category TEXT, quality INTEGER NOT NULL, source TEXT NOT NULL, asn INTEGER, country TEXT, search
  TEXT NOT NULL);
CREATE INDEX records_at ON records (at);
CREATE INDEX records_site ON records (site, at);
CREATE INDEX records_submissions ON records (at) WHERE kind = 'submission';
CREATE INDEX records_verdict ON records (verdict, at) WHERE verdict <> 'accept';
CREATE INDEX records_ivt ON records (ivt, at) WHERE ivt <> 'valid';

CREATE TABLE events (n INTEGER PRIMARY KEY, record TEXT NOT NULL, at INTEGER NOT NULL, event TEXT NOT NULL);
CREATE INDEX events_record ON events (record);

CREATE TABLE personal_network (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, tokens BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE personal_browser (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, tokens BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE personal_person (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, tokens BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE blind (token BLOB, n INTEGER, PRIMARY KEY (token, n)) WITHOUT ROWID;

CREATE TABLE leads (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, form TEXT NOT NULL,
received_at INTEGER NOT NULL,
  state TEXT NOT NULL, state_at INTEGER NOT NULL, note TEXT NOT NULL, scheme TEXT NOT NULL, content_type TEXT NOT
  NULL, destination TEXT NOT NULL,
  origin TEXT NOT NULL, success BLOB NOT NULL, length INTEGER NOT NULL, chunks INTEGER NOT NULL, key_id TEXT NOT NULL,
  salt BLOB NOT NULL, head BLOB);
CREATE INDEX leads_received ON leads (received_at);
CREATE INDEX leads_state ON leads (state, received_at);
CREATE TABLE lead_chunks (lead TEXT NOT NULL, no INTEGER NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX lead_chunks_lead ON lead_chunks (lead, no);

CREATE TABLE outbox (id INTEGER PRIMARY KEY, lead TEXT NOT NULL, by TEXT NOT NULL, requested_at INTEGER NOT NULL,
due_at INTEGER NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0, leased_until INTEGER, outcome TEXT);
CREATE UNIQUE INDEX outbox_open ON outbox (lead) WHERE outcome IS NULL;
CREATE INDEX outbox_due ON outbox (due_at) WHERE outcome IS NULL;
INSERT INTO counters VALUES ('received', 0), ('unjournaled', 0);
"""

_FORMAT_2 = """
CREATE TABLE turns (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE loose (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, item BLOB NOT NULL);
CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO marks VALUES ('made', lower(hex(randomblob(4))));
"""
"""turns: when each of the jobs that one gateway does for all was last done. loose: what another store is to be given
(gateway.stores.spool.store). marks: `made`, by which this file is told from one that was in its place before; `oldest`,
the oldest format whose programs may use the file.
"""


def _statements(text: str) -> tuple[str, ...]:
    return tuple(statement.strip() for statement in text.split(";") if statement.strip())


MIGRATIONS = (
    Migration(1, "the store's tables", _statements(_FORMAT_1), oldest=1, quick=True),
    Migration(
        2, "room for shared jobs, for marks and for what another store is to be given", _statements(_FORMAT_2), 2, True
    ),
)
VERSION = MIGRATIONS[-1].version


def lock(path: Path) -> int:
    """Take the store for this process; gives the descriptor that holds the lock. Raises StoreLocked, StoreMissing,
    StoreReadOnly.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_reached(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreLocked(
            path,
            f"another gateway (process {holder or 'unknown'}) has this store open",
            "Stop it first; several gateways need a shared store (postgresql://…)",
        ) from error
    if not _still_there(beside, descriptor):  # its holder was done with the store and took it away meanwhile
        os.close(descriptor)
        return lock(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except OSError:
        pass  # a full disk: the lock holds all the same, only the number is not told
    return descriptor


def held(path: Path) -> bool:
    """Does a gateway have the store open now?"""
    try:
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _not_reached(path: Path, error: OSError) -> StoreUnopenable:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StoreMissing(path, "its directory does not exist", f"Make it: mkdir -p {path.parent}")
    return StoreReadOnly(path, f"it cannot be written ({error.strerror})", "Let the user that runs Leadgate own it")


def connect(path: Path, *, synchronous: str, busy_ms: int, create: bool, alone: bool = False) -> sqlite3.Connection:
    """A connection for writing, its tables made or checked. alone: nobody else has the store, so that quick steps to
    today's format may be made. Raises StoreUnopenable.
    """
    if not path.parent.is_dir():
        raise StoreMissing(path, "its directory does not exist", f"Make it: mkdir -p {path.parent}")
    if path.is_dir():
        raise StoreCorrupt(path, "it is a directory", "Name a file in `store:`")
    try:
        connection = _open(path, "rwc" if create else "rw", busy_ms)
    except sqlite3.Error as error:
        raise explained(path, error) from error
    try:
        _prepare(path, connection, synchronous, alone)
    except sqlite3.Error as error:
        connection.close()
        raise explained(path, error) from error
    except StoreUnopenable:
        connection.close()
        raise
    return connection


def connect_reading(path: Path, busy_ms: int) -> sqlite3.Connection:
    """A connection that cannot write. Raises StoreUnopenable."""
    try:
        connection = _open(path, "rw", busy_ms)
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA cache_size = -32000")
    except sqlite3.Error as error:
        raise explained(path, error) from error
    return connection


def _open(path: Path, mode: str, busy_ms: int) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if mode == "rwc":  # leads are nobody else's to read, wherever the directory lies
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
    return connection


def _prepare(path: Path, connection: sqlite3.Connection, synchronous: str, alone: bool) -> None:
    found = standing_of(path, connection)
    if found.found and found.pending and not (alone and all(step.quick for step in found.pending)):
        raise StoreTooOld(
            path,
            f"an older Leadgate made it (format {found.found}, this one writes {found.wanted})",
            "Bring it up to date: leadgate db upgrade",
        )
    if not found.found:
        connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -64000")
    if found.pending:
        for _ in upgrade(connection):
            pass


def standing_of(path: Path, connection: sqlite3.Connection) -> Standing:
    """The file's format and what is missing to today's. Raises StoreCorrupt, StoreTooNew."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables and connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise StoreCorrupt(path, "it is an SQLite file of another program", "Name another file in `store:`")
    if found > VERSION and oldest_of(connection, found) > VERSION:
        raise StoreTooNew(
            path, f"a newer Leadgate wrote it (format {found}, this one knows {VERSION})", "Run that version, or newer"
        )
    return standing(MIGRATIONS, found)


def oldest_of(connection: sqlite3.Connection, found: int) -> int:
    """The oldest format whose programs may use the file."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'marks'").fetchone():
        return found
    row = connection.execute("SELECT value FROM marks WHERE name = 'oldest'").fetchone()
    return found if row is None or not str(row[0]).isdecimal() else int(row[0])


def upgrade(connection: sqlite3.Connection) -> Iterator[Migration]:
    """Make the missing steps, each in a transaction of its own, and tell each that is made; none where somebody was
    faster. Raises sqlite3.Error.
    """
    for step in MIGRATIONS:
        connection.execute("BEGIN IMMEDIATE")
        try:
            missing = connection.execute("PRAGMA user_version").fetchone()[0] < step.version
            if missing:
                _make(connection, step)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if missing:
            yield step


def _make(connection: sqlite3.Connection, step: Migration) -> None:
    for statement in step.statements:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {step.version}")
    if step.version > 1:  # format 1 had no marks, and its programs refuse what is newer
        connection.execute("INSERT OR REPLACE INTO marks VALUES ('oldest', ?)", (str(step.oldest),))


def explained(path: Path, error: sqlite3.Error) -> StoreUnopenable:
    """An SQLite error at opening, in words."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(path, f"the file is damaged or no SQLite file ({error})", "Restore it from its backup")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN):
        return StoreReadOnly(path, f"it cannot be written ({error})", "Let the user that runs Leadgate own it")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(path, f"another program is writing to it ({error})", "Try again when it is done")
    return StoreUnopenable(path, f"it cannot be used ({error})", "See to the disk: is there room, is it mounted?")

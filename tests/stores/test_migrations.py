"""From one format to the next: nothing is lost, nobody is surprised, and whoever cannot use a file leaves it alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.evidence.chain import verify
from gateway.model import LeadState
from gateway.stores.errors import StoreTooNew, StoreTooOld
from gateway.stores.keys import PURPOSES, Key, KeyRing, _id_of
from gateway.stores.migrations import Migration, standing
from gateway.stores.records import RecordFilter
from gateway.stores.sqlite import schema as sqlite_schema
from gateway.stores.sqlite.store import OPERATOR, SqliteStore

FORMAT_1 = Path(__file__).parents[1] / "testdata" / "sqlite_format_1.sql"
HELD, ON_ITS_WAY = (f"0199c82c-c000-7000-8000-00000000000{number}" for number in (1, 2))
SLOW = Migration(3, "an index over everything", ("CREATE INDEX slow ON entries (hash)",), oldest=2)


def fixed_keys():
    """Those with which the file of format 1 was made."""
    secrets = {purpose: (purpose.encode() * 32)[:32] for purpose in PURPOSES}
    return KeyRing([Key(purpose, _id_of(purpose, secret), 0, secret) for purpose, secret in secrets.items()])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "leadgate.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_1.read_text("utf-8"))
    return path


@pytest.fixture
def a_slow_step(monkeypatch):
    """A third format whose step takes longer the more there is."""
    steps = (*sqlite_schema.MIGRATIONS, SLOW)
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", steps)
    monkeypatch.setattr(sqlite_schema, "VERSION", 3)


def formats(path):
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        return connection.execute("PRAGMA user_version").fetchone()[0], tables


def upgraded(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [step.version for step in sqlite_schema.upgrade(connection)]


async def test_a_store_of_format_1_is_taken_up_whole(path):
    store = SqliteStore.open(path, fixed_keys())
    try:
        assert formats(path)[0] == sqlite_schema.VERSION
        assert formats(path)[1] >= {"turns", "loose", "marks"}
        assert await (await store.lead_body(HELD)).read() == b"email=anna%40example.org"
        assert (await store.lead(HELD)).note == "a rule"
        assert (await store.lead(ON_ITS_WAY)).note == "delivery unknown"
        page = await store.records(RecordFilter(q="203.0.113.5"))
        assert [item.id for item in page.items] == [HELD]
        sums = await store.conservation()
        assert sums.holds
        assert (sums.received, sums.unjournaled) == (2, 1)
        assert await store.generation("ab" * 32) == b"generation"
        links = await store.entries("gateway-0")
        assert [link.type for link in links] == ["event", "record", "event"]
        assert verify(links, heads=await store.writers()).ok
        assert await store.take_turn("mail", 10, 5)
    finally:
        await store.close()


def test_the_steps_end_in_the_same_tables_as_a_new_store(path, tmp_path):
    SqliteStore.open(tmp_path / "new.db", fixed_keys())._lock_fd  # noqa: B018 - opened, not used
    upgraded(path)
    assert formats(path) == formats(tmp_path / "new.db")


def test_a_second_upgrade_does_nothing(path):
    assert upgraded(path) == [2]
    made = path.read_bytes()
    assert upgraded(path) == []
    assert path.read_bytes() == made


def test_a_step_is_whole_or_not_there(path, monkeypatch):
    broken = Migration(3, "breaks", ("CREATE TABLE half (x)", "CREATE TABLE half (x)"), oldest=2)
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", (*sqlite_schema.MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError, match="half"):
        upgraded(path)
    version, tables = formats(path)
    assert version == 2
    assert "half" not in tables


def test_whoever_has_it_not_to_himself_makes_no_steps(path):
    with pytest.raises(StoreTooOld, match=r"format 1, this one writes 2\)\. Bring it up to date: leadgate db upgrade"):
        SqliteStore.open(path, fixed_keys(), writer=OPERATOR)
    assert formats(path)[0] == 1


async def test_a_step_that_takes_long_is_not_made_at_start(path, a_slow_step):
    with pytest.raises(StoreTooOld, match="leadgate db upgrade"):
        SqliteStore.open(path, fixed_keys())
    assert formats(path)[0] == 1
    assert upgraded(path) == [2, 3]
    store = SqliteStore.open(path, fixed_keys())
    await store.close()


async def test_a_newer_file_that_admits_this_program_opens(path, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(sqlite_schema, "MIGRATIONS", (*sqlite_schema.MIGRATIONS, SLOW))
        newer.setattr(sqlite_schema, "VERSION", 3)
        assert upgraded(path) == [2, 3]
    store = SqliteStore.open(path, fixed_keys())
    await store.settle(HELD, LeadState.REJECTED, "rejected", {})
    await store.close()
    assert formats(path)[0] == 3


def test_a_newer_file_that_does_not_is_left_alone(path, monkeypatch):
    newest = Migration(3, "another meaning", (), oldest=3)
    with monkeypatch.context() as newer:
        newer.setattr(sqlite_schema, "MIGRATIONS", (*sqlite_schema.MIGRATIONS, newest))
        newer.setattr(sqlite_schema, "VERSION", 3)
        upgraded(path)
    made = path.read_bytes()
    with pytest.raises(StoreTooNew, match="format 3, this one knows 2"):
        SqliteStore.open(path, fixed_keys())
    assert path.read_bytes() == made


@pytest.mark.parametrize(
    ("found", "pending", "online"), [(0, [1, 2, 3], True), (1, [2, 3], False), (2, [3], True), (3, [], True)]
)
def test_which_steps_are_missing_and_who_may_run_meanwhile(found, pending, online):
    where = standing((*sqlite_schema.MIGRATIONS, SLOW), found)
    assert [step.version for step in where.pending] == pending
    assert (where.found, where.wanted, where.online) == (found, 3, online)


def test_a_lock_that_was_taken_away_is_asked_for_again(tmp_path):
    path = tmp_path / "x.db"
    waiting = os.open(tmp_path / "x.db.lock", os.O_RDWR | os.O_CREAT)
    (tmp_path / "x.db.lock").unlink()
    assert not sqlite_schema.held(path)
    mine = sqlite_schema.lock(path)
    assert sqlite_schema.held(path)
    assert os.fstat(mine).st_ino == (tmp_path / "x.db.lock").stat().st_ino
    os.close(waiting)
    os.close(mine)
    assert not sqlite_schema.held(path)

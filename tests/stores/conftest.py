"""Backends of the system of record, one suite for all, and what is put into them."""

from __future__ import annotations

from urllib.parse import urlsplit

import asyncpg
import pytest

from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.signal import Signal
from gateway.evidence.record import build
from gateway.model import Mode, new_id
from gateway.stores.keys import KeyRing
from gateway.stores.leads import NewLead
from gateway.stores.postgres.settings import PostgresSettings
from gateway.stores.postgres.store import PostgresStore
from gateway.stores.sqlite.store import SqliteSettings, SqliteStore
from geoip.network import Network
from rules.verdict import Decision, Ivt, Verdict

NOW = 1_760_000_000_000_000


BACKENDS = ("postgres", "sqlite")
PATIENT = {"deadline_s": 10.0, "connect_s": 10.0}
"""The machine that runs tests is slower than any deadline that visitors would bear."""

_TABLES = (
    "writers, keys_used, generations, turns, entries, records, events, personal_network, personal_browser, "
    "personal_person, blind, leads, lead_chunks, outbox"
)


def postgres_settings(dsn, **settings):
    """From `postgresql://user[:password]@host:port/database`."""
    place = urlsplit(dsn)
    values = {"host": place.hostname, "port": place.port, "database": place.path[1:], "user": place.username}
    return PostgresSettings(**(values | {"password": place.password} | PATIENT | settings))


@pytest.fixture(scope="session")
def shared_dsn(postgres_server):
    """One database for many tests: its tables are made once, and emptied for each."""
    return postgres_server.fresh_database()


async def empty(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('writers') IS NOT NULL"):
            await connection.execute("; ".join(f"DELETE FROM {table}" for table in _TABLES.split(", ")))
    finally:
        await connection.close()


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys():
    return KeyRing.ephemeral()


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
async def open_store(request, backend, tmp_path, keys, clock):
    """Opens stores at one place; closes them at the end."""
    opened = []
    if backend == "postgres":
        dsn = request.getfixturevalue("shared_dsn")
        await empty(dsn)

    async def open_(writer="gateway-0", **settings):
        if backend == "postgres":
            place = postgres_settings(dsn, **settings)
            store = await PostgresStore.open(place, keys, writer=writer, clock=clock)
        else:
            place = tmp_path / "leadgate.db"
            bounds = SqliteSettings(**settings)
            store = SqliteStore.open(place, keys, writer=writer, clock=clock, settings=bounds)
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store):
    return await open_store()


def new_lead(**changes):
    values = {
        "id": new_id(),
        "site": "acme",
        "form": "quote",
        "received_at": NOW,
        "head": b"POST /lead HTTP/1.1\r\nHost: acme\r\n\r\n",
        "peer": "203.0.113.5:4711",
        "client": "203.0.113.5",
        "content_type": "application/x-www-form-urlencoded",
        "origin": "http://127.0.0.1:9000",
        "success": b'{"status":[200]}',
    }
    return NewLead(**(values | changes))


def new_entry(id=None, *, decision=Decision.ACCEPT, ivt=Ivt.VALID, source="live", signals=(), at=NOW, **changes):
    values = {
        "kind": Kind.LANDING,
        "site": "acme",
        "at": at,
        "page": Page("www.acme.example", "/offer", {"utm_campaign": "Autumn"}),
        "client": Client("203.0.113.5", 4711),
        "request": Request("GET", "/offer", (("Host", "www.acme.example"),)),
        "network": Network(64500, "Example Net", "DE"),
        "velocity": Unavailable("not counted"),
    }
    verdict = Verdict(decision, 91, 80, ivt, None, 0, "threshold", (), (), (), (), "")
    return build(
        Observation(**(values | changes)),
        id=id or new_id(),
        mode=Mode.MONITOR,
        recorded_at=at,
        signals=[Signal(name) for name in signals],
        verdict=verdict,
        generation="0" * 64,
        source=source,
        peer="203.0.113.5:4711",
    )


@pytest.fixture
def make_lead():
    return new_lead


@pytest.fixture
def make_entry():
    return new_entry

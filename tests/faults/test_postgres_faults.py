"""PostgreSQL stops, dies, hangs, has no room: under load no visitor notices, what was answered is kept, and the books balance afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from forking import ForkedGateway
from origin import Origin
from outage import MOSTLY, WHOLE, Outage, share, suffer
from servers import Postgres, Redis
from shared_stores import SharedStores

Serve = Callable[[SharedStores], ForkedGateway]

DISK_MB = 192
RESTARTS = 4


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """With a password, and a server of its own: these tests break it."""
    with Postgres(password="only for tests") as server:
        yield server


@pytest.fixture
def gateway(serve: Serve, redis_server: Redis, postgres: Postgres) -> ForkedGateway:
    return serve(SharedStores(redis_server, postgres))


def spooled_and_drained(outage: Outage) -> None:
    """Leads went into the spool and from there into PostgreSQL; shared state was there all the while, and no verdict says otherwise."""
    assert outage.metrics["leadgate_spooled_leads_total"] > 0
    assert share(outage.before + outage.during + outage.after, WHOLE) >= MOSTLY
    assert any("postgres" in line.lower() for line in outage.advice), outage.advice
    assert outage.gateway.logged("store spooling")
    assert outage.gateway.logged("store drained")


async def test_postgres_is_stopped_and_started(gateway: ForkedGateway, origin: Origin, postgres: Postgres) -> None:
    spooled_and_drained(await suffer("PostgreSQL: stopped and started", gateway, origin, postgres.stop, postgres.start))


async def test_postgres_is_restarted(gateway: ForkedGateway, origin: Origin, postgres: Postgres) -> None:
    """Short moments, as for updates; each breaks off commits of which nobody knows whether they came about."""

    def restart() -> None:
        for _ in range(RESTARTS):
            postgres.restart()
            time.sleep(0.7)

    await suffer(f"PostgreSQL: restarted {RESTARTS} times", gateway, origin, restart, lambda: None, during_s=1.0)


async def test_postgres_is_killed(gateway: ForkedGateway, origin: Origin, postgres: Postgres) -> None:
    spooled_and_drained(await suffer("PostgreSQL: kill -9", gateway, origin, postgres.kill, postgres.start))


async def test_postgres_hangs(gateway: ForkedGateway, origin: Origin, postgres: Postgres) -> None:
    spooled_and_drained(await suffer("PostgreSQL: SIGSTOP", gateway, origin, postgres.pause, postgres.resume))


async def test_the_disk_of_postgres_is_full(serve: Serve, origin: Origin, redis_server: Redis) -> None:
    """Its own disk, and the gateway's is another: what PostgreSQL cannot take is spooled."""
    with Postgres(disk_mb=DISK_MB) as postgres:
        gateway = serve(SharedStores(redis_server, postgres))
        outage = await suffer("PostgreSQL: disk full", gateway, origin, postgres.fill_disk, postgres.free_disk, 6)
        spooled_and_drained(outage)

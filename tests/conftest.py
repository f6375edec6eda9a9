"""Real servers for tests of shared stores. Each starts when the first test asks for it and ends with the run; tests that do not ask pay nothing.

A test that breaks a server (kills, pauses, fills it) starts one of its own: `from servers import Redis`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from forking import Forker
    from servers import PgBouncer, Postgres, Redis, RedisCluster
    from shared_stores import SharedStores


LONGEST_ID = 64


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values are named by their parameter: the same in every process of a run, which what is compressed (it holds the time) would not be."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_ID else None


LONGEST_FIRST = ("faults", "workers", "test_serving.py", "system", "stores", "browser", "install", "console", "fuzz")
"""Directories and modules here whose files take long: begun first, so that no process of the run is left with one at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run of several processes only; each takes whole files, in this order."""
    if not hasattr(config, "workerinput"):
        return
    here = Path(__file__).parent
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], len(rank)))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """One Redis without a password; what tests left in it is still there: use `fresh_redis` for an empty one."""
    from servers import Redis
    from shared_stores import DATABASES

    with Redis(databases=DATABASES) as server:
        yield server


@pytest.fixture
def fresh_redis(redis_server: Redis) -> Redis:
    redis_server.flush()
    return redis_server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Three masters without replicas."""
    from servers import RedisCluster

    with RedisCluster(masters=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    from servers import Postgres

    with Postgres() as server:
        yield server


@pytest.fixture
def postgres_dsn(postgres_server: Postgres) -> Iterator[str]:
    """A new, empty database: `postgresql://leadgate@127.0.0.1:port/name`; dropped afterwards."""
    dsn = postgres_server.fresh_database()
    yield dsn
    postgres_server.drop_database(dsn)


@pytest.fixture(scope="session")
def pgbouncer_server(postgres_server: Postgres) -> Iterator[PgBouncer]:
    """In transaction mode, in front of `postgres_server`."""
    from servers import PgBouncer

    with PgBouncer(postgres_server) as server:
        yield server


@pytest.fixture(scope="session")
def shared_stores(redis_server: Redis, postgres_server: Postgres) -> SharedStores:
    """Redis and PostgreSQL for gateways: `shared_stores.settings()` for each."""
    from shared_stores import SharedStores

    return SharedStores(redis_server, postgres_server)


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """Starts gateways fast: `ForkedGateway(directory, settings, env, forker)`."""
    from forking import Forker

    made = Forker()
    yield made
    made.close()

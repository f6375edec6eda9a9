"""Redis dies, hangs, is full, forgets: under load no visitor notices, verdicts say what they did not know, and the gateway recovers by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from forking import ForkedGateway
from origin import Origin
from outage import MOSTLY, WHOLE, share, suffer
from servers import Postgres, Redis
from shared_stores import SharedStores

Serve = Callable[[SharedStores], ForkedGateway]

PARTIAL = "leadgate_hot_state_partial_total"


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """With a password, and a server of its own: these tests break it."""
    with Redis(password="only for tests", maxmemory="64mb") as server:
        yield server


@pytest.fixture
def gateway(serve: Serve, redis: Redis, postgres_server: Postgres) -> ForkedGateway:
    return serve(SharedStores(redis, postgres_server))


async def test_redis_is_killed_and_comes_back_empty(gateway: ForkedGateway, origin: Origin, redis: Redis) -> None:
    outage = await suffer("Redis: kill -9", gateway, origin, redis.kill, redis.start)
    assert share(outage.before, WHOLE) >= MOSTLY
    assert share(outage.during, WHOLE) == 0
    assert outage.metrics[PARTIAL] == outage.partial
    assert any("redis" in line.lower() for line in outage.advice)
    assert gateway.logged("hot state lost")
    assert gateway.logged("hot state back")


async def test_redis_hangs(gateway: ForkedGateway, origin: Origin, redis: Redis) -> None:
    outage = await suffer("Redis: SIGSTOP", gateway, origin, redis.pause, redis.resume)
    assert share(outage.before, WHOLE) >= MOSTLY
    assert share(outage.during, WHOLE) == 0
    assert share(outage.after, WHOLE) >= MOSTLY, "nothing was lost meanwhile"
    assert outage.metrics[PARTIAL] == outage.partial


async def test_redis_is_full(gateway: ForkedGateway, origin: Origin, redis: Redis) -> None:
    outage = await suffer("Redis: maxmemory reached, noeviction", gateway, origin, redis.fill, redis.room)
    assert share(outage.before, WHOLE) >= MOSTLY
    assert share(outage.during, WHOLE) == 0
    assert outage.metrics[PARTIAL] == outage.partial


async def test_redis_is_flushed(gateway: ForkedGateway, origin: Origin, redis: Redis) -> None:
    """It answers all the while; that it forgot what it had counted is noticed, and said."""
    outage = await suffer("Redis: FLUSHALL", gateway, origin, redis.flush, lambda: None)
    assert share(outage.before, WHOLE) >= MOSTLY
    assert share(outage.during, WHOLE) == 0
    assert outage.metrics[PARTIAL] == outage.partial

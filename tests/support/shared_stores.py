"""Redis and PostgreSQL as the stores of gateways: settings for one gateway, and a look into what it wrote."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from postgres_servers import ROLE, Postgres
from redis_servers import Redis, RedisCluster, Sentinels

DATABASES = 512
"""Logical databases of the Redis that gateways share: each takes one, so that none sees another's counters."""

_numbers = itertools.count()


class SharedStores:
    """`settings()` gives a gateway a database of its own in both servers; `env` holds their passwords."""

    def __init__(self, redis: Redis | RedisCluster | Sentinels, postgres: Postgres) -> None:
        self.redis, self.postgres = redis, postgres
        self.env: dict[str, str] = {}
        if postgres.password:
            self.env["TEST_POSTGRES_PASSWORD"] = postgres.password
        password = None if isinstance(redis, RedisCluster) else redis.password
        if password:
            self.env["TEST_REDIS_PASSWORD"] = password

    def settings(self) -> dict[str, Any]:
        """What a gateway's settings say, on a new, empty database."""
        state: dict[str, Any] = {"state": self._state()}
        if "TEST_REDIS_PASSWORD" in self.env:
            state["redis"] = {"password_env": "TEST_REDIS_PASSWORD"}
        postgres: dict[str, Any] = {"username": ROLE}
        if "TEST_POSTGRES_PASSWORD" in self.env:
            postgres["password_env"] = "TEST_POSTGRES_PASSWORD"
        name = self.postgres.new_database()
        return state | {"store": f"postgresql://127.0.0.1:{self.postgres.port}/{name}", "postgres": postgres}

    def _state(self) -> str:
        if isinstance(self.redis, Redis):
            return self.redis.url.rpartition("/")[0] + f"/{next(_numbers) % self.redis.databases}"
        return self.redis.url


def merged(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them; sections are laid over one another key by key."""
    made = dict(settings)
    for key, value in over.items():
        below = made.get(key)
        made[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, Mapping) else value
    return made


def settings_on(stores: SharedStores | None, over: Mapping[str, Any]) -> dict[str, Any]:
    """A gateway's settings on these stores, None: on those in the process and in a file."""
    return dict(over) if stores is None else merged(stores.settings(), over)

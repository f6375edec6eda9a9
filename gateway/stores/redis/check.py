"""What an operator should know of the Redis that the settings name, asked by Redis' own client: can it be used, and is it set up to keep what it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis import asyncio as client
from redis.exceptions import RedisError

from gateway.stores.redis.errors import Failure
from gateway.stores.redis.sentinel import Sentinels
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState

OLDEST = 7
PATIENCE_S = 5.0
"""How long the whole look may take: a person waits for it."""

FULL = 0.9
"""From this share of maxmemory on the operator is told, while there is time to act."""


async def unusable(settings: RedisSettings) -> str | None:
    """Why a gateway could not count there now, with the remedy; None where it can. Asked as a gateway asks, writing included."""
    try:
        state = RedisState(settings)
    except (OSError, ValueError) as error:
        return f"redis: it cannot be used as set ({error}). Correct `state:` and `redis:`"
    await state.start()
    try:
        for _ in range(20):  # connecting goes on in the background: asked for about two seconds
            if await state.probe():
                return None
            await asyncio.sleep(0.1)
        return (
            state.trouble
            or "redis: it does not answer. Check that the server of `state` runs and can be reached from here"
        )
    finally:
        await state.close()


async def advice(settings: RedisSettings) -> list[str]:
    """What should be looked at although it works, a sentence for each. Empty also where it cannot be asked: rights to ask may be missing."""
    try:
        async with asyncio.timeout(PATIENCE_S), _server(settings) as server:
            info: dict[str, Any] = await server.info()
    except (RedisError, OSError, TimeoutError):
        return []
    found = []
    version = str(info.get("redis_version", OLDEST))
    if int(version.partition(".")[0]) < OLDEST:
        found.append(f"redis {version} is older than {OLDEST}, the oldest that Leadgate is tried with: update it")
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        found.append(
            f"redis gives up keys of its own choice when it is full (maxmemory-policy {policy}), which looks like clean traffic: set noeviction"
        )
    limit, used = int(info.get("maxmemory") or 0), int(info.get("used_memory") or 0)
    if limit and used > FULL * limit:
        found.append(f"redis uses {used * 100 // limit} % of its maxmemory: raise it before it refuses")
    if not info.get("aof_enabled") and settings.mode == "single":
        found.append("redis keeps nothing over a restart but its last snapshot: set appendonly yes")
    return found


@asynccontextmanager
async def _server(settings: RedisSettings) -> AsyncIterator[client.Redis]:
    """The server, the master that the sentinels name to a gateway, or one node of the cluster. Raises RedisError, OSError."""
    host, port = settings.nodes[0]
    if settings.mode == "sentinel":
        master = await Sentinels(settings, lambda: None).master()
        if isinstance(master, Failure):
            raise ConnectionError(master.reason)
        host, port = master
    options: dict[str, Any] = {
        "username": settings.username,
        "password": settings.password,
        "socket_timeout": PATIENCE_S,
        "socket_connect_timeout": settings.connect_s,
    }
    if settings.tls:
        options |= {"ssl": True, "ssl_ca_certs": settings.ca_file, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    server = client.Redis(host=host, port=port, db=settings.db, **options)
    try:
        yield server
    finally:
        await server.aclose()

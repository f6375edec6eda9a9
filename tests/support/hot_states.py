"""Shared hot state as the tests want it: patient, since the machine is busy, and waited for without sleeping blindly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from servers import Redis, RedisCluster, Sentinels

from detectors.observation import Unavailable
from gateway.stores.hot import Answers
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState

PATIENT_S = 20.0


def settings_for(server: Redis | RedisCluster | Sentinels, **more: Any) -> RedisSettings:
    values: dict[str, Any] = {"mode": "single", "deadline_s": 1.0, "connect_s": 2.0}
    if isinstance(server, Redis):
        values |= {"nodes": (("127.0.0.1", server.port),), "tls": server.tls, "ca_file": server.ca}
    elif isinstance(server, RedisCluster):
        values |= {"mode": "cluster", "nodes": server.addresses[: server.masters]}
    else:
        values |= {"mode": "sentinel", "nodes": server.addresses, "master": "mymaster"}
    return RedisSettings(**values | more)


@asynccontextmanager
async def opened(
    server: Redis | RedisCluster | Sentinels, *, callers_clock: bool = False, **more: Any
) -> AsyncIterator[RedisState]:
    state = RedisState(settings_for(server, **more), callers_clock=callers_clock)
    await state.start()
    try:
        yield state
    finally:
        await state.close()


def now_us() -> int:
    return time.time_ns() // 1000


def refused(answers: Answers) -> list[str]:
    """Reasons of what could not be carried out."""
    return [result.reason for result in answers.results if isinstance(result, Unavailable)]


async def until(ask: Callable[[], Awaitable[Any]], wanted: Callable[[Any], object], seconds: float = PATIENT_S) -> Any:
    """Asks until the answer is as wanted."""
    end = time.monotonic() + seconds
    while True:
        answer = await ask()
        if wanted(answer):
            return answer
        assert time.monotonic() < end, f"still {answer!r}"
        await asyncio.sleep(0.02)


def followed(master: Redis, key: bytes = b"barrier") -> None:
    """Its replica has all that was written until now: WAIT speaks of the writes of its own connection only."""
    with master.client() as client:
        client.set(key, 1)
        assert client.wait(1, 5000) == 1

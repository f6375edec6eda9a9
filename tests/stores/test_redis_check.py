"""What `leadgate check` says of a Redis: can a gateway count there, and is it set up to keep what it is told."""

from __future__ import annotations

import asyncio

import pytest
from servers import Redis, RedisCluster, Sentinels, free_port

from gateway.stores.redis import check as redis_check
from gateway.stores.redis.settings import RedisSettings


def at(port: int, **more: object) -> RedisSettings:
    return RedisSettings(mode="single", nodes=(("127.0.0.1", port),), **more)  # type: ignore[arg-type]


async def test_one_that_is_set_up_well_needs_nothing() -> None:
    with Redis(appendonly=True, maxmemory="100mb") as server:
        assert await redis_check.unusable(at(server.port)) is None
        assert await redis_check.advice(at(server.port)) == []


async def test_what_is_not_kept_or_given_up_is_told() -> None:
    with Redis(maxmemory="100mb") as server:
        with server.client() as redis:
            redis.config_set("maxmemory-policy", "allkeys-lru")
        found = await redis_check.advice(at(server.port))
        assert [line for line in found if "allkeys-lru" in line and "set noeviction" in line]
        assert [line for line in found if "appendonly yes" in line]
        with server.client() as redis:
            redis.config_set("maxmemory", redis.info()["used_memory"] + 1000)
        assert [line for line in await redis_check.advice(at(server.port)) if "raise it before it refuses" in line]


async def test_one_that_is_not_there_or_refuses_is_named_with_the_remedy() -> None:
    gone = await redis_check.unusable(at(free_port()))
    assert gone is not None
    assert "redis" in gone
    assert await redis_check.advice(at(free_port())) == []
    with Redis(password="right") as server:
        for wrong in (None, "wrong"):
            refused = await redis_check.unusable(at(server.port, password=wrong))
            assert refused is not None
            assert "password" in refused
            assert "wrong" not in refused.replace("wrong-", "")
        assert await redis_check.unusable(at(server.port, password="right")) is None


async def test_sentinels_lead_to_the_master() -> None:
    with Sentinels() as sentinels:
        settings = RedisSettings(mode="sentinel", nodes=tuple(sentinels.addresses), master="mymaster")
        assert await redis_check.unusable(settings) is None
        assert isinstance(await redis_check.advice(settings), list)


async def test_sentinels_are_asked_over_tls_too() -> None:
    """Else their password would go over the wire for everybody to read."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    nodes = (("127.0.0.1", server.sockets[0].getsockname()[1]),)
    secret = {"password": "hidden-1", "sentinel_password": "hidden-2"}
    settings = RedisSettings(mode="sentinel", nodes=nodes, master="mymaster", tls=True, **secret)  # type: ignore[arg-type]
    async with server:
        assert await redis_check.advice(settings) == []
    assert heard
    assert all(said[:1] == b"\x16" and b"hidden" not in said for said in heard)  # a TLS handshake


async def test_a_cluster_is_asked_as_a_cluster(redis_cluster: RedisCluster) -> None:
    settings = RedisSettings(mode="cluster", nodes=redis_cluster.addresses)
    assert await redis_check.unusable(settings) is None
    mistaken = await redis_check.unusable(at(redis_cluster.addresses[0][1]))
    assert mistaken is not None
    assert "redis+cluster://" in mistaken


@pytest.mark.parametrize("name", ["no-such-master"])
async def test_a_master_the_sentinels_do_not_know(name: str) -> None:
    with Sentinels() as sentinels:
        found = await redis_check.unusable(
            RedisSettings(mode="sentinel", nodes=tuple(sentinels.addresses), master=name)
        )
        assert found is not None
        assert name in found or "sentinel" in found


async def test_who_answers_there_is_told_where_it_is_none_of_what_the_settings_say(redis_server: Redis) -> None:
    with Redis(tls=True) as encrypted:
        found = await redis_check.unusable(at(encrypted.port))
        assert found is not None
        assert "rediss://" in found
    found = await redis_check.unusable(at(redis_server.port, tls=True))
    assert found is not None
    assert "Does it speak TLS there?" in found
    with Sentinels() as sentinels:
        (sentinel,) = sentinels.addresses
        found = await redis_check.unusable(at(sentinel[1]))
        assert found is not None
        assert "redis+sentinel://" in found
        server = ("127.0.0.1", sentinels.master.port)
        found = await redis_check.unusable(RedisSettings(mode="sentinel", nodes=(server,), master="mymaster"))
        assert found == f"127.0.0.1:{server[1]} is no sentinel: correct `state` (redis:// where it is a server)"

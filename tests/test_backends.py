from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from servers import Postgres, Redis, free_port
from structlog.testing import capture_logs

from gateway import backends
from gateway.config import Config, parse
from gateway.metrics import Metrics
from gateway.stores.errors import KeyProblem, StoreMissing, StoreUnopenable
from gateway.stores.hot import Seal
from gateway.stores.hot.guarded import GuardedState
from gateway.stores.hot.memory import MemoryState
from gateway.stores.spool.store import SpooledStore
from gateway.stores.sqlite.store import SqliteStore

SITES = "sites: [{name: acme, origin: http://127.0.0.1:9000, landing_pages: [{path: /offer}]}]\n"


def settings(place: Path, *lines: str, **environ: str) -> Config:
    return parse("\n".join([*lines, SITES]), base=place, environ=environ)


@pytest.fixture
def shared(tmp_path: Path, redis_server: Redis, postgres_server: Postgres) -> Config:
    return settings(
        tmp_path,
        f"state: redis://127.0.0.1:{redis_server.port}",
        f"store: postgresql://127.0.0.1:{postgres_server.port}/{postgres_server.new_database()}",
    )


async def test_without_a_word_all_is_kept_in_the_process_and_in_a_file(tmp_path: Path) -> None:
    config = settings(tmp_path)
    assert isinstance(await backends.open_hot_state(config, Metrics()), MemoryState)
    keys = await backends.open_keys(config)
    with pytest.raises(StoreMissing, match="leadgate serve"):
        await backends.operator_store(config)
    store = await backends.open_store(config, keys, backends.writer_name(config))
    assert isinstance(store, SqliteStore)
    await store.close()
    await (await backends.operator_store(config)).close()


async def test_shared_ones_are_opened_as_named(shared: Config, tmp_path: Path) -> None:
    hot = await backends.open_hot_state(shared, Metrics())
    assert isinstance(hot, GuardedState)
    await hot.close()
    store = await backends.open_store(shared, await backends.open_keys(shared), "host-0")
    assert isinstance(store, SpooledStore)
    assert store.healthy
    assert list(shared.spool_path.iterdir())
    await store.close()
    await (await backends.operator_store(shared)).close()


async def test_a_second_machine_needs_the_keys_of_the_first(shared: Config, tmp_path: Path) -> None:
    store = await backends.open_store(shared, await backends.open_keys(shared), "host-0")
    await store.close()
    other = settings(tmp_path / "other", f"store: {shared.store}")
    with pytest.raises(KeyProblem):
        await backends.open_keys(other)


async def test_while_postgresql_is_away_no_key_is_made(tmp_path: Path) -> None:
    config = settings(tmp_path, f"store: postgresql://127.0.0.1:{free_port()}/leads")
    with pytest.raises(KeyProblem, match=r"cannot be reached.*Now: postgresql://127\.0\.0\.1.*Connection refused"):
        await backends.open_keys(config)
    assert not config.keys_path.exists()


async def test_what_is_wrong_with_redis_is_told_at_the_start_and_names_it(tmp_path: Path) -> None:
    place = f"redis://127.0.0.1:{free_port()}/0"
    with capture_logs() as told:
        hot = await backends.open_hot_state(settings(tmp_path, f"state: {place}"), Metrics())
        await hot.close()
    assert [line["event"] for line in told] == ["settings warning"]
    assert told[0]["problem"].startswith(f"{place}: redis refuses connections")


async def test_a_redis_that_comes_and_goes_does_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backends, "TOLD_EVERY_S", 0.2)
    hot = await backends.open_hot_state(settings(tmp_path, f"state: redis://127.0.0.1:{free_port()}/0"), Metrics())
    assert isinstance(hot, GuardedState)
    teller = hot._on_event
    with capture_logs() as told:
        for _ in range(3):
            teller("hot state lost", reason="redis: connection refused")
            teller("hot state back", seconds=0.1)
        assert [line["event"] for line in told] == ["hot state lost", "hot state back"]
        teller("hot state lost", reason="redis: connection refused")
        for _ in range(5):  # now it is left alone, and stays so
            await hot.observe([Seal(b"click", b"a", 60)], 0)
        assert hot.open
        await asyncio.sleep(0.5)
    assert [line["event"] for line in told].count("hot state lost") == 2
    assert all(line["state"].startswith("redis://127.0.0.1") for line in told)
    await hot.close()


@pytest.mark.parametrize("way", ["password_env", "password_file"])
def test_passwords_come_from_the_environment_or_a_file(tmp_path: Path, way: str) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    named = {"password_env": "DB_PASSWORD", "password_file": "secret"}[way]
    config = settings(
        tmp_path,
        f"state: redis://127.0.0.1/2\nredis: {{{way}: {named}}}",
        f"store: postgresql://127.0.0.1/leads\npostgres: {{{way}: {named}, username: us}}",
        DB_PASSWORD="s3cret",
    )
    redis = backends.redis_settings(config, {"DB_PASSWORD": "s3cret"})
    postgres = backends.postgres_settings(config, {"DB_PASSWORD": "s3cret"})
    assert (redis.password, redis.db, postgres.password, postgres.user) == ("s3cret", 2, "s3cret", "us")
    assert "s3cret" not in repr(redis) + repr(postgres)


def test_a_password_file_that_went_away_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    config = settings(tmp_path, "store: postgresql://127.0.0.1/leads\npostgres: {password_file: secret}")
    (tmp_path / "secret").unlink()
    with pytest.raises(StoreUnopenable, match="secret: the password cannot be read"):
        backends.postgres_settings(config)


@pytest.mark.parametrize(
    ("host", "name"),
    [("Web-1.Example.com", "web-1-example-com-3"), ("gateway", "gateway-host-3"), ("—", "gateway-host-3"), ("x" * 90, "x" * 40 + "-3")],
)  # fmt: skip
def test_shared_chains_are_named_after_the_machine(shared: Config, host: str, name: str) -> None:
    assert backends.writer_name(shared, 3, host) == name


def test_the_embedded_chain_has_one_name_everywhere(tmp_path: Path) -> None:
    assert backends.writer_name(settings(tmp_path), 0, "web-1") == "gateway-0"

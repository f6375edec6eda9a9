"""What `leadgate check` says of a PostgreSQL: could a gateway start on it, and if not, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import ROLE, PgBouncer, Postgres, free_port

from gateway.stores.errors import StoreMissing, StoreReadOnly, StoreTooOld, StoreUnopenable, StoreUnreachable
from gateway.stores.migrations import Migration
from gateway.stores.postgres import check as postgres_check
from gateway.stores.postgres import schema as postgres_schema
from gateway.stores.postgres.settings import PostgresSettings

SECRET = "not-to-be-shown"


@pytest.fixture(scope="module")
def locked() -> Iterator[Postgres]:
    """One that asks for a password and takes nobody without TLS."""
    with Postgres(password=SECRET, tls=True) as server:
        yield server


def at(server: Postgres, database: str, **more: Any) -> PostgresSettings:
    return PostgresSettings(**{"host": "127.0.0.1", "port": server.port, "database": database} | more)


async def problem(kind: type[StoreUnopenable], settings: PostgresSettings) -> str:
    with pytest.raises(StoreUnopenable) as caught:
        await postgres_check.look(settings)
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def test_an_empty_database_and_one_with_a_store_will_do_and_are_left_alone(postgres_server: Postgres) -> None:
    settings = at(postgres_server, postgres_server.new_database())
    assert await postgres_check.look(settings) == frozenset()
    assert (await postgres_schema.standing_at(settings)).found == 0
    await postgres_schema.upgrade(settings)
    postgres_server.sql("INSERT INTO keys_used VALUES ('seal', '12345678')", settings.database)
    assert await postgres_check.look(settings) == {("seal", "12345678")}


async def test_who_may_not_make_tables_is_told_before_the_start(postgres_server: Postgres) -> None:
    name = postgres_server.new_database()
    settings = at(postgres_server, name)
    postgres_server.sql(f"ALTER DATABASE {name} OWNER TO postgres")
    assert f"ALTER DATABASE {name} OWNER TO leadgate" in await problem(StoreReadOnly, settings)
    postgres_server.sql(f"ALTER DATABASE {name} OWNER TO leadgate")
    await postgres_schema.upgrade(settings)
    postgres_server.sql("ALTER TABLE writers OWNER TO postgres", name)
    assert "permission denied" in await problem(StoreReadOnly, settings)


async def test_an_older_format_names_the_command(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = at(postgres_server, postgres_server.new_database())
    await postgres_schema.upgrade(settings)
    more = Migration(2, "one more table", ("CREATE TABLE more (n integer)",), oldest=1, quick=True)
    monkeypatch.setattr(postgres_schema, "MIGRATIONS", (*postgres_schema.MIGRATIONS, more))
    assert "leadgate db upgrade" in await problem(StoreTooOld, settings)


async def test_what_is_not_there_can_be_waited_for(postgres_server: Postgres, tmp_path: Path) -> None:
    refused = await problem(StoreUnreachable, at(postgres_server, "leads", port=free_port()))
    assert "Connection refused" in refused
    unknown = await problem(StoreUnreachable, at(postgres_server, "leads", host="db.nowhere.invalid"))
    assert "the name of its host is not known" in unknown
    no_socket = await problem(StoreUnreachable, at(postgres_server, "leads", host=str(tmp_path), port=5432))
    assert ".s.PGSQL.5432" in no_socket


async def test_wrong_names_passwords_and_encryption(locked: Postgres, tmp_path: Path) -> None:
    name = locked.new_database()
    right: dict[str, Any] = {"password": SECRET, "tls": "verify", "ca_file": locked.ca}
    assert await postgres_check.look(at(locked, name, **right)) == frozenset()
    assert "postgres.tls: verify" in await problem(StoreUnopenable, at(locked, name, password=SECRET))
    assert "its password" in await problem(StoreUnopenable, at(locked, name, **right | {"password": "another"}))
    assert "postgres.ca" in await problem(StoreUnopenable, at(locked, name, **right | {"ca_file": None}))
    missing = await problem(StoreMissing, at(locked, "my-leads", **right | {"user": ROLE}))
    assert 'CREATE DATABASE "my-leads" OWNER leadgate' in missing
    no_pem = tmp_path / "ca.pem"
    no_pem.write_text("no certificate")
    assert f"{no_pem}: it cannot be read" in await problem(
        StoreUnopenable, at(locked, name, **right | {"ca_file": str(no_pem)})
    )


async def test_a_server_without_tls_is_told(postgres_server: Postgres) -> None:
    assert "it does not speak TLS" in await problem(StoreUnopenable, at(postgres_server, "leads", tls="require"))


async def test_a_pooler_that_has_one_code_for_everything(
    postgres_server: Postgres, pgbouncer_server: PgBouncer
) -> None:
    by_way = {"port": pgbouncer_server.port}
    assert await postgres_check.look(at(postgres_server, postgres_server.new_database(), **by_way)) == frozenset()
    assert "no database of this name" in await problem(StoreMissing, at(postgres_server, "nothere", **by_way))
    assert "does not let nobody in" in await problem(
        StoreUnopenable, at(postgres_server, "postgres", user="nobody", **by_way)
    )

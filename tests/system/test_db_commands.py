"""`leadgate db`: check, upgrade and copy, beside gateways that run and where they have been stopped; and commands on PostgreSQL."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from forking import ForkedGateway, Forker
from origin import Origin
from running import site, until
from servers import Postgres, Redis

from gateway.stores.migrations import Migration
from gateway.stores.postgres import schema as postgres_schema
from gateway.stores.sqlite import schema as sqlite_schema

FIELDS = {"email": "anna@acme-roofs.se", "full_name": "Anna Berg", "message": "please call me about the roof"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Stopped and started by these tests, so of their own."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.stop()


@pytest.fixture
def gateway(origin: Origin, tmp_path: Path, forker: Forker) -> Iterator[ForkedGateway]:
    made = ForkedGateway(tmp_path, {"sites": [site(origin)]}, forker=forker)
    yield made
    if made.pid is not None:
        made.kill()


def on_postgres(gateway: ForkedGateway, postgres: Postgres, redis: Redis, database: str | None = None) -> str:
    """The gateway's settings name PostgreSQL from now on; the database's name."""
    if postgres.pid is None:
        postgres.start()
    database = database or postgres.new_database()
    store = {"store": f"postgresql://127.0.0.1:{postgres.port}/{database}", "state": redis.url}
    gateway.config = (
        gateway.config | store | {"postgres": {"username": "leadgate", "spool": "var/spool", "connect_ms": 1000}}
    )
    gateway.write(gateway.config)
    return database


def submit(gateway: ForkedGateway, count: int = 1) -> None:
    for _ in range(count):
        answer = gateway.browser().post("/lead", FIELDS)
        assert answer.status == 200, answer.text


def called(gateway: ForkedGateway, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    found = gateway.cli(*arguments)
    assert found.returncode == code, (found.stdout, found.stderr)
    assert "Traceback" not in found.stderr
    return found


def ran(gateway: ForkedGateway, *arguments: str, code: int = 0) -> str:
    found = called(gateway, *arguments, code=code)
    return found.stdout + found.stderr


def told(gateway: ForkedGateway, *arguments: str, code: int = 0) -> Any:
    return json.loads(called(gateway, *arguments, "--json", code=code).stdout)


class TestOnAFile:
    def test_before_the_first_start(self, gateway: ForkedGateway) -> None:
        found = told(gateway, "db", "check")
        assert found["ok"]
        assert found["notes"] == ["there is no store yet; it is made when the gateway first starts"]
        assert "no store yet" in ran(gateway, "db", "upgrade")

    def test_beside_a_running_gateway(self, gateway: ForkedGateway) -> None:
        gateway.start()
        submit(gateway)
        found = told(gateway, "db", "check")
        assert found["ok"]
        assert found["format"] == {"found": sqlite_schema.VERSION, "wanted": sqlite_schema.VERSION}
        assert found["chains"]["gateway-0"]["seq"] >= 1
        assert found["notes"] == ["a gateway has the store open"]
        assert all(free > 0 for free in found["free_bytes"].values())
        assert "up to date" in ran(gateway, "db", "check")
        assert told(gateway, "db", "upgrade") == {"format": sqlite_schema.VERSION, "made": []}

    def test_a_store_of_an_older_format(self, gateway: ForkedGateway) -> None:
        gateway.start()
        gateway.stop()
        path = gateway.directory / "var" / "leadgate.db"
        with closing(sqlite3.connect(path)) as connection:
            for table in ("turns", "loose", "marks"):
                connection.execute(f"DROP TABLE {table}")
            connection.execute("PRAGMA user_version = 1")
        found = told(gateway, "db", "check", code=1)
        assert found["pending"] == [{"version": 2, "name": sqlite_schema.MIGRATIONS[1].name, "online": False}]
        assert "leadgate db upgrade (stop the gateways first)" in found["todo"][0]
        assert "leadgate db upgrade" in ran(gateway, "leads", "list", code=1)
        holder = sqlite_schema.lock(path)
        assert "has this store open" in ran(gateway, "db", "upgrade", code=1)
        os.close(holder)
        assert told(gateway, "db", "upgrade") == {"format": 2, "made": [2]}
        assert told(gateway, "db", "check")["ok"]

    def test_what_is_no_store(self, gateway: ForkedGateway) -> None:
        (gateway.directory / "var").mkdir()
        (gateway.directory / "var" / "leadgate.db").write_bytes(b"garbage " * 2000)
        found = told(gateway, "db", "check", code=1)
        assert not found["reachable"]
        assert "damaged or no SQLite file" in found["todo"][0]
        assert "damaged" in ran(gateway, "db", "upgrade", code=1)

    def test_copy_wants_the_new_store_in_the_settings(self, gateway: ForkedGateway) -> None:
        assert "still name an SQLite store" in ran(gateway, "db", "copy", "--from", "sqlite:///var/leadgate.db", code=2)

    def test_wrong_settings(self, gateway: ForkedGateway) -> None:
        gateway.write("listen: [")
        for command in (("check",), ("upgrade",), ("copy", "--from", "x.db")):
            ran(gateway, "db", *command, code=2)


class TestOnPostgres:
    def test_moving_to_it(self, gateway: ForkedGateway, origin: Origin, postgres: Postgres, redis: Redis) -> None:
        gateway.config["sites"][0]["forms"][0] = gateway.config["sites"][0]["forms"][0] | {"success": {"status": [204]}}
        gateway.write(gateway.config)
        gateway.start()
        submit(gateway, 5)
        until(lambda: gateway.api("/conservation")["states"]["held"] == 5)
        old = gateway.conserved()
        on_postgres(gateway, postgres, redis)
        source = "sqlite:///var/leadgate.db"

        assert "leadgate db upgrade" in ran(gateway, "db", "copy", "--from", source, code=1)
        found = told(gateway, "db", "check", code=1)
        assert (found["reachable"], found["format"]["found"]) == (True, 0)
        assert told(gateway, "db", "upgrade")["made"] == [step.version for step in postgres_schema.MIGRATIONS]
        assert told(gateway, "db", "upgrade")["made"] == []
        assert "has this store open" in ran(gateway, "db", "copy", "--from", source, code=1)

        gateway.stop()
        first = ran(gateway, "db", "copy", "--from", source)
        assert "leads: 5 of 5" in first
        assert "the same on both sides" in first
        again = told(gateway, "db", "copy", "--from", f"{gateway.directory}/var/leadgate.db")
        assert again["same"]
        assert {part["name"]: part["rows"] for part in again["parts"]}["leads"] == 5
        assert all(part["sha256"] == part["sha256_there"] for part in again["parts"])

        gateway.start()
        assert gateway.conserved() == old
        leads = told(gateway, "leads", "list")
        items = leads["items"] if isinstance(leads, dict) else leads
        assert len(items) == 5
        shown = told(gateway, "leads", "show", items[0]["id"])
        assert ["email", FIELDS["email"]] in shown["fields"]
        assert "Form quote on acme" in ran(gateway, "explain", items[0]["id"])
        ran(gateway, "leads", "reject", items[1]["id"], "--by", "anna")
        assert gateway.lead(items[1]["id"])["state"] == "rejected"
        differs = ran(gateway, "db", "copy", "--from", source, code=1)
        assert "The two are not the same" in differs
        assert f"the first difference: {items[1]['id']}" in differs
        assert gateway.lead(items[1]["id"])["state"] == "rejected"

    def test_away_and_back(self, gateway: ForkedGateway, postgres: Postgres, redis: Redis) -> None:
        on_postgres(gateway, postgres, redis)
        gateway.start()
        submit(gateway)
        postgres.stop()
        submit(gateway, 3)
        found = told(gateway, "db", "check", code=1)
        assert not found["reachable"]
        assert "cannot be reached" in found["todo"][0]
        (spool,) = found["spool"]
        assert (spool["leads"], spool["held"]) == (3, True)
        listed = ran(gateway, "leads", "list", code=1)
        assert "cannot be reached" in listed
        assert "leadgate db check" in listed
        gateway.kill()
        left = told(gateway, "db", "check", code=1)
        assert any("no gateway of this machine has it open: start one" in line for line in left["todo"])
        gateway.start()  # while PostgreSQL is away
        submit(gateway)
        postgres.start()
        until(lambda: gateway.call("/conservation").status == 200 and gateway.conserved()["received"] == 5, 30)
        until(lambda: told(gateway, "db", "check")["spool"][0]["leads"] == 0, 30)
        assert gateway.metric("leadgate_unjournaled_total") == 0
        assert gateway.logged("store drained")

    def test_steps_that_running_gateways_would_not_survive(
        self, gateway: ForkedGateway, postgres: Postgres, redis: Redis
    ) -> None:
        """A program of the next format, made by hand: its step is not for gateways of this one."""
        on_postgres(gateway, postgres, redis)
        told(gateway, "db", "upgrade")
        newest = Migration(2, "another meaning", ("CREATE TABLE newer (x int)",), oldest=2)
        script = gateway.directory / "newer.py"
        script.write_text(
            "from gateway.stores.postgres import schema as s\nfrom gateway.stores.migrations import Migration\n"
            f"s.MIGRATIONS = (*s.MIGRATIONS, Migration({newest.version}, {newest.name!r}, {newest.statements!r}, {newest.oldest}))\n"
            "s.VERSION = s.MIGRATIONS[-1].version\nfrom gateway.cli.main import main\nmain()\n"
        )

        def newer(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, str(script), "db", *arguments, "--config", str(gateway.path)]
            env = gateway.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

        assert "gateways must be stopped" in newer("check").stdout
        refused = newer("upgrade")
        assert refused.returncode == 1
        assert "leadgate db upgrade --stopped" in refused.stderr
        assert newer("upgrade", "--stopped").returncode == 0
        assert newer("check").returncode == 0
        assert "a newer Leadgate made its tables" in ran(gateway, "db", "check", code=1)


def test_a_password_is_never_shown(gateway: ForkedGateway, redis: Redis, tmp_path: Path) -> None:
    with Postgres(password="s3cret-of-the-store") as server:
        gateway.more["STORE_PASSWORD"] = "s3cret-of-the-store"
        on_postgres(gateway, server, redis)
        gateway.config["postgres"] |= {"password_env": "STORE_PASSWORD"}
        gateway.write(gateway.config)
        text = ran(gateway, "db", "upgrade") + ran(gateway, "db", "check")
        gateway.more["STORE_PASSWORD"] = "wr0ng-word"
        wrong = ran(gateway, "db", "check", code=1) + ran(gateway, "db", "upgrade", code=1)
        assert "authentication failed" in wrong
        assert "s3cret" not in text + wrong
        assert "wr0ng" not in text + wrong

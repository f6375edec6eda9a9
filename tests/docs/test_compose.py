"""docker-compose.yml as Debian's docker-compose reads it, and the settings it mounts: names, ports, volumes and secrets fit together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.config import Config, parse

ROOT = Path(__file__).parents[2]
NEEDED = {"LEADGATE_ORIGIN": "http://host.docker.internal:9000", "POSTGRES_PASSWORD": "not-a-real-one"}


def compose(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose")
    assert program, "docker-compose is missing: apt-get install --no-install-recommends docker-compose"
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | environ
    command = [program, "-f", str(ROOT / "docker-compose.yml"), "config"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    resolved = compose(NEEDED)
    assert resolved.returncode == 0, resolved.stderr
    found = YAML(typ="safe").load(resolved.stdout)
    return dict(json.loads(json.dumps(found, default=str))["services"])


def load(name: str, volume: Path) -> Config:
    """The settings of a container whose volume is at `volume`, after the entry point has made the token."""
    (volume / "admin-token").write_text("a-token-for-tests-only")
    text = (ROOT / "examples/docker" / name).read_text("utf-8").replace("/var/lib/leadgate", str(volume))
    return parse(text, base=Path("/etc/leadgate"), environ=NEEDED)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volume")


@pytest.fixture(scope="module")
def settings(volume: Path) -> Config:
    return load("leadgate.yaml", volume)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_is_missing_is_named_with_its_remedy(name: str) -> None:
    refused = compose({key: value for key, value in NEEDED.items() if key != name})
    assert refused.returncode != 0
    assert name in refused.stderr
    assert "set " in refused.stderr


def test_the_gateway_waits_for_its_servers_and_reaches_them_by_name(services: dict[str, Any], settings: Config) -> None:
    assert set(services["gateway"]["depends_on"]) == {"redis", "postgres"}
    assert all(wait["condition"] == "service_healthy" for wait in services["gateway"]["depends_on"].values())
    assert settings.state_place.nodes[0][0] in services
    assert settings.store_place.host in services
    database = services["postgres"]["environment"]
    assert (settings.store_place.database, settings.postgres.username) == (
        database["POSTGRES_DB"],
        database["POSTGRES_USER"],
    )
    assert settings.postgres.password_env in services["gateway"]["environment"]
    assert all("healthcheck" in services[name] for name in ("redis", "postgres"))


def test_ports_and_volumes_fit_the_settings(services: dict[str, Any], settings: Config, volume: Path) -> None:
    ports = json.dumps(services["gateway"]["ports"])
    assert str(settings.listen.port) in ports
    assert f"127.0.0.1:8081:{settings.admin.listen.port}" in ports, "the admin listener is published on loopback only"
    assert any(mounted.split(":")[1] == "/var/lib/leadgate" for mounted in services["gateway"]["volumes"])
    for path in (settings.keys_path, settings.spool_path, settings.resolve(settings.admin.token_file or "")):
        assert path.is_relative_to(volume), "the root file system is read-only and not kept"
    assert services["gateway"]["read_only"] is True
    assert services["gateway"]["stop_grace_period"] == "45s"
    assert settings.drain_seconds < 45


def test_one_container_needs_no_servers(tmp_path: Path) -> None:
    settings = load("embedded.yaml", tmp_path)
    assert not settings.state_place.shared
    assert settings.store_path.is_relative_to(tmp_path)
    assert not settings.warnings


def test_the_settings_warn_of_nothing(settings: Config) -> None:
    assert [str(problem) for problem in settings.warnings] == []
    assert settings.workers == 2

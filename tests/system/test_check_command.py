"""`leadgate check`: everything that is wrong, before anything is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forking import ForkedGateway, Forker
from origin import Origin
from running import QUOTE, site
from servers import free_port
from shared_stores import SharedStores, merged


@pytest.fixture
def gateway(origin: Origin, tmp_path: Path, forker: Forker) -> ForkedGateway:
    """Settings only; nothing runs."""
    return ForkedGateway(tmp_path, {"sites": [site(origin, "enforce")]}, forker=forker)


def test_what_is_fine(gateway: ForkedGateway, origin: Origin) -> None:
    gateway.write({"sites": [site(origin)]})
    found = gateway.cli("check")
    assert (found.returncode, found.stderr) == (0, "")
    first, networks = found.stdout.splitlines()
    assert first.endswith("is fine: 1 site, 1 form.")
    assert networks.startswith("Networks: builtin")
    assert json.loads(gateway.cli("check", "--json").stdout) == {
        "ok": True, "problems": [], "used": [], "advice": [], "crawlers": [], "networks": [networks],
    }  # fmt: skip


def test_rules_and_databases_are_loaded(gateway: ForkedGateway) -> None:
    rules = gateway.directory / "rules"
    rules.mkdir()
    (rules / "lead-form.yaml").write_text(
        "pack: lead-form\ncomposites:\n  - {name: x, text: y, on: [token.missing], when: 'sgnal(\"a.b\")', then: {remove: [token.missing]}}\n"
    )
    (gateway.directory / "net.mmdb").write_bytes(b"no database")
    gateway.write(gateway.config | {"rules": {"directory": "rules"}, "geoip": {"database": ["net.mmdb", "builtin"]}})
    found = gateway.cli("check")
    assert found.returncode == 2
    assert "lead-form.yaml:3" in found.stderr
    assert "sgnal" in found.stderr
    assert "net.mmdb" in found.stderr
    assert "Traceback" not in found.stderr
    told = json.loads(gateway.cli("check", "--json").stdout)
    assert told["ok"] is False
    assert len(told["used"]) == 2


def test_a_trap_that_browsers_fill_is_warned_of(gateway: ForkedGateway) -> None:
    gateway.config["sites"][0]["forms"] = [QUOTE | {"honeypot": ["lg_note_k7", "company_website"]}]
    gateway.write(gateway.config)
    found = gateway.cli("check")
    assert found.returncode == 0
    assert 'browsers and password managers fill fields called "company_website"' in " ".join(found.stdout.split())
    assert "lg_note_k7" in found.stdout, "the remedy"


def test_an_ad_crawler_and_a_person_get_the_same(gateway: ForkedGateway) -> None:
    found = gateway.cli("check", "--crawlers")
    assert found.returncode == 0, found
    assert "acme /offer*: a verified AdsBot and a person both get the page" in found.stdout
    gateway.write(gateway.config | {"lists": {"deny": [{"name": "documentation", "addresses": ["198.51.100.0/24"]}]}})
    found = gateway.cli("check", "--crawlers")
    assert found.returncode == 1
    assert "AdsBot gets the page, a person the decline page" in found.stdout
    assert "Ads may be disapproved" in found.stdout


def test_servers_are_asked(gateway: ForkedGateway, shared_stores: SharedStores) -> None:
    """Exit code 2 where a gateway would not start; what is only away is told."""
    gateway.more |= shared_stores.env
    patient = {"postgres": {"connect_ms": 10_000}}  # a new database is slow to let anybody in on a busy machine
    gateway.write(merged(merged(gateway.config, shared_stores.settings()), patient))
    found = gateway.cli("check")
    assert (found.returncode, found.stderr) == (0, "")
    assert not (gateway.directory / "keys").exists()

    nowhere = free_port()
    lost = f"redis://127.0.0.1:{nowhere}/0"
    gateway.write(merged(merged(gateway.config, shared_stores.settings()), patient) | {"state": lost})
    found = gateway.cli("check")
    assert (found.returncode, found.stderr) == (0, "")
    assert f"{lost}: redis refuses connections" in found.stdout
    told = json.loads(gateway.cli("check", "--json").stdout)
    assert (told["ok"], told["used"]) == (True, [])
    assert told["advice"][0].startswith(lost)

    gone = f"postgresql://127.0.0.1:{nowhere}/leads"
    gateway.write(merged(gateway.config, shared_stores.settings()) | {"store": gone})
    found = gateway.cli("check")
    assert found.returncode == 2, "without keys it would not start while the store is away"
    assert "there are no keys yet" in found.stderr
    assert f"Now: {gone}: it cannot be reached (Connection refused)" in found.stderr
    assert "Traceback" not in found.stderr

    settings = merged(gateway.config, shared_stores.settings())
    gateway.write(settings | {"store": settings["store"] + "x"})
    found = gateway.cli("check")
    assert found.returncode == 2
    assert "Make it: CREATE DATABASE" in found.stderr

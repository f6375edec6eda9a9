"""`leadgate geoip`: what it prints, what it exits with, and what the example in the documentation means."""

from __future__ import annotations

import json
import os
from pathlib import Path

import maxminddb
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.config.load import parse
from geoip.builtin import shipped, unpacked
from geoip.mmdb import Database

DOCS = Path(__file__).parents[2] / "docs" / "operators" / "geoip.md"
SITE = "sites: [{name: main, origin: 'http://127.0.0.1:9000'}]\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEADGATE_CONFIG", raising=False)
    return tmp_path


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["geoip", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_lookup_explains() -> None:
    code, text, _ = run("lookup", "66.249.66.1", "84.160.1.1", "10.0.0.1")
    assert code == 0
    assert "crawler: the address is in the range crawler:googlebot" in text
    assert "AS3320 Deutsche Telekom AG" in text and "data of 2026-" in text
    assert text.count("https://db-ip.com/") == 1
    code, text, _ = run("lookup", "--json", "::ffff:84.160.1.1")
    (item,) = json.loads(text)["items"]
    assert (code, item["address"], item["asn"], item["country"]) == (0, "84.160.1.1", 3320, "DE")


def test_lookup_of_what_is_no_address() -> None:
    code, text, error = run("lookup", "example.com", "1.2.3.4:80", "8.8.8.8")
    assert code == 2 and "AS15169" in text
    assert "example.com: not an IP address. Write it like 192.0.2.7" in error and "1.2.3.4:80" in error


def test_a_database_that_is_damaged_is_not_taken_for_a_wrong_address(place: Path) -> None:
    with unpacked(shipped()) as path, maxminddb.open_database(path) as opened:
        content, meta = bytearray(path.read_bytes()), opened.metadata()
        tree = meta.node_count * meta.record_size // 4  # bytes
    content[6000:tree] = b"\xff" * (tree - 6000)  # beyond the first thousand nodes, everything leads out of the file
    (place / "own.mmdb").write_bytes(content)
    (place / "leadgate.yaml").write_text(SITE + "geoip: {database: own.mmdb}\n")
    code, _, error = run("lookup", "84.160.1.1")
    assert code == 2 and "own.mmdb: damaged" in error and "Write it like" not in error


def test_lookup_by_settings(place: Path) -> None:
    (place / "leadgate.yaml").write_text(SITE + "geoip: {kinds: {AS3320: business}}\n")
    assert "business: geoip.kinds of your settings says so of AS3320" in run("lookup", "84.160.1.1")[1]
    (place / "leadgate.yaml").write_text(SITE + "geoip: {database: gone.mmdb}\n")
    assert run("lookup", "84.160.1.1")[0] == 2


def test_refresh_and_its_exit_codes(place: Path) -> None:
    (place / "exits.txt").write_text("185.220.101.1\n")
    (place / "leadgate.yaml").write_text(SITE + "geoip: {feeds: [{name: exits, kind: tor, file: exits.txt}]}\n")
    assert run("refresh") == (0, "exits: 1 networks\n", "")
    assert run("refresh", "--feed", "exits")[1] == "exits: 1 networks, 1 before\n"
    (place / "exits.txt").write_text("0.0.0.0/0\n")
    code, text, error = run("refresh")
    assert (code, text) == (1, "") and "exits: refused: " in error and "the last good one (1 networks) stays" in error
    code, text, _ = run("refresh", "--json", "--force")
    assert code == 1 and json.loads(text)["items"][0]["result"] == "refused"
    code, _, error = run("refresh", "--feed", "other")
    assert code == 2 and "other: no such feed; the settings name exits" in error
    code, text, _ = run("lookup", "185.220.101.1")
    assert "tor:exits (your feed exits from exits.txt, 20" in text


def test_refresh_without_feeds(place: Path) -> None:
    (place / "leadgate.yaml").write_text(SITE)
    code, _, error = run("refresh")
    assert code == 2 and "geoip.feeds" in error


def test_build_from_files(place: Path) -> None:
    (place / "asn.csv").write_text("84.128.0.0,84.191.255.255,3320,Deutsche Telekom AG\n")
    (place / "country.csv").write_text("84.128.0.0,84.191.255.255,DE\n")
    files = ("build", "--asn", "asn.csv", "--country", "country.csv", "--out", "out.mmdb")
    code, _, error = run(*files)
    assert code == 2 and "add --date" in error
    code, _, error = run(*files, "--date", "2026-11-01")
    assert code == 1 and "the sources are not whole" in error and not (place / "out.mmdb").exists()
    code, text, _ = run(*files, "--date", "2026-11-01", "--force", "--kinds", "--json")
    assert code == 0 and json.loads(text)["networks"] == 1
    database = Database(place / "out.mmdb")
    assert (str(database.date), database.find("84.160.1.1").asn) == ("2026-11-01", 3320)
    assert run(*files[:-1], "networks.mmdb.xz", "--date", "2026-11-01", "--force")[0] == 0
    assert json.loads((place / "networks.json").read_text())["date"] == "2026-11-01"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "npm is not installed"),
        (
            "echo 'E404 not in this registry' >&2; exit 1",
            "npm cannot fetch @ip-location-db/asn: E404 not in this registry",
        ),
        ("exit 0", "no file came"),
    ],
)
def test_build_where_npm_fails(place: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str) -> None:
    (place / "bin").mkdir()
    if script is not None:
        (place / "bin" / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (place / "bin" / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(place / "bin"))
    code, _, error = run("build")
    assert code == 1 and message in " ".join(error.split()) and "--asn" in error
    assert os.listdir(place) == ["bin"]


def test_check_tells_dates_and_feeds(place: Path) -> None:
    (place / "leadgate.yaml").write_text(
        SITE + "geoip: {feeds: [{name: exits, kind: tor, url: 'https://a.example/x'}]}\n"
    )
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 0
    assert "Networks: builtin (Leadgate-Networks), data of 2026-" in done.stdout
    assert "the feed exits was never fetched: leadgate geoip refresh --feed exits" in done.stdout


def test_examples_of_the_documentation_are_settings(place: Path) -> None:
    blocks = [part.split("```")[0] for part in DOCS.read_text("utf-8").split("```yaml\n")[1:]]
    assert len(blocks) == 2
    (place / "offices.txt").write_text("")
    for name in ("GeoLite2-ASN.mmdb", "GeoLite2-Country.mmdb"):
        (place / name).write_text("")
    for block in blocks:
        assert YAML(typ="safe").load(block).keys() == {"geoip"}
        config = parse(SITE + block, base=place)
        assert config.geoip.feeds or len(config.databases) == 3


def test_build_looks_at_the_place_before_it_fetches(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "bin").mkdir()
    (place / "bin" / "npm").write_text(f"#!/bin/sh\n: > {place}/fetched\nexit 1\n")
    (place / "bin" / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(place / "bin"))
    code, _, error = run("build", "--out", "none/networks.mmdb")
    assert (code, error) == (
        2, "none/networks.mmdb: there is no directory none. Make it, or name another file with --out\n",
    )  # fmt: skip
    assert run("build", "--out", "bin")[::2] == (2, "bin: no file can be written there. Name another one with --out\n")
    assert not (place / "fetched").exists()
    assert run("build")[0] == 1 and (place / "fetched").exists()

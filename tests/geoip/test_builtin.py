"""The shipped database: whole, unpacked once, never half, wherever the process may write or not."""

from __future__ import annotations

import csv
import multiprocessing.pool
import os
import subprocess
import sys
from pathlib import Path

import pytest

from geoip import builtin
from geoip.builtin import Shipped, cache_directories, shipped, unpacked
from geoip.errors import GeoipError
from geoip.mmdb import Facts
from geoip.reader import NetworkReader

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CACHE_DIRECTORY", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "leadgate"


def test_shipped_database_answers_with_date_and_credit() -> None:
    database = builtin.database()
    assert database.name == "builtin"
    assert database.date == shipped().date
    assert database.find("8.8.8.8") == Facts(15169, "Google LLC", "US")
    assert database.find("2001:4860:4860::8888").asn == 15169
    assert database.find("10.0.0.1") == database.find("0.0.0.0") == database.find("::") == Facts()
    assert "https://db-ip.com/" in database.attribution and "CC BY 4.0" in shipped().attribution
    assert not database.attribution.startswith("Networks")


def test_unpacked_once_and_found_again(cache: Path) -> None:
    with unpacked(shipped()) as path:
        first = path.stat()
    assert path.parent == cache and path.name == f"networks-{shipped().sha256[:16]}.mmdb"
    assert cache.stat().st_mode & 0o777 == 0o700
    with unpacked(shipped()) as again:
        assert again.stat().st_ino == first.st_ino
    assert [file.name for file in cache.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_damaged_cache_is_replaced(cache: Path, damage: str) -> None:
    with unpacked(shipped()) as path:
        content = path.read_bytes()
    middle = len(content) // 2
    wrong = {"cut": content[:middle], "empty": b"", "changed": content[:middle] + b"\xff" * 9 + content[middle + 9 :]}
    path.write_bytes(wrong[damage])
    with unpacked(shipped()) as again:
        assert again.read_bytes() == content


def test_what_its_user_raises_is_passed_on(cache: Path) -> None:
    with pytest.raises(PermissionError, match="mine"), unpacked(shipped()):
        raise PermissionError("mine")


def test_what_killed_processes_left_is_cleared(cache: Path) -> None:
    cache.mkdir(mode=0o700)
    for name, old in ((".networks-left", 86_400.0), (".networks-busy", 0.0)):
        (cache / name).write_bytes(b"x")
        at = (cache / name).stat().st_mtime - old
        os.utime(cache / name, (at, at))
    with unpacked(shipped()):
        assert {file.name for file in cache.iterdir()} >= {".networks-busy"}
        assert not (cache / ".networks-left").exists()


def test_old_releases_do_not_pile_up(cache: Path) -> None:
    cache.mkdir(mode=0o700)
    for number in range(6):
        (cache / f"networks-{number:016x}.mmdb").write_bytes(b"x")
    with unpacked(shipped()) as path:
        kept = list(cache.glob("*.mmdb"))
    assert path in kept and len(kept) == builtin.KEPT


@pytest.mark.parametrize("kind", ["writable by others", "link", "relative", "a file"])
def test_a_place_that_others_can_write_is_not_used(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "cache"
    if kind == "writable by others":
        place.mkdir()
        place.chmod(0o777)
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    elif kind == "a file":
        place.write_text("")
    named = "cache" if kind == "relative" else str(place)
    fallback = tmp_path / "xdg"
    with unpacked(shipped(), {"CACHE_DIRECTORY": named, "XDG_CACHE_HOME": str(fallback)}) as path:
        assert path.parent == fallback / "leadgate"


def test_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "cache_directories", lambda _: iter((Path("/proc/none"), Path("/sys/none"))))
    database = builtin.database()
    assert database.find("8.8.8.8").asn == 15169
    monkeypatch.delattr(os, "memfd_create")
    assert builtin.database().find("8.8.8.8").asn == 15169
    assert not Path(database.path).exists() or database.path.is_relative_to("/proc")


def test_order_of_places() -> None:
    told = {"CACHE_DIRECTORY": "/var/cache/leadgate:/var/cache/b", "XDG_CACHE_HOME": "/x", "HOME": "/home/a"}
    assert [str(place) for place in cache_directories(told)][:2] == ["/var/cache/leadgate", "/x/leadgate"]
    assert str(next(iter(cache_directories({"HOME": "/home/a"})))) == "/home/a/.cache/leadgate"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "not the one its manifest names"),
        ({"bytes": 1000}, "not the one its manifest names"),
        ({"bytes": 10**9}, "not the one its manifest names"),
    ],
)
def test_foreign_package_is_refused(cache: Path, change: dict[str, object], message: str) -> None:
    wanted = shipped()._replace(**change)  # type: ignore[arg-type]
    with pytest.raises(GeoipError, match=message), unpacked(wanted):
        pass
    assert not list(cache.iterdir())


def test_corrupt_archive_is_refused(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtin._data(".mmdb.xz").read_bytes()
    for content in (real[: len(real) // 2], b"no xz at all", b""):
        (tmp_path / "networks.mmdb.xz").write_bytes(content)
        monkeypatch.setattr(builtin, "_data", lambda ending: tmp_path / f"networks{ending}")
        with pytest.raises(GeoipError, match=r"damaged|manifest"), unpacked(_wanted(len(real))):
            pass
    assert not list(cache.iterdir())


def _wanted(size: int) -> Shipped:
    real = shipped()
    return Shipped(real.date, "0" * 64, size, "", ())


def _unpack(_: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from geoip import builtin; print(builtin.database().find('8.8.8.8').asn)"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout.strip()


def test_several_processes_unpack_at_once(cache: Path) -> None:
    with multiprocessing.pool.ThreadPool(3) as pool:
        assert pool.map(_unpack, range(3)) == ["15169"] * 3
    assert [file.suffix for file in cache.iterdir()] == [".mmdb"]


def test_builtin_beside_an_own_database() -> None:
    reader = NetworkReader((None,), ranges=())
    found = reader.lookup("84.160.1.1")
    assert (found.asn, found.country, found.kind) == (3320, "DE", "consumer")
    assert reader.content_hash == NetworkReader((None,), ranges=()).content_hash
    assert reader.content_hash != NetworkReader((), ranges=()).content_hash
    reader.close()


@pytest.mark.skipif(not (DATA / "ip-asn").is_dir(), reason="LEADGATE_TEST_DATA has no ip-asn folder")
def test_agreement_with_the_samples() -> None:
    """2,000 addresses of the same day's announcements; countries came from another file of the publisher."""
    database = builtin.database()
    with (DATA / "ip-asn" / "ip_asn_samples.csv").open() as lines:
        rows = [(row, database.find(row["ip"])) for row in csv.DictReader(lines)]
    assert sum(found.asn == int(row["asn"]) for row, found in rows) >= 0.999 * len(rows)
    assert sum(found.country == row["country"] for row, found in rows) >= 0.975 * len(rows)


def test_manifest_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(builtin, "_data", lambda ending: tmp_path / f"networks{ending}")
    shipped.cache_clear()
    try:
        with pytest.raises(GeoipError, match="reinstall leadgate"):
            builtin.database()
    finally:
        shipped.cache_clear()


def test_database_is_read_by_the_c_extension() -> None:
    assert type(builtin.database()._reader).__module__ == "maxminddb.extension"

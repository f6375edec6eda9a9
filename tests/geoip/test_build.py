"""The database is what its sources say, or it is not made."""

from __future__ import annotations

import io
import json
import lzma
import tarfile
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from geoip import sources
from geoip.build import ANYTHING, DATABASE_TYPE, Demands, build
from geoip.builtin import pack
from geoip.errors import GeoipError
from geoip.kinds import Kinds
from geoip.mmdb import Database, Facts
from geoip.ranges import V4_BITS
from geoip.sources import Span

ANNOUNCED = """1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."
1.0.4.0,1.0.7.9,38803,Gtelecom
84.128.0.0,84.191.255.255,3320,Deutsche Telekom AG
2001:200::,2001:200:1b9:ffff:ffff:ffff:ffff:ffff,2500,WIDE Project
"""
HELD = """1.0.0.0,1.0.0.127,AU
1.0.0.128,1.0.3.255,cn
84.128.0.0,84.191.255.255,DE
2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP
"""
DAY = date(2026, 6, 17)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    paths = (tmp_path / "asn.csv", tmp_path / "country.csv")
    for path, text in zip(paths, (ANNOUNCED, HELD), strict=True):
        path.write_text(text)
    return paths


def made(tmp_path: Path, files: tuple[Path, Path], **more: object) -> Database:
    asn, country = (sources.read(path).spans for path in files)
    build(asn, country, tmp_path / "out.mmdb", DAY, demands=ANYTHING, **more)  # type: ignore[arg-type]
    return Database(tmp_path / "out.mmdb")


@pytest.mark.parametrize(
    ("address", "facts", "network"),
    [
        ("1.0.0.1", Facts(13335, "Cloudflare, Inc.", "AU"), "1.0.0.0/25"),
        ("1.0.0.200", Facts(13335, "Cloudflare, Inc.", "CN"), "1.0.0.128/25"),
        ("1.0.1.1", Facts(None, None, "CN"), "1.0.1.0/24"),
        ("1.0.7.9", Facts(38803, "Gtelecom", None), "1.0.7.8/31"),
        ("1.0.7.10", Facts(), ""),
        ("84.191.255.255", Facts(3320, "Deutsche Telekom AG", "DE"), "84.128.0.0/10"),
        ("2001:200::1", Facts(2500, "WIDE Project", "JP"), "2001:200::/40"),
        ("2001:200:ffff::1", Facts(None, None, "JP"), "2001:200:8000::/33"),
        ("2001:201::", Facts(), ""),
        ("0.0.0.0", Facts(), ""),
        ("255.255.255.255", Facts(), ""),
    ],
)
def test_both_sources_come_together(
    tmp_path: Path, files: tuple[Path, Path], address: str, facts: Facts, network: str
) -> None:
    database = made(tmp_path, files)
    assert database.find(address) == facts
    assert database.find_with_network(address) == (facts, network)
    assert (database.kind, database.date) == (DATABASE_TYPE, DAY)


def test_every_edge_of_every_span(tmp_path: Path, files: tuple[Path, Path]) -> None:
    database = made(tmp_path, files)
    for span in sources.read(files[0]).spans:
        for value in (span.first, span.last):
            text = str(ip_address(value if span.bits == V4_BITS else value.to_bytes(16)))
            assert database.find(text).asn == span.asn


def test_same_sources_same_bytes_and_kinds_on_request(tmp_path: Path, files: tuple[Path, Path]) -> None:
    made(tmp_path, files)
    first = (tmp_path / "out.mmdb").read_bytes()
    made(tmp_path, files)
    assert (tmp_path / "out.mmdb").read_bytes() == first
    assert b"consumer" not in first
    made(tmp_path, files, kinds=Kinds.builtin())
    assert b"consumer" in (tmp_path / "out.mmdb").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asn.csv", "country.csv", "out.mmdb"]


def test_npm_packages_and_directories(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """Of a package each address is taken once: the files with numbers and those of one family beside a whole are left."""
    package = tmp_path / "package"
    package.mkdir()
    v4 = "".join(line for line in ANNOUNCED.splitlines(True) if ":" not in line)
    (package / "asn-ipv4.csv").write_text(v4)
    (package / "asn-ipv6.csv").write_text(ANNOUNCED[len(v4) :])
    (package / "asn-ipv4-num.csv").write_text("not,to,be,read\n")
    (package / "package.json").write_text(json.dumps({"version": "2.3.2026061719"}))
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="country")
    writer.insert_network(IPSet(["84.128.0.0/10"]), {"country_code": "DE"})
    writer.insert_network(IPSet(["2001:200::/32"]), {"country_code": "JP"})
    writer.to_db_file(str(tmp_path / "country.mmdb"))
    tarball = tmp_path / "asn.tgz"
    with tarfile.open(tarball, "w:gz") as packed:
        packed.add(package, "package")
        link = tarfile.TarInfo("package/evil.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    for source in (package, tarball):
        read = sources.read(source)
        assert read.date == DAY and sorted(read.spans) == sorted(sources.read(files[0]).spans)
    held = sources.read(tmp_path / "country.mmdb").spans
    assert {(span.bits, span.country) for span in held} == {(32, "DE"), (128, "JP")}
    database = made(tmp_path, (tarball, tmp_path / "country.mmdb"))
    assert database.find("84.160.1.1") == Facts(3320, "Deutsche Telekom AG", "DE")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no networks"),
        ("1.2.3.4,1.2.3.0,1,x\n", r"\.csv:1: not a network \(the last address stands before the first"),
        ("1.0.0.0,1.0.0.255,DE\n1.2.3,1.2.3.4,DE\n", r"\.csv:2: not a network"),
        ("1.0.0.0,1.0.0.255,Germany\n", "not two letters"),
        ("1.0.0.0\n", "not a network"),
    ],
)
def test_damaged_csv(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(GeoipError, match=message):
        sources.read(path)


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08" + bytes(40), b"nothing"])
def test_damaged_mmdb_and_absent_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mmdb").write_bytes(content)
    with pytest.raises(GeoipError, match="not a readable MMDB file"):
        sources.read(tmp_path / "x.mmdb")
    with pytest.raises(GeoipError, match="cannot be read"):
        sources.read(tmp_path / "nowhere.csv")


def test_cut_tarball(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as packed:
        info = tarfile.TarInfo("package/asn-ipv4.csv")
        info.size = len(ANNOUNCED) * 500
        packed.addfile(info, io.BytesIO(ANNOUNCED.encode() * 500))
    path = tmp_path / "cut.tgz"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(GeoipError, match="cannot be read"):
        sources.read(path)


def span(first: str, last: str, asn: int = 1) -> Span:
    return Span(V4_BITS, int(ip_address(first)), int(ip_address(last)), asn, "x")


def test_default_route_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeoipError, match="no operator announces so much"):
        build([span("0.0.0.0", "255.255.255.255")], [], tmp_path / "o", DAY, demands=ANYTHING)
    with pytest.raises(GeoipError, match="unspecified address"):
        build([span("0.0.0.0", "0.255.255.255")], [], tmp_path / "o", DAY, demands=ANYTHING)
    assert not list(tmp_path.iterdir())


def test_less_than_the_whole_is_refused_and_the_old_file_stays(tmp_path: Path, files: tuple[Path, Path]) -> None:
    out = tmp_path / "out.mmdb"
    out.write_bytes(b"the old one")
    asn, country = (sources.read(path).spans for path in files)
    with pytest.raises(GeoipError, match="the sources are not whole"):
        build(asn, country, out, DAY)
    with pytest.raises(GeoipError, match="not the size of a whole"):
        build(asn, country, out, DAY, demands=Demands(0, 0.0, 0, 10**6))
    assert out.read_bytes() == b"the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asn.csv", "country.csv", "out.mmdb"]


def test_overlaps_give_way_unless_there_are_many(tmp_path: Path) -> None:
    some = [span("1.0.0.0", "1.0.0.255", 1), span("1.0.0.128", "1.0.1.255", 2), span("1.0.0.7", "1.0.0.9", 3)]
    told = build(some, [], tmp_path / "out.mmdb", DAY, demands=ANYTHING)
    assert told.clipped == 2
    database = Database(tmp_path / "out.mmdb")
    assert [database.find(a).asn for a in ("1.0.0.8", "1.0.0.200", "1.0.1.1")] == [1, 1, 2]
    with pytest.raises(GeoipError, match="entries overlap"):
        build(some * 10, [], tmp_path / "out.mmdb", DAY, demands=ANYTHING)


def test_packed_as_it_is_shipped(tmp_path: Path, files: tuple[Path, Path]) -> None:
    made(tmp_path, files)
    pack(tmp_path / "out.mmdb", tmp_path / "networks.mmdb.xz", DAY, "Somebody", ("a 1",))
    content = lzma.decompress((tmp_path / "networks.mmdb.xz").read_bytes())
    assert content == (tmp_path / "out.mmdb").read_bytes()
    told = json.loads((tmp_path / "networks.json").read_text())
    assert (told["date"], told["bytes"], told["sources"]) == ("2026-06-17", len(content), ["a 1"])

"""Files that are damaged or hold nonsense are named with a remedy; nothing else comes out of them."""

from __future__ import annotations

import io
import tarfile
from datetime import date
from pathlib import Path

import pytest

from geoip import sources
from geoip.build import ANYTHING, build
from geoip.errors import GeoipError
from geoip.mmdb import Database, Facts
from geoip.ranges import V4_BITS
from geoip.sources import Span

ROW = b"1.0.0.0,1.0.0.255,13335,Cloudflare\n"
DAY = date(2026, 6, 17)


@pytest.mark.parametrize(
    "row",
    [
        b"1.0.0.0,1.0.0.255,13335," + b"x" * 200_000,  # longer than the csv module takes
        b"1.0.0.0,1.0.0.255,-5,Name",
        b"1.0.0.0,1.0.0.255,4294967296,Name",
        b"1.0.0.0,1.0.0.255,99999999999999999999,Name",
        b"1.0.0.255,1.0.0.0,5,Name",
        b"1.0.0.0,2001::,5,Name",
        b"1.0.0.0,1.0.0.255",
        b"1.0.0.0,1.0.0.255,XYZ",
        b"1.0.0.0",
    ],
)
def test_a_row_that_is_no_network_is_named(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "asn.csv"
    path.write_bytes(ROW + row)
    with pytest.raises(GeoipError, match=r"asn\.csv:2: .*expected are"):
        sources.read(path)


def test_a_package_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "asn.tgz"
    # not pressed together, so that the damage hits the file's content and no header
    with tarfile.open(path, "w:gz", compresslevel=1) as packed:
        content = b"".join(
            b"1.%d.%d.0,1.%d.%d.255,%d,N\n" % (a, b, a, b, a * 256 + b + 1) for a in range(99) for b in range(256)
        )
        member = tarfile.TarInfo("package/asn.csv")
        member.size = len(content)
        packed.addfile(member, io.BytesIO(content))
    whole = bytearray(path.read_bytes())
    for place in range(len(whole) // 2, len(whole) // 2 + 64):
        whole[place] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(GeoipError, match=r"asn\.tgz"):
        sources.read(path)


def test_several_files_may_say_the_same_of_a_network(tmp_path: Path) -> None:
    """The first file named wins, whatever it leaves out."""
    bare = Span(V4_BITS, 1 << 24, (1 << 24) + 255)
    announced = [bare._replace(asn=5), bare._replace(asn=5, organisation="Name"), bare]
    build(announced, [], tmp_path / "out.mmdb", DAY, demands=ANYTHING)
    assert Database(tmp_path / "out.mmdb").find("1.0.0.1") == Facts(5)


def test_what_says_nothing_is_no_network(tmp_path: Path) -> None:
    """Databases of cities hold networks without operator and country."""
    silent = Span(V4_BITS, 1 << 24, (1 << 24) + 255)
    told = Span(V4_BITS, 2 << 24, (2 << 24) + 255, asn=7)
    done = build([silent, told], [], tmp_path / "out.mmdb", DAY, demands=ANYTHING)
    assert (done.networks, done.v4_share) == (1, 256 / 2**32)
    assert Database(tmp_path / "out.mmdb").find_with_network("1.0.0.1") == (Facts(), "")


def test_a_day_that_no_database_can_be_of(tmp_path: Path) -> None:
    with pytest.raises(GeoipError, match="1900"):
        build(
            [Span(V4_BITS, 1 << 24, (1 << 24) + 255, asn=7)],
            [],
            tmp_path / "out.mmdb",
            date(1900, 1, 1),
            demands=ANYTHING,
        )
    assert not list(tmp_path.iterdir())

"""Stored feeds: what was written is read, anything else is refused; their labels stand beside the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoip import stored
from geoip.errors import GeoipError
from geoip.explain import explain
from geoip.ranges import V4_BITS, LabelledRange
from geoip.reader import NetworkReader
from geoip.stored import Feed


def feed(label: str, *networks: str, at: int = 1_790_000_000) -> Feed:
    return Feed(
        label, "https://lists.example/x", at, at, len(networks), 9, stored.digest(networks), {"etag": "x"}, networks
    )


def test_written_and_read(tmp_path: Path) -> None:
    one = feed("tor:exits", "192.0.2.0/24", "2001:db8::/32")
    (tmp_path / "exits.feed").write_bytes(stored.write(one))
    assert stored.read(tmp_path / "exits.feed") == one
    assert one.name == "exits"
    assert one.age_s(one.checked_at + 5.0) == 5.0


@pytest.mark.parametrize(
    "damage",
    [
        "cut",
        "changed",
        "no head",
        "other release",
        "host bits",
        "too wide",
        "not text",
        "empty",
        "no number",
        "no day",
        "deep",
    ],
)
def test_damaged(tmp_path: Path, damage: str) -> None:
    content = stored.write(feed("tor:exits", "192.0.2.0/24", "198.51.100.0/24"))
    host_bits = stored.write(feed("tor:exits", "192.0.2.1/24"))
    wrong = {
        "cut": content[:-9],
        "changed": content.replace(b"192.0.2", b"192.0.3"),
        "no head": content.partition(b"\n")[2],
        "other release": content.replace(b'"leadgate_feed": 1', b'"leadgate_feed": 2'),
        "host bits": host_bits,
        "too wide": stored.write(feed("tor:exits", "0.0.0.0/-5")),
        "not text": content + b"\xff",
        "empty": b"",
        "no number": content.replace(b"1790000000", b"1e999"),
        "no day": content.replace(b"1790000000", b"99999999999999"),
        "deep": b"[" * 100_000,
    }
    path = tmp_path / "exits.feed"
    path.write_bytes(wrong[damage])
    with pytest.raises(GeoipError, match=r"exits\.feed: not a stored feed .*leadgate geoip refresh"):
        stored.read(path)


def test_labels_beside_the_published_ones() -> None:
    ranges = [LabelledRange(V4_BITS, 8 << 24, (9 << 24) - 1, "hosting:Cloud")]
    reader = NetworkReader(ranges=ranges, feeds=[feed("vpn:mine", "8.1.0.0/16"), feed("crawler:own", "8.1.1.0/24")])
    assert reader.lookup("8.2.0.1").labels == ("hosting:Cloud",)
    assert reader.lookup("8.1.2.3").labels == ("vpn:mine", "hosting:Cloud")
    assert reader.lookup("::ffff:8.1.1.3").labels == ("crawler:own", "vpn:mine", "hosting:Cloud")
    assert reader.lookup("8.1.1.3").kind == "crawler"
    said = explain(reader, "8.1.2.3")
    assert said.why == "the address is in the range vpn:mine"
    assert said.labels[0] == ("vpn:mine", "your feed mine from https://lists.example/x", "2026-09-21")


def test_the_hash_follows_the_networks_not_the_time() -> None:
    def hashed(*feeds: Feed) -> str:
        return NetworkReader(ranges=(), feeds=feeds).content_hash

    one = feed("tor:exits", "192.0.2.0/24")
    assert hashed(one) == hashed(feed("tor:exits", "192.0.2.0/24", at=5))
    assert (
        len(
            {
                hashed(),
                hashed(one),
                hashed(feed("vpn:exits", "192.0.2.0/24")),
                hashed(feed("tor:exits", "192.0.3.0/24")),
            }
        )
        == 4
    )

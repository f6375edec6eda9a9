"""NetworkReader: labels in order of meaning, every publisher's field names, and errors that name the file and the
remedy."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from geoip.errors import GeoipError
from geoip.kinds import Kinds
from geoip.mmdb import Facts, facts_of
from geoip.network import Network
from geoip.published import KINDS, builtin
from geoip.ranges import V4_BITS, LabelledRange
from geoip.reader import NetworkReader, _merge

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def reader() -> NetworkReader:
    return NetworkReader()


@pytest.mark.parametrize(
    ("address", "first"),
    [
        ("66.249.66.1", "crawler:googlebot"),
        ("74.125.150.1", "crawler:google-ads"),
        ("40.77.167.1", "crawler:bingbot"),
        ("107.178.192.1", "fetcher:google"),  # App Engine: anybody's code, so not a crawler
        ("172.225.0.5", "relay:Apple Private Relay"),
        ("2a02:26f7:c000::1", "relay:Apple Private Relay"),
        ("52.95.110.1", "hosting:Amazon AWS"),
        ("165.225.0.10", "proxy:zscaler"),
        ("10.1.2.3", "reserved:private"),
        ("100.64.3.4", "reserved:shared"),
        ("127.0.0.1", "reserved:loopback"),
        ("::1", "reserved:loopback"),
        ("fd00::1", "reserved:private"),
        ("::ffff:66.249.66.1", "crawler:googlebot"),
        ("::ffff:192.168.0.1", "reserved:private"),
    ],
)
def test_strongest_label_first(reader: NetworkReader, address: str, first: str) -> None:
    assert reader.lookup(address).labels[0] == first


def test_rented_machines_of_a_content_network_are_told_as_rented() -> None:
    """VPN makers rent from Datacamp; the package that names its ranges counts them as a content network."""
    shipped = NetworkReader([None])
    assert shipped.lookup("89.187.171.1").kind == "hosting"
    assert shipped.lookup("1.1.1.1").kind == "cdn"  # people's tunnels leave by these


def test_an_ordinary_line_has_no_labels(reader: NetworkReader) -> None:
    assert reader.lookup("84.160.1.1") == Network()


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3.4.5", "01.2.3.4x", "example.com", "fe80::1%eth0", "[::1]", "1.2.3.4\0"]
)
def test_not_an_address(reader: NetworkReader, text: str) -> None:
    with pytest.raises(GeoipError, match="not an IP address"):
        reader.lookup(text)


def test_damaged_list_entries_stay_out() -> None:
    """The list holds "000/0" under claudebot and "1.0.0.120" under bytespider: neither may label anybody."""
    entries = list(builtin())
    assert all(entry.label.partition(":")[0] in KINDS for entry in entries)
    public = [entry for entry in entries if not entry.label.startswith("reserved:")]
    assert max(entry.last - entry.first for entry in public if entry.bits == V4_BITS) < 2**24
    assert not any("bytespider" in entry.label for entry in public)


def test_carriers_are_not_hosting() -> None:
    assert not any("Cogent" in entry.label for entry in builtin())


def test_cache_is_bounded() -> None:
    small = NetworkReader(ranges=[LabelledRange(V4_BITS, 0, 9, "vpn:x")], cache_size=4)
    for last in range(20):
        small.lookup(f"0.0.0.{last}")
    assert small.lookup.cache_info().currsize == 4
    assert small.lookup("0.0.0.3").labels == ("vpn:x",)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"},
            (64500, "Example", None, ()),
        ),
        ({"country": {"iso_code": "DE"}, "registered_country": {"iso_code": "FR"}}, (None, None, "DE", ())),
        ({"registered_country": {"iso_code": "FR"}}, (None, None, "FR", ())),
        (
            {"asn": "AS64500", "as_name": "Example", "country": "Germany", "country_code": "de"},
            (64500, "Example", "DE", ()),
        ),
        ({"country": "US", "asn": "64500", "name": "Example"}, (64500, "Example", "US", ())),
        (
            {"is_anonymous_vpn": True, "is_hosting_provider": True},
            (None, None, None, ("vpn:database", "hosting:database")),
        ),
        (
            {"traits": {"autonomous_system_number": 5, "connection_type": "Cellular"}},
            (5, None, None, ("mobile:database",)),
        ),
        ({"autonomous_system_number": "x", "country_code": "Z1"}, (None, None, None, ())),
    ],
)
def test_field_names_of_every_publisher(record: dict[str, object], expected: tuple[object, ...]) -> None:
    assert tuple(facts_of(record)[:4]) == expected


def test_facts_of_several_databases_come_together() -> None:
    country = Facts(country="DE", labels=("vpn:database", "hosting:database"))
    numbers = Facts(64500, "Example", "FR", ("vpn:database",))
    merged = _merge([country, numbers], ("tor:Tor", "hosting:Example Cloud"), Kinds.builtin())
    labels = ("tor:Tor", "vpn:database", "hosting:Example Cloud")
    assert merged == Network(64500, "Example", "DE", labels, "tor")


def test_absent_database(tmp_path: Path) -> None:
    with pytest.raises(GeoipError, match=r"nowhere\.mmdb: no such file; give the path"):
        NetworkReader([tmp_path / "nowhere.mmdb"], ranges=())


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"\x1f\x8b\x08" + bytes(500)])
def test_not_a_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mmdb"
    path.write_bytes(content)
    with pytest.raises(GeoipError, match=r"x\.mmdb: not a readable MMDB file .*download it again"):
        NetworkReader([path], ranges=())


@pytest.mark.skipif(not (DATA / "ip-asn").is_dir(), reason="LEADGATE_TEST_DATA has no ip-asn folder")
class TestRealDatabase:
    PATH = DATA / "ip-asn" / "hosting-asn-country.mmdb"

    def test_facts_and_labels_together(self) -> None:
        both = NetworkReader([self.PATH])
        found = both.lookup("52.95.110.1")
        assert (found.asn, found.labels) == (16509, ("hosting:Amazon AWS",))
        assert both.lookup("::ffff:52.95.110.1") == found
        assert both.lookup("10.0.0.1") == Network(labels=("reserved:private",), kind="reserved")
        assert both.content_hash != NetworkReader().content_hash

    def test_damaged_in_the_middle(self, tmp_path: Path) -> None:
        whole = self.PATH.read_bytes()
        path = tmp_path / "cut.mmdb"
        path.write_bytes(whole[: len(whole) // 3] + bytes(len(whole) // 3) + whole[2 * len(whole) // 3 :])
        damaged = NetworkReader([path], ranges=())
        with (DATA / "ip-asn" / "ip_asn_samples.csv").open() as lines:
            addresses = [row["ip"] for row in csv.DictReader(lines)]
        outcomes: list[object] = []
        for address in addresses:
            try:
                outcomes.append(damaged.lookup(address))
            except GeoipError as error:
                outcomes.append(error)
        errors = [str(error) for error in outcomes if isinstance(error, GeoipError)]
        assert errors
        assert all("cut.mmdb: damaged" in error for error in errors)

"""Databases in the documented shape of each vendor: what they say is found, whoever made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from geoip.errors import GeoipError
from geoip.explain import explain
from geoip.mmdb import Database, Facts
from geoip.reader import NetworkReader

ADDRESS = "84.160.1.1"


def written(tmp_path: Path, record: dict[str, Any], kind: str, name: str = "own.mmdb") -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind)
    writer.insert_network(IPSet(["84.160.0.0/16"]), record)
    writer.to_db_file(str(tmp_path / name))
    return tmp_path / name


ENTERPRISE = {
    "country": {"iso_code": "DE", "geoname_id": 2921044, "names": {"en": "Germany"}},
    "registered_country": {"iso_code": "FR"},
    "traits": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example", "isp": "Example ISP", "is_anycast": True},
}  # fmt: skip


def traits(**more: Any) -> dict[str, Any]:
    return {**ENTERPRISE, "traits": {**ENTERPRISE["traits"], **more}}  # type: ignore[dict-item]


E_FACTS = (64500, "Example", "DE")


@pytest.mark.parametrize(
    ("kind", "record", "facts"),
    [
        ("GeoLite2-ASN", {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}, Facts(64500, "Example")),
        ("GeoLite2-Country", {"country": {"iso_code": "DE"}, "registered_country": {"iso_code": "FR"}}, Facts(country="DE")),
        ("GeoLite2-City", {"city": {"names": {"en": "Bonn"}}, "country": {"iso_code": "DE"}, "location": {"latitude": 50.7}}, Facts(country="DE")),
        ("GeoIP2-Enterprise", traits(user_type="business"), Facts(*E_FACTS, (), ("business:database",))),
        ("GeoIP2-Enterprise", traits(user_type="college", connection_type="Corporate"), Facts(*E_FACTS, (), ("education:database",))),
        ("GeoIP2-Enterprise", traits(user_type="government"), Facts(*E_FACTS, (), ("government:database",))),
        ("GeoIP2-Enterprise", traits(user_type="content_delivery_network"), Facts(*E_FACTS, (), ("cdn:database",))),
        ("GeoIP2-Enterprise", traits(user_type="consumer_privacy_network"), Facts(*E_FACTS, (), ("relay:database",))),
        ("GeoIP2-Enterprise", traits(user_type="residential"), Facts(*E_FACTS, (), ("consumer:database",))),
        ("GeoIP2-Enterprise", traits(user_type="cellular"), Facts(*E_FACTS, ("mobile:database",), ("mobile:database",))),
        ("GeoIP2-Enterprise", traits(user_type="search_engine_spider"), Facts(*E_FACTS)),
        ("GeoIP2-Enterprise", traits(connection_type="Corporate"), Facts(*E_FACTS, (), ("business:database",))),
        ("GeoIP2-Enterprise", traits(is_residential_proxy=True), Facts(*E_FACTS)),
        ("GeoIP2-Enterprise", traits(is_public_proxy=True), Facts(*E_FACTS, ("vpn:database",))),
        ("GeoIP2-Enterprise", traits(is_legitimate_proxy=True), Facts(*E_FACTS, ("proxy:database",))),
        ("GeoIP2-ISP", {"autonomous_system_number": 64500, "isp": "Example ISP", "organization": "Example Works"}, Facts(64500, "Example Works")),
        ("GeoIP2-Connection-Type", {"connection_type": "Cellular"}, Facts(labels=("mobile:database",), stated=("mobile:database",))),
        ("GeoIP2-Anonymous-IP", {"is_anonymous": True, "is_tor_exit_node": True}, Facts(labels=("tor:database",))),
        ("ipinfo asn.mmdb", {"asn": "AS64500", "domain": "example.net", "name": "Example", "type": "hosting", "country": "DE"},
         Facts(64500, "Example", "DE", (), ("hosting:database",))),
        ("ipinfo standard", {"asn": "AS64500", "as_name": "Example", "as_domain": "example.net", "as_type": "isp", "country_code": "DE", "country": "Germany",
                             "is_hosting": False, "is_mobile": False}, Facts(*E_FACTS, (), ("consumer:database",))),
        ("ipinfo lite", {"asn": "AS64500", "as_name": "Example", "as_domain": "e.net", "country_code": "DE", "country": "Germany"}, Facts(*E_FACTS)),
        ("ipinfo privacy", {"hosting": "", "proxy": "", "relay": "true", "tor": "", "vpn": "", "service": "x"}, Facts(labels=("relay:database",))),
        ("ipinfo company", {"name": "A School", "type": "education", "asn": "AS64500"}, Facts(64500, "A School", None, (), ("education:database",))),
        ("DBIP-ASN-Lite", {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}, Facts(64500, "Example")),
        ("DBIP-Country-Lite", {"continent": {"code": "EU"}, "country": {"iso_code": "DE", "is_in_european_union": True}}, Facts(country="DE")),
        ("DBIP-ISP", {"traits": {"autonomous_system_number": 64500, "isp": "Example", "connection_type": "Corporate", "user_type": "business"}},
         Facts(64500, "Example", None, (), ("business:database",))),
        ("odd", {"asn": "ASx", "user_type": 7, "connection_type": ["x"], "traits": "x", "country": 4, "type": "wormhole"}, Facts()),
        ("odd", {"asn": "AS0", "country_code": "D1", "vpn": "yes"}, Facts()),
    ],
)  # fmt: skip
def test_every_vendors_shape(tmp_path: Path, kind: str, record: dict[str, Any], facts: Facts) -> None:
    database = Database(written(tmp_path, record, kind))
    assert database.kind == kind
    assert database.find(ADDRESS) == facts
    assert database.find_with_network(ADDRESS) == (facts, "84.160.0.0/16")


def test_an_own_database_replaces_the_shipped_one(tmp_path: Path) -> None:
    """What it states of a network nobody has reviewed becomes the kind; the table of known operators stays above it."""
    own = written(tmp_path, traits(user_type="government", autonomous_system_number=64500), "GeoIP2-Enterprise")
    found = NetworkReader([own], ranges=()).lookup(ADDRESS)
    assert (found.asn, found.country, found.kind, found.labels) == (64500, "DE", "government", ())
    assert NetworkReader([own], ranges=()).lookup("8.8.8.8").asn is None


def test_the_first_that_knows_wins(tmp_path: Path) -> None:
    country = written(tmp_path, {"country": {"iso_code": "AT"}, "traits": {"user_type": "school"}}, "GeoIP2", "a.mmdb")
    other = written(
        tmp_path, {"country_code": "CH", "asn": "AS64501", "name": "Other", "type": "business"}, "x", "b.mmdb"
    )
    found = NetworkReader([country, other, None], ranges=()).lookup(ADDRESS)
    assert (found.asn, found.organisation, found.country, found.kind) == (64501, "Other", "AT", "education")
    swapped = NetworkReader([other, country, None], ranges=()).lookup(ADDRESS)
    assert (swapped.country, swapped.kind) == ("CH", "business")
    rest = NetworkReader([country, other, None], ranges=()).lookup("84.128.0.1")
    assert (rest.asn, rest.country) == (3320, "DE")


def test_why_is_told(tmp_path: Path) -> None:
    own = written(tmp_path, {"asn": "AS64500", "name": "Quux", "type": "education"}, "ipinfo", "own.mmdb")
    reader = NetworkReader([own, None])
    said = explain(reader, ADDRESS)
    assert said.why == "the database own.mmdb says so"
    assert [(s.database, s.network) for s in said.statements] == [
        ("own.mmdb", "84.160.0.0/16"),
        ("builtin", "84.128.0.0/10"),
    ]
    told = said.as_json()
    assert (told["asn"], told["kind"], told["network"]) == (64500, "education", "84.160.0.0/16")
    assert any("https://db-ip.com/" in line for line in told["attribution"])
    assert explain(reader, "66.249.66.1").why == "the address is in the range crawler:googlebot"
    assert explain(reader, "84.128.0.1").why == "AS3320 stands in the table of known operators"
    reserved = explain(reader, "::ffff:10.0.0.1")
    assert (reserved.address, reserved.network.kind, reserved.statements) == ("10.0.0.1", "reserved", ())
    named = written(tmp_path, {"asn": "AS64500", "name": "University of Nowhere"}, "x", "name.mmdb")
    said = explain(NetworkReader([named], ranges=()), ADDRESS)
    assert said.why == 'the words of the organisation\'s name say so: "University of Nowhere"'
    nothing = explain(NetworkReader([named], ranges=()), "9.9.9.9")
    assert nothing.why == "nothing tells what kind of network this is"


def test_a_database_that_says_nothing_sensible_of_itself(tmp_path: Path) -> None:
    content = written(tmp_path, {"country_code": "DE"}, "Own").read_bytes()
    mark = content.rindex(b"build_epoch") + len(b"build_epoch")
    length = content[mark] & 0x1F if content[mark] >> 5 else content[mark]
    (tmp_path / "future.mmdb").write_bytes(
        content[:mark] + bytes([8, 2]) + (1 << 62).to_bytes(8) + content[mark + 2 + length :]
    )
    with pytest.raises(GeoipError, match="not a readable MMDB file"):
        Database(tmp_path / "future.mmdb")


def test_two_databases_of_one_day_and_size_are_told_apart(tmp_path: Path) -> None:
    one = written(tmp_path, {"country_code": "DE"}, "Own")
    other = tmp_path / "other.mmdb"
    other.write_bytes(one.read_bytes().replace(b"BDE", b"BFR"))
    first, second = Database(one), Database(other)
    assert (first.find(ADDRESS).country, second.find(ADDRESS).country) == ("DE", "FR")
    assert first.built_at == second.built_at
    assert NetworkReader([one]).content_hash != NetworkReader([other]).content_hash

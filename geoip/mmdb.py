"""One MaxMind-DB file, whatever its publisher calls the fields."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

from geoip.errors import GeoipError

_DAY = re.compile(r"^Networks, data of [\d-]+\. ")
"""How descriptions of our own databases begin."""
_NO_DATABASE = (maxminddb.InvalidDatabaseError, OSError, ValueError, OverflowError)


class Facts(NamedTuple):
    """What one database says of an address; None and () where it says nothing.

    labels  what it says of the address itself: "vpn:database", "mobile:database"
    stated  what it says of the network the address is in, one of `geoip.kinds.KINDS`: "business:database"
    """

    asn: int | None = None
    organisation: str | None = None
    country: str | None = None
    labels: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()


class Database:
    """Reads GeoLite2 and GeoIP2, DB-IP, IPinfo and ip-location-db files (ASN, country, city, anonymous IP, connection
    type). name: what it is called where results are explained; the file's name if None."""

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        try:
            self._reader = maxminddb.open_database(self.path, maxminddb.MODE_MMAP_EXT)
            meta = self._reader.metadata()
            self.built_at = int(meta.build_epoch)
            self.date = datetime.fromtimestamp(self.built_at, UTC).date()
            """The day the data is of, as the file says."""
            texts = meta.description.values() if isinstance(meta.description, Mapping) else ()
            with self.path.open("rb") as file:
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise GeoipError(
                f"{self.path}: no such file; give the path of an MMDB file, or leave geoip.database at builtin"
            ) from error
        except _NO_DATABASE as error:
            raise GeoipError(
                f"{self.path}: not a readable MMDB file ({error}); download it again (unpack .gz and .tar.gz first)"
            ) from error
        self.kind = str(meta.database_type)
        self.ip_version = int(meta.ip_version)
        told = next((text for text in map(str, texts) if "http" in text), "")
        self.attribution = _DAY.sub("", told[:500])
        """Whom to name where results are shown, where the file says so."""

    def find(self, address: str) -> Facts:
        """Raises GeoipError where the file is damaged at this place; an address it does not know gives empty Facts."""
        if self.ip_version == 4 and ":" in address:
            return Facts()
        try:
            found = self._reader.get(address)
        except _NO_DATABASE as error:
            raise GeoipError(f"{self.path}: damaged ({error}); download it again") from error
        return facts_of(found)

    def find_with_network(self, address: str) -> tuple[Facts, str]:
        """The same, with the network it is said of ("192.0.2.0/24"), "" where it knows nothing."""
        if self.ip_version == 4 and ":" in address:
            return Facts(), ""
        try:
            found, length = self._reader.get_with_prefix_len(address)
        except _NO_DATABASE as error:
            raise GeoipError(f"{self.path}: damaged ({error}); download it again") from error
        if found is None:
            return Facts(), ""
        return facts_of(found), str(ip_network(f"{address}/{length}", strict=False))

    def close(self) -> None:
        self._reader.close()


_FLAGS = (
    ("is_tor_exit_node", "tor"),
    ("tor", "tor"),
    ("is_tor", "tor"),
    ("is_anonymous_vpn", "vpn"),
    ("vpn", "vpn"),
    ("is_vpn", "vpn"),
    # "proxy" is a company's web gateway here, and people at work; an open or paid proxy hides who comes, like a VPN
    ("is_public_proxy", "vpn"),
    ("proxy", "vpn"),
    ("is_proxy", "vpn"),
    ("is_legitimate_proxy", "proxy"),
    ("relay", "relay"),
    ("is_relay", "relay"),
    ("is_hosting_provider", "hosting"),
    ("hosting", "hosting"),
    ("is_hosting", "hosting"),
    ("is_mobile", "mobile"),
)
"""Field of MaxMind's Anonymous IP and GeoIP2 traits, IPinfo's Privacy Detection and its newer `is_…` names → kind.
is_residential_proxy is left out: somebody's home, where people live too."""

_USER_TYPES = {
    "business": "business",
    "cafe": "consumer",
    "cellular": "mobile",
    "college": "education",
    "consumer_privacy_network": "relay",
    "content_delivery_network": "cdn",
    "dialup": "consumer",
    "government": "government",
    "hosting": "hosting",
    "library": "education",
    "military": "government",
    "residential": "consumer",
    "school": "education",
    "traveler": "consumer",
}
"""GeoIP2 `user_type`. "router" says nothing of visitors, and a crawler is known by its own ranges alone."""

_CONNECTION_TYPES = {
    "cellular": "mobile",
    "corporate": "business",
    "cable/dsl": "consumer",
    "dialup": "consumer",
    "satellite": "consumer",
}

_AS_TYPES = {
    "isp": "consumer",
    "hosting": "hosting",
    "business": "business",
    "education": "education",
    "government": "government",
    "cellular": "mobile",
    "mobile": "mobile",
}
"""IPinfo `type` and `as_type`, and words others use in these places."""

_STATEMENTS = (
    ("user_type", _USER_TYPES),
    ("as_type", _AS_TYPES),
    ("type", _AS_TYPES),
    ("usage_type", _AS_TYPES),
    ("connection_type", _CONNECTION_TYPES),
)
"""The first field with a word that is known here is the statement."""

_TELLING = frozenset({name for name, _ in _FLAGS} | {name for name, _ in _STATEMENTS})
_NESTED = ("traits", "as", "privacy")
"""Where GeoIP2, DB-IP and IPinfo put fields one level down."""
_BEYOND_NAMES = _TELLING.union(_NESTED)

_NUMBER, _NAME, _COUNTRY = "autonomous_system_number", "autonomous_system_organization", "country_code"
_PLAIN = frozenset({_NUMBER, _NAME, _COUNTRY})
"""Fields of the shipped database: each address not seen before is read by them."""


def facts_of(found: object) -> Facts:
    """What one record says, by the field names of every publisher; empty where it is no record."""
    if type(found) is dict and found.keys() == _PLAIN:
        asn, name, country = found[_NUMBER], found[_NAME], found[_COUNTRY]
        # what is written in another way goes the long way
        if type(asn) is int and asn > 0 and type(name) is str and name and type(country) is str and _is_code(country):
            return Facts(asn, name, country)
    if not isinstance(found, Mapping):
        return Facts()
    source: Mapping[str, Any] = found
    if _BEYOND_NAMES.isdisjoint(source):  # most databases
        return Facts(_asn(source), _organisation(source), _country(source))
    for name in _NESTED:
        inner = found.get(name)
        if isinstance(inner, Mapping):
            source = {**inner, **source}
    return Facts(_asn(source), _organisation(source), _country(source), tuple(_labels(source)), tuple(_stated(source)))


def _is_code(country: str) -> bool:
    return len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()


def _asn(source: Mapping[str, Any]) -> int | None:
    value = source.get("autonomous_system_number", source.get("asn"))
    if isinstance(value, str):  # IPinfo: "AS15169"
        value = value.upper().removeprefix("AS")
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None
    return value if type(value) is int and 0 < value < 1 << 32 else None


def _organisation(source: Mapping[str, Any]) -> str | None:
    for name in ("autonomous_system_organization", "as_name", "as_organization", "name", "organization", "isp"):
        value = source.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _country(source: Mapping[str, Any]) -> str | None:
    for name in ("country", "country_code", "registered_country"):
        value = source.get(name)
        if value is None:
            continue
        if isinstance(value, Mapping):
            value = value.get("iso_code")
        # IPinfo Lite has the country's name in `country` and the code in `country_code`
        if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha():
            return value.upper()
    return None


def _labels(source: Mapping[str, Any]) -> list[str]:
    labels = [f"{kind}:database" for name, kind in _FLAGS if source.get(name) in (True, "true")]
    if "cellular" in (_word(source, "connection_type"), _word(source, "user_type")):
        labels.append("mobile:database")
    return list(dict.fromkeys(labels))


def _stated(source: Mapping[str, Any]) -> list[str]:
    for name, words in _STATEMENTS:
        kind = words.get(_word(source, name))
        if kind is not None:
            return [f"{kind}:database"]
    return []


def _word(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    return value.strip().lower() if isinstance(value, str) else ""

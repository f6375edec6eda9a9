"""One MaxMind-DB file, whatever its publisher calls the fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

from geoip.errors import GeoipError

_NO_DATABASE = (maxminddb.InvalidDatabaseError, OSError, ValueError, UnicodeDecodeError)


class Facts(NamedTuple):
    """What one database says of an address; None and () where it says nothing."""

    asn: int | None = None
    organisation: str | None = None
    country: str | None = None
    labels: tuple[str, ...] = ()


class Database:
    """Reads GeoLite2 and GeoIP2, DB-IP, IPinfo and ip-location-db files (ASN, country, city, anonymous IP, connection
    type)."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._reader = maxminddb.open_database(self.path, maxminddb.MODE_MMAP_EXT)
            meta = self._reader.metadata()
        except FileNotFoundError as error:
            raise GeoipError(
                f"{self.path}: no such file; give the path of an MMDB file, or leave geoip.database at builtin"
            ) from error
        except _NO_DATABASE as error:
            raise GeoipError(
                f"{self.path}: not a readable MMDB file ({error}); download it again (unpack .gz and .tar.gz first)"
            ) from error
        self.kind = str(meta.database_type)
        self.built_at = int(meta.build_epoch)
        self.identity = f"{self.kind} {self.built_at} {meta.node_count} {meta.record_size}"
        self.ip_version = int(meta.ip_version)

    def find(self, address: str) -> Facts:
        """Raises GeoipError where the file is damaged at this place; an address it does not know gives empty Facts."""
        if self.ip_version == 4 and ":" in address:
            return Facts()
        try:
            found = self._reader.get(address)
        except _NO_DATABASE as error:
            raise GeoipError(f"{self.path}: damaged ({error}); download it again") from error
        return _facts(found) if isinstance(found, Mapping) else Facts()

    def close(self) -> None:
        self._reader.close()


_FLAGS = (
    ("is_tor_exit_node", "tor"),
    ("tor", "tor"),
    ("is_anonymous_vpn", "vpn"),
    ("vpn", "vpn"),
    ("relay", "relay"),
    ("is_hosting_provider", "hosting"),
    ("hosting", "hosting"),
    ("is_hosting", "hosting"),
    ("is_mobile", "mobile"),
)
_FLAG_NAMES = frozenset({name for name, _ in _FLAGS} | {"connection_type", "user_type"})


def _facts(found: Mapping[str, Any]) -> Facts:
    traits = found.get("traits")
    source = {**traits, **found} if isinstance(traits, Mapping) else found
    labels = () if _FLAG_NAMES.isdisjoint(source) else tuple(_labels(source))
    return Facts(_asn(source), _organisation(source), _country(source), labels)


def _asn(source: Mapping[str, Any]) -> int | None:
    value = source.get("autonomous_system_number", source.get("asn"))
    if isinstance(value, str):  # IPinfo: "AS15169"
        value = value.upper().removeprefix("AS")
        return int(value) if value.isascii() and value.isdigit() else None
    return value if isinstance(value, int) and value > 0 else None


def _organisation(source: Mapping[str, Any]) -> str | None:
    for name in ("autonomous_system_organization", "as_name", "as_organization", "name"):
        value = source.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _country(source: Mapping[str, Any]) -> str | None:
    for name in ("country", "country_code", "registered_country"):
        value = source.get(name)
        if isinstance(value, Mapping):
            value = value.get("iso_code")
        # IPinfo Lite has the country's name in `country` and the code in `country_code`
        if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha():
            return value.upper()
    return None


def _labels(source: Mapping[str, Any]) -> list[str]:
    labels = [f"{kind}:database" for name, kind in _FLAGS if source.get(name) in (True, "true")]
    if str(source.get("connection_type", "")).lower() == "cellular" or source.get("user_type") == "cellular":
        labels.append("mobile:database")
    return labels

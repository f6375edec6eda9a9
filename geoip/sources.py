"""Who announces and who holds which addresses, read from the files that `geoip.build` puts together.

Understood are the packages of ip-location-db (as npm tarball, as unpacked directory) and single files of them: CSV
(first address, last address, AS number, organisation; or first, last, country) and MMDB.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import IO, NamedTuple

import maxminddb

from geoip.errors import GeoipError
from geoip.mmdb import facts_of
from geoip.ranges import V4_BITS, V6_BITS

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Largest file that is read, unpacked; the largest of the packages is 25 MB."""

_ENTRY_KINDS = (".csv", ".mmdb")
_VERSION_DATE = re.compile(r"\.(20\d\d)(\d\d)(\d\d)\d*$")

Progress = Callable[[str, float], None]
"""progress(step, share done 0..1)"""


class Span(NamedTuple):
    """Addresses `first`..`last` (inclusive, integers of `bits` bits) and what one source says of them; None: nothing."""

    bits: int
    first: int
    last: int
    asn: int | None = None
    organisation: str | None = None
    country: str | None = None


class Source(NamedTuple):
    """spans in no particular order; date: what day the data is of, where the package says it."""

    spans: list[Span]
    date: date | None


def read(path: Path, progress: Progress = lambda *_: None) -> Source:
    """Everything the file, directory or npm tarball `path` says. Raises GeoipError naming file, line and remedy."""
    try:
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*")) if file.is_file()]
            names = _wanted([file.relative_to(path).as_posix() for file in files])
            manifest = next((file for file in files if file.name == "package.json"), None)
            spans = [span for name in names for span in _file(path / name, progress)]
            return Source(_some(spans, path), _dated(manifest.read_bytes()) if manifest else None)
        if tarfile.is_tarfile(path):
            return _tarball(path, progress)
        beside = path.parent / "package.json"
        return Source(
            _some(list(_file(path, progress)), path), _dated(beside.read_bytes()) if beside.exists() else None
        )
    except (OSError, tarfile.TarError, EOFError) as error:
        raise GeoipError(f"{path}: cannot be read ({error}); give a CSV or MMDB file or an npm package") from error


def _tarball(path: Path, progress: Progress) -> Source:
    with tarfile.open(path) as packed, tempfile.TemporaryDirectory(prefix="leadgate-") as place:
        members = {member.name: member for member in packed if member.isfile()}
        manifest = next((name for name in members if name.endswith("/package.json")), None)
        dated = _dated(_member(packed, members[manifest]).read(1024 * 1024)) if manifest else None
        spans: list[Span] = []
        for name in _wanted(members):
            if members[name].size > MAX_FILE_BYTES:
                raise GeoipError(f"{path}: {name} unpacks to more than {MAX_FILE_BYTES} bytes; download it again")
            unpacked = Path(place) / f"file{Path(name).suffix}"  # the names inside are not trusted with a place
            with unpacked.open("wb") as file:
                source = _member(packed, members[name])
                while chunk := source.read(1 << 20):
                    file.write(chunk)
            spans += _file(unpacked, progress, f"{path}: {name}")
        return Source(_some(spans, path), dated)


def _member(packed: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = packed.extractfile(member)
    if opened is None:
        raise GeoipError(f"{member.name} in the package is no file; download it again")
    return opened


def _wanted(names: Iterable[str]) -> list[str]:
    """Of a package's files those that together hold everything once: one for all addresses, or one for each family."""
    found = sorted(name for name in names if name.endswith(_ENTRY_KINDS) and not re.search(r"-num\.\w+$", name))
    for ending in _ENTRY_KINDS:
        families = [name for name in found if name.endswith((f"-ipv4{ending}", f"-ipv6{ending}"))]
        whole = [name for name in found if name.endswith(ending) and name not in families]
        if whole or families:
            return whole[:1] or families
    return []


def _some(spans: list[Span], path: Path) -> list[Span]:
    if not spans:
        raise GeoipError(f"{path}: holds no networks; give a CSV or MMDB file or a package of ip-location-db")
    return spans


def _dated(manifest: bytes) -> date | None:
    """The day in a package's version ("2.3.2026061719": 17 June 2026)."""
    try:
        version = json.loads(manifest).get("version")
        found = _VERSION_DATE.search(version) if isinstance(version, str) else None
        return datetime(*map(int, found.groups())).date() if found else None  # type: ignore[arg-type]
    except (ValueError, AttributeError, RecursionError):
        return None


def _file(path: Path, progress: Progress, shown: str | None = None) -> Iterator[Span]:
    shown = shown or str(path)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise GeoipError(f"{shown}: larger than {MAX_FILE_BYTES} bytes; this is no database of networks")
    progress(f"reading {Path(shown.rpartition(' ')[2]).name}", 0.0)
    yield from _mmdb(path, shown) if path.suffix == ".mmdb" else _csv(path, shown)


def _csv(path: Path, shown: str) -> Iterator[Span]:
    with path.open("rb") as raw, io.TextIOWrapper(raw, "utf-8", errors="replace", newline="") as text:
        rows = csv.reader(text)
        try:
            for row in rows:
                if row and not row[0].startswith("#"):
                    yield _row(row)
        except (ValueError, OSError, IndexError, csv.Error) as error:
            raise GeoipError(
                f"{shown}:{rows.line_num}: not a network ({error}); expected are first address, last address, AS number, "
                "organisation, or first, last, country"
            ) from error


def _row(row: list[str]) -> Span:
    family, bits = (AF_INET6, V6_BITS) if ":" in row[0] else (AF_INET, V4_BITS)
    first, last = int.from_bytes(inet_pton(family, row[0])), int.from_bytes(inet_pton(family, row[1]))
    if last < first:
        raise ValueError("the last address stands before the first")
    if len(row) >= 4:
        asn = int(row[2])
        if not 0 <= asn < 1 << 32:
            raise ValueError("the AS number has not 32 bits")
        return Span(bits, first, last, asn=asn or None, organisation=row[3] or None)
    country = row[2].upper()
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        raise ValueError("the country is not two letters")
    return Span(bits, first, last, country=country)


def _mmdb(path: Path, shown: str) -> Iterator[Span]:
    try:
        with closing(maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT)) as opened:
            for network, found in opened:
                facts = facts_of(found)
                first, bits = int(network.network_address), network.max_prefixlen
                last = first + (1 << (bits - network.prefixlen)) - 1
                if isinstance(network, ipaddress.IPv6Network) and last < 1 << 32:
                    bits = V4_BITS  # the IPv4 part of an IPv6 file
                yield Span(bits, first, last, facts.asn, facts.organisation, facts.country)
    except (maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError) as error:
        raise GeoipError(f"{shown}: not a readable MMDB file ({error}); download it again") from error

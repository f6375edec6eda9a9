"""The database of networks that comes with the package, unpacked once for each user and machine.

data/networks.mmdb.xz is 5 MB, unpacked 16 MB. It is unpacked into the user's cache under its own SHA-256 and checked
against that before each use, so that several processes may do it at once and nobody is served a half-written or
foreign file. Where nothing can be written it stays in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, NamedTuple

from geoip.errors import GeoipError
from geoip.files import replaced
from geoip.mmdb import Database

NAME = "networks"
KEPT = 3
"""Unpacked databases left in a cache directory: those of other releases that are in use beside this one."""
_CHUNK = 1 << 20
_LEFT_S = 3600
"""Seconds after which nobody unpacks into a file any more."""
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 24, "lc": 0, "lp": 2, "pb": 2}]
"""lp and pb: the search tree is 24-bit numbers; these settings pack it 2 % smaller than the defaults."""


class Shipped(NamedTuple):
    """What the manifest beside the packed database says.

    date         the day the data is of
    sha256       of the unpacked file, hexadecimal
    bytes        of the unpacked file
    attribution  must be shown where results are shown
    sources      packages and versions it was made of
    """

    date: date
    sha256: str
    bytes: int
    attribution: str
    sources: tuple[str, ...]


@cache
def shipped() -> Shipped:
    """Raises GeoipError where the package is incomplete."""
    try:
        told = json.loads(_data(".json").read_bytes())
        day = date.fromisoformat(told["date"])
        return Shipped(day, told["sha256"], told["bytes"], told["attribution"], tuple(told["sources"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GeoipError(f"the shipped database of networks is missing ({error}): reinstall leadgate") from error


def database() -> Database:
    """The shipped database, opened. Raises GeoipError where the package is incomplete or damaged."""
    with unpacked(shipped()) as path:
        return Database(path, name="builtin")


@contextmanager
def unpacked(wanted: Shipped, environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Where the unpacked file is: in a cache, or else somewhere that ends with this context (a database that was
    opened meanwhile lives on)."""
    for directory in cache_directories(environ):
        with contextlib.suppress(OSError):
            if _private(directory):
                found = _cached(wanted, directory)
                break
    else:
        with _passing() as (file, path):
            _copy(wanted, file)
            yield path
        return
    yield found  # not above: what the caller raises is none of ours to suppress


def cache_directories(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where this user may keep what can be made anew, best first. CACHE_DIRECTORY is what systemd gives a service."""
    if own := environ.get("CACHE_DIRECTORY", "").partition(":")[0]:
        yield Path(own)
    if xdg := environ.get("XDG_CACHE_HOME", ""):
        yield Path(xdg) / "leadgate"
    elif home := environ.get("HOME", ""):
        yield Path(home) / ".cache" / "leadgate"
    yield Path(tempfile.gettempdir()) / f"leadgate-{os.geteuid()}"


def _private(directory: Path) -> bool:
    """Whether nobody else can put files there; made where it is missing. A name in /tmp may be taken by a stranger."""
    if not directory.is_absolute():
        return False
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _cached(wanted: Shipped, directory: Path) -> Path:
    path = directory / f"{NAME}-{wanted.sha256[:16]}.mmdb"
    if _same(path, wanted):
        return path
    number, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=directory)
    try:
        with os.fdopen(number, "wb") as file:
            _copy(wanted, file)
        os.replace(name, path)  # several at once: each puts the same bytes there
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _tidy(directory)
    return path


def _same(path: Path, wanted: Shipped) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == wanted.bytes and (
                hashlib.file_digest(file, "sha256").hexdigest() == wanted.sha256
            )
    except OSError:
        return False


def _tidy(directory: Path) -> None:
    with contextlib.suppress(OSError):
        found = sorted(directory.glob(f"{NAME}-*.mmdb"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in found[KEPT:]:
            old.unlink()
        for left in directory.glob(f".{NAME}-*"):  # by a process that was killed while it unpacked
            if left.stat().st_mtime < time.time() - _LEFT_S:
                left.unlink()


@contextmanager
def _passing() -> Iterator[tuple[IO[bytes], Path]]:
    """A file without a lasting name: in memory where the system has that, else in the directory for temporary files."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create(f"leadgate-{NAME}"), "wb") as file:
            yield file, Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.NamedTemporaryFile(prefix=f"leadgate-{NAME}-") as named:
            yield named.file, Path(named.name)


def _copy(wanted: Shipped, to: IO[bytes]) -> None:
    """Unpacks into `to`, never more than was announced. Raises GeoipError where it is not what was announced."""
    digest, size = hashlib.sha256(), 0
    try:
        with _data(".mmdb.xz").open("rb") as packed, lzma.open(packed) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > wanted.bytes:
                    break
                digest.update(chunk)
                to.write(chunk)
    except (lzma.LZMAError, EOFError, FileNotFoundError) as error:
        raise GeoipError(f"the shipped database of networks is damaged ({error}): reinstall leadgate") from error
    if size != wanted.bytes or digest.hexdigest() != wanted.sha256:
        raise GeoipError("the shipped database of networks is not the one its manifest names: reinstall leadgate")
    to.flush()


def _data(ending: str) -> Path:
    return Path(str(resources.files("geoip").joinpath("data", NAME + ending)))


def pack(database: Path, out: Path, of: date, attribution: str, sources: tuple[str, ...]) -> None:
    """Makes `out` (…mmdb.xz) and its manifest (…json) of a built database: what is shipped with a release."""
    content = database.read_bytes()
    packed = lzma.compress(content, format=lzma.FORMAT_XZ, check=lzma.CHECK_SHA256, filters=_FILTERS)
    manifest = {
        "date": of.isoformat(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "attribution": attribution,
        "sources": list(sources),
    }
    beside = out.with_name(out.name.removesuffix(".mmdb.xz") + ".json")
    for path, text in ((out, packed), (beside, json.dumps(manifest, indent=2).encode() + b"\n")):
        with replaced(path) as name:
            name.write_bytes(text)

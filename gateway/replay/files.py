"""Log files as lines of bytes: plain or gzip, a file or standard input, in bounded memory, with clear words for what cannot be read."""

from __future__ import annotations

import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from gateway.replay.json_lines import parse_json
from gateway.replay.lines import MAX_LINE, LogLine, Unreadable
from gateway.replay.text_lines import parse_text

CHUNK = 262_144
PROBED_LINES = 50
"""Lines at the beginning that tell whether a file is an access log. One that can be read is enough: logs may begin in the middle of a line."""

STDIN = "-"
FORMATS = "combined, common, vhost_combined (each with X-Forwarded-For at the end or without), Caddy JSON, nginx JSON"

_GZIP = b"\x1f\x8b"
_PACKED = {
    b"BZh": ("bzip2", "bzcat"),
    b"\xfd7zXZ": ("xz", "xzcat"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "zstdcat"),
    b"PK\x03\x04": ("ZIP", "unzip -p"),
}
_ROTATED = re.compile(r"(?:\.gz|\.log|\.txt|\.json|[.-]\d{1,14})$", re.IGNORECASE)


class BadUsage(Exception):
    """What was named cannot be a log: no such file, a directory. Nothing is run then."""


class Broken(Exception):
    """A file cannot be read, or not to its end; the text names it and the remedy."""


def parse(line: bytes) -> LogLine:
    """Read one line, without its end, in whichever format it is. Raises Unreadable."""
    if line[:1] == b"{":
        return parse_json(line)
    return parse_text(line.decode("latin-1"))


class LogFile:
    """One log. `lines()` may be used once.

    name    as given by the user; "standard input" for "-"
    source  name without directory, rotation number and packing, the same for all files of one log: goes into record ids
    size    bytes on disk, 0 where unknown (a pipe)
    """

    def __init__(self, path: str) -> None:
        self._path = None if path == STDIN else Path(path)
        self.name = "standard input" if path == STDIN else path
        self.source = "stdin" if self._path is None else source_of(self._path.name)
        self.size = 0
        if self._path is not None:
            try:
                found = self._path.stat()
            except FileNotFoundError as error:
                raise BadUsage(f"{path}: there is no such file") from error
            except OSError as error:
                raise BadUsage(f"{path}: it cannot be read ({error.strerror})") from error
            if stat.S_ISDIR(found.st_mode):
                raise BadUsage(f"{path}: this is a directory; name the log files in it: {path.rstrip('/')}/access.log*")
            self.size = found.st_size if stat.S_ISREG(found.st_mode) else 0

    @property
    def identity(self) -> object:
        """The same for two ways to name one file."""
        return STDIN if self._path is None else self._path.resolve()

    def lines(self, read: Callable[[int], None]) -> Iterator[bytes | None]:
        """Lines without their ends, None for one that is longer than MAX_LINE. `read` is told how many bytes were taken from the file.

        Raises Broken, after all lines that could be read.
        """
        try:
            with sys.stdin.buffer if self._path is None else self._path.open("rb") as stream:
                yield from _split(self._unpacked(stream, read))
        except OSError as error:
            raise Broken(f"{self.name}: it cannot be read ({error.strerror or error})") from error

    def _unpacked(self, stream: BinaryIO, read: Callable[[int], None]) -> Iterator[bytes]:
        first = stream.read1(CHUNK) if hasattr(stream, "read1") else stream.read(CHUNK)
        while len(first) < 6 and (more := stream.read(6 - len(first))):
            first += more
        for magic, (kind, tool) in _PACKED.items():
            if first.startswith(magic):
                named = "" if self._path is None else f" {self.name}"
                raise Broken(
                    f"{self.name}: it is packed with {kind}. Unpack it on the way in: {tool}{named} | leadgate replay -"
                )
        chunks = _chunks(first, stream, read)
        if first[:2] == _GZIP:
            yield from self._gunzipped(chunks)
        else:
            yield from chunks

    def _gunzipped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        unpack = zlib.decompressobj(wbits=31)
        begun = False
        try:
            for chunk in chunks:
                while chunk:
                    if unpack.eof:  # several packed pieces behind one another are one file
                        chunk = chunk.lstrip(b"\0")
                        if not chunk:
                            break
                        unpack, begun = zlib.decompressobj(wbits=31), False
                    begun = True
                    data = unpack.decompress(chunk, CHUNK)
                    if data:
                        yield data
                    chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        except zlib.error as error:
            raise Broken(f"{self.name}: the gzip data is damaged; what came before was read") from error
        if begun and not unpack.eof:
            raise Broken(
                f"{self.name}: the gzip data ends too early, as after an interrupted copy; what came before was read"
            )


def source_of(name: str) -> str:
    """The log a file belongs to: "access" of "access.log.2.gz", "shop-access" of "shop-access.log-20260131.gz"."""
    while (shorter := _ROTATED.sub("", name)) != name and shorter:
        name = shorter
    return name


def _chunks(first: bytes, stream: BinaryIO, read: Callable[[int], None]) -> Iterator[bytes]:
    chunk = first
    while chunk:
        read(len(chunk))
        yield chunk
        chunk = stream.read(CHUNK)


def _split(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    rest, skipping = b"", False
    for chunk in chunks:
        first, *lines = chunk.split(b"\n")
        if not skipping:
            rest += first
        if not lines:  # no end of line in the whole chunk
            if len(rest) > MAX_LINE:
                rest, skipping = b"", True
            continue
        yield None if skipping or len(rest) > MAX_LINE else rest
        skipping = False
        rest = lines.pop()
        for line in lines:
            yield line if len(line) <= MAX_LINE else None
    if skipping or len(rest) > MAX_LINE:
        yield None
    elif rest:
        yield rest


class Probe:
    """What the first lines of a file say."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.begins: int | None = None  # time of the first line that can be read
        self.format = ""
        self.problem: str | None = None
        self._seen = 0
        self._blank = True

    def look(self, line: bytes | None) -> bool:
        """Take a line; True where enough is known."""
        if line is None or line.strip():
            self._blank = False
            self._seen += 1
            try:
                if line is None:
                    raise Unreadable(f"it is longer than {MAX_LINE} bytes")
                found = parse(line.rstrip(b"\r"))
            except Unreadable as error:
                if self.problem is None:
                    self.problem = "it holds binary data" if line is not None and b"\0" in line else str(error)
            else:
                self.begins, self.format, self.problem = found.at, found.format, None
        return self.begins is not None or self._seen >= PROBED_LINES

    @property
    def empty(self) -> bool:
        return self._blank

    @property
    def refusal(self) -> str:
        return (
            f"{self.file.name}: this does not look like an access log: none of its first {self._seen} lines can be read "
            f"(the first: {self.problem}). Known formats: {FORMATS}"
        )

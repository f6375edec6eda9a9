"""Every path that the path bytes of a request could mean.

Servers and frameworks disagree on how often to decode, whether "%2f" separates, what ";" begins, whether "//" is
"/", and in which order to do all that. So each step that some server takes is tried on each reading found so far,
until nothing new comes up. The number of readings and the work are bounded; what exceeds the bound is reported as
such and never routed as harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NewType
from urllib.parse import unquote_to_bytes

import msgspec

CanonicalPath = NewType("CanonicalPath", str)

MAX_READINGS = 128
"""Readings followed for one path. Honest paths have one; those of the usual scanners stay below a hundred."""

MAX_WORK = 65_536
"""Bytes of readings followed for one path, so that a long one costs no more than about a millisecond."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """`forms` and `keys` as in Target; the canonical path is the first form."""

    forms: tuple[CanonicalPath, ...]
    keys: tuple[str, ...]
    ambiguous: tuple[str, ...] = ()
    unbounded: bool = False


# Something in the path that needs more than a look: not printable ASCII, an escape, a parameter, a backslash, a
# fragment, an empty segment, a segment that begins or ends with a dot.
_ODD = re.compile(rb"[^!-~]|[%;\\#]|//|/\.|\.(?:/|$)")

_DOT = rb"(?:\.|%2e)"
_AMBIGUITIES: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("encoded slash", rb"%2f"),
        ("backslash", rb"\\|%5c"),
        ("repeated slash", rb"//"),
        ("dot segment", rb"(?:^|/)" + _DOT + rb"{1,2}(?=/|;|$|%2f|%5c|\\)"),
        ("encoded dot", rb"%2e"),
        ("path parameter", rb";|%3b"),
        ("NUL", rb"\x00|%00"),
        ("control character", rb"[\x01-\x1f\x7f]|%[01][0-9a-f]|%7f"),
        ("fragment", rb"#|%23"),
        ("encoded question mark", rb"%3f"),
        ("%u escape", rb"%u[0-9a-f]{4}"),
    )
)
_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")
_U_ESCAPE = re.compile(rb"%[uU]([0-9A-Fa-f]{4})")
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")
_TRAILING = re.compile(rb"(?<=[^/. \t])[. \t]+(?=/|$)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def read_path(raw: bytes) -> Reading:
    """Read the path part of a request target (without query, without authority). Never raises."""
    if raw[:1] == b"/" and not _ODD.search(raw):
        path = CanonicalPath(raw.decode("ascii"))
        return Reading((path,), _keys((path,)))
    if raw == b"*":
        return Reading((CanonicalPath("*"),), ("*",))
    ambiguous = [name for name, pattern in _AMBIGUITIES if pattern.search(raw)]
    decoded = unquote_to_bytes(raw)
    if _ESCAPE.search(decoded):
        ambiguous.append("double encoding")
    if _OVERLONG.search(decoded):
        ambiguous.append("overlong UTF-8")
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        ambiguous.append("invalid UTF-8")
    else:
        if not text.isascii() and unicodedata.normalize("NFKC", text) != text:
            ambiguous.append("compatibility character")
    if _TRAILING.search(decoded):
        ambiguous.append("trailing dot or space")
    if raw[:1] != b"/" and raw:
        ambiguous.append("no leading slash")
    path = CanonicalPath(_CONTROLS.sub("\ufffd", _text(_standard(raw))))
    if not ambiguous:
        return Reading((path,), _keys((path,)))
    readings, complete = _all(raw)
    forms = tuple(dict.fromkeys((path, *(CanonicalPath(_text(found)) for found in readings))))
    return Reading(forms, _keys(forms), tuple(ambiguous), not complete)


def _keys(forms: tuple[CanonicalPath, ...]) -> tuple[str, ...]:
    lower = [form.lower() for form in forms]
    return tuple(dict.fromkeys(lower + [form.rstrip("/") or "/" for form in lower if form.endswith("/")]))


def _text(path: bytes) -> str:
    try:
        return path.decode()
    except UnicodeDecodeError:
        return path.decode("latin-1")


def _standard(raw: bytes) -> bytes:
    path = _backslashes(unquote_to_bytes(_parameters(raw)))
    return _dots(_slashes(path if path[:1] == b"/" else b"/" + path))


def _all(raw: bytes) -> tuple[list[bytes], bool]:
    """Readings in the order found, and whether all were followed."""
    found = {raw: None}
    queue = [raw]
    work = 0
    for path in queue:
        work += len(path)
        if work > MAX_WORK:
            return queue, False
        for step in _STEPS:
            new = step(path)
            if new not in found:
                found[new] = None
                queue.append(new)
        if len(queue) > MAX_READINGS:
            return queue[:MAX_READINGS], False
    return queue, True


def _decode(path: bytes) -> bytes:
    return unquote_to_bytes(path) if b"%" in path else path


def _decode_u(path: bytes) -> bytes:
    """IIS reads %u002f as "/"."""
    if b"%u" not in path and b"%U" not in path:
        return path
    return _U_ESCAPE.sub(lambda match: chr(int(match[1], 16)).encode("utf-8", "replace"), path)


def _backslashes(path: bytes) -> bytes:
    return path.replace(b"\\", b"/")


def _slashes(path: bytes) -> bytes:
    return re.sub(rb"//+", b"/", path) if b"//" in path else path


def _parameters(path: bytes) -> bytes:
    """Servlet containers drop what follows ";" in each segment."""
    return re.sub(rb";[^/]*", b"", path) if b";" in path else path


def _cut(mark: bytes) -> Callable[[bytes], bytes]:
    return lambda path: path.partition(mark)[0] or b"/" if mark in path else path


def _dots(path: bytes) -> bytes:
    """RFC 3986 §5.2.4."""
    if b"/." not in path:
        return path
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments[1:]:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return segments[0] + b"/" + b"/".join(kept)


def _without_controls(path: bytes) -> bytes:
    """URL parsers of the WHATWG kind drop tabs and line ends; some servers drop NUL."""
    return re.sub(rb"[\x00\t\r\n]", b"", path)


def _overlong(path: bytes) -> bytes:
    """A lax UTF-8 decoder reads C0 AF as "/"."""
    if path.isascii():
        return path

    def shortest(match: re.Match[bytes]) -> bytes:
        sequence = match[0]
        point = sequence[0] & (0x1F if len(sequence) == 2 else 0x0F if len(sequence) == 3 else 0x07)
        for byte in sequence[1:]:
            point = point << 6 | byte & 0x3F
        return chr(point).encode("utf-8", "replace")

    return _OVERLONG.sub(shortest, path)


def _compatible(path: bytes) -> bytes:
    """Best-fit mappings read a full-width solidus as "/"."""
    if path.isascii():
        return path
    try:
        return unicodedata.normalize("NFKC", path.decode()).encode()
    except UnicodeDecodeError:
        return path


def _trailing(path: bytes) -> bytes:
    """Windows drops dots and spaces at the end of a name."""
    return _TRAILING.sub(b"", path)


def _network_path(path: bytes) -> bytes:
    """A URL parser reads "//host/path" as a path on another host."""
    return b"/" + path[2:].partition(b"/")[2] if path[:2] == b"//" else path


def _leading(path: bytes) -> bytes:
    return path if path[:1] == b"/" else b"/" + path


_STEPS: tuple[Callable[[bytes], bytes], ...] = (
    _decode,
    _slashes,
    _dots,
    _parameters,
    _backslashes,
    _cut(b";"),
    _cut(b"\x00"),
    _cut(b"#"),
    _cut(b"?"),
    _without_controls,
    _decode_u,
    _overlong,
    _compatible,
    _trailing,
    _network_path,
    _leading,
)

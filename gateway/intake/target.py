"""Where a request goes: its canonical path, every other path it could mean, and its query.

Routes match on what is read here; the origin receives the raw bytes. Since nobody knows how the origin reads
"/a%2f..%2flead", a target that can be read in more than one way yields all its readings, and a route that any of
them matches is the request's route."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from gateway.intake.charsets import Decoder
from gateway.intake.target_readings import CanonicalPath, Reading, read_path
from gateway.intake.urlencoded import Pair, pairs

Headers = tuple[tuple[bytes, bytes], ...]

_CACHED_LENGTH = 256
_METHOD = re.compile(rb"[A-Za-z]{1,20}")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#\\]*)")

_OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
_REWRITES = frozenset({b"x-original-url", b"x-rewrite-url"})
_LENGTHS = frozenset(map(len, _OVERRIDES | _REWRITES))


class Target(msgspec.Struct, frozen=True, gc=False):
    """The target of one request.

    forms      every path it could mean, `path` first; empty for CONNECT
    path       canonical path: percent-decoded once, dot segments resolved, "//" collapsed, ";parameters" removed,
              backslash
               read as slash, absolute form stripped; control characters shown as U+FFFD
    query      (name, value) in received order, decoded
    ambiguous  why there is more than one reading: "encoded slash", "double encoding", "method override", …; empty
              for most
    methods    every method it could mean, the request line's first
    authority  host and port of an absolute-form target or of CONNECT, as received, or None
    keys       what patterns are compared with: the forms in lower case, with and without final slash
    unbounded  there are more readings than were followed: matches every pattern
    """

    forms: tuple[CanonicalPath, ...]
    path: str
    query: tuple[Pair, ...]
    ambiguous: tuple[str, ...]
    methods: tuple[str, ...]
    authority: str | None
    keys: tuple[str, ...]
    unbounded: bool = False


def parse(target: bytes, method: str, headers: Headers) -> Target:
    """Read a request target as it stands in the request line. Never raises; the result is bounded by the target's
    length."""
    raw, _, raw_query = target.partition(b"?")
    query = tuple(pairs(raw_query, Decoder())) if raw_query else ()
    if method == "CONNECT":
        return Target((), "", query, (), (method,), raw.decode("latin-1"), ())
    authority: str | None = None
    extra: tuple[str, ...] = ()
    if raw[:1] != b"/":
        absolute = _ABSOLUTE.match(target)
        if absolute is not None:
            authority, extra = absolute[1].decode("latin-1"), ("absolute form",)
            raw = raw[absolute.end() :]
    reading = _read_cached(raw) if len(raw) <= _CACHED_LENGTH else read_path(raw)
    methods: tuple[str, ...] = (method,)
    for name, value in headers:
        if len(name) in _LENGTHS:
            lower = name.lower()
            if lower in _OVERRIDES:
                methods = _with_method(methods, value)
            elif lower in _REWRITES:
                reading = _with_rewrite(reading, value)
    for key, text in query:
        if key == "_method":
            methods = _with_method(methods, text.encode())
    if len(methods) > 1:
        extra = (*extra, "method override")
    return Target(
        reading.forms,
        reading.forms[0],
        query,
        reading.ambiguous + extra if extra else reading.ambiguous,
        methods,
        authority,
        reading.keys,
        reading.unbounded,
    )


_read_cached = lru_cache(2048)(read_path)


def _with_method(methods: tuple[str, ...], value: bytes) -> tuple[str, ...]:
    value = value.strip()
    if len(methods) > 4 or not _METHOD.fullmatch(value):
        return methods
    method = value.decode("ascii").upper()
    return methods if method in methods else (*methods, method)


def _with_rewrite(reading: Reading, value: bytes) -> Reading:
    """Some frameworks route by these headers instead of by the request line."""
    absolute = _ABSOLUTE.match(value)
    other = read_path((value[absolute.end() :] if absolute else value).strip().partition(b"?")[0])
    return Reading(
        tuple(dict.fromkeys(reading.forms + other.forms)),
        tuple(dict.fromkeys(reading.keys + other.keys)),
        tuple(dict.fromkeys((*reading.ambiguous, *other.ambiguous, "rewrite header"))),
        reading.unbounded or other.unbounded,
    )


class PathPattern:
    """A path of the configuration: exact ("/lead") or with "*" for any characters ("/offer*", "/*/quote").

    Letter case and a final slash make no difference: many origins ignore them, and a request taken for a form by
    mistake is judged, while one that is missed is not.
    """

    __slots__ = ("_exact", "_parts", "_prefix", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        lower = text.lower()
        self._parts = tuple(lower.split("*"))
        self._exact = (lower.rstrip("/") or "/") if len(self._parts) == 1 else None
        self._prefix = self._parts[0] if len(self._parts) == 2 and not self._parts[1] else None

    def __repr__(self) -> str:
        return f"PathPattern({self.text!r})"

    def matches(self, target: Target) -> bool:
        """Does any reading of the target match?"""
        if self._exact is not None:
            return self._exact in target.keys or target.unbounded
        for key in target.keys:
            if key.startswith(self._prefix) if self._prefix is not None else self._fits(key):
                return True
        return target.unbounded

    def _fits(self, key: str) -> bool:
        first, *middle, last = self._parts
        if len(key) < len(first) + len(last) or not key.startswith(first) or not key.endswith(last):
            return False
        at, end = len(first), len(key) - len(last)
        for part in middle:
            found = key.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

"""Which answers may get an insertion, and what changes for them.

An insertion is personal and used once, so the page must not be kept by a shared cache; a page that a shared cache may keep
is not turned into a private one behind its owner's back: it is passed on untouched.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

from gateway.upstream.headers import Fields

INJECTED_REQUEST_DIFFERENCES: Final[tuple[tuple[str, str], ...]] = (
    ("Accept-Encoding", "replaced by `identity`, in the same place"),
    ("If-None-Match", "removed"),
    ("If-Modified-Since", "removed"),
    ("If-Range", "removed"),
    ("Range", "removed"),
)

INJECTED_ANSWER_DIFFERENCES: Final[tuple[tuple[str, str], ...]] = (
    ("Cache-Control", "replaced by `private, no-cache`, with `no-store` where the origin said so"),
    (
        "Content-Length",
        "rebuilt with the new length where the page was there in one piece; else removed, and the body is sent chunked",
    ),
    ("ETag", "removed"),
    ("Last-Modified", "removed"),
    ("Accept-Ranges", "removed"),
    ("Expires", "removed"),
    ("Content-MD5", "removed"),
    ("Digest", "removed"),
    ("Content-Digest", "removed"),
    ("Repr-Digest", "removed"),
)

REQUEST_STRIP: Final = frozenset(n.lower().encode() for n, what in INJECTED_REQUEST_DIFFERENCES if what == "removed")
LOST_FIELDS: Final = frozenset(n.lower().encode() for n, _ in INJECTED_ANSWER_DIFFERENCES if n != "Content-Length")
# Besides Cache-Control, these steer caches near the origin (RFC 9213 and its forerunner).
_CACHE_FIELDS: Final = (b"cache-control", b"cdn-cache-control", b"surrogate-control")


def _field(headers: Fields, lower: bytes) -> bytes | None:
    """All values of a field, joined as RFC 9110 §5.3 allows; None when absent."""
    found = [value for name, value in headers if name.lower() == lower]
    return b", ".join(found) if found else None


def _directives(value: bytes | None) -> dict[bytes, bytes]:
    directives: dict[bytes, bytes] = {}
    for part in (value or b"").lower().split(b","):
        name, _, argument = part.strip().partition(b"=")
        directives.setdefault(name.strip(), argument.strip(b' "'))
    return directives


def _seconds(value: bytes | None) -> int:
    """A delta-seconds argument; absent or unreadable counts as 0, as RFC 9111 §4.2.1 treats it (stale)."""
    return int(value) if value is not None and value.isdigit() and len(value) < 12 else 0


def _shared_cacheable(headers: Fields) -> bool:
    """Whether a shared cache may keep the answer *and* use it without asking (RFC 9111 §3, §4.2.1).

    No freshness information at all counts as not cacheable: pages without any are made per request.
    """
    personal = False
    for field in _CACHE_FIELDS:
        found = _directives(_field(headers, field))
        if b"public" in found or _seconds(found.get(b"s-maxage")):
            return True
        closed = b"private" in found or b"no-store" in found or b"no-cache" in found
        if not closed and _seconds(found.get(b"max-age")):
            return True
        personal = personal or closed or (field == b"cache-control" and b"max-age" in found)
    expires = _field(headers, b"expires")
    if personal or expires is None:
        return False
    date = _field(headers, b"date")
    try:
        until = parsedate_to_datetime(expires.decode("ascii", "replace"))
        since = parsedate_to_datetime(date.decode("ascii", "replace")) if date is not None else None
        return since is None or until > since
    except (ValueError, TypeError):  # "0", "-1", nonsense: already expired; TypeError: one date without a zone
        return False


def injectable(status: int, headers: Fields) -> bool:
    """A successful, whole HTML page in plain coding that is not for shared caches and may be transformed."""
    if not 200 <= status < 300 or status in (204, 205, 206):
        return False
    kind = (_field(headers, b"content-type") or b"").lower()
    media, _, parameters = kind.partition(b";")
    if media.strip() != b"text/html" or b"utf-16" in parameters or b"utf-32" in parameters:
        return False
    coding = (_field(headers, b"content-encoding") or b"").strip().lower()
    if coding not in (b"", b"identity"):
        return False
    # RFC 9110 §7.7: "A proxy MUST NOT transform the content of a message that contains a no-transform cache directive."
    return b"no-transform" not in _directives(_field(headers, b"cache-control")) and not _shared_cacheable(headers)


def cache_control(headers: Fields) -> bytes:
    """The Cache-Control of an injected page; a `no-store` of the origin stays."""
    return b"private, no-cache" + (
        b", no-store" if b"no-store" in _directives(_field(headers, b"cache-control")) else b""
    )

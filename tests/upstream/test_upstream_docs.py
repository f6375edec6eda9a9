"""docs/reference/proxy.md lists the differences that the code makes, no more and no fewer; and the code makes those it lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.upstream import names
from gateway.upstream.headers import ANSWER_DIFFERENCES, REQUEST_DIFFERENCES, Forwarded, request_head, response_head
from gateway.upstream.inject_policy import (
    INJECTED_ANSWER_DIFFERENCES,
    INJECTED_REQUEST_DIFFERENCES,
    LOST_FIELDS,
    REQUEST_STRIP,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "proxy.md"


def test_the_tables_are_those_of_the_code():
    rows = re.findall(r"^\| `(.+?)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert (
        tuple(rows)
        == REQUEST_DIFFERENCES + ANSWER_DIFFERENCES + INJECTED_REQUEST_DIFFERENCES + INJECTED_ANSWER_DIFFERENCES
    )


COMMON = [
    b"Accept", b"Accept-Encoding", b"Accept-Language", b"Age", b"Allow", b"Authorization", b"Cache-Control", b"Content-Disposition", b"Content-Encoding",
    b"Content-Language", b"Content-Location", b"Content-MD5", b"Content-Range", b"Content-Security-Policy", b"Content-Type", b"Cookie", b"DNT", b"Date",
    b"Digest", b"ETag", b"Early-Data", b"Expires", b"From", b"Host", b"If-Match", b"If-Modified-Since", b"If-None-Match", b"If-Range", b"Last-Modified",
    b"Link", b"Location", b"Max-Forwards", b"Origin", b"Pragma", b"Priority", b"Range", b"Referer", b"Retry-After", b"Sec-CH-UA", b"Sec-Fetch-Mode", b"Server",
    b"Set-Cookie", b"Strict-Transport-Security", b"User-Agent", b"Vary", b"Via", b"WWW-Authenticate", b"Warning", b"X-Requested-With", b"x_custom",
]  # fmt: skip


def changed(head: bytes, fields: list[bytes]) -> set[str]:
    """Names whose line is not in the head as it was given."""
    return {name.decode() for name in fields if b"\r\n%b: v\r\n" % name not in head}


SAMPLES = {"X-Forwarded-*": b"X-Forwarded-Port", "X-Lead-*": b"X-Lead-Id", "names with _": b"X_Lead_Id"}


def listed(table: tuple[tuple[str, str], ...]) -> list[bytes]:
    return [SAMPLES.get(name, name.encode()) for name, _ in table if name != "Via"]


@pytest.mark.parametrize(("table", "answer"), [(REQUEST_DIFFERENCES, False), (ANSWER_DIFFERENCES, True)])
def test_exactly_the_listed_fields_differ(table, answer):
    special = [name.title() for name in names.SPECIAL]
    fields = [*COMMON, *special, *listed(table)]
    given = [(name, b"v") for name in fields]
    if answer:
        head = response_head(200, b"OK", given, version=(1, 1))
    else:
        head = request_head("GET", b"/", given, version=(1, 1), forwarded=Forwarded("192.0.2.1", "http", b"other"))
    assert {name.lower() for name in changed(head, fields)} == {name.decode().lower() for name in listed(table)}


def test_injected_tables_drive_the_code():
    assert {b"if-none-match", b"if-modified-since", b"if-range", b"range"} == REQUEST_STRIP
    assert {name.lower().encode() for name, _ in INJECTED_ANSWER_DIFFERENCES} - LOST_FIELDS == {b"content-length"}

"""One head, one reading: what is refused says why, what passes keeps its bytes."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.http import HttpRequestParser

from gateway.intake.framing import Head, check_partial, read_head
from gateway.intake.limits import Limits
from gateway.intake.refusal import Refused


def read(*lines: bytes, limits: Limits = Limits()) -> Head:  # noqa: B008  # frozen
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(None, loop, 2**16, max_field_size=limits.header_field_bytes, auto_decompress=False)
        return read_head(b"\r\n".join(lines) + b"\r\n\r\n", parser, limits)
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        ((b"GET / HTTP/1.1",), 400, "host_missing"),
        ((b"GET / HTTP/1.1", b"Host: a b"), 400, "host_invalid"),
        ((b"GET / HTTP/1.1", b"Host: a", b"Host: a"), 400, "duplicate_field"),
        ((b"GET / HTTP/1.1", b"Host: a", b"Expect: 100-continue", b"Expect: 100-continue"), 400, "duplicate_field"),
        ((b"GET / HTTP/1.1", b"Host: a", b"User-Agent: a", b"User-Agent: b"), 400, "duplicate_field"),
        ((b"GET / HTTP/1.1", b"Host: a", b" b: c"), 400, "obs_fold"),
        ((b"GET / HTTP/1.1", b"Host: a", b"B : c"), 400, "space_before_colon"),
        ((b"GET / HTTP/1.1", b"Host: a", b"B: \x00"), 400, "control_character"),
        ((b"GET / HTTP/1.1", b"Host: a", b"B: c\nD: e"), 400, "bare_line_end"),
        ((b"GET / HTTP/1.1", b"Host: a", b"B\xe9: c"), 400, "header_name"),
        ((b"GET / HTTP/1.1", b"Host: a", b"Transfer_Encoding: x"), 400, "header_name"),
        ((b"GET / HTTP/1.1", b"Host: a", b"nothing"), 400, "header_name"),
        ((b"GET  / HTTP/1.1", b"Host: a"), 400, "request_line"),
        ((b"GET /a b HTTP/1.1", b"Host: a"), 400, "request_line"),
        ((b"GET /#a HTTP/1.1", b"Host: a"), 400, "request_line"),
        ((b"GET / HTTP/2.0", b"Host: a"), 505, "version"),
        ((b"GET / HTTP/1.2", b"Host: a"), 505, "version"),
        ((b"FROB / HTTP/1.1", b"Host: a"), 501, "method"),
        ((b"TRACE / HTTP/1.1", b"Host: a"), 405, "method"),
        ((b"CONNECT a:443 HTTP/1.1", b"Host: a:443"), 405, "method"),
        ((b"GET http://b/ HTTP/1.1", b"Host: a"), 400, "target_authority"),
        ((b"GET http://x@a/ HTTP/1.1", b"Host: a"), 400, "target_authority"),
        ((b"GET ftp://a/ HTTP/1.1", b"Host: a"), 400, "target_form"),
        ((b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400, None),
        ((b"POST / HTTP/1.0", b"Transfer-Encoding: chunked"), 400, None),
        ((b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: gzip, chunked"), 400, "coding"),
        ((b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding:  chunked"), 400, "coding"),
        ((b"POST / HTTP/1.1", b"Host: a", b"Content-Length:  1"), 400, "length"),
        ((b"POST / HTTP/1.1", b"Host: a", b"Content-Length: " + b"0" * 18 + b"1"), 400, "length"),
        ((b"GET / HTTP/1.1", b"Host: a", b"Expect: x"), 417, "expect"),
        ((b"GET / HTTP/1.1", b"Host: a", b"Connection: close, HOST"), 400, "connection_option"),
    ],
)
def test_refused(lines, status, reason):
    with pytest.raises(Refused) as caught:
        read(*lines)
    assert caught.value.status == status
    if reason is not None:  # elsewhere llhttp may be the first to see it
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    "target",
    [b"/", b"//a/b", b"/%zz?a=b&&c", b"/\xff\xfe?\xc3\xa9", b'/a?x={|}^`"<>\\', b"http://A:8080/x", b"HTTP://a:8080?x"],
)
def test_targets_are_kept(target):
    host = b"a:8080"
    assert read(b"GET %b HTTP/1.1" % target, b"Host: " + host).target == target


def test_asterisk_is_for_options():
    assert read(b"OPTIONS * HTTP/1.1", b"Host: a").target == b"*"
    with pytest.raises(Refused):
        read(b"GET * HTTP/1.1", b"Host: a")


@pytest.mark.parametrize(
    "host", [b"a", b"a.b-c_d.example.", b"127.0.0.1:80", b"[::1]", b"[2001:db8::1]:8443", b"xn--bcher-kva.example"]
)
def test_hosts(host):
    assert read(b"GET / HTTP/1.1", b"Host: " + host).index[b"host"] == host


def test_bodies():
    assert not read(b"POST / HTTP/1.1", b"Host: a").has_body
    none = read(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 0")
    assert (none.has_body, none.content_length, none.pristine) == (False, 0, True)
    some = read(b"POST / HTTP/1.1", b"Host: a", b"content-length:7", b"Expect: 100-Continue")
    assert (some.has_body, some.content_length, some.expects_continue, some.pristine) == (True, 7, True, False)
    chunked = read(b"POST / HTTP/1.1", b"Host: a", b"TRANSFER-ENCODING: Chunked")
    assert (chunked.has_body, chunked.content_length, chunked.chunked) == (True, None, True)
    assert not read(b"POST / HTTP/1.0", b"Content-Length: 7", b"Expect: 100-continue").expects_continue
    assert not read(b"POST / HTTP/1.1", b"Host: a", b"Expect: 100-continue").expects_continue


def test_upgrade_counts_only_where_connection_names_it():
    assert (
        read(b"GET / HTTP/1.1", b"Host: a", b"Connection: keep-alive, Upgrade", b"Upgrade: websocket").upgrade
        == b"websocket"
    )
    assert read(b"GET / HTTP/1.1", b"Host: a", b"Upgrade: websocket").upgrade is None
    assert read(b"GET / HTTP/1.0", b"Connection: Upgrade", b"Upgrade: websocket").upgrade is None


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\nHost", 400),
        (b"\x16\x03\x01", 400),
        (b"(GET", 400),
        (b"GET /" + b"a" * 40_000, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 40_000, 431),
    ],
)
def test_hopeless_beginnings(raw, status):
    with pytest.raises(Refused) as caught:
        check_partial(raw, Limits())
    assert caught.value.status == status


@pytest.mark.parametrize("raw", [b"G", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\nHost: a\r\n\r"])
def test_hopeful_beginnings(raw):
    check_partial(raw, Limits())

"""Heads as bytes: what is taken away and put in, field by field."""

from __future__ import annotations

import pytest

from gateway.upstream import names
from gateway.upstream.headers import Forwarded, request_head, response_head

V4 = Forwarded(peer="192.0.2.1", proto="https", host=b"h:8080")


def request(*headers: tuple[bytes, bytes], forwarded: Forwarded = V4, **more) -> bytes:
    more.setdefault("version", (1, 1))
    return request_head("GET", b"/", headers, forwarded=forwarded, **more)


def lines(head: bytes) -> list[bytes]:
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")[1:]


def test_forwarding_fields_are_ours_when_nobody_is_trusted():
    head = request(
        (b"X-Forwarded-For", b"1.1.1.1"), (b"X-Forwarded-Proto", b"ftp"), (b"x-forwarded-host", b"evil"), (b"Forwarded", b"for=1.1.1.1"),
        (b"X-Real-IP", b"1.1.1.1"), (b"X-Forwarded-Port", b"1"), (b"X_Forwarded_For", b"1.1.1.1"), (b"x-real_ip", b"1.1.1.1"),
    )  # fmt: skip
    assert lines(head) == [
        b"Via: 1.1 leadgate", b"X-Forwarded-For: 192.0.2.1", b'Forwarded: for=192.0.2.1;host="h:8080";proto=https',
        b"X-Forwarded-Proto: https", b"X-Forwarded-Host: h:8080",
    ]  # fmt: skip


def test_a_trusted_proxy_is_kept_and_extended():
    head = request(
        (b"x-forwarded-for", b"1.1.1.1"), (b"X-Forwarded-Proto", b"https"), (b"A", b"b"), (b"X-Forwarded-For", b"2.2.2.2, 3.3.3.3"),
        (b"Forwarded", b'for="[2001:db8::1]"'), (b"X-Forwarded-Host", b"shop"), (b"X-Real-IP", b"1.1.1.1"), (b"X_Real_IP", b"6.6.6.6"),
        forwarded=Forwarded(peer="2001:db8::2%eth0", proto="http", host=None, trusted=True), version=(1, 0),
    )  # fmt: skip
    assert lines(head) == [
        b"X-Forwarded-Proto: https", b"A: b", b"X-Forwarded-Host: shop", b"X-Real-IP: 1.1.1.1", b"Via: 1.0 leadgate",
        b"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 2001:db8::2",
        b'Forwarded: for="[2001:db8::1]", for="[2001:db8::2]";proto=http',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", [b"X-Lead-Id", b"x-lead-anything", b"X_Lead_Quality", b"X-LEAD_verdict", b"x_lead-Ivt"]
)
@pytest.mark.parametrize("trusted", [False, True])
def test_what_looks_like_ours_never_comes_from_outside(name, trusted):
    head = request(
        (name, b"forged"),
        (b"X-Leader", b"fine"),
        forwarded=Forwarded("192.0.2.1", "http", None, trusted),
        add=[(b"X-Lead-Id", b"7")],
    )
    assert b"forged" not in head
    assert b"X-Leader: fine\r\n" in head
    assert lines(head)[-1] == b"X-Lead-Id: 7"


def test_underscore_names_that_mean_nothing_special_stay():
    assert lines(request((b"my_field", b"1"), (b"content_length", b"9"), (b"Transfer_Encoding", b"chunked"), (b"HOST_", b"1")))[:2] == [
        b"my_field: 1", b"HOST_: 1",
    ]  # fmt: skip


def test_hop_by_hop_fields_and_all_that_connection_names():
    head = request(
        (b"Connection", b"close, X-Hop , host,cookie"), (b"Host", b"h"), (b"x-hop", b"1"), (b"Cookie", b"a"), (b"Keep-Alive", b"1"),
        (b"Proxy-Connection", b"keep-alive"), (b"TE", b"trailers"), (b"Trailer", b"X"), (b"Upgrade", b"h2c"), (b"Proxy-Authorization", b"Basic x"),
        (b"Authorization", b"Basic y"), (b"CONNECTION", b"X-Other"), (b"X-Other", b"2"), (b"Expect", b"100-continue"),
    )  # fmt: skip
    assert lines(head)[:3] == [b"Host: h", b"Authorization: Basic y", b"Via: 1.1 leadgate"]


def test_framing_takes_the_place_of_what_was_there():
    chunked = [(b"A", b"1"), (b"transfer-encoding", b"gzip"), (b"B", b"2")]
    assert lines(request(*chunked, chunked=True))[:3] == [b"A: 1", b"transfer-encoding: chunked", b"B: 2"]
    assert lines(request(*chunked, content_length=5))[:3] == [b"A: 1", b"B: 2", b"Content-Length: 5"]
    assert (
        lines(request((b"content-length", b"005"), (b"Content-Length", b"5"), content_length=5))[0]
        == b"content-length: 5"
    )
    assert b"ontent" not in request((b"Content-Length", b"5"))
    assert b"Content-Length: 0\r\n" in request(content_length=0)


@pytest.mark.parametrize("bad", [b"a\r\nX: y", b"a\nb", b"a\rb", b"a\0b"])
def test_nothing_can_end_its_line(bad):
    with pytest.raises(ValueError, match="line break"):
        request((b"A", bad))
    with pytest.raises(ValueError, match="line break"):
        request(add=[(b"A", bad)])
    with pytest.raises(ValueError, match="line break"):
        response_head(200, b"OK", [(b"A", bad)], version=(1, 1))
    with pytest.raises(ValueError, match="line break"):
        response_head(200, bad, [], version=(1, 1))
    for target in (b"/ HTTP/1.1", b"", b"/" + bad):
        with pytest.raises(ValueError, match=r"target|line break"):
            request_head("GET", target, [], version=(1, 1), forwarded=V4)


def test_answers_keep_what_belongs_to_the_visitor():
    head = response_head(
        401, b"", [(b"WWW-Authenticate", b"Basic"), (b"Proxy-Authenticate", b"x"), (b"Proxy-Authentication-Info", b"x"), (b"X-Forwarded-For", b"1"),
                   (b"X_lead_id", b"1"), (b"Upgrade", b"h2"), (b"Connection", b"X-Hop"), (b"X-Hop", b"1"), (b"Keep-Alive", b"1"), (b"Via", b"1.1 a")],
        version=(1, 0), connection=b"close",
    )  # fmt: skip
    assert head.startswith(b"HTTP/1.1 401 \r\n")
    assert lines(head) == [
        b"WWW-Authenticate: Basic", b"X-Forwarded-For: 1", b"X_lead_id: 1", b"Connection: close", b"Via: 1.1 a", b"Via: 1.0 leadgate",
    ]  # fmt: skip


def test_the_name_cache_stays_bounded():
    for number in range(5000):
        names.classify(b"X-%d" % number)
    assert len(names._cache) <= 2048
    assert names.classify(b"X_Lead_Id") == (names.SHADOW, b"x_lead_id")

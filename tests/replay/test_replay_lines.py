"""Every format that is promised, as its server writes it, and lines that are none."""

from __future__ import annotations

import pytest

from gateway.replay.files import parse
from gateway.replay.lines import Unreadable, unix_time

AT = 1_431_857_103_000_000  # 17 May 2015 10:05:03 UTC
START = b'192.0.2.7 - - [17/May/2015:12:05:03 +0200] "GET /offer?gclid=abc HTTP/1.1" 200 5123'


def test_combined() -> None:
    line = parse(START + b' "https://example.org/" "Mozilla/5.0 (X11)"')
    assert (line.format, line.at, line.address, line.method, line.target, line.version, line.status) == (
        *("combined", AT, "192.0.2.7", "GET", "/offer?gclid=abc", "1.1", 200),
    )
    assert line.headers == (("Referer", "https://example.org/"), ("User-Agent", "Mozilla/5.0 (X11)"))
    assert line.forwarded is None


def test_common_knows_no_headers() -> None:
    line = parse(START)
    assert line.format == "common"
    assert line.headers == ()


def test_an_absent_user_agent_is_told_by_combined_logs() -> None:
    assert parse(START + b' "-" "-"').headers == (("User-Agent", ""),)


@pytest.mark.parametrize(
    ("first", "host"), [(b"www.example.com:443 ", "www.example.com"), (b"www.example.com ", "www.example.com")]
)
def test_virtual_host_in_front(first: bytes, host: str) -> None:
    line = parse(first + START + b' "-" "curl/8"')
    assert (line.format, line.host, line.address) == ("vhost_combined", host, "192.0.2.7")


def test_user_with_spaces_and_a_host_name_for_the_client() -> None:
    line = parse(b'dialup.example.net - Jane Q Doe [17/May/2015:10:05:03 +0000] "GET / HTTP/2.0" 304 - "-" "x"')
    assert (line.address, line.version, line.status) == ("dialup.example.net", "2", 304)


def test_forwarded_addresses_behind_the_user_agent() -> None:
    assert parse(START + b' "-" "x" "203.0.113.9, 10.0.0.1"').forwarded == "203.0.113.9, 10.0.0.1"
    assert parse(START + b' "-" "x" "-"').forwarded is None
    assert parse(START + b' "-" "x" "session cookie=1" 0.004').forwarded is None


def test_escapes_are_undone() -> None:
    line = parse(START.replace(b"/offer", rb"/off\xc3\xa9r") + rb' "-" "a \"quoted\" agent\\"')
    assert line.target.startswith("/off\xc3\xa9r")
    assert line.headers == (("User-Agent", 'a "quoted" agent\\'),)


@pytest.mark.parametrize(
    "request_text", [b"-", rb"\x16\x03\x01", b"GET", b"\xff\xfe", b"get / HTTP/1.1", b"GET / HTTP/9.9"]
)
def test_what_is_no_request_is_read_as_none(request_text: bytes) -> None:
    line = parse(b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "' + request_text + b'" 400 0 "-" "-"')
    assert (line.method, line.target) == ("", "")


CADDY = (
    b'{"level":"info","ts":1431857103.25,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7",'
    b'"remote_port":"4711","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"www.example.com","uri":"/offer?x=1",'
    b'"headers":{"User-Agent":["Mozilla/5.0"],"Accept-Language":["de"],"X-Forwarded-For":["203.0.113.9"]},'
    b'"tls":{"resumed":false}},"bytes_read":0,"duration":0.01,"size":10,"status":200}'
)


def test_caddy() -> None:
    line = parse(CADDY)
    assert (line.format, line.at, line.address, line.target, line.host) == (
        *("Caddy JSON", AT + 250_000, "192.0.2.7", "/offer?x=1", "www.example.com"),
    )
    assert (line.version, line.scheme, line.forwarded, line.resolved) == ("2", "https", "203.0.113.9", False)
    assert ("Accept-Language", "de") in line.headers


def test_caddy_that_has_found_the_client_itself() -> None:
    line = parse(CADDY.replace(b'"client_ip":"192.0.2.7"', b'"client_ip":"203.0.113.9"'))
    assert (line.address, line.resolved) == ("203.0.113.9", True)


@pytest.mark.parametrize(
    "text",
    [
        '{"time_iso8601":"2015-05-17T10:05:03+00:00","remote_addr":"192.0.2.7","request":"GET /offer?x=1 HTTP/1.1","status":"200",'
        '"http_user_agent":"Mozilla/5.0","http_host":"www.example.com"}',
        '{"@timestamp":"2015-05-17T10:05:03Z","clientip":"192.0.2.7","verb":"GET","uri":"/offer","query_string":"x=1","response":200,'
        '"agent":"Mozilla/5.0","server_name":"www.example.com"}',
        '{"msec":"1431857103.000","remote_ip":"192.0.2.7","request_method":"GET","request_uri":"/offer?x=1","status":200,'
        '"user_agent":"Mozilla/5.0","host":"www.example.com"}',
        '{"time_local":"17/May/2015:10:05:03 +0000","Remote_Addr":"192.0.2.7","method":"GET","path":"/offer","args":"x=1",'
        '"status":200,"http_user_agent":"Mozilla/5.0","vhost":"www.example.com"}',
        '{"ts":1431857103000,"client":"192.0.2.7","request":"GET /offer?x=1 HTTP/1.1","status":200,"ua":"Mozilla/5.0",'
        '"http_host":"www.example.com"}',
    ],
)
def test_flat_json_in_its_spellings(text: str) -> None:
    line = parse(text.encode())
    assert (line.format, line.at, line.address, line.method, line.target, line.status) == (
        *("JSON", AT, "192.0.2.7", "GET", "/offer?x=1", 200),
    )
    assert line.headers[-1] == ("User-Agent", "Mozilla/5.0")
    assert line.host == "www.example.com"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "begin with an address"),
        (b"hello world", "no time in square brackets"),
        (b'192.0.2.7 - - [2015-05-17] "GET / HTTP/1.1" 200 1', "the time is not as in"),
        (START.replace(b"17/May", b"31/Feb"), "there is no day"),
        (START.replace(b"17/May", b"17/Foo"), "there is no day"),
        (START.replace(b"12:05", b"25:05"), "no time of day"),
        (START.replace(b"2015", b"1915"), "before 1990"),
        (START.replace(b' HTTP/1.1" 200 5123', b""), "closing quote is missing"),
        (START.replace(b" 200 5123", b""), "no status and size"),
        (START + b' "https://example.org/', "referring page's closing quote"),
        (START + b' "-" "Mozilla/5.0', "user agent's closing quote"),
        (b"\x00\x01\x02 \xff\xfe", "no time in square brackets"),
        (b'{"ts":', "begins like JSON"),
        (b"{}", "no field names the client"),
        (b'{"request":{}}', "names no client"),
        (b'{"remote_addr":"192.0.2.7"}', "no field holds the request"),
        (b'{"remote_addr":"192.0.2.7","request":"GET / HTTP/1.1"}', "no field holds a time"),
        (b'{"remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","time":"soon"}', "time is not one"),
        (b'{"remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","ts":1e400}', "begins like JSON"),
        (b'{"remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","ts":12}', "before 1990"),
    ],
)
def test_what_cannot_be_read_says_why(line: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        parse(line)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_impossible_times(value: float) -> None:
    with pytest.raises(Unreadable):
        unix_time(value)


def test_invalid_utf8_is_kept_in_text_and_mended_in_json() -> None:
    assert parse(START.replace(b"/offer", b"/\xff") + b' "-" "\xff"').target.startswith("/\xff")
    assert parse(CADDY.replace(b"Mozilla/5.0", b"\xff")).headers[0][0] == "User-Agent"


def test_a_hostile_line_takes_no_time() -> None:
    for line in (b"a " * 30_000, b"a b [" * 10_000, START + b' "' + b'\\"' * 30_000):
        with pytest.raises(Unreadable):
            parse(line)

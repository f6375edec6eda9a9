"""Lists as their publishers write them; a page of prose or half a list is none."""

from __future__ import annotations

import json

import pytest

from gateway.feeds import formats
from gateway.feeds.errors import FeedRefused
from gateway.feeds.formats import Format, networks

TOR_DETAILS = """ExitNode 0011BD2485AD45D984EC4159C88FC066E5E3300E
Published 2026-11-20 18:21:35
LastStatus 2026-11-20 19:00:00
ExitAddress 162.247.74.201 2026-11-20 19:04:36
"""
NETSET = "# a list\n; another comment\n\n1.2.3.0/24   # somebody\n1.2.4.9\n2001:678::/48 ; v6\n5.6.7.0 - 5.6.7.255\n"
RELAY = "172.224.226.0/31,US,US-CA,Los Angeles,\n2a02:26f7:c000::/64,DE,DE-BE,Berlin,\n"
GOOGLE = {
    "creationTime": "2026-11-01",
    "prefixes": [{"ipv4Prefix": "66.249.64.0/27"}, {"ipv6Prefix": "2001:4860:4801:10::/64"}],
}
AWS = {
    "syncToken": "1",
    "prefixes": [{"ip_prefix": "3.2.34.0/26", "region": "af-south-1"}],
    "ipv6_prefixes": [{"ipv6_prefix": "2600:1f01::/47"}],
}
AZURE = {"values": [{"properties": {"addressPrefixes": ["4.145.0.0/20"]}}]}


@pytest.mark.parametrize(
    ("body", "form", "found"),
    [
        (TOR_DETAILS, "auto", ["162.247.74.201/32"]),
        ("162.247.74.201\n\n171.25.193.77\r\n", "auto", ["162.247.74.201/32", "171.25.193.77/32"]),
        (NETSET, "auto", ["1.2.3.0/24", "1.2.4.9/32", "2001:678::/48", "5.6.7.0/24"]),
        (RELAY, "auto", ["172.224.226.0/31", "2a02:26f7:c000::/64"]),
        ("network,country\n1.2.3.0/24,DE\n", "csv", ["1.2.3.0/24"]),
        ("network,country\n1.2.3.0/24,DE\n", "auto", ["1.2.3.0/24"]),
        (json.dumps(GOOGLE), "auto", ["66.249.64.0/27", "2001:4860:4801:10::/64"]),
        (json.dumps(AWS), "json", ["3.2.34.0/26", "2600:1f01::/47"]),
        (json.dumps(AZURE), "auto", ["4.145.0.0/20"]),
        ('["1.2.3.4", "1.2.5.0/24"]', "auto", ["1.2.3.4/32", "1.2.5.0/24"]),
        ("\ufeff1.2.3.4\n", "auto", ["1.2.3.4/32"]),
        ("1.2.3.0/24 # Example, Inc.\n1.2.4.0/24 ; a, b\n", "auto", ["1.2.3.0/24", "1.2.4.0/24"]),
        ("::ffff:1.2.3.0/120\n::ffff:9.8.7.6\n", "auto", ["1.2.3.0/24", "9.8.7.6/32"]),
        ("::ffff:1.2.3.0 - ::ffff:1.2.3.127\n", "auto", ["1.2.3.0/25"]),
        ("", "auto", []),
        ("{}", "auto", []),
    ],
)
def test_read(body: str, form: Format, found: list[str]) -> None:
    assert [str(network) for network in networks(body.encode(), form)] == found


@pytest.mark.parametrize(
    ("body", "form", "message"),
    [
        (b"<!doctype html><p>blocked", "auto", "line 1 begins a web page"),
        (b"1.2.3.4\nplease pay to see more\n", "auto", "line 2 is no network"),
        (b"1.2.3.0/24\n999.1.1.1\n", "netset", "line 2 is no network"),
        (b"x,DE\n1.2.3.0/24,DE\ny,DE\n", "csv", "line 3 is no network"),
        (b"\xff\xfe\x00", "auto", "byte 0 is no text"),
        (b'{"prefixes": [{"ipv4Prefix": "everything"}]}', "auto", r'\.prefixes\[0\]\.ipv4Prefix: "everything" is no network'),
        (b'{"prefixes": [', "auto", "not readable as JSON"),
        (b"[" * 100_000, "auto", "JSON|nested"),
        (b"[" * 20 + b'"1.2.3.4"' + b"]" * 20, "auto", "nested"),
        (b"1.2.3.4" + b" " * 5000, "netset", "line 1 is longer"),
        (b"1.2.3.9-1.2.3.1\n1.1.1.1-2\n", "netset", "line 2 is no network"),
        (b"1.2.3.4\n1.2.3.4-::1\n", "netset", "line 2 is no network"),
        (b'["1.2.3.4-::1"]', "json", "is no network"),
    ],
)  # fmt: skip
def test_refused_with_its_place(body: bytes, form: Format, message: str) -> None:
    with pytest.raises(FeedRefused, match=message):
        networks(body, form)


def test_a_few_stray_lines_in_a_long_list_are_passed_over() -> None:
    lines = [f"1.{n // 250}.{n % 250}.0/24" for n in range(1000)]
    lines[500] = "(unknown)"
    assert len(networks("\n".join(lines).encode())) == 999


def test_more_lines_than_any_list_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_LINES", 10)
    with pytest.raises(FeedRefused, match="more than 10 lines"):
        networks(b"1.2.3.4\n" * 11)
    with pytest.raises(FeedRefused, match="more than 10 networks"):
        networks(json.dumps(["1.2.3.4"] * 12).encode())


def test_few_lines_that_stand_for_more_networks_than_any_list_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_LINES", 100)
    made = []
    monkeypatch.setattr(formats, "parsed", lambda text, real=formats.parsed: made.append(text) or real(text))
    with pytest.raises(FeedRefused, match="more than 100 networks"):
        networks(b"0.0.0.1-255.255.255.254\n" * 50)
    assert len(made) == 2

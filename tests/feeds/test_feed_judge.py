"""What a list must not be: empty, wider than any operator, about reserved addresses, or half of what it was."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from gateway.feeds.errors import FeedRefused
from gateway.feeds.judge import Judged, judge
from geoip.stored import Feed


def last(entries: int, addresses: int) -> Feed:
    return Feed("tor:x", "s", 0, 0, entries, addresses, "", {}, ())


def test_joined_and_counted() -> None:
    found = [ip_network(n) for n in ("1.2.3.0/25", "1.2.3.128/25", "1.2.3.7/32", "2a02::/48", "2a02:1::1/128")]
    assert judge(found, None) == Judged(("1.2.3.0/24", "2a02::/48", "2a02:1::1/128"), 256 + 65536 + 1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("0.0.0.0/0", "wider than /8"),
        ("64.0.0.0/7", "wider than /8"),
        ("::/0", "wider than /19"),
        ("2000::/3", "wider than /19"),
        ("10.1.2.0/24", "10.0.0.0/8 is reserved"),
        ("8.0.0.0/8", None),
        ("127.0.0.1/32", "127.0.0.0/8 is reserved"),
        ("169.254.169.254/32", "169.254.0.0/16 is reserved"),
        ("172.0.0.0/8", "reserved"),
        ("fe80::1/128", "fe80::/10 is reserved"),
        ("::1/128", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("2a02:26f7::/32", None),
        ("224.0.0.1/32", "reserved"),
        ("255.255.255.255/32", "reserved"),
        ("223.255.255.255/32", None),
    ],
)
def test_what_no_list_may_hold(network: str, message: str | None) -> None:
    found = [ip_network("1.1.1.0/24"), ip_network(network)]
    if message is None:
        assert judge(found, None).networks
        return
    for force in (False, True):
        with pytest.raises(FeedRefused, match=message):
            judge(found, None, force=force)


def test_empty() -> None:
    with pytest.raises(FeedRefused, match="holds no network"):
        judge([], last(5, 5), force=True)


@pytest.mark.parametrize(
    ("entries", "addresses", "fine"), [(4, 4, True), (2, 1024, True), (5, 4, False), (2, 1025, False), (1, 1, True)]
)
def test_shrinking_by_half(entries: int, addresses: int, fine: bool) -> None:
    found = [ip_network("1.1.1.0/24"), ip_network("1.1.3.0/24")]
    if fine:
        judge(found, last(entries, addresses))
        return
    with pytest.raises(FeedRefused, match=r"shrank from .* --force"):
        judge(found, last(entries, addresses))
    assert judge(found, last(entries, addresses), force=True).addresses == 512

"""Where feeds may be fetched from, whatever way an address is written."""

from __future__ import annotations

import socket

import pytest

from gateway.feeds.addresses import AddressForbidden, forbidden, guarded_sockets


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("8.8.8.8", True, True),
        ("2606:4700::1111", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("10.0.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("fd00::1", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("64:ff9b::a00:1", False, True),
        ("2002:a9fe:a9fe::1", False, False),
        ("2002:a00:1::1", False, True),
        ("::169.254.169.254", False, False),
        ("::10.0.0.1", False, True),
        ("::ffff:0:169.254.169.254", False, False),
        ("64:ff9b:1::a9fe:a9fe", False, False),
        ("fec0::1", False, True),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("168.63.129.16", False, False),
        ("192.0.0.192", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
    ],
)
def test_forbidden(address: str, public: bool, private: bool) -> None:
    assert (forbidden(address, False) is None) == public
    assert (forbidden(address, True) is None) == private


def test_sockets_are_made_for_allowed_addresses_only() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    with guarded_sockets(True)(info) as made:
        assert made.family == socket.AF_INET
    with pytest.raises(AddressForbidden, match=r"127\.0\.0\.1 is not a public address"):
        guarded_sockets(False)(info)

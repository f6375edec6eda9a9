from __future__ import annotations

import pytest

from gateway.intake.client_ip import TrustedProxies, resolve
from gateway.intake.proxy_suspicion import WINDOW, ProxySuspicion, suggest

NOBODY = TrustedProxies()


def labels(address: str) -> tuple[str, ...]:
    return ("hosting:x", "cdn:Cloudflare") if address.startswith("172.68.") else ()


def send(suspicion: ProxySuspicion, peer: str, forwarded: bool = True, times: int = 1) -> None:
    headers = ((b"X-Forwarded-For", b"192.0.2.1"),) if forwarded else ()
    for _ in range(times):
        suspicion.note(peer, resolve(peer, headers, NOBODY))


def test_an_untrusted_private_proxy_is_noticed_and_named() -> None:
    suspicion = ProxySuspicion()
    send(suspicion, "10.0.0.5", times=9)
    assert suspicion.address_unavailable_reason("10.0.0.5") is None  # too few to conclude anything
    send(suspicion, "10.0.0.5")
    assert suspicion.address_unavailable_reason("10.0.0.5") == (
        'the address is that of a proxy (10.0.0.5) that nobody trusts: add "10.0.0.5" under trusted_proxies'
    )
    assert suspicion.address_unavailable_reason("192.0.2.77") is None  # a visitor who came directly
    assert suspicion.advice() == ('add "10.0.0.5" under trusted_proxies',)


def test_a_content_delivery_network_is_named_with_its_list() -> None:
    suspicion = ProxySuspicion(labels)
    for last in range(30):
        send(suspicion, f"172.68.1.{last}")
    reason = suspicion.address_unavailable_reason("172.68.9.9")
    assert reason is not None
    assert "that of the Cloudflare network (172.68.9.9)" in reason
    assert "https://www.cloudflare.com/ips/" in reason


@pytest.mark.parametrize(("peer", "forwarded"), [("10.0.0.5", False), ("192.0.2.50", True)])
def test_direct_visitors_are_no_proxy(peer: str, forwarded: bool) -> None:
    """People in the office network, and people on the Internet who send a forged X-Forwarded-For."""
    suspicion = ProxySuspicion(labels)
    send(suspicion, peer, forwarded, times=50)
    assert not suspicion.suspected
    assert suspicion.address_unavailable_reason(peer) is None
    assert suspicion.advice() == ()


def test_it_takes_most_requests_and_forgets() -> None:
    suspicion = ProxySuspicion()
    send(suspicion, "10.0.0.5", times=20)
    send(suspicion, "192.0.2.1", False, times=20)
    assert not suspicion.suspected
    send(suspicion, "10.0.0.5", times=2)
    assert suspicion.suspected
    send(suspicion, "192.0.2.1", False, times=WINDOW)
    assert not suspicion.suspected
    assert not suspicion._peers


def test_the_trusted_proxy_is_not_suspected() -> None:
    suspicion = ProxySuspicion()
    trusted = TrustedProxies(["10.0.0.0/24"])
    for _ in range(50):
        suspicion.note("10.0.0.5", resolve("10.0.0.5", ((b"X-Forwarded-For", b"192.0.2.1"),), trusted))
    assert not suspicion.suspected


@pytest.mark.parametrize(
    ("peers", "networks"),
    [
        (["10.0.0.5"], ("10.0.0.5",)),
        (["10.0.0.5", "::ffff:10.0.0.9"], ("10.0.0.0/24",)),
        (["10.0.0.5", "10.0.1.5"], ("10.0.0.5", "10.0.1.5")),
        ([f"10.0.{n}.5" for n in range(5)] + ["192.168.1.1"], ("10.0.0.0/8", "192.168.1.1")),
        (["fd00::1", "fd00::2"], ("fd00::/64",)),
        (["::1", "rubbish"], ("::1",)),
        ([f"172.20.{n}.1" for n in range(9)], ("172.16.0.0/12",)),
    ],
)
def test_suggested_networks(peers: list[str], networks: tuple[str, ...]) -> None:
    assert suggest(peers) == networks
    trusted = TrustedProxies(networks)
    assert all(trusted.trusts(str(peer).removeprefix("::ffff:")) for peer in peers if peer != "rubbish")

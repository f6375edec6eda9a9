from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.client_ip import Resolved, TrustedProxies, canonical_address, forwarded_nodes, resolve, told

TRUSTED = TrustedProxies(["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"])


def xff(*values: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"X-Forwarded-For", value.encode("latin-1")) for value in values)


def forwarded(*values: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"Forwarded", value.encode("latin-1")) for value in values)


def test_nobody_is_trusted_by_default() -> None:
    found = resolve("10.0.0.5", xff("192.0.2.1"), TrustedProxies(), 4711)
    assert found == Resolved("10.0.0.5", 4711, "socket", ("10.0.0.5",), True)


def test_without_forwarding_headers_the_socket_counts() -> None:
    found = resolve("192.0.2.9", ((b"Host", b"a"), (b"User-Agent", b"b")), TRUSTED, 99)
    assert found == Resolved("192.0.2.9", 99, "socket", ("192.0.2.9",), False)
    assert resolve("10.0.0.5", (), TRUSTED).address == "10.0.0.5"


@pytest.mark.parametrize(
    ("values", "address", "port", "chain"),
    [
        (["192.0.2.1"], "192.0.2.1", None, ("192.0.2.1", "10.0.0.5")),
        (["6.6.6.6, 192.0.2.1"], "192.0.2.1", None, ("192.0.2.1", "10.0.0.5")),
        (["6.6.6.6", "192.0.2.1, 10.1.1.1"], "192.0.2.1", None, ("192.0.2.1", "10.1.1.1", "10.0.0.5")),
        (["192.0.2.1:4711"], "192.0.2.1", 4711, ("192.0.2.1", "10.0.0.5")),
        (["[2001:db8::1]:4711"], "2001:db8::1", 4711, ("2001:db8::1", "10.0.0.5")),
        (["2001:DB8:0::1"], "2001:db8::1", None, ("2001:db8::1", "10.0.0.5")),
        (["[2001:db8::1]"], "2001:db8::1", None, ("2001:db8::1", "10.0.0.5")),
        (["::ffff:192.0.2.1"], "192.0.2.1", None, ("192.0.2.1", "10.0.0.5")),
        (["fe80::1%eth0"], "fe80::1", None, ("fe80::1", "10.0.0.5")),
        (['"192.0.2.1"'], "192.0.2.1", None, ("192.0.2.1", "10.0.0.5")),
        (["10.3.3.3, 10.2.2.2"], "10.3.3.3", None, ("10.3.3.3", "10.2.2.2", "10.0.0.5")),  # all trusted: the leftmost
        (["192.0.2.1, , "], "192.0.2.1", None, ("192.0.2.1", "10.0.0.5")),
        (["192.0.2.1, 2001:db8:ffff::7"], "192.0.2.1", None, ("192.0.2.1", "2001:db8:ffff::7", "10.0.0.5")),
        ([""], "10.0.0.5", None, ("10.0.0.5",)),
    ],
)
def test_rightmost_untrusted_hop(values: list[str], address: str, port: int | None, chain: tuple[str, ...]) -> None:
    found = resolve("10.0.0.5", xff(*values), TRUSTED)
    assert (found.address, found.port, found.chain, found.problem) == (address, port, chain, None)
    assert not found.untrusted_forwarding


def test_mapped_socket_address_is_the_ipv4_address() -> None:
    found = resolve("::ffff:10.0.0.5", xff("192.0.2.1"), TRUSTED)
    assert found.chain == ("192.0.2.1", "10.0.0.5")


@pytest.mark.parametrize(
    "hop",
    ["garbage", "1.2.3", "1.2.3.4:99999", "[::1", "192.0.2.1 10.0.0.1", "256.1.1.1", "192.0.2.01", "x" * 5000, "\xe9"],
)
def test_a_malformed_hop_stops_the_walk(hop: str) -> None:
    found = resolve("10.0.0.5", xff(f"192.0.2.1, {hop}, 10.0.0.6"), TRUSTED)
    assert found.address is None
    assert found.chain == ("10.0.0.6", "10.0.0.5")
    assert found.problem == "the proxy 10.0.0.6 names a client that is no address"


def test_a_malformed_hop_behind_the_client_does_not_matter() -> None:
    assert resolve("10.0.0.5", xff("garbage, 192.0.2.1"), TRUSTED).address == "192.0.2.1"


@pytest.mark.parametrize(
    ("values", "address", "port"),
    [
        (["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60", None),
        (['for="[2001:db8:cafe::17]:4711"'], "2001:db8:cafe::17", 4711),
        (['For="192.0.2.1:80"'], "192.0.2.1", 80),
        (["for=6.6.6.6", "for=192.0.2.1, for=10.9.9.9"], "192.0.2.1", None),
        (['proto=https;for="192.0.2.1:_hidden"'], "192.0.2.1", None),
        (["for=192.0.2.1:81"], "192.0.2.1", 81),
        (['for=6.6.6.6;by="a,b;for=7.7.7.7", for=192.0.2.1'], "192.0.2.1", None),
        (['for="192\\.0.2.1"'], "192.0.2.1", None),
    ],
)
def test_forwarded(values: list[str], address: str, port: int | None) -> None:
    found = resolve("10.0.0.5", forwarded(*values), TRUSTED)
    assert (found.address, found.port, found.via, found.problem) == (address, port, "forwarded", None)


@pytest.mark.parametrize("value", ["for=unknown", "for=_hidden", 'for="_gazonk"', "proto=https"])
def test_forwarded_that_hides_the_client(value: str) -> None:
    found = resolve("10.0.0.5", forwarded(value), TRUSTED)
    assert (found.address, found.problem) == (None, "the proxy 10.0.0.5 does not name its client")


@pytest.mark.parametrize(
    "value", ['for="192.0.2.1', "for", "for=1.1.1.1;for=2.2.2.2", "for=a b", "for=192.0.2.1 ; ; = ,"]
)
def test_forwarded_that_cannot_be_parsed(value: str) -> None:
    found = resolve("10.0.0.5", forwarded(value), TRUSTED)
    assert (found.address, found.problem) == (None, "the Forwarded header from 10.0.0.5 cannot be parsed")


def test_x_forwarded_for_counts_where_both_are_sent() -> None:
    found = resolve("10.0.0.5", (*forwarded("for=6.6.6.6"), *xff("192.0.2.1")), TRUSTED)
    assert (found.address, found.via) == ("192.0.2.1", "x-forwarded-for")


def test_a_trusted_proxy_that_sends_only_another_header_is_named() -> None:
    found = resolve("10.0.0.5", ((b"X-Real-IP", b"192.0.2.1"),), TRUSTED)
    assert found.address is None
    assert found.problem == "the proxy 10.0.0.5 sends X-Real-IP but no X-Forwarded-For: let it send that"


def test_a_unix_socket_has_no_address() -> None:
    assert resolve("", xff("192.0.2.1"), TRUSTED).address is None


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "proxy.example", "", "10.0.0"])
def test_trusted_proxies_name_a_bad_entry(entry: str) -> None:
    with pytest.raises(ValueError, match=f'"{entry}" is not a network'):
        TrustedProxies([entry])


def test_trusted_networks_that_overlap_and_adjoin() -> None:
    trusted = TrustedProxies(["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "::1", "::ffff:0:0/97"])
    for address in ("10.0.0.0", "10.255.0.1", "11.255.255.255", "::1"):
        assert trusted.trusts(address)
    for address in ("9.255.255.255", "12.0.0.0", "::2"):
        assert not trusted.trusts(address)
    assert not trusted.trusts("nonsense")


HEADER = st.tuples(
    st.sampled_from([b"X-Forwarded-For", b"forwarded", b"X-Real-Ip", b"Host"]),
    st.one_of(st.binary(max_size=60), st.text('0123456789.,:[]for=";% _a', max_size=60).map(str.encode)),
)


@given(st.sampled_from(["10.0.0.5", "192.0.2.1", "", "::1", "rubbish"]), st.lists(HEADER, max_size=4).map(tuple))
def test_any_header_gives_an_address_or_a_reason(peer: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    found = resolve(peer, headers, TRUSTED)
    assert (found.address is None) == (found.problem is not None)
    assert found.address is None or canonical_address(found.address) == found.address
    assert len(found.chain) <= 33


@given(st.text(max_size=80))
def test_forwarded_nodes_never_raise(text: str) -> None:
    nodes = forwarded_nodes(text)
    assert nodes is None or len(nodes) <= 32


def test_who_asks_for_others_names_the_client() -> None:
    trusted = TrustedProxies(["10.0.0.0/8"])

    def client(*headers: tuple[bytes, bytes]) -> tuple[str | None, str]:
        found = told(headers, trusted)
        return found.address, found.via

    assert client((b"X-Forwarded-For", b"198.51.100.7, 203.0.113.5, 10.0.0.1")) == ("203.0.113.5", "x-forwarded-for")
    assert client((b"X-Forwarded-For", b"203.0.113.5"), (b"X-Real-IP", b"192.0.2.1")) == (
        "203.0.113.5",
        "x-forwarded-for",
    )
    assert client((b"X-Forwarded-For", b" , "), (b"X-Real-IP", b"203.0.113.5")) == ("203.0.113.5", "x-real-ip")
    assert client((b"X-Forwarded-For", b"unknown"))[0] is None
    nobody = told((), trusted)
    assert nobody.address is None
    assert nobody.problem is not None

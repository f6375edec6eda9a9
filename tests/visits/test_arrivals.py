"""What is judged is what is forwarded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from gateway.intake.exchange import Exchange
from gateway.visits.arrivals import raw_head, request_fact, scheme_of


def exchange(*headers: tuple[bytes, bytes]) -> Exchange:
    index = {name.lower(): value for name, value in headers}
    made: Any = SimpleNamespace(
        method="GET",
        target=b"/offer?\xe4",
        version=(1, 1),
        headers=headers,
        tls=False,
        header=lambda name: index.get(name),
    )
    return cast(Exchange, made)


def test_every_byte_is_kept_in_order_and_case() -> None:
    sent = exchange((b"HOST", b"a"), (b"X-Odd", b"\xff\xe4"), (b"x-odd", b"2"), (b"Connection", b"keep-alive"))
    fact = request_fact(sent, "https", True)
    assert fact.target == "/offer?\xe4"
    assert fact.headers == (("HOST", "a"), ("X-Odd", "\xff\xe4"), ("x-odd", "2"), ("Connection", "keep-alive"))
    assert (
        raw_head(sent)
        == b"GET /offer?\xe4 HTTP/1.1\r\nHOST: a\r\nX-Odd: \xff\xe4\r\nx-odd: 2\r\nConnection: keep-alive\r\n\r\n"
    )


def test_fields_that_connection_names_are_not_judged_as_they_are_not_forwarded() -> None:
    sent = exchange(
        (b"Host", b"a"),
        (b"User-Agent", b"Mozilla/5.0"),
        (b"Accept", b"*/*"),
        (b"Connection", b"close, User-Agent, Host"),
    )
    fact = request_fact(sent, "https", True)
    assert [name for name, _ in fact.headers] == ["Host", "Accept", "Connection"]


def test_a_trusted_proxy_may_say_that_the_visitor_came_over_tls() -> None:
    def came(told: bytes, trusted: bool, tls: bool = False) -> str:
        sent: Any = exchange((b"X-Forwarded-Proto", told))
        sent.tls, sent.peer = tls, ("10.0.0.1", 1)
        generation: Any = SimpleNamespace(trusted=SimpleNamespace(trusts=lambda _: trusted))
        return scheme_of(sent, generation)

    assert came(b"https", True) == "https"
    assert came(b"https", False) == "http"
    assert came(b"http", True) == "http"
    assert came(b"gopher", True) == "http"
    assert came(b"http", False, tls=True) == "https"

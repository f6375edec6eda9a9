"""What a proxy's question says of the visitor's request, and what a visitor cannot make it say."""

from __future__ import annotations

import pytest

from gateway.console.original import Original, read

TOLD = (
    (b"Host", b"leadgate:8081"),
    (b"Authorization", b"Bearer token"),
    (b"X-Forwarded-Method", b"get"),
    (b"X-Forwarded-Uri", b"/offer?gclid=a%20b"),
    (b"X-Forwarded-Host", b"www.acme.example"),
    (b"X-Forwarded-Proto", b"https"),
    (b"X-Forwarded-For", b"203.0.113.5"),
    (b"X-Forwarded-Port", b"443"),
    (b"X-Real-Ip", b"203.0.113.5"),
    (b"Connection", b"close"),
    (b"User-Agent", b"Mozilla/5.0"),
    (b"Accept", b"*/*"),
)


def original(rest: bytes, *fields: tuple[bytes, bytes], method: str = "GET") -> Original:
    found = read(rest, method, fields, b"authorization")
    assert found is not None
    return found


def test_traefik_and_caddy_say_it_in_forwarded_fields() -> None:
    found = original(b"", *TOLD, method="POST")
    assert (found.method, found.target, found.host, found.scheme) == (
        "GET",
        b"/offer?gclid=a%20b",
        b"www.acme.example",
        "https",
    )


def test_what_the_proxy_and_the_recipe_added_is_not_the_visitors() -> None:
    assert original(b"", *TOLD).headers == (
        (b"Host", b"www.acme.example"),
        (b"User-Agent", b"Mozilla/5.0"),
        (b"Accept", b"*/*"),
    )


def test_the_visitors_own_authorization_stays_where_the_token_came_elsewhere() -> None:
    found = read(b"", "GET", (*TOLD, (b"X-Leadgate-Token", b"token")), b"x-leadgate-token")
    assert found is not None
    names = [name for name, _ in found.headers]
    assert b"Authorization" in names
    assert b"X-Leadgate-Token" not in names


@pytest.mark.parametrize("name", [b"X-Original-URI", b"X-Original-URL"])
def test_nginx_says_it_in_original_fields(name: bytes) -> None:
    found = original(b"", (b"Host", b"www.acme.example"), (name, b"/offer"), (b"X-Original-Method", b"HEAD"))
    assert (found.method, found.target, found.host, found.scheme) == ("HEAD", b"/offer", b"www.acme.example", "http")
    assert found.headers == ((b"Host", b"www.acme.example"),)


def test_a_whole_url_names_the_host_too() -> None:
    found = original(b"", (b"Host", b"10.0.0.1"), (b"X-Original-URL", b"https://www.acme.example/offer?x=1"))
    assert (found.target, found.host, found.scheme) == (b"/offer?x=1", b"www.acme.example", "https")
    assert original(b"", (b"X-Original-URL", b"https://www.acme.example")).target == b"/"


def test_envoy_says_it_in_the_path() -> None:
    found = original(b"/offer?x=1", (b"Host", b"www.acme.example"), (b"X-Envoy-Internal", b"true"), method="HEAD")
    assert (found.method, found.target, found.host) == ("HEAD", b"/offer?x=1", b"www.acme.example")
    assert found.headers == ((b"Host", b"www.acme.example"),)


def test_a_visitor_cannot_name_another_page() -> None:
    """The fields that the proxy does not write pass through it: those that it writes count."""
    lie = ((b"X-Original-URI", b"/logo.png"), (b"X-Original-Method", b"POST"))
    found = original(b"", *TOLD, *lie)
    assert (found.method, found.target) == ("GET", b"/offer?gclid=a%20b")
    assert lie[0] in found.headers  # the origin gets it too, and some route by it
    assert original(b"/offer", (b"X-Forwarded-Uri", b"/logo.png"), (b"X-Forwarded-Host", b"b")).target == b"/offer"
    assert original(b"/offer", (b"Host", b"a"), (b"X-Forwarded-Host", b"b")).host == b"a"


@pytest.mark.parametrize(
    "fields", [(), ((b"X-Forwarded-Uri", b""),), ((b"X-Forwarded-Uri", b"x"),), ((b"X-Forwarded-Uri", b"/" * 20_000),)]
)
def test_no_request_is_made_up(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    assert read(b"", "GET", ((b"Host", b"a"), *fields), b"authorization") is None


def test_a_method_is_a_word() -> None:
    assert original(b"", (b"X-Forwarded-Uri", b"/"), (b"X-Forwarded-Method", b"GET /x")).method == "GET"


def test_a_user_named_before_the_host_is_none_of_it() -> None:
    found = original(
        b"", (b"Host", b"leadgate"), (b"X-Original-URL", b"https://somebody:secret@www.acme.example/offer")
    )
    assert (found.host, found.target) == (b"www.acme.example", b"/offer")

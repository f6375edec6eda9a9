from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.target import PathPattern, Target, parse
from gateway.intake.target_readings import MAX_READINGS

LEAD = PathPattern("/lead")


def read(target: str | bytes, method: str = "POST", *headers: tuple[bytes, bytes]) -> Target:
    return parse(target if isinstance(target, bytes) else target.encode("latin-1"), method, headers)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/lead", "/lead"),
        ("/lead/", "/lead/"),
        ("/a.b/c-d_e~f", "/a.b/c-d_e~f"),
        ("/?x=1", "/"),
        ("", "/"),
        ("?x", "/"),
        ("/%C3%BCber%20uns", "/über uns"),
        ("/100%25", "/100%"),
        ("/%7Euser", "/~user"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a...b/", "/a...b/"),
        ("/50%", "/50%"),
    ],
)
def test_plain_targets_have_one_reading(target: str, path: str) -> None:
    found = read(target)
    assert (found.forms, found.path, found.ambiguous, found.methods) == ((path,), path, (), ("POST",))


@pytest.mark.parametrize(
    ("target", "path", "why"),
    [
        ("//lead", "/lead", "repeated slash"),
        ("/x/../lead", "/lead", "dot segment"),
        ("/./lead", "/lead", "dot segment"),
        ("/x/%2e%2E/lead", "/lead", "encoded dot"),
        ("/x%2f..%2flead", "/lead", "encoded slash"),
        ("/%2flead", "/lead", "encoded slash"),
        ("\\lead", "/lead", "backslash"),
        ("/x\\..\\lead", "/lead", "backslash"),
        ("/%5clead", "/lead", "backslash"),
        ("/lead;jsessionid=1", "/lead", "path parameter"),
        ("/lead;/x", "/lead/x", "path parameter"),
        ("/x/..;/lead", "/lead", "path parameter"),
        ("/lead%3bx", "/lead;x", "path parameter"),
        ("/%256cead", "/%6cead", "double encoding"),
        ("/%25256cead", "/%256cead", "double encoding"),
        ("/x%252f..%252flead", "/x%2f..%2flead", "double encoding"),
        ("/%%36cead", "/%6cead", "double encoding"),
        ("/lead%00.png", "/lead\ufffd.png", "NUL"),
        ("/le%00ad", "/le\ufffdad", "NUL"),
        ("/le%0aad", "/le\ufffdad", "control character"),
        ("/lead#x", "/lead#x", "fragment"),
        ("/lead%23x", "/lead#x", "fragment"),
        ("/lead%3fx=1", "/lead?x=1", "encoded question mark"),
        ("http://www.acme.example/lead", "/lead", "absolute form"),
        ("/%u006cead", "/%u006cead", "%u escape"),
        ("/x/%c0%ae%c0%ae/lead", "/x/À®À®/lead", "overlong UTF-8"),
        ("/x%c0%af..%c0%aflead", "/xÀ¯..À¯lead", "overlong UTF-8"),
        ("/%e0%81%acead", "/à\x81¬ead", "overlong UTF-8"),
        ("/%ef%bd%8cead", "/\uff4cead", "compatibility character"),
        ("/lead.", "/lead.", "trailing dot or space"),
        ("/lead%20", "/lead ", "trailing dot or space"),
        ("//evil.example/lead", "/evil.example/lead", "repeated slash"),
        ("lead", "/lead", "no leading slash"),
        ("/../../../lead", "/lead", "dot segment"),
        ("/lead/.", "/lead/", "dot segment"),
    ],
)  # fmt: skip
def test_every_reading_that_reaches_the_form_is_found(target: str, path: str, why: str) -> None:
    found = read(target)
    assert found.path == path
    assert why in found.ambiguous
    assert found.forms[0] == path or target.startswith("http")
    assert LEAD.matches(found)
    assert not PathPattern("/quote").matches(found)
    assert not found.unbounded


def test_a_reading_that_leads_away_still_counts() -> None:
    """For an origin that does not treat %2f as a slash this is a page below /offer."""
    found = read("/offer%2f..%2fabout")
    assert found.path == "/about"
    assert PathPattern("/offer*").matches(found)
    assert PathPattern("/about").matches(found)


def test_absolute_form_and_connect() -> None:
    found = read("HTTP://www.acme.example:8080/offer?gclid=1")
    assert (found.path, found.authority, found.query) == ("/offer", "www.acme.example:8080", (("gclid", "1"),))
    assert read("http://www.acme.example").path == "/"
    assert read("http://www.acme.example?x=/lead").path == "/"
    assert read("www.acme.example:443", "CONNECT").forms == ()
    assert read("*", "OPTIONS").forms == ("*",)


def test_query_is_decoded_and_keeps_order_and_duplicates() -> None:
    found = read("/offer?b=2&a=1+x&b=%C3%BC&empty&=n&c=a=b&&x=%ff&y=%zz&ü=\xe9")
    assert found.query == (
        ("b", "2"), ("a", "1 x"), ("b", "ü"), ("empty", ""), ("", "n"), ("c", "a=b"), ("x", "ÿ"), ("y", "%zz"), ("ü", "é"),
    )  # fmt: skip
    assert read("/offer?a=?b").query == (("a", "?b"),)


@pytest.mark.parametrize("name", [b"X-HTTP-Method-Override", b"x-http-method", b"X-METHOD-OVERRIDE"])
def test_method_override_header(name: bytes) -> None:
    found = read("/lead", "GET", (name, b" post "))
    assert found.methods == ("GET", "POST")
    assert found.ambiguous == ("method override",)


def test_method_override_in_the_query() -> None:
    assert read("/lead?_method=post", "GET").methods == ("GET", "POST")
    assert read("/lead?_method=GET", "GET").methods == ("GET",)
    assert read("/lead?_method=%00", "GET").ambiguous == ()
    assert len(read("/lead?" + "&".join(f"_method=m{chr(97 + n)}" for n in range(20)), "GET").methods) <= 6


@pytest.mark.parametrize("value", [b"/lead", b"/lead?x=1", b"http://a/lead", b"/x/..%2flead"])
def test_rewrite_headers_add_a_reading(value: bytes) -> None:
    found = read("/about", "POST", (b"X-Original-URL", value))
    assert found.path == "/about"
    assert "rewrite header" in found.ambiguous
    assert LEAD.matches(found)
    assert PathPattern("/about").matches(found)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/lead", ["/lead", "/lead/", "/LEAD", "/lead?x"], ["/leads", "/lead/x", "/"]),
        ("/lead/", ["/lead", "/lead/"], ["/leads"]),
        ("/", ["/", ""], ["/x"]),
        ("/offer*", ["/offer", "/offers", "/offer/x", "/OFFER/"], ["/x/offer", "/"]),
        ("/offer/*", ["/offer/", "/offer/x"], ["/offers"]),
        ("/*/quote", ["/de/quote", "/a/b/quote/"], ["/quote", "/de/quotes"]),
        ("/a*b*c", ["/abc", "/axbxc", "/abbc"], ["/ac", "/acb", "/ab"]),
        ("/ab*ba", ["/abba", "/abxba"], ["/aba"]),
        ("*", ["/", "/x"], []),
        ("/Über", ["/%c3%9cber", "/%C3%BCBER"], ["/uber"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    assert all(PathPattern(pattern).matches(read(target)) for target in yes)
    assert not any(PathPattern(pattern).matches(read(target)) for target in no)


def test_more_readings_than_are_followed_match_everything() -> None:
    found = read("/%" + "25" * 200 + "6cead")
    assert found.unbounded
    assert LEAD.matches(found)
    assert len(found.forms) <= MAX_READINGS + 1


def escapes(path: str) -> st.SearchStrategy[str]:
    """The path with any of its characters percent-encoded, once or twice."""
    forms = [
        st.sampled_from([c, f"%{ord(c):02x}", f"%{ord(c):02X}", f"%25{ord(c):02x}"]) if c != "/" else st.just(c)
        for c in path
    ]
    return st.tuples(*forms).map("".join)


@given(escapes("/lead"), st.sampled_from(["", "/", ";x", "/.", "//"]), st.sampled_from(["", "/.", "/x/..", "/x/%2e."]))
def test_any_encoding_of_the_path_is_the_path(path: str, tail: str, head: str) -> None:
    assert LEAD.matches(read(head + path + tail))


@given(st.text(max_size=30).filter(lambda text: text.isprintable()))
def test_quoting_does_not_change_an_honest_path(text: str) -> None:
    found = read(f"/x{quote(text, safe='')}x")
    if not found.ambiguous:
        assert found.path == f"/x{text}x"


NASTY = st.lists(
    st.sampled_from(
        [*list("/\\.;%#?= \x00aL"), "%2f", "%2e", "%5c", "%25", "%00", "%c0%af", "ÿ", "%u002f", "//", "http://"]
    ),
    max_size=60,
)


@given(st.one_of(st.binary(max_size=300), NASTY.map(lambda parts: "".join(parts).encode("latin-1"))))
def test_any_bytes_give_bounded_readings(target: bytes) -> None:
    found = parse(target, "GET", ((b"X-Original-URL", target),))
    assert found.forms[0] == found.path
    assert 1 <= len(found.forms) <= 2 * MAX_READINGS + 2
    assert all(len(form) <= 18 * len(target) + 1 for form in found.forms)  # U+FDFA is 18 characters in NFKC
    "".join(found.forms).encode()
    "".join(name + value for name, value in found.query).encode()
    LEAD.matches(found)

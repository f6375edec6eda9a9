from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.keys import Key, KeyRing
from gateway.intake.session_cookie import MAX_AGE_S, CookieReading, begin, read, set_cookie_header

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)
RING = KeyRing(KEY)
NOW = 1_764_000_000_000_000


def cookie(key: Key = KEY, at: int = NOW) -> bytes:
    return b"_lg_s=" + begin(key, at)[0].encode()


def tampered() -> bytes:
    value = bytearray(cookie())
    value[20] = ord("A") if value[20] != ord("A") else ord("B")
    return bytes(value)


@pytest.mark.parametrize(
    "header", [b"%s", b"a=b; %s; c=d", b"a=b;%s", b"  %s  ", b"x; =; ;; %s", b"_lg_st=1; %s", b"\xff=\xfe; %s"]
)
def test_the_cookie_is_found_in_any_header(header: bytes) -> None:
    found = read(RING, header.replace(b"%s", cookie()), NOW + 5)
    assert found.cookie is not None
    assert found.cookie.issued_us == NOW
    assert re.fullmatch("[0-9a-f]{32}", found.cookie.id)
    assert not found.forged


def test_quoted_value() -> None:
    assert read(RING, cookie().replace(b"=", b'="', 1) + b'"', NOW).cookie is not None


def test_sessions_differ() -> None:
    first, second = read(RING, cookie(), NOW).cookie, read(RING, cookie(), NOW).cookie
    assert first is not None
    assert second is not None
    assert first.id != second.id


@pytest.mark.parametrize("header", [None, b"", b"a=b", b"xx_lg_s=1", b"_lg_s"])
def test_no_cookie(header: bytes | None) -> None:
    assert read(RING, header, NOW) == CookieReading(None, False)


@pytest.mark.parametrize(
    "header",
    [
        b"_lg_s=",
        b"_lg_s=x",
        b"_lg_s=" + b"x" * 60,
        b"_lg_s=" + b"\xff" * 60,
        pytest.param(tampered(), id="tampered"),  # another one in each process; a test's name must not be
    ],
)
def test_forged(header: bytes) -> None:
    found = read(RING, header, NOW)
    assert found.cookie is None
    assert found.forged == (header != b"_lg_s=" + b"x" * 60)  # that one names a version and key we do not hold


def test_a_forged_cookie_beside_a_good_one_is_told() -> None:
    found = read(RING, tampered() + b"; " + cookie(), NOW)
    assert found.cookie is not None
    assert found.forged


def test_rotation() -> None:
    assert read(KeyRing(KEY, [OTHER]), cookie(OTHER), NOW).cookie is not None
    assert read(RING, cookie(OTHER), NOW) == CookieReading(None, False)


def test_age_and_clock() -> None:
    assert read(RING, cookie(), NOW + MAX_AGE_S * 1_000_000).cookie is not None
    assert read(RING, cookie(), NOW + MAX_AGE_S * 1_000_000 + 1) == CookieReading(None, False)
    back = read(RING, cookie(), NOW - 10**9).cookie
    assert back is not None
    assert back.issued_us == NOW - 10**9


def test_set_cookie_header() -> None:
    value = begin(KEY, NOW)[0]
    plain = f"_lg_s={value}; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax".encode()
    assert set_cookie_header(value, False) == plain
    assert set_cookie_header(value, True) == plain + b"; Secure"


@given(st.binary(max_size=300), st.booleans())
def test_any_header_is_read_without_error(data: bytes, named: bool) -> None:
    assert read(RING, b"_lg_s=" + data if named else data, NOW).cookie is None

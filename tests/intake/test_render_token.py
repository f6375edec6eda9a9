from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.keys import Key, KeyRing
from gateway.intake.render_token import FIELD, MAX_SKEW_US, TokenReading, hidden_input, mint, read

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)
RING = KeyRing(KEY)
PAGE = "01936d6e-7a00-7000-8000-000000000001"
NOW = 1_764_000_000_000_000
HOUR = 3600


def test_a_token_tells_page_and_age() -> None:
    token = mint(KEY, "quote", PAGE, NOW)
    found = read(RING, token, "quote", NOW + 4_321_000, HOUR)
    assert (found.state, found.page_id, found.issued_us, found.age_ms) == ("valid", PAGE, NOW, 4321)
    assert found.nonce is not None
    assert re.fullmatch("[0-9a-f]{16}", found.nonce)
    assert len(token) < 100


def test_two_tokens_of_a_page_differ() -> None:
    first, second = mint(KEY, "quote", PAGE, NOW), mint(KEY, "quote", PAGE, NOW)
    assert first != second
    assert read(RING, first, "quote", NOW, HOUR).nonce != read(RING, second, "quote", NOW, HOUR).nonce


@pytest.mark.parametrize("token", [None, ""])
def test_missing(token: str | None) -> None:
    assert read(RING, token, "quote", NOW, HOUR) == TokenReading("missing")


def test_another_forms_token_is_forged() -> None:
    assert read(RING, mint(KEY, "contact", PAGE, NOW), "quote", NOW, HOUR) == TokenReading("forged")


@given(st.integers(0, 70), st.sampled_from("ABCabc012-_"))
def test_a_changed_token_is_never_valid(at: int, letter: str) -> None:
    token = mint(KEY, "quote", PAGE, NOW)
    changed = token[:at] + letter + token[at + 1 :]
    found = read(RING, changed, "quote", NOW, HOUR)
    assert (found.state == "valid") == (changed == token)
    assert changed == token or (found.page_id, found.issued_us, found.nonce) == (None, None, None)


def test_the_other_spelling_of_the_last_character_is_no_second_token() -> None:
    """53 bytes leave four unused bits in the last character: sixteen spellings of the same bytes."""
    token = mint(KEY, "quote", PAGE, NOW)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    states = [read(RING, token[:-1] + letter, "quote", NOW, HOUR).state for letter in alphabet]
    assert states.count("valid") == 1


def test_expired_still_tells_its_age() -> None:
    token = mint(KEY, "quote", PAGE, NOW)
    found = read(RING, token, "quote", NOW + HOUR * 1_000_000 + 1, HOUR)
    assert (found.state, found.page_id, found.age_ms) == ("expired", PAGE, 3_600_000)
    assert read(RING, token, "quote", NOW + HOUR * 1_000_000, HOUR).state == "valid"


def test_rotation() -> None:
    token = mint(OTHER, "quote", PAGE, NOW)
    assert read(KeyRing(KEY, [OTHER]), token, "quote", NOW, HOUR).state == "valid"
    assert read(RING, token, "quote", NOW, HOUR) == TokenReading("expired")  # key gone: old, not forged


def test_the_clock_may_go_back_a_little() -> None:
    token = mint(KEY, "quote", PAGE, NOW)
    found = read(RING, token, "quote", NOW - MAX_SKEW_US, HOUR)
    assert (found.state, found.age_ms) == ("valid", 0)
    assert read(RING, token, "quote", NOW - MAX_SKEW_US - 1, HOUR).state == "malformed"


@pytest.mark.parametrize("token", ["x", "x" * 71, "x" * 5000, "é" * 71, "=" * 71, " " * 71, "\x00" * 71])
def test_malformed(token: str) -> None:
    assert read(RING, token, "quote", NOW, HOUR) == TokenReading("malformed")


def test_a_page_id_must_be_a_uuid() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        mint(KEY, "quote", "page 1", NOW)


def test_hidden_input_needs_no_escaping() -> None:
    token = mint(KEY, "quote", PAGE, NOW)
    assert re.fullmatch(rb'<input type="hidden" name="(\w+)" value="([\w-]{71})">', hidden_input(token))
    assert f'name="{FIELD}"'.encode() in hidden_input(token)


@given(st.one_of(st.text(max_size=100), st.binary(min_size=53, max_size=53).map(lambda data: data.hex()[:71])))
def test_any_text_is_read_without_error(token: str) -> None:
    assert read(RING, token, "quote", NOW, HOUR).state in {"missing", "malformed", "forged", "expired"}

"""What is hashed and how: keys of a shared state and ids in records must stay what they were, whoever runs which version."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.observation import Request
from gateway.facts.identity import Hashes, browser_of, places

KEY = b"k" * 32


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_a_hash_is_keyed_blake2b_of_16_bytes_whatever_was_hashed_before(text: str) -> None:
    hashes = Hashes(KEY)
    hashes.fresh("before")
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return  # nothing that was read from bytes
    assert hashes.fresh(text) == hashes.stable(text) == blake2b(data, digest_size=16, key=KEY).digest()


def test_landings_and_submissions_of_a_site_have_keys_of_their_own() -> None:
    hashes = Hashes(KEY)
    assert hashes.scopes("acme") == (hashes.fresh("acme\nlanding")[:7], hashes.fresh("acme\nsubmission")[:7])


@pytest.mark.parametrize(
    ("address", "unit", "neighbourhood"),
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
    ],
)
def test_what_counts_as_one_address(address: str, unit: str, neighbourhood: str) -> None:
    assert places(address) == (unit, neighbourhood)


def test_a_browser_is_known_by_agent_language_and_platform_not_by_header_order() -> None:
    one = Request("GET", "/", (("User-Agent", "a"), ("Accept-Language", "de"), ("sec-ch-ua-platform", "Linux")))
    other = Request(
        "POST", "/x", (("sec-ch-ua-platform", "Linux"), ("accept-language", "de"), ("user-agent", "a"), ("Origin", "o"))
    )
    assert browser_of(one) == browser_of(other) != browser_of(Request("GET", "/", (("User-Agent", "a"),)))

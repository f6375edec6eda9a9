from __future__ import annotations

import hashlib

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.canonical import MAX_INTEGER, Unencodable, canonical, chained, check_plain, digest, event_parts

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-MAX_INTEGER, MAX_INTEGER), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=20,
)


@given(JSON)
def test_equal_to_an_independent_writer(value):
    check_plain(value)
    assert canonical(value) == rfc8785.dumps(value)


def test_every_character_below_a_thousand_and_the_corners_beyond():
    for text in ("".join(map(chr, range(1000))), "\u2028\u2029\ufeff\uffff\U00010000\U0010ffff"):
        assert canonical(text) == rfc8785.dumps(text)


def test_keys_beyond_the_basic_plane_are_sorted_by_utf_16():
    value = {"\U0001f600": 1, "\ue000": {"\U00010000": 2, "\uffff": 3}, "a": 4}
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [1.0, 2**53, {1: "x"}, {"a": [{"b": 0.5}]}, b"bytes", {"x": {1, 2}}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(Unencodable):
        check_plain(value)


@pytest.mark.parametrize("length", [0, 1, 2046, 2047, 2048, 4094, 4095, 100_000])
def test_digests_of_every_length(length):
    data = bytes(range(256)) * 400
    assert digest(data[:length]) == hashlib.sha256(data[:length]).hexdigest()


@given(st.dictionaries(TEXT, st.one_of(TEXT, st.integers(0, 99)), max_size=4), TEXT)
def test_events_are_canonical_once_they_are_chained(data, name):
    body, _ = chained(event_parts("id", "record", 5, name, data), "gateway-0", 3, "ab" * 32)
    whole = {"at": 5, "data": data, "event": name, "id": "id", "prev_hash": "ab" * 32, "record": "record", "schema": 1}
    assert body == rfc8785.dumps({**whole, "seq": 3, "type": "event", "writer": "gateway-0"})


def test_events_with_floats_are_refused():
    with pytest.raises(Unencodable, match="float"):
        event_parts("id", "record", 5, "seen", {"share": 0.5})

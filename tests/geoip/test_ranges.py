"""Ranges: every address gets exactly the labels of the ranges that cover it."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from geoip.ranges import V4_BITS, V6_BITS, LabelledRange, Ranges


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.sampled_from(["a:1", "b:1", "c:1"])), max_size=12),
    st.sampled_from([V4_BITS, V6_BITS]),
    st.integers(0, 60),
)
def test_labels_equal_a_plain_scan(entries: list[tuple[int, int, str]], bits: int, value: int) -> None:
    ranges = [LabelledRange(bits, first, first + length, label) for first, length, label in entries]
    expected = {entry.label for entry in ranges if entry.first <= value <= entry.last}
    found = Ranges(ranges).find(value, bits)
    assert set(found) == expected
    assert len(found) == len(set(found))


def test_ends_of_the_address_space() -> None:
    ranges = Ranges([LabelledRange(V4_BITS, 0, 0, "low:1"), LabelledRange(V6_BITS, 2**128 - 1, 2**128 - 1, "high:1")])
    assert ranges.find(0, V4_BITS) == ("low:1",)
    assert ranges.find(1, V4_BITS) == ()
    assert ranges.find(2**32 - 1, V4_BITS) == ()
    assert ranges.find(2**128 - 1, V6_BITS) == ("high:1",)
    assert ranges.find(0, V6_BITS) == ()


def test_order_follows_the_kinds_not_the_input() -> None:
    net = ipaddress.ip_network("8.8.8.0/24")
    first, last = int(net[0]), int(net[-1])
    entries = [LabelledRange(V4_BITS, first, last, label) for label in ("hosting:B", "hosting:A", "crawler:x")]
    assert Ranges(entries, ["crawler", "hosting"]).find(first, V4_BITS) == ("crawler:x", "hosting:A", "hosting:B")


def test_content_hash_tells_contents_apart() -> None:
    one = Ranges([LabelledRange(V4_BITS, 1, 2, "a:1")])
    redundant = Ranges([LabelledRange(V4_BITS, 1, 2, "a:1"), LabelledRange(V4_BITS, 1, 1, "a:1")])
    assert one.content_hash == redundant.content_hash
    assert one.content_hash != Ranges([LabelledRange(V4_BITS, 1, 3, "a:1")]).content_hash
    assert one.content_hash != Ranges.empty().content_hash

"""What two ways to judge are compared by."""

from __future__ import annotations

from collections import Counter

from gateway.learning.comparison import OTHERS, counted


def test_names_from_addresses_are_plain_text_and_bounded():
    """Anybody writes a campaign's name into a link, and an operator's terminal shows it."""
    counts: dict[str, Counter[str]] = {}
    counted(counts, "autumn\x1b]0;owned\x07\n", "same", 2)
    assert list(counts) == ["autumn_]0;owned__"]
    for number in range(5):
        counted(counts, f"made up {number}", "same", 2)
    assert counts[OTHERS]["same"] == 4
    assert len(counts) == 3

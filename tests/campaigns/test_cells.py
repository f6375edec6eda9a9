"""Parts of a campaign: named by the address, followed only where many share the name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.campaigns.cells import ADMIT, CANDIDATES, Candidates, in_words, parts, site_of, whole_site


@pytest.mark.parametrize(
    ("campaign", "platform", "words"),
    [
        ({}, "", []),
        ({}, "google", ["publisher google"]),
        ({"utm_campaign": "Roofs"}, "", ["campaign roofs"]),
        ({"utm_source": "news", "utm_campaign": "roofs", "utm_content": "red"}, "meta", ["campaign roofs", "publisher news", "creative red"]),
        ({"campaignid": "17", "adgroupid": "4", "creative": "99", "network": "d"}, "google", ["campaign 17", "publisher google d", "creative 99"]),
        ({"placement": "games.example", "utm_source": "google"}, "google", ["publisher games.example"]),
        ({"utm_campaign": "a\x1fb\n"}, "", ["campaign a_b_"]),
    ],
)  # fmt: skip
def test_parts_of_a_click(campaign: dict[str, str], platform: str, words: list[str]) -> None:
    keys = parts("acme", campaign, platform)
    assert [in_words(key) for key in keys] == words
    assert {site_of(key) for key in keys} <= {"acme"}


@given(st.text(), st.text(max_size=300))
def test_whatever_an_address_says_a_key_has_three_fields(value: str, content: str) -> None:
    for key in parts("acme", {"utm_campaign": value, "utm_content": content}, ""):
        assert key.count("\x1f") == 2 and len(key) < 120


@pytest.mark.parametrize("value", ["ann@example.org", "for-Ann.Smith%40example.org", "x\uff20example.org"])
def test_an_address_is_no_name_of_a_part(value: str) -> None:
    """Newsletters write them into links; names of parts stand in logs and evidence."""
    assert parts("acme", {"utm_campaign": "autumn", "utm_content": value}, "google") == parts(
        "acme", {"utm_campaign": "autumn"}, "google"
    )


def test_the_whole_site_is_a_part_too() -> None:
    assert in_words(whole_site("acme")) == "site" and site_of(whole_site("acme")) == "acme"


def test_a_name_is_followed_once_it_came_often() -> None:
    candidates = Candidates()
    assert [candidates.often("roofs") for _ in range(ADMIT)] == [False] * (ADMIT - 1) + [True]


def test_made_up_names_take_no_room_and_hide_nobody() -> None:
    candidates = Candidates()
    admitted = 0
    for number in range(50 * CANDIDATES):
        assert not candidates.often(f"made up {number}")
        if number % 50 == 0:
            admitted += candidates.often("roofs")
        assert len(candidates._seen) <= CANDIDATES
    assert admitted > 0

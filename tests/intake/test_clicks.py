from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.clicks import CAMPAIGN, PLATFORMS, FoundClick, campaign, click_id
from gateway.intake.target import parse


@pytest.mark.parametrize(("parameter", "platform"), PLATFORMS.items())
def test_every_platform(parameter: str, platform: str) -> None:
    for spelling in (parameter, parameter.upper(), parameter.lower()):
        found = click_id((("a", "b"), (spelling, "AbC-1_2")))
        assert found == FoundClick(platform, parameter, "AbC-1_2", 1, 7)


def test_none() -> None:
    assert click_id(()) is None
    assert click_id((("gclid", ""), ("xgclid", "1"), ("q", "gclid"))) is None


def test_several_ids_prefer_and_note() -> None:
    query = (("fbclid", "f"), ("yclid", "y"), ("gbraid", "b"), ("gclid", "g"))
    assert click_id(query) == FoundClick("google", "gclid", "g", 1, 1, ("gbraid", "fbclid", "yclid"))


def test_duplicated_parameter() -> None:
    assert click_id((("gclid", "b"), ("GCLID", "a"), ("gclid", "b"))) == FoundClick("google", "gclid", "b", 2, 1)


def test_a_long_id_is_cut_and_its_length_told() -> None:
    found = click_id((("gclid", "x" * 5000),))
    assert found is not None
    assert (len(found.value), found.length) == (512, 5000)


def test_campaign_from_a_real_landing_url() -> None:
    target = parse(
        b"/offer?utm_source=google&UTM_Medium=cpc&utm_campaign=Spring%20Sale&keyword=%2Bsolar+panels&gad_source=1&utm_source=second"
        b"&device=&placement=" + b"p" * 300 + b"&gclid=x",
        "GET",
        (),
    )
    assert campaign(target.query) == {
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "Spring Sale",
        "keyword": "+solar panels",
        "gad_source": "1",
        "placement": "p" * 200,
    }


@given(
    st.lists(
        st.tuples(st.one_of(st.text(max_size=9), st.sampled_from([*CAMPAIGN, *PLATFORMS])), st.text(max_size=250)),
        max_size=9,
    )
)
def test_bounded(query: list[tuple[str, str]]) -> None:
    found = click_id(query)
    assert found is None or 1 <= len(found.value) <= 512
    assert all(0 < len(value) <= 200 for value in campaign(query).values())
    assert campaign(query).keys() <= set(CAMPAIGN)

"""A campaign against its own past: floods are told, crowds of people are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.behaviour import Campaign, Cell, Journey
from detectors.campaign import ELSEWHERE, ONE_PAGE, detect, flood, made
from detectors.observation import (
    Client,
    Kind,
    Observation,
    Page,
    Request,
    Unavailable,
)
from detectors.reference import CampaignSettings, Reference, SiteSettings
from geoip.network import Network

REF = Reference.builtin()
HOME = Network(country="DE", kind="consumer")
FLOODED = {
    "name": "campaign roofs", "clicks": 412, "usual": 38, "spread": 9, "engaged": 90, "engaged_usual": 610, "windows": 49, "minutes": 60,
    "followed": 300,
}  # fmt: skip


def cell(**changes: Any) -> Cell:
    return Cell(**(FLOODED | changes))


def found(
    *cells: Cell,
    hour: int = 14,
    kind: Kind = Kind.LANDING,
    network: Network | Unavailable = HOME,
    campaign: dict[str, str] | None = None,
    ref: Reference = REF,
    journey: Journey | None = None,
) -> dict[str, tuple[str, ...]]:
    obs = Observation(
        kind,
        "acme",
        0,
        Page("acme.example", "/offer", campaign or {}),
        Client("192.0.2.1"),
        Request("GET", "/offer", ()),
        network=network,
        velocity=Unavailable("test"),
        campaign=Campaign(cells, hour),
        journey=journey,
    )
    return {signal.id: signal.evidence for signal in detect(obs, ref)}


def strength(each: Cell, journey: Journey) -> float:
    """Of the one signal of a form post."""
    unknown = Unavailable("test")
    (signal,) = detect(
        Observation(
            Kind.SUBMISSION, "acme", 0, Page("acme.example", "/offer"), unknown, Request("POST", "/offer", ()), unknown, unknown,
            campaign=Campaign((each,)), journey=journey,
        ),
        REF,
    )  # fmt: skip
    return signal.strength


def test_a_flood_is_many_clicks_that_go_nowhere() -> None:
    assert flood(cell()) == pytest.approx(1 - 90 / 610)
    told = found(cell(), cell(name="publisher x", engaged=300))
    assert told["campaign.flood"] == (
        "campaign roofs",
        "412 clicks in 60 minutes, usual is 38",
        "9 % of the visitors go on, usual is 61 %",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"engaged": 590},  # a television spot
        {"windows": 13},  # not two days old
        {"engaged": -1},
        {"engaged_usual": -1},
        {"engaged": 20, "engaged_usual": 140},  # nobody ever goes on
        {"clicks": 70},  # a good day
        {"spread": 100},  # a restless campaign
        {"clicks": 25, "usual": 2, "spread": 1},  # too few to tell
        {"followed": 4, "engaged": 400},  # chance
        {"deep": True, "engaged": 200, "engaged_usual": 420},  # curious people read one page
    ],
)
def test_what_is_no_flood(changes: dict[str, Any]) -> None:
    assert flood(cell(**changes)) is None
    assert found(cell(**changes)) == {}


def test_whole_browsers_that_go_no_further() -> None:
    deep = cell(deep=True, engaged=20, engaged_usual=420)
    assert found(deep)["campaign.flood"][2].startswith("2 % of the visitors go on to a second page or a form")


@given(st.builds(Cell, st.just("campaign x"), *[st.integers(-1, 10_000)] * 7, st.integers(-1, 10_000)))
def test_a_share_is_a_share(any_cell: Cell) -> None:
    share = flood(any_cell)
    assert share is None or 0 <= share <= 1


def test_a_single_click_is_one_of_a_flood_where_every_part_of_it_is() -> None:
    flooded = cell(name="publisher x", made=950)
    assert found(cell(made=930), flooded)["campaign.excess_click"] == ("campaign roofs", "93")
    new = cell(name="publisher new", windows=3, usual=0)
    assert "campaign.excess_click" in found(flooded, new)  # too young to be judged
    small = cell(name="publisher small", clicks=60, usual=2, spread=1, engaged_usual=-1)
    assert "campaign.excess_click" in found(flooded, small)
    assert "campaign.excess_click" not in found(flooded, cell(name="small", clicks=6, usual=2, engaged_usual=-1))
    as_ever = cell(name="publisher y", clicks=40, engaged=600)
    half = cell(name="publisher z", made=790)
    for other in (as_ever, half, cell(name="over for an hour")):
        told = found(flooded, other)
        assert "campaign.flood" in told and "campaign.excess_click" not in told


def test_how_much_of_a_flood_is_made() -> None:
    deep = cell(clicks=600, usual=12, deep=True, engaged=0, engaged_usual=420, followed=300)
    assert made(deep) == 1 - 12 / 600
    assert made(cell(clicks=6000, usual=12, deep=True, engaged=0, engaged_usual=420, followed=60)) == pytest.approx(
        1 - 2 / 60 / 0.42
    )
    assert made(cell(clicks=600, usual=300, spread=9, engaged=0)) == 0.5  # the people who come anyway
    some_read_on = made(cell(clicks=600, usual=12, deep=True, engaged=100, engaged_usual=420, followed=300))
    assert some_read_on is not None and some_read_on < 0.75
    few_seen = made(cell(clicks=600, usual=12, engaged=0, engaged_usual=900, followed=20))
    assert few_seen is not None and few_seen < 0.9
    assert made(cell(engaged=600)) is None


FORM = cell(name="form quote", clicks=58, usual=4, spread=2, engaged=90, engaged_usual=955, followed=58)


def test_a_form_post_is_told_of_its_form_only() -> None:
    told = found(FORM, kind=Kind.SUBMISSION, hour=3, campaign={"utm_campaign": "roofs"}, journey=Journey(0, 950))
    assert told == {
        "campaign.form_flood": (
            "58 in 60 minutes, usual is 4",
            "9 % of those who send it fetched anything of a page",
            "96 %",
        )
    }


@pytest.mark.parametrize(
    ("journey", "told"), [(Journey(3, 950), False), (Journey(0, 950), True), (Journey(-1, 950), False), (None, False)]
)
def test_who_fetched_the_page_is_none_of_those_who_flood_the_form(journey: Journey | None, told: bool) -> None:
    assert ("campaign.form_flood" in found(FORM, kind=Kind.SUBMISSION, journey=journey)) is told


@pytest.mark.parametrize(("second", "told"), [(True, False), (None, False), (False, True)])
def test_forms_of_visitors_who_see_one_page_only(second: bool | None, told: bool) -> None:
    deep = cell(name="form quote", clicks=90, usual=4, spread=2, deep=True, engaged=20, engaged_usual=420, followed=90)
    signals = found(deep, kind=Kind.SUBMISSION, journey=Journey(5, 950, second=second))
    assert ("campaign.form_flood" in signals) is told
    assert not told or signals["campaign.form_flood"][1] == "2 % of those who send it saw a second page"


def test_one_page_only_speaks_less_than_a_page_of_which_nothing_was_fetched() -> None:
    shares = {
        "name": "form quote",
        "clicks": 90,
        "usual": 4,
        "spread": 2,
        "engaged": 20,
        "engaged_usual": 420,
        "followed": 90,
    }
    journey = Journey(0, 950, second=False)
    assert strength(cell(**shares, deep=True), journey) == pytest.approx(
        ONE_PAGE * strength(cell(**shares), journey), abs=0.001
    )
    assert ONE_PAGE < 1


def test_many_forms_of_people_are_no_flood() -> None:
    """A television spot: fifteen times the forms, by people whose browsers fetched the page as ever."""
    spot = cell(name="form quote", clicks=58, usual=4, spread=2, engaged=930, engaged_usual=955, followed=58)
    assert found(spot, kind=Kind.SUBMISSION, journey=Journey(0, 950)) == {}


@pytest.mark.parametrize(("hour", "told"), [(0, False), (1, True), (4, True), (5, False), (-1, False)])
def test_a_burst_in_the_night(hour: int, told: bool) -> None:
    burst = cell(clicks=80, usual=4, spread=2, engaged_usual=-1)
    assert ("campaign.night_burst" in found(burst, hour=hour)) is told


def test_a_burst_of_people_in_the_night() -> None:
    assert found(cell(clicks=80, usual=4, spread=2, engaged=600), hour=2) == {}


ROOFS = CampaignSettings("roofs north", (("utm_campaign", "Roofs-North"),), ("DE", "AT"))
TOLD = REF.with_site(SiteSettings(campaigns=(ROOFS,)))


def geo(network: Network | Unavailable, campaign: str = "roofs-north") -> tuple[str, ...] | None:
    return found(network=network, campaign={"utm_campaign": campaign}, ref=TOLD).get("campaign.geo")


def test_a_country_in_which_the_campaign_is_not_shown() -> None:
    assert geo(Network(country="VN", kind="consumer")) == ("roofs north", "VN", "DE, AT")
    assert geo(Network(country="AT", kind="consumer")) is None
    assert geo(Network(country="VN", kind="consumer"), "another") is None
    assert geo(Network(kind="consumer")) is None
    assert geo(Unavailable("geoip: away")) is None


@pytest.mark.parametrize("kind", sorted(ELSEWHERE))
def test_whose_place_is_not_their_networks(kind: str) -> None:
    assert geo(Network(country="VN", kind=kind)) is None


def test_a_campaign_without_countries_is_shown_anywhere() -> None:
    anywhere = SiteSettings(campaigns=(CampaignSettings("roofs", (("utm_campaign", "roofs"),)),))
    assert found(network=Network(country="VN"), campaign={"utm_campaign": "roofs"}, ref=REF.with_site(anywhere)) == {}

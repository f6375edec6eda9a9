"""Ad click ids: their shape, and who brings them again."""

from __future__ import annotations

import pytest

from detectors.click import detect
from detectors.observation import Click, Client, Count, Kind, Observation, Page, Request, Unavailable, Velocity
from detectors.reference import Reference
from detectors.signal import Signal
from geoip.network import Network

GONE = Unavailable("test")
GCLID = "EAIaIQobChMI4qa7u5uZ_QIVk-F3Ch2bTgXkEAAYASAAEgJ0-vD_BwE"
DAY = 86_400


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(
    ref: Reference,
    click: Click | Unavailable | None,
    target: str = f"/offer?gclid={GCLID}",
    partial: tuple[tuple[str, str], ...] = (),
) -> list[Signal]:
    obs = Observation(
        Kind.LANDING,
        "acme",
        0,
        Page("acme.example", "/offer"),
        Client("192.0.2.1"),
        Request("GET", target, ()),
        network=GONE,
        velocity=GONE,
        click=click,
        partial=partial,
    )
    return list(detect(obs, ref))


def google(seen: int = 1, since: int = 0, network: bool | None = None, browser: bool | None = None) -> Click:
    return Click("google", "gclid", "d1", len(GCLID), seen, since, network, browser)


def test_a_first_click_says_nothing(ref: Reference) -> None:
    assert found(ref, google()) == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("gclid", GCLID),
        ("gclid", "Cj0KCQiA" + "x" * 80 + "_wcB"),
        ("gbraid", "0AAAAADw5yLM7bVJ0Yf6dJ2cSk1aB"),
        ("msclkid", "8f3c1b2a4d5e6f708192a3b4c5d6e7f8"),
        ("fbclid", "IwAR2" + "aB3_-" * 11),
        ("fbclid", "IwZXh0bgNhZW0CMTAAAR" + "x" * 70 + "_aem_" + "y" * 22),
        ("li_fat_id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("ttclid", "E.C.P.CmM" + "x" * 90),
        ("twclid", "2-3o1u8rj8f7e9k2"),
        ("yclid", "13485905783421952001"),
        ("epik", "dj0yJnU9" + "x" * 60),
        ("gclid", GCLID.replace("_", "%5F")),
    ],
)
def test_ids_as_platforms_write_them(ref: Reference, parameter: str, value: str) -> None:
    assert found(ref, Click("p", parameter, "d", len(value)), f"/offer?a=1&{parameter}={value}&utm_source=x") == []


@pytest.mark.parametrize(
    ("parameter", "value", "reason"),
    [
        ("gclid", "123", "too short"),
        ("gclid", "test", "too short"),
        ("gclid", "<script>alert(1)</script>", "characters or length that such ids do not have"),
        ("msclkid", "z" * 32, "characters or length that such ids do not have"),
        ("fbclid", "1", "too short"),
        ("yclid", "abc", "too short"),
    ],
)
def test_what_is_no_id(ref: Reference, parameter: str, value: str, reason: str) -> None:
    signals = found(ref, Click("p", parameter, "d", len(value)), f"/offer?{parameter}={value}")
    assert signals == [Signal("click.malformed", ("p", parameter, reason))]


def test_a_huge_id(ref: Reference) -> None:
    signals = found(ref, Click("google", "gclid", "d", 4_000))
    assert signals == [Signal("click.malformed", ("google", "gclid", "4000 characters long"))]


@pytest.mark.parametrize("value", ["{gclid}", "%7Bgclid%7D", "__CLICKID__", "{{ad.id}}", "[CLICK_ID]", "${click_id}"])
def test_an_unfilled_template_is_the_advertisers(ref: Reference, value: str) -> None:
    click = Click("google", "gclid", "d1", len(value))
    assert found(ref, click, f"/offer?gclid={value}") == [Signal("click.placeholder", ("google", "gclid"))]


def test_a_target_that_holds_another_value_is_not_judged(ref: Reference) -> None:
    assert found(ref, google(), "/offer?gclid=x") == []


def test_an_id_that_stands_elsewhere_is_not_judged(ref: Reference) -> None:
    assert found(ref, google(), "/offer") == found(ref, google(), "/offer?gclid=") == []


@pytest.mark.parametrize(
    "click",
    [
        google(2, 4, True, True),  # reload
        google(5, 3_600, True, True),  # back button
        google(2, 3 * DAY, True, True),  # the tab is restored on Monday
        google(2, 600, False, True),  # from Wi-Fi to the phone network
        google(2, 600, True, False),  # opened in another browser
    ],
)
def test_the_same_visitor_again(ref: Reference, click: Click) -> None:
    assert [signal.id for signal in found(ref, click)] == ["click.repeated"]


@pytest.mark.parametrize(
    ("click", "evidence", "strength"),
    [
        (
            google(2, 600, False, False),
            ("2", "10 minutes", "another network and browser"),
            0.3,
        ),  # a link passed to a friend
        (google(9, 600, False, False), ("9", "10 minutes", "another network and browser"), 0.75),
        (google(2, 5 * DAY, False, False), ("2", "5 days", "another network and browser"), 0.6),
        (google(2, 3 * DAY, False, True), ("2", "3 days", "another network"), 0.3),
        (google(2, 3 * DAY, True, False), ("2", "3 days", "another browser"), 0.3),
    ],
)
def test_replayed(ref: Reference, click: Click, evidence: tuple[str, ...], strength: float) -> None:
    assert found(ref, click) == [Signal("click.replayed", evidence, strength)]


def test_a_flood(ref: Reference) -> None:
    signals = found(ref, google(500, 3_600, False, False))
    assert signals == [
        Signal("click.replayed", ("500", "60 minutes", "another network and browser"), 1.0),
        Signal("click.flood", ("500", "60 minutes")),
    ]
    assert [signal.strength for signal in found(ref, google(20, 60, True, True))] == [1.0, 0.3]


def test_several_values(ref: Reference) -> None:
    click = Click("google", "gclid", "d", 60, values=3)
    assert found(ref, click) == [Signal("click.several_values", ("gclid", "3"))]


def test_silent_where_it_cannot_know(ref: Reference) -> None:
    assert found(ref, None) == found(ref, GONE) == []


HALF = (("click", "redis: no answer; counted in this process only"),)


@pytest.mark.parametrize(
    "click",
    [google(2, 600, False, False), google(9, 5 * DAY, False, False), google(2, 3 * DAY, False, True)],
)
def test_who_may_be_the_first_visitor_is_not_said_to_come_from_elsewhere(ref: Reference, click: Click) -> None:
    assert [signal.id for signal in found(ref, click)] == ["click.replayed"]
    assert found(ref, click, partial=HALF) == []


def test_what_is_known_of_a_click_id_in_part_is_said_and_no_more(ref: Reference) -> None:
    assert found(ref, google(0), partial=HALF) == []
    assert found(ref, google(3, 240, True, True), partial=HALF) == [
        Signal("click.repeated", ("3", "at least 4 minutes"))
    ]
    flood = found(ref, google(500, 240, False, False), partial=HALF)
    assert flood == [Signal("click.flood", ("500", "at least 4 minutes"))]


def test_another_fact_that_is_partial_changes_nothing(ref: Reference) -> None:
    other = (("session", "redis: no answer"),)
    assert [s.id for s in found(ref, google(2, 600, False, False), partial=other)] == ["click.replayed"]


def many(clicks: int, browsers: int, network: Network, ref: Reference, hour: int = 0) -> list[Signal]:
    counts = {
        "paid/3600": Count(hour, hour),
        "paid/86400": Count(clicks, clicks),
        "address/3600": Count(hour, browsers),
        "address/86400": Count(clicks, browsers),
    }
    obs = Observation(
        Kind.LANDING,
        "acme",
        0,
        Page("acme.example", "/offer"),
        Client("192.0.2.1"),
        Request("GET", f"/offer?gclid={GCLID}", ()),
        network=network,
        velocity=Velocity.of(counts),
        click=google(),
    )
    return [signal for signal in detect(obs, ref) if signal.id == "click.many_from_one"]


HOME, CARRIER = Network(kind="consumer"), Network(kind="mobile")


def test_click_after_click_from_one_address(ref: Reference) -> None:
    assert many(6, 1, HOME, ref) == []
    assert many(24, 1, HOME, ref) == [Signal("click.many_from_one", ("24", "a day", "1"), 1.0)]
    assert many(9, 1, HOME, ref, hour=9) == [Signal("click.many_from_one", ("9", "an hour", "1"), 0.585)]


def test_a_household_an_office_and_a_carrier_click_on_ads_too(ref: Reference) -> None:
    assert many(20, 5, HOME, ref) == []
    assert many(64, 64, HOME, ref) == []
    assert many(60, 6, CARRIER, ref) == []
    assert many(30, 0, HOME, ref) == []

"""The way through the site: what people do not do, and what is not known is never held against anybody."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.behaviour import Journey
from detectors.journey import detect
from detectors.observation import (
    Client,
    Count,
    Kind,
    Observation,
    Page,
    RenderToken,
    Request,
    Session,
    Unavailable,
    Velocity,
)
from detectors.reference import FormSettings, Reference
from geoip.network import Network

HOME = Network(asn=3320, organisation="Deutsche Telekom AG", country="DE", kind="consumer")
REF = Reference.builtin()


def found(
    journey: Journey | Unavailable | None,
    session: Session | None = None,
    kind: Kind = Kind.LANDING,
    network: Network = HOME,
    ref: Reference = REF,
    velocity: dict[str, Count] | None = None,
    **facts: Any,
) -> dict[str, tuple[tuple[str, ...], float]]:
    obs = Observation(
        kind,
        "acme",
        0,
        Page("acme.example", "/offer"),
        Client("192.0.2.1"),
        Request("GET", "/offer", ()),
        network=network,
        velocity=Velocity.of(velocity or {}),
        session=session or Session("derived", "ab", 60, 2, int(kind is Kind.SUBMISSION)),
        journey=journey,
        **facts,
    )
    return {signal.id: (signal.evidence, signal.strength) for signal in detect(obs, ref)}


@pytest.mark.parametrize("journey", [None, Unavailable("redis: timeout"), Journey()])
def test_nothing_known_says_nothing(journey: Journey | Unavailable | None) -> None:
    assert found(journey) == found(journey, kind=Kind.SUBMISSION) == {}


def test_a_session_that_fetches_nothing_where_all_do() -> None:
    assert found(Journey(assets=0, assets_usual=970)) == {"session.no_assets": (("2", "97 %"), 0.88)}
    for harmless in (
        Journey(assets=1, assets_usual=970),
        Journey(assets=0, assets_usual=790),  # a cached site
        Journey(assets=-1, assets_usual=970),
    ):
        assert found(harmless) == {}


def test_parts_of_the_first_page_are_not_asked_for_while_it_loads() -> None:
    nothing = Journey(assets=0, assets_usual=970)
    assert found(nothing, Session("derived", "ab", 60, 1)) == {}
    assert found(nothing, Session("derived", "ab", 9, 2)) == {}
    assert "session.no_assets" in found(nothing, Session("derived", "ab", 30, 1, 1), Kind.SUBMISSION)


def test_what_a_shared_state_may_have_missed_is_not_held_against_anybody() -> None:
    partial = (("journey", "redis: no answer"),)
    journey = Journey(assets=0, assets_usual=970, dwell_ms=100, click_landed=False)
    missing = RenderToken("missing")
    assert found(journey, kind=Kind.SUBMISSION, partial=partial, token=missing) == {}


@pytest.mark.parametrize(
    ("journey", "strength"),
    [
        (Journey(beats=6, beat_ms=30_000, beat_spread=10), 0.387),
        (Journey(beats=12, beat_ms=30_000, beat_spread=0), 1.0),
        (Journey(beats=5, beat_ms=30_000, beat_spread=0), None),
        (Journey(beats=12, beat_ms=30_000, beat_spread=300), None),
        (Journey(beats=12, beat_ms=900, beat_spread=0), None),
    ],
)
def test_regular_intervals(journey: Journey, strength: float | None) -> None:
    assert found(journey).get("session.regular", (None, None))[1] == strength


def test_one_cookie_in_many_networks_unless_its_network_moves_by_itself() -> None:
    journey = Journey(networks=24)
    assert found(journey) == {"session.many_networks": (("24",), 1.0)}
    assert found(Journey(networks=5)) == {}
    for kind in ("mobile", "mixed", "relay", "vpn"):
        assert found(journey, network=Network(kind=kind)) == {}


def test_a_form_sent_as_soon_as_the_page_was_there() -> None:
    def fast(journey: Journey, session: Session, **facts: Any) -> bool:
        return "session.fast" in found(journey, session, Kind.SUBMISSION, **facts)

    quick, once = Journey(dwell_ms=400), Session("derived", "ab", 0, 1, 1)
    assert fast(quick, once)
    assert fast(quick, once, token=RenderToken("missing"))
    assert not fast(quick, once, token=RenderToken("valid", 400))  # the token knows better
    assert not fast(Journey(dwell_ms=3000), once)
    assert not fast(Journey(dwell_ms=-1), once)
    assert not fast(quick, Session("derived", "ab", 60, 2, 1))  # perhaps another phone's page view
    assert fast(quick, Session("cookie", "ab", 60, 2, 1))
    assert not fast(quick, Session("cookie", "ab", 60, 2, 2))  # a second try
    assert not fast(quick, once, ref=REF.with_form(FormSettings(min_seconds=0)))


def test_a_click_id_that_never_landed() -> None:
    assert "click.no_landing" in found(Journey(click_landed=False), kind=Kind.SUBMISSION)
    assert found(Journey(click_landed=True), kind=Kind.SUBMISSION) == {}
    assert found(Journey(click_landed=False)) == {}


def test_ever_new_contacts_from_one_browser() -> None:
    def told(distinct: int, **changes: Any) -> Any:
        counts = {"contacts/86400": Count(distinct, distinct)}
        return found(Journey(), kind=Kind.SUBMISSION, velocity=counts, **changes).get("session.many_contacts")

    assert told(2) is None
    assert told(3) == (("3",), 0.2)
    assert told(64) == (("64 or more",), 1.0)
    school, relay = Network(kind="education"), Network(kind="relay")
    assert told(20, network=school) is None and told(20, network=relay) is None
    assert told(20, network=school, session=Session("cookie", "ab", 60, 2, 20)) is not None

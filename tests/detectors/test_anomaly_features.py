"""Each feature says what it should, is not known where its fact is not, and holds nothing of who somebody is."""

from __future__ import annotations

import math

import pytest
from made_observations import AWAY, FIELDS, HEADERS, TEXT, counts, observation

from detectors.anomaly.feature_sets import FEATURES, NAMES
from detectors.anomaly.features import Feature, duration, number
from detectors.anomaly.reading import vector
from detectors.behaviour import Journey, Similar
from detectors.observation import (
    Click,
    Duplicate,
    Kind,
    Lead,
    Observation,
    RenderToken,
    Request,
    Session,
    Unavailable,
)
from geoip.network import Network


def values(obs: Observation) -> dict[str, float]:
    return dict(zip(NAMES[obs.kind], vector(obs), strict=True))


def text(message: str) -> Lead:
    return Lead("quote", (("message", message),), {"message": (message,)})


CLICK = Click("google", "gclid", "ab", 90, 7, 3600, False, True, 2)
LANDINGS = [
    ({"velocity": counts("address/3600", 40, 4)}, {"address.1h": 40, "address.each.1h": 10}),
    ({"velocity": counts("address/86400", 9, 4)}, {"address.1d": 9}),
    ({"velocity": counts("prefix/3600", 12, 3)}, {"prefix.each.1h": 4}),
    ({"velocity": counts("browser/3600", 12, 8)}, {"browser.addresses.1h": 8}),
    ({"velocity": counts("session/60", 5, 1)}, {"session.1m": 5}),
    ({"velocity": counts("session/86400", 30, 1)}, {"session.1d": 30}),
    ({"session": Session("cookie", "a", 120, 12)}, {"session.pace": 4}),
    (
        {"click": CLICK, "velocity": counts("click/86400", 6, 5)},
        {"click.seen": 7, "click.age": 3600, "click.moved": 1, "click.values": 2, "click.browsers.1d": 5},
    ),
    ({"request": Request("GET", "/", HEADERS[:3])}, {"headers.count": 3, "headers.missing": 2}),
    ({"request": Request("GET", "/", (*HEADERS[:1], ("User-Agent", "curl/8"), *HEADERS[2:]))}, {"agent.length": 6}),
    ({"network": Network(kind="hosting")}, {"network.hosting": 1}),
    ({"network": Network(labels=("hosting:X",))}, {"network.hosting": 1}),
    ({"journey": Journey(assets=0), "session": Session("cookie", "a", 60, 4)}, {"journey.bare_pages": 3, "session.pace": 2}),
    ({"journey": Journey(assets=3, networks=4)}, {"journey.networks": 4}),
    ({"journey": Journey(assets=3, beats=9, beat_spread=120)}, {"journey.beat_spread": 0.12}),
]  # fmt: skip
SUBMISSIONS = [
    ({"velocity": counts("address/600", 4, 1)}, {"address.10m": 4}),
    ({"velocity": counts("prefix/3600", 9, 3)}, {"prefix.1h": 9, "prefix.each.1h": 3}),
    ({"velocity": counts("browser/3600", 9, 3)}, {"browser.1h": 9, "browser.addresses.1h": 3}),
    ({"velocity": counts("email/86400", 5, 4)}, {"email.1d": 5, "email.networks.1d": 4}),
    ({"velocity": counts("phone/86400", 5, 4)}, {"phone.1d": 5, "phone.networks.1d": 4}),
    ({"velocity": counts("phone_names/86400", 5, 4)}, {"crossing.names": 4}),
    ({"velocity": counts("email_phones/86400", 5, 4)}, {"crossing.phones": 4}),
    ({"velocity": counts("phone_emails/86400", 5, 4)}, {"crossing.emails": 4}),
    ({"velocity": counts("text_emails/86400", 5, 4)}, {"crossing.texts": 4}),
    ({"session": Session("cookie", "a", 5, 0)}, {"session.landings": 0, "session.age": 5}),
    ({"token": RenderToken("forged", 2_500, 3)}, {"token.bad": 1, "token.age": 2.5, "token.uses": 3}),
    ({"duplicate": Duplicate(4, 6)}, {"duplicate.body": 4, "duplicate.contact": 6}),
    ({"lead": text("1234 http://x.example www.y.example 5678")}, {"lead.length": 40, "lead.digits": 0.2, "lead.links": 2}),
    ({"lead": Lead("quote", (("a", "same"), ("b", "same"), ("message", TEXT)), {"message": (TEXT,)})}, {"lead.repeated": 1}),
    ({"similar": Similar(9, 5, 12)}, {"similar.seen": 9, "similar.networks": 5}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changed", "wanted"),
    [(Kind.LANDING, *case) for case in LANDINGS] + [(Kind.SUBMISSION, *case) for case in SUBMISSIONS],
)
def test_a_fact_moves_its_features_and_no_others(
    kind: Kind, changed: dict[str, object], wanted: dict[str, float]
) -> None:
    before, after = values(observation(kind)), values(observation(kind, **changed))
    moved = {
        name
        for name in after
        if after[name] != before[name] and not (math.isnan(after[name]) and math.isnan(before[name]))
    }
    assert {name: after[name] for name in wanted} == pytest.approx(wanted)
    assert moved <= wanted.keys()


def test_every_feature_is_moved_by_some_case() -> None:
    for kind, cases in ((Kind.LANDING, LANDINGS), (Kind.SUBMISSION, SUBMISSIONS + LANDINGS)):
        assert set(NAMES[kind]) <= {name for _, wanted in cases for name in wanted} | {"session.1h"}


@pytest.mark.parametrize(
    ("fact", "begins"),
    [
        (
            "velocity",
            ("address.", "prefix.", "browser.", "session.1", "email.", "phone.", "crossing.", "click.browsers"),
        ),
        ("session", ("session.pace", "session.landings", "session.age", "journey.bare")),
        ("click", ("click.",)),
        ("token", ("token.uses",)),
        ("duplicate", ("duplicate.",)),
    ],
)
@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_not_known_or_known_in_part_is_nan(kind: Kind, fact: str, begins: tuple[str, ...]) -> None:
    base = {"click": CLICK} if kind is Kind.LANDING else {}
    if getattr(observation(kind, **base), fact) is None:
        return
    before = values(observation(kind, **base))
    for changed in ({fact: AWAY}, {"partial": ((fact, "the shared state was away"),)}):
        after = values(observation(kind, **{**base, **changed}))
        lost = {name for name in after if math.isnan(after[name]) and not math.isnan(before[name])}
        assert lost, (fact, changed)
        assert lost >= {name for name in before if name.startswith(begins) and not math.isnan(before[name])}
        assert all(name.startswith((*begins, fact)) for name in lost), lost


def test_erased_groups_and_sources_that_tell_little_are_not_known() -> None:
    few = values(observation(request=Request("GET", "/", (), complete=False)))
    assert math.isnan(few["headers.count"])
    assert math.isnan(few["agent.length"])
    erased = values(observation(Kind.SUBMISSION, lead=Unavailable("erased")))
    assert math.isnan(erased["lead.length"])
    assert math.isnan(erased["lead.repeated"])


def test_name_language_and_country_move_nothing() -> None:
    german = observation(Kind.SUBMISSION, network=Network(3320, "Telekom", "DE", (), "consumer"))
    said = (*FIELDS[:0], ("full_name", "Nguyễn Thị Hồng"), ("message", TEXT))
    other = observation(
        Kind.SUBMISSION,
        network=Network(45899, "VNPT", "VN", (), "consumer"),
        request=Request("GET", "/", (*HEADERS[:4], ("Accept-Language", "vi-VN,vi;q=0.9"))),
        lead=Lead("quote", said, {"message": (TEXT,)}),
        at=50_000_000_000,
    )
    assert str(vector(german)) == str(vector(other))


@pytest.mark.parametrize("feature", [*FEATURES[Kind.LANDING], *FEATURES[Kind.SUBMISSION]], ids=lambda f: f.name)
def test_every_feature_is_described(feature: Feature) -> None:
    assert feature.meaning
    assert feature.missing
    assert "{0}" in feature.say
    assert feature.most > 0
    for value in (0.0, 1.0, feature.most / 3):
        assert feature.back(feature.grown_on(value)) == pytest.approx(value)
    assert feature.grown_on(feature.most * 2) == feature.grown_on(feature.most)


def test_names_are_unique_and_shared_ones_mean_the_same() -> None:
    for kind in Kind:
        assert len(set(NAMES[kind])) == len(NAMES[kind]) >= 20
    for one in FEATURES[Kind.LANDING]:
        for other in FEATURES[Kind.SUBMISSION]:
            assert one.name != other.name or (one.unit, one.suspicious) == (other.unit, other.suspicious)


def test_amounts_are_said_as_people_say_them() -> None:
    assert [number(14.0), number(2.5), number(3.98)] == ["14", "2.5", "4"]
    assert [duration(5), duration(100), duration(7200), duration(200_000)] == [
        "5 seconds",
        "100 seconds",
        "2 hours",
        "2.3 days",
    ]
    hosting = next(f for f in FEATURES[Kind.LANDING] if f.name == "network.hosting")
    assert (hosting.amount(1), hosting.amount(0)) == ("yes", "no")

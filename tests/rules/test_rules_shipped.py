"""The shipped packs: whole, worded for people, and each composite with the case it exists for and the case it must not touch."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detectors import data_files
from detectors.observation import Click, Count, Kind, Observation, Session, Velocity
from detectors.signal import Signal
from geoip.network import Network
from rules.bands import BANDS, CATEGORIES
from rules.loader import Ruleset, load
from rules.verdict import Decision, Ivt, Verdict

Make = Callable[..., Observation]
RULES = load()
DETECTORS = Path(__file__).parents[2] / "detectors"
CROWD = Velocity.of({"address/3600": Count(400, 40)})
PHONES, CAMPUS, SERVERS = Network(kind="mobile"), Network(kind="education"), Network(kind="hosting")
FEW = Velocity.of({"address/3600": Count(400, 2)})
COOKIE = Session("cookie", "ab", 300, 4)


def judge(obs: Observation, *signals: str, rules: Ruleset = RULES) -> Verdict:
    return rules.judge([Signal(name, ("x", "y", "z")) for name in signals], obs, rules.policy(obs.kind))


@pytest.mark.parametrize("weight", RULES.weights.values(), ids=lambda weight: weight.id)
def test_every_signal_is_worded_weighed_and_classed(weight: Any) -> None:
    assert weight.band in BANDS or -5000 <= weight.millis <= 5000
    assert weight.ivt in ("none", "givt", "sivt")
    assert (weight.category in CATEGORIES) is (weight.ivt != "none"), "a class needs a category, and only a class"
    assert len(weight.text) > 10
    assert weight.text[0].isupper() or weight.text[0] == "{"
    assert not weight.text.endswith(".")
    assert re.fullmatch(r"[a-z_]+\.yaml:\d+", weight.source)


def test_every_signal_that_a_detector_names_has_a_weight() -> None:
    groups = "|".join({weight.group for weight in RULES.weights.values()})
    named = {
        found
        for path in DETECTORS.glob("*.py")
        for found in re.findall(rf'"((?:{groups})\.[a-z_]+(?:\.[a-z_]+)*)"', path.read_text("utf-8"))
        if not found.endswith(("landing", "submission", ".yaml"))
    }
    assert len(named) > 40
    assert named <= RULES.weights.keys()


def test_every_velocity_limit_has_a_weight() -> None:
    table, _ = data_files.load("velocity_limits.yaml")
    named = {f"velocity.{name}" for name in table["limits"]}
    assert len(named) > 8
    assert named <= RULES.weights.keys()


def test_the_packs_are_the_two_that_routes_ask_for() -> None:
    landing, form = RULES.policy(Kind.LANDING), RULES.policy(Kind.SUBMISSION)
    assert (landing.pack, landing.review_below, landing.undecided_below) == ("landing-page", 50, 50)
    assert (form.pack, form.review_below, form.undecided_below) == ("lead-form", 65, 50)


@pytest.mark.parametrize("composite", [c for p in RULES.packs.values() for c in p.composites], ids=lambda c: c.name)
def test_every_composite_tells_its_story_and_leaves_decisive_signals_alone(composite: Any) -> None:
    assert len(composite.text) > 20
    touched = {*composite.remove, *(name for name, _ in composite.replace), *(name for name, _ in composite.add)}
    assert not any(RULES.weights[name].decisive for name in touched)
    assert all(millis < BANDS["decisive"] for _, millis in (*composite.replace, *composite.add))


def test_a_clean_visitor_has_95_and_one_informative_finding_changes_nothing(landing: Make, submission: Make) -> None:
    assert judge(landing()).quality == judge(submission()).quality == 95
    for name, weight in RULES.weights.items():
        if weight.millis == 0:
            assert judge(submission(), name).quality == 95, name


def test_a_single_finding_below_high_never_holds_anybody(landing: Make, submission: Make) -> None:
    for name, weight in RULES.weights.items():
        verdict = judge(submission(), name)
        if abs(weight.millis) < BANDS["high"]:
            assert verdict.decision is Decision.ACCEPT, name
        if weight.millis <= BANDS["high"]:
            assert judge(landing(), name).decision is Decision.ACCEPT, name


def test_verified_crawlers_open_landing_pages_and_nothing_else_does(landing: Make, submission: Make) -> None:
    for name in RULES.weights:
        verdict = judge(landing(), "form.honeypot", name)
        assert (verdict.decision is Decision.ACCEPT) is (name in ("crawler.verified", "crawler.ads_verified")), name
        assert judge(submission(), "form.honeypot", name).decision is Decision.REJECT
    ads = judge(landing(), "crawler.ads_verified", "network.hosting", "header.order", "velocity.address.landing")
    assert (ads.decision, ads.ivt, ads.category) == (Decision.ACCEPT, Ivt.GIVT, "known crawler")


FLOODED = ("campaign.form_flood", "session.no_assets")
EXCESS = ("campaign.flood", "campaign.excess_click")
CLICKS = Velocity.of({"address/86400": Count(24, 3), "paid/86400": Count(23, 23)})
READS = Velocity.of({"address/86400": Count(60, 3), "paid/86400": Count(23, 23)})
CASES = [
    # composite, kind, signals, facts, does it apply
    ("shared-address", "landing", ("velocity.address.landing",), {"velocity": CROWD, "network": PHONES}, True),
    ("shared-address", "landing", ("velocity.prefix.landing",), {"velocity": CROWD, "network": CAMPUS}, True),
    ("shared-address", "landing", ("velocity.address.landing",), {"velocity": FEW, "network": PHONES}, False),
    ("shared-address", "landing", ("velocity.address.landing",), {"velocity": CROWD, "network": SERVERS}, False),
    ("in-app-browser", "landing", ("header.missing",), {"click": Click("meta", "fbclid", "d", 60)}, True),
    (
        "in-app-browser",
        "landing",
        ("header.order", "bot.unusual_agent"),
        {"click": Click("tiktok", "ttclid", "d", 60)},
        True,
    ),
    (
        "in-app-browser",
        "landing",
        ("header.order", "bot.headless"),
        {"click": Click("tiktok", "ttclid", "d", 60)},
        False,
    ),
    ("in-app-browser", "landing", ("header.order",), {"click": Click("google", "gclid", "d", 60)}, False),
    (
        "in-app-browser",
        "landing",
        ("header.order", "network.hosting"),
        {"click": Click("meta", "fbclid", "d", 60)},
        False,
    ),
    ("company-behind-data-centre", "landing", ("network.hosting",), {"session": COOKIE}, True),
    (
        "company-behind-data-centre",
        "landing",
        ("network.hosting",),
        {"session": Session("derived", "ab", 300, 4)},
        False,
    ),
    ("company-behind-data-centre", "landing", ("network.hosting", "header.order"), {"session": COOKIE}, False),
    (
        "shared-address",
        "submission",
        ("velocity.address.submission",),
        {"velocity": CROWD, "network": Network(kind="proxy")},
        True,
    ),
    ("shared-address", "submission", ("velocity.address.submission",), {"velocity": CROWD}, False),
    ("quick-but-known", "submission", ("form.too_fast",), {"session": COOKIE}, True),
    ("quick-but-known", "submission", ("form.too_fast", "lead.known_contact"), {}, True),
    ("quick-but-known", "submission", ("form.too_fast",), {}, False),
    ("quick-but-known", "submission", ("form.too_fast", "lead.known_contact", "bot.http_library"), {}, False),
    ("company-behind-data-centre", "submission", ("network.hosting",), {"session": COOKIE}, True),
    ("number-of-nobody", "submission", ("crossing.phone_names", "phone.fictional"), {}, True),
    ("number-of-nobody", "submission", ("crossing.phone_names",), {}, False),
    ("company-behind-data-centre", "submission", ("network.hosting", "bot.headless"), {"session": COOKIE}, False),
    (
        "post-without-page",
        "submission",
        ("token.missing", "network.hosting"),
        {"session": Session("derived", "ab", 0, 0, 1)},
        True,
    ),
    ("form-flood-visitor", "submission", FLOODED, {"session": Session("cookie", "ab", 30, 1)}, True),
    ("form-flood-visitor", "submission", FLOODED, {"session": Session("cookie", "ab", 90, 1)}, True),
    ("form-flood-visitor", "submission", FLOODED, {"session": Session("cookie", "ab", 90_000, 1)}, False),
    ("form-flood-visitor", "submission", FLOODED, {"session": Session("derived", "ab", 30, 1)}, True),
    ("form-flood-visitor", "submission", FLOODED, {"session": Session("derived", "ab", 90, 1)}, False),
    (
        "form-flood-visitor",
        "submission",
        FLOODED,
        {"session": Session("derived", "ab", 30, 1), "network": PHONES},
        False,
    ),
    ("form-flood-visitor", "submission", FLOODED[:1], {"session": Session("cookie", "ab", 30, 1)}, False),
    (
        "form-flood-visitor",
        "submission",
        (*FLOODED, "lead.known_contact"),
        {"session": Session("cookie", "ab", 30, 1)},
        False,
    ),
    ("flood-visitor", "landing", ("campaign.flood", "click.many_from_one"), {}, True),
    ("flood-visitor", "landing", ("campaign.flood", "session.no_assets"), {"session": COOKIE}, True),
    (
        "flood-visitor",
        "landing",
        ("campaign.flood", "session.no_assets"),
        {"session": Session("derived", "ab", 60, 2)},
        False,
    ),
    (
        "flood-visitor",
        "landing",
        ("campaign.flood", "session.no_assets"),
        {"session": Session("derived", "ab", 60, 4), "network": PHONES},
        False,
    ),
    ("flood-click", "landing", EXCESS, {}, True),
    ("flood-click", "landing", (*EXCESS, "network.language_country"), {}, True),
    ("flood-click", "landing", (*EXCESS, "session.no_assets"), {"session": Session("derived", "ab", 60, 2)}, True),
    ("flood-click", "landing", (*EXCESS, "session.no_assets"), {"session": COOKIE}, False),
    ("flood-click", "landing", (*EXCESS, "session.regular"), {}, False),
    ("flood-click", "landing", EXCESS, {"network": SERVERS}, False),
    ("clicks-for-their-own-sake", "landing", ("click.many_from_one",), {"velocity": CLICKS}, True),
    ("clicks-for-their-own-sake", "landing", ("click.many_from_one",), {"velocity": CLICKS, "network": PHONES}, False),
    ("clicks-for-their-own-sake", "landing", ("click.many_from_one",), {"velocity": READS}, False),
    ("clicks-for-their-own-sake", "landing", ("click.many_from_one", "campaign.flood"), {"velocity": CLICKS}, False),
    ("slip-of-the-pen", "submission", ("email.no_mail", "email.mistyped"), {}, True),
    ("slip-of-the-pen", "submission", ("email.no_mail",), {}, False),
    ("name-from-elsewhere", "submission", ("name.gibberish", "phone.network_country"), {}, True),
    ("name-from-elsewhere", "submission", ("name.gibberish", "text.language"), {}, True),
    ("name-from-elsewhere", "submission", ("name.gibberish", "phone.invalid"), {}, False),
    ("pointer-led-along", "submission", ("pointer.full_stop", "pointer.straight"), {}, True),
    ("pointer-led-along", "submission", ("pointer.full_stop", "pointer.even_steps"), {}, False),
    ("post-without-page", "submission", ("token.missing",), {"session": Session("derived", "ab", 0, 0, 1)}, False),
    ("post-without-page", "submission", ("token.missing", "network.hosting"), {"session": None}, False),
    (
        "post-without-page",
        "submission",
        ("token.missing", "network.hosting"),
        {"session": Session("derived", "ab", 0, 0, 1), "partial": (("session", "redis: no answer"),)},
        False,
    ),
]


@pytest.mark.parametrize(("name", "kind", "signals", "facts", "applies"), CASES)
def test_each_composite(
    landing: Make,
    submission: Make,
    name: str,
    kind: str,
    signals: tuple[str, ...],
    facts: dict[str, Any],
    applies: bool,
) -> None:
    verdict = judge((landing if kind == "landing" else submission)(**facts), *signals)
    assert (name in [applied.name for applied in verdict.composites]) is applies


def test_no_composite_is_without_a_case() -> None:
    shipped = {(composite.name, str(pack.kind)) for pack in RULES.packs.values() for composite in pack.composites}
    assert shipped == {(name, kind) for name, kind, _, _, applies in CASES if applies}


def test_a_scripted_post_from_a_data_centre_is_held_with_its_class(submission: Make) -> None:
    obs = submission(session=Session("derived", "ab", 0, 0, 1))
    verdict = judge(obs, "token.missing", "network.hosting")
    assert (verdict.decision, verdict.ivt) == (Decision.REVIEW, Ivt.SIVT)
    assert verdict.nearest.startswith("Without ")


def test_five_hundred_phones_behind_one_address_are_people(landing: Make) -> None:
    verdict = judge(
        landing(velocity=CROWD, network=PHONES), "velocity.address.landing", "velocity.prefix.landing", "network.mobile"
    )
    assert (verdict.decision, verdict.quality, verdict.ivt) == (Decision.ACCEPT, 94, Ivt.VALID)

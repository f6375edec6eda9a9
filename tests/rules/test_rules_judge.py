from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from detectors.observation import Click, Client, Duplicate, Observation, RenderToken, Request, Unavailable
from detectors.signal import Signal
from geoip.network import Network
from rules.lists import ListHit
from rules.loader import Ruleset, load
from rules.verdict import Decision, Ivt, Verdict

Packs = Callable[..., Path]
Make = Callable[..., Observation]

ALLOW = ListHit(True, "office", "address")
DENY = ListHit(False, "pest", "network AS64496")
GONE = Unavailable("not told")
HONEYPOT = Signal("form.honeypot", ("website",))
CRAWLER = Signal("crawler.verified", ("Googlebot",))
DISPOSABLE = Signal("email.disposable", ("trash.example",))
FAST = Signal("form.too_fast")
TOR = Signal("network.tor")
HOSTING = Signal("network.hosting", ("AS1",))


def judge(
    rules: Ruleset, obs: Observation, *signals: Signal, hit: ListHit | None = None, review_below: int | None = None
) -> Verdict:
    return rules.judge(signals, obs, rules.policy(obs.kind, review_below=review_below), hit)


@pytest.fixture
def rules(packs: Packs) -> Ruleset:
    return load(packs())


def test_a_clean_visitor(rules: Ruleset, landing: Make) -> None:
    verdict = judge(rules, landing())
    assert (verdict.decision, verdict.quality, verdict.confidence, verdict.ivt) == (Decision.ACCEPT, 95, 100, Ivt.VALID)
    assert (verdict.score, verdict.decided_by, verdict.reasons, verdict.category) == (
        -3000,
        "threshold review_below 50",
        (),
        None,
    )
    assert verdict.nearest == (
        "Findings worth 3.0 more against it would take quality below 50, and the visitor would be flagged for review"
    )


@pytest.mark.parametrize(
    ("hit", "signals", "decision", "decided_by"),
    [
        (ALLOW, (CRAWLER, HONEYPOT, DISPOSABLE), Decision.ACCEPT, "allow list office (address)"),
        (DENY, (CRAWLER, HONEYPOT), Decision.ACCEPT, "allowed crawler.verified"),
        (DENY, (HONEYPOT,), Decision.REJECT, "deny list pest (network AS64496)"),
        (DENY, (), Decision.REJECT, "deny list pest (network AS64496)"),
        (None, (HONEYPOT,), Decision.REJECT, "decisive form.honeypot"),
        (None, (TOR, DISPOSABLE, FAST, HOSTING), Decision.REVIEW, "threshold review_below 50"),
        (None, (TOR,), Decision.ACCEPT, "threshold review_below 50"),
    ],
)
def test_the_order_of_what_decides(
    rules: Ruleset, landing: Make, hit: ListHit | None, signals: tuple[Signal, ...], decision: Decision, decided_by: str
) -> None:
    verdict = judge(rules, landing(), *signals, hit=hit)
    assert (verdict.decision, verdict.decided_by) == (decision, decided_by)


def test_a_pack_allows_only_where_it_says_so(rules: Ruleset, submission: Make) -> None:
    assert judge(rules, submission(), CRAWLER, HONEYPOT).decision is Decision.REJECT


def test_a_verified_crawler_is_let_in_and_is_known_as_one(rules: Ruleset, landing: Make) -> None:
    verdict = judge(rules, landing(), CRAWLER, TOR, FAST, DISPOSABLE)
    assert (verdict.decision, verdict.ivt, verdict.category) == (Decision.ACCEPT, Ivt.GIVT, "known crawler")
    assert verdict.nearest == "Without crawler.verified quality would be 3 and the visitor would be flagged for review"


def test_heuristics_never_reject_however_many(rules: Ruleset, submission: Make) -> None:
    everything = [Signal(name) for name, weight in rules.weights.items() if not weight.decisive]
    verdict = judge(rules, submission(), *everything)
    assert verdict.quality < 5
    assert verdict.decision is Decision.REVIEW


def test_a_fact_at_half_strength_weighs_but_does_not_reject(rules: Ruleset, submission: Make) -> None:
    verdict = judge(rules, submission(), Signal("form.honeypot", ("x",), 0.5))
    assert (verdict.decision, verdict.score, verdict.reasons[0].decisive) == (Decision.REVIEW, 1000, False)


def test_the_two_thresholds(rules: Ruleset, landing: Make, submission: Make) -> None:
    assert judge(rules, landing(), DISPOSABLE).decision is Decision.ACCEPT
    assert judge(rules, submission(), DISPOSABLE).decision is Decision.REVIEW
    assert judge(rules, submission(), DISPOSABLE, review_below=60).decision is Decision.ACCEPT
    assert judge(rules, submission(), DISPOSABLE, FAST, TOR, review_below=0).decision is Decision.ACCEPT


def test_a_form_that_could_not_be_read_is_held_and_undecided(rules: Ruleset, submission: Make) -> None:
    for lead in (GONE, None):
        verdict = judge(rules, submission(lead=lead))
        assert (verdict.decision, verdict.ivt) == (Decision.REVIEW, Ivt.UNDECIDED)
        assert verdict.decided_by == "undecided: the form could not be read"
        assert verdict.nearest == "Had the form been readable, the lead would have been judged by its content"
        assert judge(rules, submission(lead=lead), HONEYPOT).decision is Decision.REJECT
        assert judge(rules, submission(lead=lead), hit=ALLOW).decision is Decision.ACCEPT


def test_too_few_facts_leave_the_class_open_and_reject_nobody(rules: Ruleset, landing: Make) -> None:
    obs = landing(client=GONE, network=GONE, session=GONE)
    verdict = judge(rules, obs)
    assert (verdict.confidence, verdict.ivt, verdict.decision) == (40, Ivt.UNDECIDED, Decision.ACCEPT)
    assert verdict.decided_by == "undecided: confidence 40 below 50"
    assert verdict.unavailable == (("client", "not told"), ("network", "not told"), ("session", "not told"))
    assert judge(rules, obs, TOR, FAST).decision is Decision.REVIEW
    assert judge(rules, obs, HONEYPOT).decision is Decision.REJECT


@pytest.mark.parametrize(
    ("facts", "confidence", "missing"),
    [
        ({}, 100, []),
        ({"session": None}, 100, []),
        ({"network": GONE}, 80, ["network"]),
        ({"network": GONE, "session": None}, 75, ["network"]),
        (
            {"client": GONE, "network": GONE, "velocity": GONE, "session": GONE},
            20,
            ["client", "network", "velocity", "session"],
        ),
        ({"request": Request("GET", "/", (), complete=False)}, 80, ["request"]),
        ({"request": Request("GET", "/", (("Host", "x"),), complete=False)}, 100, []),
        ({"request": Request("GET", "/", ())}, 100, []),
        ({"click": GONE}, 83, ["click"]),
    ],
)
def test_confidence_is_the_share_of_expected_facts(
    rules: Ruleset, landing: Make, facts: dict[str, object], confidence: int, missing: list[str]
) -> None:
    verdict = judge(rules, landing(**facts))
    assert (verdict.confidence, [name for name, _ in verdict.unavailable]) == (confidence, missing)


def test_checks_that_broke_are_shown_and_leave_confidence_alone(rules: Ruleset, landing: Make) -> None:
    verdict = rules.judge((), landing(), rules.policy(landing().kind), None, [("detector email", "KeyError")])
    assert (verdict.unavailable, verdict.confidence) == ((("detector email", "KeyError"),), 100)


@pytest.mark.parametrize(
    ("signals", "decision", "ivt", "category"),
    [
        ((), Decision.ACCEPT, Ivt.VALID, None),
        ((HOSTING,), Decision.ACCEPT, Ivt.VALID, None),  # 1.4 is below the floor for accepted traffic
        ((TOR,), Decision.ACCEPT, Ivt.SIVT, "false representation"),
        ((TOR, Signal("network.home")), Decision.ACCEPT, Ivt.VALID, None),  # trust counts
        ((HOSTING, Signal("velocity.address")), Decision.ACCEPT, Ivt.GIVT, "data center"),
        ((HOSTING, FAST, DISPOSABLE), Decision.REVIEW, Ivt.GIVT, "data center"),  # a tie is the smaller claim
        ((FAST, DISPOSABLE), Decision.REVIEW, Ivt.SIVT, "automated browsing"),
        (
            (Signal("network.hosting", (), 0.5), DISPOSABLE, Signal("email.several")),
            Decision.REVIEW,
            Ivt.UNDECIDED,
            None,
        ),
        ((HONEYPOT,), Decision.REJECT, Ivt.SIVT, "automated browsing"),
        ((HONEYPOT, HOSTING), Decision.REJECT, Ivt.SIVT, "automated browsing"),
    ],
)
def test_the_class_of_traffic(
    rules: Ruleset, landing: Make, signals: tuple[Signal, ...], decision: Decision, ivt: Ivt, category: str | None
) -> None:
    verdict = judge(rules, landing(), *signals)
    assert (verdict.decision, verdict.ivt, verdict.category) == (decision, ivt, category)


def test_a_poor_lead_is_valid_traffic_and_a_slight_sign_leaves_it_open(rules: Ruleset, submission: Make) -> None:
    assert judge(rules, submission(), DISPOSABLE).ivt is Ivt.VALID
    assert judge(rules, submission(), DISPOSABLE, Signal("form.too_fast", (), 0.3)).ivt is Ivt.UNDECIDED


def test_lists_decide_what_is_done_never_what_traffic_is(rules: Ruleset, landing: Make) -> None:
    assert judge(rules, landing(), hit=DENY).ivt is Ivt.VALID
    assert judge(rules, landing(), FAST, hit=DENY).ivt is Ivt.SIVT
    assert judge(rules, landing(), TOR, FAST, hit=ALLOW).ivt is Ivt.SIVT


@pytest.mark.parametrize(
    ("signals", "hit", "nearest"),
    [
        (
            (DISPOSABLE, Signal("form.too_fast", (), 0.2)),
            None,
            "Without email.disposable (2.5) quality would be 94 and the lead would be accepted",
        ),
        ((FAST, HOSTING), None, "Without form.too_fast (1.4) quality would be 83 and the lead would be accepted"),
        (
            (TOR, HOSTING, FAST),
            None,
            "No single finding decided this. Without all of the group network quality would be 83 and the lead would be accepted",
        ),
        (
            (TOR, HOSTING, FAST, DISPOSABLE),
            None,
            "No single finding and no single group decided this. With an allow-list entry the lead would be accepted",
        ),
        ((HONEYPOT,), None, "Without form.honeypot quality would be 95 and the lead would be accepted"),
        (
            (HONEYPOT, DISPOSABLE),
            None,
            "Without form.honeypot quality would be 62 and the lead would be held for review",
        ),
        ((), DENY, "Without the deny list pest (network AS64496) quality would be 95 and the lead would be accepted"),
        (
            (HONEYPOT,),
            ALLOW,
            "Without the allow list office (address) quality would be 1 and the lead would be rejected",
        ),
        (
            (HOSTING,),
            None,
            "Findings worth 1.0 more against it (about one low one) would take quality below 65, and the lead would be held for review",
        ),
    ],
)
def test_the_nearest_change(
    rules: Ruleset, submission: Make, signals: tuple[Signal, ...], hit: ListHit | None, nearest: str
) -> None:
    assert judge(rules, submission(), *signals, hit=hit).nearest == nearest


def test_the_nearest_change_is_tried_with_the_rules_it_may_silence(packs: Packs, submission: Make) -> None:
    text = """
pack: lead-form
kind: submission
prior: -3.0
thresholds: {review_below: 65, undecided_below: 50}
composites:
  - {name: home-excuses, on: [network.home], when: 'signal("form.too_fast")', then: {remove: [network.tor]}}
  - {name: pair, on: [email.role], when: "true", then: {add: {network.tor: high}}}
"""
    rules = load(packs({"lead-form": text}))
    # By sums alone form.too_fast would be the smallest; but without it home-excuses is silent and network.tor counts again.
    signals = (FAST, Signal("network.home"), TOR, Signal("email.disposable", ("x",), 0.8))
    verdict = judge(rules, submission(), *signals)
    assert (verdict.decision, [c.name for c in verdict.composites]) == (Decision.REVIEW, ["home-excuses"])
    assert verdict.nearest.startswith("Without email.disposable (2.0) quality would be 91")
    added = judge(rules, submission(), Signal("email.role"), Signal("email.disposable", ("x",), 0.5))
    assert added.nearest == "Without email.role (0.0) quality would be 85 and the lead would be accepted"
    both = judge(rules, submission(), Signal("email.role"), DISPOSABLE)
    assert both.nearest == (
        "No single finding decided this. Without all of the group email quality would be 95 and the lead would be accepted"
    )


def test_a_decisive_finding_made_by_a_rule_names_the_rule(packs: Packs, submission: Make) -> None:
    text = """
pack: lead-form
kind: submission
prior: -3.0
thresholds: {review_below: 65, undecided_below: 50}
composites:
  - {name: no-tor, on: [network.tor], when: "true", then: {replace: {network.tor: decisive}}}
"""
    verdict = judge(load(packs({"lead-form": text})), submission(), TOR)
    assert (verdict.decision, verdict.decided_by) == (Decision.REJECT, "decisive network.tor")
    assert "Without the rule no-tor" in verdict.nearest


def test_judging_is_deterministic_and_leaves_no_personal_value(rules: Ruleset, submission: Make) -> None:
    obs = submission(client=Client("203.0.113.99"), network=Network(organisation="Org"))
    first, second = (judge(rules, obs, DISPOSABLE, HOSTING) for _ in range(2))
    assert first == second
    assert "203.0.113.99" not in repr(first)
    assert "a@b.example" not in repr(first)


REASON = "redis: no answer within 10 ms; counted in this process only"


def test_a_fact_known_in_part_counts_as_missing_and_the_verdict_says_so(rules: Ruleset, landing: Make) -> None:
    verdict = judge(rules, landing(partial=(("velocity", REASON), ("session", REASON))))
    assert verdict.unavailable == (("velocity", f"partial: {REASON}"), ("session", f"partial: {REASON}"))
    assert verdict.confidence == 60  # 3 of client, request, network, velocity, session
    assert (verdict.decision, verdict.ivt) == (Decision.ACCEPT, Ivt.VALID)


def test_a_fact_is_missing_once(rules: Ruleset, landing: Make) -> None:
    verdict = judge(rules, landing(velocity=GONE, partial=(("velocity", REASON), ("session", REASON))))
    assert verdict.unavailable == (("velocity", "not told"), ("session", f"partial: {REASON}"))
    assert verdict.confidence == 60


def test_what_a_partial_fact_shows_still_counts(rules: Ruleset, landing: Make) -> None:
    partial = landing(partial=(("velocity", REASON),))
    signals = (TOR, DISPOSABLE, FAST, Signal("velocity.address"))
    known, half = judge(rules, landing(), *signals), judge(rules, partial, *signals)
    assert (half.decision, half.score, half.reasons) == (known.decision, known.score, known.reasons)


def test_no_shared_state_alone_leaves_nothing_undecided(rules: Ruleset, landing: Make, submission: Make) -> None:
    """Where all of it is gone, half of what is expected is still known: the address, the headers, the network, the form."""
    gone = tuple((fact, REASON) for fact in ("velocity", "session", "click", "token", "duplicate"))
    click, token = Click("google", "gclid", "d", 20, 0), RenderToken("valid", 9_000, 0)
    for obs in (
        landing(click=click, partial=gone[:3]),
        submission(token=token, duplicate=Duplicate(0, 0), partial=(*gone[:2], *gone[3:])),
        submission(token=token, duplicate=Duplicate(0, 0), click=click, partial=(*gone[:2], *gone[3:])),
    ):
        verdict = judge(rules, obs)
        assert 50 <= verdict.confidence < 60
        assert (verdict.decision, verdict.ivt) == (Decision.ACCEPT, Ivt.VALID)

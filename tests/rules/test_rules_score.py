from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.observation import Kind, Observation
from detectors.signal import Signal
from geoip.network import Network
from rules.bands import BANDS, in_words
from rules.loader import Ruleset, load
from rules.score import quality, score_at
from rules.verdict import Decision, GroupSum, Verdict

Packs = Callable[..., Path]
Make = Callable[..., Observation]

RULES = """
pack: lead-form
kind: submission
prior: -3.0
thresholds: {review_below: 65, undecided_below: 50}
composites:
"""


def judge(rules: Ruleset, obs: Observation, *signals: Signal) -> Verdict:
    return rules.judge(signals, obs, rules.policy(obs.kind))


def counted(verdict: Verdict) -> dict[str, int]:
    return {reason.signal: reason.counted for reason in verdict.reasons}


def test_the_scale_doubles_and_the_prior_leaves_a_clean_visitor_at_95() -> None:
    assert quality(-3000) == 95
    assert quality(-3000 + BANDS["high"]) == 62
    assert quality(-3000 + BANDS["medium"]) == 83
    assert quality(BANDS["decisive"] - 3000) == 1
    assert [in_words(v) for v in (100, -700, 1300, 2600)] == ["hint", "low", "medium", "high"]


@given(st.integers(-60_000, 60_000))
def test_quality_falls_as_the_score_rises(score: int) -> None:
    assert 0 <= quality(score + 1) <= quality(score) <= 100


@pytest.mark.parametrize("below", range(1, 101))
def test_the_threshold_as_a_score_is_exact(below: int) -> None:
    assert quality(score_at(below)) < below <= quality(score_at(below) - 1)


def test_a_threshold_of_zero_reviews_nobody() -> None:
    assert score_at(0) > 100 * BANDS["decisive"]


def test_contributions_are_weight_times_strength_capped_by_group(packs: Packs, submission: Make) -> None:
    verdict = judge(
        load(packs()),
        submission(),
        Signal("velocity.address", strength=0.5),
        Signal("velocity.prefix"),
        Signal("network.hosting", ("AS1",)),
        Signal("network.home"),
    )
    assert counted(verdict) == {
        "velocity.address": 700,
        "velocity.prefix": 1400,
        "network.hosting": 1400,
        "network.home": -700,
    }
    assert verdict.groups == (GroupSum("velocity", 2100, 2000, 2000), GroupSum("network", 700, None, 700))
    assert verdict.score == -3000 + 2000 + 700
    assert verdict.quality == round(100 * (1 - 1 / (1 + math.exp(0.3))))


def test_a_cap_holds_trust_too_and_never_a_decisive_fact(packs: Packs, submission: Make) -> None:
    files = {
        "weights/form": "group: form\ncap: hint\nsignals:\n"
        "  form.honeypot: {band: decisive, ivt: sivt, text: x}\n"
        "  form.slow: {band: low, ivt: none, text: x}\n"
        "  form.calm: {band: trust-low, ivt: none, text: x}\n"
    }
    rules = load(packs(files))
    assert judge(rules, submission(), Signal("form.calm")).groups == (GroupSum("form", -700, 300, -300),)
    both = judge(rules, submission(), Signal("form.slow"), Signal("form.honeypot"))
    assert both.groups == (GroupSum("form", 8700, 300, 8300),)


def test_of_one_finding_reported_twice_only_the_stronger_counts(packs: Packs, submission: Make) -> None:
    rules = load(packs())
    for order in ((0.2, 1.0, 0.5), (1.0, 0.5, 0.2), (0.5, 0.2, 1.0)):
        verdict = judge(rules, submission(), *[Signal("email.disposable", (str(s),), s) for s in order])
        assert {r.evidence[0]: r.counted for r in verdict.reasons} == {"1.0": 2500, "0.5": 0, "0.2": 0}
        assert verdict.score == -500


@pytest.mark.parametrize(
    ("strength", "thousandths"), [(-1.0, 0), (0.0, 0), (0.333, 333), (7.0, 1000), (math.nan, 0), (math.inf, 1000)]
)
def test_strength_is_held_to_its_range(packs: Packs, submission: Make, strength: float, thousandths: int) -> None:
    assert judge(load(packs()), submission(), Signal("form.too_fast", (), strength)).reasons[0].strength == thousandths


def test_a_signal_that_no_file_knows_is_shown_and_weighs_nothing(packs: Packs, submission: Make) -> None:
    verdict = judge(load(packs()), submission(), Signal("new.thing", ("{0}",)))
    assert (verdict.score, verdict.reasons[0].weight, verdict.reasons[0].source) == (-3000, 0, "no weights file")
    assert "new.thing" in verdict.reasons[0].text


def test_evidence_fills_the_text_and_what_is_missing_reads_as_unknown(packs: Packs, submission: Make) -> None:
    verdict = judge(
        load(packs()), submission(), Signal("email.several", ("{1}{x}",)), Signal("email.role", ("unused",))
    )
    assert [r.text for r in verdict.reasons] == ["{1}{x} addresses, first at unknown", "A role"]


def test_a_composite_removes_and_says_so(packs: Packs, submission: Make) -> None:
    obs = submission(network=Network(kind="mobile"))
    verdict = judge(load(packs()), obs, Signal("velocity.address"), Signal("velocity.prefix", strength=0.5))
    assert verdict.score == -3000
    assert [(c.name, c.source, c.effects, c.text) for c in verdict.composites] == [
        (
            "shared-address",
            "lead-form.yaml:6",
            ("removed velocity.address (1.4)", "removed velocity.prefix (0.7)"),
            "Many people stand behind one address.",
        )
    ]
    assert {r.changed_by for r in verdict.reasons} == {"shared-address"}


def test_without_a_signal_it_is_on_a_composite_is_not_evaluated(packs: Packs, submission: Make) -> None:
    obs = submission(network=Network(kind="mobile"))
    verdict = judge(load(packs()), obs, Signal("velocity.prefix"))
    assert (verdict.composites, verdict.score) == ((), -1600)


def test_removals_come_first_then_replacements_then_additions_whatever_the_order_in_the_file(
    packs: Packs, submission: Make
) -> None:
    text = (
        RULES
        + """
  - {name: adds, on: [network.tor], when: "true", then: {add: {form.too_fast: hint, email.role: low}}}
  - {name: replaces, on: [network.tor], when: "true", then: {replace: {network.tor: low, form.too_fast: high}}}
  - {name: again, on: [network.tor], when: "true", then: {replace: {network.tor: hint, velocity.address: low}}}
  - {name: removes, on: [network.tor], when: 'signal("form.too_fast")', then: {remove: [form.too_fast]}}
"""
    )
    verdict = judge(load(packs({"lead-form": text})), submission(), Signal("network.tor"), Signal("form.too_fast"))
    assert counted(verdict) == {"network.tor": 300, "form.too_fast": 300, "email.role": 700}
    assert {r.signal: r.changed_by for r in verdict.reasons} == {
        "network.tor": "again",
        "form.too_fast": "adds",
        "email.role": "adds",
    }
    assert [(c.name, c.effects) for c in verdict.composites] == [
        ("adds", ("added form.too_fast (0.3)", "added email.role (0.7)")),
        ("replaces", ("changed network.tor from 2.5 to 0.7",)),
        ("again", ("changed network.tor from 0.7 to 0.3",)),
        ("removes", ("removed form.too_fast (1.4)",)),
    ]


def test_composites_see_what_detectors_reported_not_each_others_work(packs: Packs, submission: Make) -> None:
    text = (
        RULES
        + """
  - {name: removes, on: [network.tor], when: "true", then: {remove: [network.tor]}}
  - {name: adds, on: [network.tor], when: "true", then: {add: {email.role: low}}}
  - {name: still-sees, on: [network.tor], when: 'signal("network.tor")', then: {add: {form.too_fast: low}}}
  - {name: sees-no-addition, on: [network.tor], when: 'signal("email.role")', then: {add: {network.home: high}}}
"""
    )
    verdict = judge(load(packs({"lead-form": text})), submission(), Signal("network.tor"))
    assert counted(verdict) == {"network.tor": 0, "email.role": 700, "form.too_fast": 700}


def test_an_addition_never_makes_a_present_finding_smaller(packs: Packs, submission: Make) -> None:
    text = (
        RULES
        + '  - {name: adds, on: [network.tor], when: "true", then: {add: {network.tor: low, form.too_fast: high}}}\n'
    )
    verdict = judge(load(packs({"lead-form": text})), submission(), Signal("network.tor"), Signal("form.too_fast"))
    assert counted(verdict) == {"network.tor": 2500, "form.too_fast": 2500}


def test_a_replacement_keeps_the_strength(packs: Packs, submission: Make) -> None:
    text = RULES + '  - {name: r, on: [network.tor], when: "true", then: {replace: {network.tor: 2.0}}}\n'
    assert counted(judge(load(packs({"lead-form": text})), submission(), Signal("network.tor", (), 0.25))) == {
        "network.tor": 500
    }


def test_a_condition_without_an_answer_changes_nothing_and_is_shown(packs: Packs, submission: Make) -> None:
    text = (
        RULES
        + "  - {name: broken, on: [network.tor], when: '1 / session.submissions == 1', then: {remove: [network.tor]}}\n"
    )
    verdict = judge(load(packs({"lead-form": text})), submission(), Signal("network.tor"))
    assert verdict.score == -500
    assert verdict.unavailable == (("rule broken", "INVALID_ARGUMENT: divide by zero"),)
    assert verdict.confidence == 100


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["network.tor", "network.home", "velocity.address", "email.role", "x.y"]), st.floats(0, 1)
        )
    )
)
def test_more_trust_never_lowers_quality(found: list[tuple[str, float]]) -> None:
    rules = _RULES
    obs = _OBS
    signals = [Signal(name, (), strength) for name, strength in found if name != "network.home"]
    before = judge(rules, obs, *signals)
    after = judge(rules, obs, *signals, Signal("network.home"))
    assert after.quality >= before.quality
    assert before.decision is not Decision.REJECT
    assert before.score == rules.packs["landing-page"].prior + sum(group.counted for group in before.groups)


@pytest.fixture(autouse=True, scope="module")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    from detectors.observation import Client, Page, Request, Velocity

    directory = tmp_path_factory.mktemp("rules")
    (directory / "weights").mkdir()
    (directory / "weights" / "network.yaml").write_text(
        "group: network\ncap: 2.0\nsignals:\n  network.tor: {band: high, ivt: sivt, text: x}\n"
        "  network.home: {band: trust-low, ivt: none, text: x}\n"
    )
    (directory / "landing-page.yaml").write_text(
        "pack: landing-page\nkind: landing\nprior: -3\nthresholds: {review_below: 50, undecided_below: 50}\n"
    )
    global _RULES, _OBS
    _RULES = load(directory)
    _OBS = Observation(
        Kind.LANDING, "s", 0, Page("h", "/"), Client("192.0.2.1"), Request("GET", "/", ()), Network(), Velocity({})
    )


_RULES: Ruleset
_OBS: Observation

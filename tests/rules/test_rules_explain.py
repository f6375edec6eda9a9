from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from detectors.behaviour import Company
from detectors.observation import (
    Kind,
    Observation,
    Unavailable,
)
from detectors.signal import Signal
from geoip.network import Network
from rules.explain import FACT_NAMES, Explanation, explain
from rules.lists import ListHit
from rules.loader import Ruleset, load
from rules.verdict import Verdict
from rules.vocabulary import FACTS

Packs = Callable[..., Path]
Make = Callable[..., Observation]


@pytest.fixture
def rules(packs: Packs) -> Ruleset:
    return load(packs())


def judge(rules: Ruleset, obs: Observation, *signals: Signal, hit: ListHit | None = None) -> Verdict:
    return rules.judge(signals, obs, rules.policy(obs.kind), hit)


def section(explanation: Explanation, key: str) -> tuple[str, ...]:
    return next((s.lines for s in explanation.sections if s.key == key), ())


def test_where_somebody_works_is_told(rules: Ruleset, landing: Make) -> None:
    office = Network(64496, "Example Steel", "DE", (), "business")
    verdict = judge(rules, landing())
    told = explain(verdict, Kind.LANDING, network=office, company=Company("Example Steel", "steel.example"))
    assert section(told, "network") == (
        "Example Steel, AS64496, DE; kind of network: business",
        "In the own network of Example Steel (steel.example)",
    )
    nameless = explain(verdict, Kind.LANDING, network=office, company=Company("Example Steel"))
    assert section(nameless, "network")[1] == "In the own network of Example Steel"


def test_a_held_lead_in_full(rules: Ruleset, submission: Make) -> None:
    obs = submission(
        network=Network(64496, "Example Mobile", "DE", ("mobile:Example",), "mobile"),
        session=Unavailable("redis: timeout"),
    )
    verdict = judge(
        rules,
        obs,
        Signal("email.disposable", ("trash.example",)),
        Signal("email.several", ("2", "one.example")),
        Signal("form.too_fast", (), 0.5),
        Signal("network.home"),
        Signal("velocity.address"),
        Signal("email.role"),
    )
    text = explain(
        verdict,
        Kind.SUBMISSION,
        generation="g1",
        mode="monitor",
        network=Network(64496, "Example Mobile", "DE", ("mobile:E",), "mobile"),
    )
    assert (
        text.as_text()
        == """\
For review, and passed on (monitor mode): quality 62 of 100 (validity)

What decided
  Quality 62 is below the threshold of 65
  Undecided: what is known does not tell what kind of traffic this is. It counts neither as fraud nor as a saving
  Confidence 83 of 100: the share of expected facts that could be had
  The site is in monitor mode: this was recorded, nobody was stopped

What spoke against it
  A throw-away mailbox (trash.example) [high, 2.5] (email.disposable; weight from email.yaml:4)
  2 addresses, first at one.example [low, 0.7] (email.several; weight from email.yaml:6)
  Too fast [low, 0.7] (form.too_fast; at 50 % of its weight; weight from form.yaml:4)

What spoke for it
  A home connection [low, 0.7] (network.home; weight from network.yaml:5)

What was noted without weight
  Many from one address [not counted: shared-address] (velocity.address; weight from velocity.yaml:4)
  A role [informative] (email.role; weight from email.yaml:5)

Which rules changed what
  shared-address: removed velocity.address (1.4) (lead-form.yaml:6). Many people stand behind one address

Where a group of findings was limited
  email: findings worth 3.2 counted as 2.5, because findings of one kind often have one cause

What could not be checked
  the visitor's session: redis: timeout

Where it came from
  Example Mobile, AS64496, DE; kind of network: mobile

What would have altered it
  Without form.too_fast (0.7) quality would be 77 and the lead would be accepted

Judged by
  configuration, rules and lists of generation g1"""
    )


@pytest.mark.parametrize(
    ("signals", "hit", "headline", "decided"),
    [
        ((), None, "Accepted: quality 95 of 100 (validity)", "Quality 95 is not below the threshold of 65"),
        (
            (Signal("form.honeypot", ("website",)),),
            None,
            "Rejected, and kept: quality 1 of 100 (validity)",
            "Something no real visitor produces (form.honeypot): A hidden field was filled in (website)",
        ),
        (
            (),
            ListHit(False, "pest", "range /24", "kept filling in our form"),
            "Rejected, and kept: quality 95 of 100 (validity)",
            "Your deny list: pest (range /24). Lists win over everything that was found",
        ),
    ],
)
def test_what_decided_is_said_first(
    rules: Ruleset, submission: Make, signals: tuple[Signal, ...], hit: ListHit | None, headline: str, decided: str
) -> None:
    told = explain(judge(rules, submission(), *signals, hit=hit), Kind.SUBMISSION)
    assert told.headline == headline
    assert section(told, "decided")[0] == decided


def test_a_verified_crawler_and_a_form_that_could_not_be_read(rules: Ruleset, landing: Make, submission: Make) -> None:
    told = explain(judge(rules, landing(), Signal("crawler.verified", ("Googlebot",))), Kind.LANDING)
    assert section(told, "decided")[:2] == (
        "Always let in by the rules (crawler.verified): A verified crawler (Googlebot)",
        "General invalid traffic (found by routine means, such as lists of known programs and data centres); category: known crawler",
    )
    told = explain(judge(rules, submission(lead=Unavailable("body_too_large"))), Kind.SUBMISSION)
    assert (
        section(told, "decided")[0]
        == "Could not be decided: the form could not be read. Without enough facts nobody is rejected"
    )
    assert section(told, "unchecked") == ("the form's content: body_too_large",)


def test_a_landing_is_flagged_not_held(rules: Ruleset, landing: Make) -> None:
    verdict = judge(rules, landing(), Signal("network.tor"), Signal("email.disposable", ("x",)))
    told = explain(verdict, Kind.LANDING, mode="enforce")
    assert told.headline.startswith("Flagged for review: quality ")
    assert not any("mode" in line for line in section(told, "decided"))


def test_empty_sections_are_left_out_and_programs_can_read_the_rest(rules: Ruleset, landing: Make) -> None:
    told = explain(judge(rules, landing()), Kind.LANDING)
    assert [s.key for s in told.sections] == ["decided", "change"]
    assert msgspec.json.decode(msgspec.json.encode(told), type=Explanation) == told


def test_a_verdict_read_back_from_a_record_explains_itself_the_same(rules: Ruleset, submission: Make) -> None:
    verdict = judge(rules, submission(), Signal("email.disposable", ("x",)), Signal("form.honeypot", ("y",)))
    again = msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict)
    assert explain(again, Kind.SUBMISSION) == explain(verdict, Kind.SUBMISSION)


def test_every_fact_has_a_name_for_people() -> None:
    assert FACT_NAMES.keys() == set(FACTS)


def test_a_network_without_a_name(rules: Ruleset, landing: Make) -> None:
    told = explain(judge(rules, landing()), Kind.LANDING, network=Network())
    assert section(told, "network") == ("an unknown organisation",)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (
            "redis: no answer within 10 ms; counted in this process only",
            "how often this visitor came: partial, counted in this process only (redis: no answer within 10 ms)",
        ),
        ("redis: another server took over", "how often this visitor came: partial (redis: another server took over)"),
    ],
)
def test_what_was_known_in_part_is_said_in_words(rules: Ruleset, landing: Make, why: str, said: str) -> None:
    told = explain(judge(rules, landing(partial=(("velocity", why),))), Kind.LANDING)
    assert section(told, "unchecked") == (said,)
    assert "Confidence 80 of 100: the share of expected facts that could be had" in section(told, "decided")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("reserved:loopback", "Not a public address: it is the machine itself"),
        (
            "reserved:private",
            "Not a public address: it is of a network of its own, such as an office's, or of a proxy in front",
        ),
        ("reserved:benchmark", "Not a public address: it is set aside for other uses (benchmark)"),
    ],
)
def test_an_address_that_nobody_on_the_internet_has(rules: Ruleset, landing: Make, label: str, said: str) -> None:
    told = explain(judge(rules, landing()), Kind.LANDING, network=Network(labels=(label,), kind="reserved"))
    (line,) = section(told, "network")
    assert line.startswith(said)


def test_texts_read_well_whatever_number_stands_in_them() -> None:
    """ "(1 browsers)" does not."""
    told = {name: weight.text for name, weight in load().weights.items() if "browsers" in weight.text}
    assert "velocity.address.landing" in told and "click.many_from_one" in told
    for text in told.values():
        assert "} browsers" not in text, text

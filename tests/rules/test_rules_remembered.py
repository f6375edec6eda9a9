"""Verdicts that are remembered are those that would be reached again."""

from __future__ import annotations

import itertools

import pytest

from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable, Velocity
from detectors.signal import Signal
from geoip.network import Network
from rules import loader
from rules.lists import ListHit
from rules.ruleset import KNOWN, Ruleset

SIGNALS = (
    (),
    (Signal("bot.http_library", ("curl",)),),
    (Signal("bot.http_library", ("Go",)),),
    (Signal("bot.http_library", ("curl",), 0.5),),
    (Signal("bot.scanner", ("sqlmap",)),),
    (Signal("email.disposable", ("a.example", "list")), Signal("token.missing")),
)
LISTS = (None, ListHit(True, "office", "address"), ListHit(False, "bad", "address"))
GONE = Unavailable("redis: timeout")


def observation(kind: Kind, velocity: Velocity | Unavailable, lead: Lead | Unavailable | None) -> Observation:
    return Observation(
        kind, "acme", 0, Page("h", "/"), Client("203.0.113.5"), Request("GET", "/", ()), Network(), velocity, lead=lead
    )


OBSERVATIONS = tuple(
    observation(kind, velocity, lead)
    for kind in Kind
    for velocity in (Velocity({}), GONE)
    for lead in ((None,) if kind is Kind.LANDING else (None, GONE, Lead("quote", ())))
)


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return loader.load()


def test_remembering_changes_no_verdict(ruleset: Ruleset) -> None:
    fresh = loader.load()
    for _ in range(2):
        for signals, hit, obs, below in itertools.product(SIGNALS, LISTS, OBSERVATIONS, (None, 10, 99)):
            policy = ruleset.policy(obs.kind, review_below=below)
            fresh._known.clear()
            for failures in ((), (("detector email", "KeyError"),)):
                assert ruleset.judge(signals, obs, policy, hit, failures) == fresh.judge(
                    signals, obs, policy, hit, failures
                )


def test_what_composites_look_at_is_never_remembered(ruleset: Ruleset) -> None:
    policy = ruleset.policy(Kind.LANDING)
    watched = next(iter(ruleset._due[policy.pack]))
    before = len(ruleset._known)
    ruleset.judge([Signal(watched)], OBSERVATIONS[0], policy)
    assert len(ruleset._known) == before


def test_memory_is_bounded(ruleset: Ruleset) -> None:
    policy = ruleset.policy(Kind.LANDING)
    for number in range(KNOWN + 10):
        ruleset.judge([Signal("bot.http_library", (str(number),))], OBSERVATIONS[0], policy)
    assert len(ruleset._known) <= KNOWN

"""Contacts that cross, and texts that come again."""

from __future__ import annotations

import pytest

from detectors.behaviour import Similar
from detectors.crossings import SIGNALS, detect
from detectors.observation import (
    Client,
    Count,
    Kind,
    Observation,
    Page,
    Request,
    Unavailable,
    Velocity,
)
from detectors.reference import Reference
from detectors.repeats import RepeatLimits
from detectors.signal import Signal
from rules.vocabulary import DIMENSIONS

GONE = Unavailable("test")
REFERENCE = Reference.builtin()
LIMITS = RepeatLimits.builtin()
COPIED = Similar(seen=40, networks=30, words=60, form=500)


def found(counts: dict[str, tuple[int, int]], similar: Similar | None = None) -> list[Signal]:
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=GONE,
        velocity=Velocity.of({key: Count(*numbers) for key, numbers in counts.items()}),
        similar=similar,
    )
    return list(detect(obs, REFERENCE))


def test_every_crossing_is_counted_and_has_limits() -> None:
    assert SIGNALS.keys() == LIMITS.crossings.keys() <= set(DIMENSIONS)


@pytest.mark.parametrize("dimension", ["email_phones", "phone_emails", "phone_names", "name_emails"])
def test_a_family_and_a_correction_are_ordinary(dimension: str) -> None:
    assert not found({f"{dimension}/3600": (9, 3), f"{dimension}/86400": (30, 4)})


def test_members_count_and_not_events() -> None:
    assert not found({"phone_names/3600": (60, 1), "phone_names/86400": (90, 2)})
    (signal,) = found({"phone_names/3600": (20, 20), "phone_names/86400": (20, 20)})
    assert signal == Signal("crossing.phone_names", ("20", "an hour"), 1.0)


def test_a_day_of_an_agent_speaks_softly() -> None:
    (signal,) = found({"email_phones/3600": (3, 3), "email_phones/86400": (80, 64)})
    assert signal == Signal("crossing.email_phones", ("64 or more", "a day"), 0.6)


def test_one_text_of_many_addresses_unless_it_is_the_forms_own() -> None:
    counts = {"text_emails/3600": (12, 12), "text_emails/86400": (40, 40)}
    (signal,) = found(counts, COPIED)
    assert signal.id == "crossing.text_addresses"
    assert signal.strength == 1.0
    assert not found(counts, Similar(seen=40, networks=30, words=60, form=50))
    assert not found(counts), "whose text it is, is not known"


def test_without_counters() -> None:
    obs = Observation(
        Kind.SUBMISSION, "acme", 0, Page("a", "/"), GONE, Request("POST", "/", ()), network=GONE, velocity=GONE
    )
    assert not list(detect(obs, REFERENCE))

"""Contacts that cross, and texts that come again."""

from __future__ import annotations

import pytest

from detectors.crossings import SIGNALS, detect
from detectors.observation import Client, Count, Kind, Observation, Page, Request, Similar, Unavailable, Velocity
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


DAY = 86_400


@pytest.mark.parametrize(
    ("similar", "strength"),
    [
        (Similar(3, 3, 40, 500), 0.0),  # three are nobody's template
        (Similar(11, 2, 40, 500), 0.0),  # one person, or one office
        (Similar(30, 30, 40, 500), 1.0),
        (Similar(30, 30, 10, 500), 0.4),  # ten words
        (Similar(60, 1, 40, 500), 0.4),  # one machine, or an agent's note
        (Similar(30, 30, 40, 500, known_s=2 * DAY), 0.4),  # stands for days
        (Similar(30, 30, 40, 55), 0.0),  # most of the form's leads have it
        (Similar(30, 30, 40, 55, form_known_s=20 * DAY), 0.3),  # since today
        (Similar(30, 30, 40, 55, known_s=5 * DAY, form_known_s=20 * DAY), 0.0),
        (Similar(30, 30, 40), 0.0),  # how many the form has is not known
    ],
)
def test_how_strongly_a_repeated_text_speaks(similar: Similar, strength: float) -> None:
    assert round(LIMITS.similar.strength(similar), 3) == strength


def test_a_text_that_may_be_older_than_it_looks_speaks_softly() -> None:
    assert LIMITS.similar.strength(Similar(30, 30, 40, 500), partial=True) == pytest.approx(0.4)

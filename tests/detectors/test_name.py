"""The name of a lead."""

from __future__ import annotations

import pytest

from detectors import name
from detectors.name import detect
from detectors.name_words import LONGEST
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference

GONE = Unavailable("test")


def found(**roles: str) -> dict[str, tuple[tuple[str, ...], float]]:
    lead = Lead("quote", tuple(roles.items()), {role: (value,) for role, value in roles.items()})
    page, request = Page("acme.example", "/lead"), Request("POST", "/lead", ())
    obs = Observation(Kind.SUBMISSION, "acme", 0, page, Client("192.0.2.1"), request, GONE, GONE, lead=lead)
    return {signal.id: (signal.evidence, signal.strength) for signal in detect(obs, Reference.builtin())}


def test_an_ordinary_name_shows_nothing() -> None:
    assert found(full_name="Maria Keller", email="blume@web.de") == {}


def test_the_stranger_the_letters_the_stronger() -> None:
    weak, strong = (
        found(full_name="Hgtrob")["name.gibberish"],
        found(full_name="Xkqzvwpt Hdjwqbrz")["name.gibberish"],
    )
    assert 0.3 <= weak[1] < strong[1] == 1.0


def test_given_and_family_name_are_judged_together() -> None:
    assert "name.gibberish" in found(first_name="Xkqzvwpt", last_name="Hdjwqbrz")
    assert found(first_name="Suharto", last_name="-") == {}
    assert found(first_name="Jennifer", last_name="Null") == {}


@pytest.mark.parametrize(
    ("value", "what"), [("jane@firm.de", "an e-mail address"), ("+49 171 2345678", "a telephone number")]
)
def test_fields_that_were_mixed_up_are_said_and_not_judged(value: str, what: str) -> None:
    assert found(full_name=value) == {"name.swapped": ((what,), 1.0)}


def test_the_same_name_twice() -> None:
    assert "name.same_first_last" in found(first_name="Keller", last_name="KELLER")
    assert found(first_name="J", last_name="j") == {}


def test_an_address_made_of_the_name_is_said() -> None:
    signals = found(full_name="María Keller-Lutz", email="maria.keller@web.de")
    assert signals["email.name_match"][0] == ("2", "3")
    assert "email.name_match" not in found(full_name="王小明", email="wang@qq.com")


@pytest.mark.parametrize("value", ["asdf", "test test", "k3j9q2", "Xkqzvwpt"])
def test_no_evidence_repeats_the_name(value: str) -> None:
    signals = found(full_name=value)
    assert signals and not any(
        value.casefold() in part.casefold() for evidence, _ in signals.values() for part in evidence
    )


def test_of_a_huge_field_only_the_beginning_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        name, "_other_field", lambda value, real=name._other_field: seen.append(len(value)) or real(value)
    )
    assert found(full_name="9" * 500_000, first_name="Maria " + "1" * 500_000) != {}
    assert max(seen) <= LONGEST

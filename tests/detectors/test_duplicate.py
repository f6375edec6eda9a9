"""The duplicate lead, and the contact who comes back."""

from __future__ import annotations

import msgspec
import pytest

from detectors.behaviour import Similar
from detectors.duplicate import CLICKS, detect
from detectors.observation import (
    Client,
    Duplicate,
    Kind,
    Observation,
    Page,
    RenderToken,
    Request,
    Unavailable,
)
from detectors.reference import Reference
from detectors.signal import Signal

GONE = Unavailable("test")


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(
    ref: Reference,
    seen: Duplicate | Unavailable | None,
    token: RenderToken | Unavailable | None = None,
    partial: tuple[str, ...] = (),
) -> list[Signal]:
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=GONE,
        velocity=GONE,
        token=token,
        duplicate=seen,
        partial=tuple((fact, "redis: no answer") for fact in partial),
    )
    return list(detect(obs, ref))


def test_a_new_lead(ref: Reference) -> None:
    assert found(ref, Duplicate()) == found(ref, None) == found(ref, GONE) == []


@pytest.mark.parametrize(("times", "strength"), [(2, 0.4), (3, 0.6), (5, 1.0), (400, 1.0)])
def test_the_more_often_the_stronger(ref: Reference, times: int, strength: float) -> None:
    assert found(ref, Duplicate(times, times)) == [Signal("lead.duplicate", (str(times),), strength)]


def test_a_returning_contact(ref: Reference) -> None:
    assert found(ref, Duplicate(1, 3, 12)) == [Signal("lead.known_contact", ("3", "12"))]


def test_a_double_click_is_left_to_the_token(ref: Reference) -> None:
    token = RenderToken("valid", 9_000, uses=2, same_body=True, same_session=True, same_network=True)
    assert found(ref, Duplicate(2, 2), token) == []
    assert found(ref, Duplicate(2, 3, 8), token) == [Signal("lead.known_contact", ("3", "8"))]
    assert found(ref, Duplicate(9, 9), token) == [Signal("lead.duplicate", ("9",), 1.0)]


def test_the_same_content_in_a_new_rendering_is_a_duplicate(ref: Reference) -> None:
    token = RenderToken("valid", 9_000, uses=1)
    assert found(ref, Duplicate(2, 2), token) == [Signal("lead.duplicate", ("2",), 0.4)]


@pytest.mark.parametrize(("token", "partial"), [(RenderToken("valid", 9_000, uses=0), ("token",)), (GONE, ())])
def test_where_the_token_cannot_tell_double_clicks_a_few_are_taken_for_them(
    ref: Reference, token: RenderToken | Unavailable, partial: tuple[str, ...]
) -> None:
    assert found(ref, Duplicate(CLICKS, CLICKS), token, partial) == []
    assert found(ref, Duplicate(CLICKS + 1, CLICKS + 1), token, partial) == [
        Signal("lead.duplicate", (str(CLICKS + 1),), 0.4)
    ]


def test_what_was_seen_of_a_lead_holds_where_more_is_unknown(ref: Reference) -> None:
    token = RenderToken("valid", 9_000, uses=1)
    assert found(ref, Duplicate(5, 5), token, ("duplicate",)) == [Signal("lead.duplicate", ("5",), 1.0)]
    assert found(ref, Duplicate(0, 4, 1), token, ("duplicate",)) == [Signal("lead.known_contact", ("4", "1"))]
    assert found(ref, Duplicate(0, 0), token, ("duplicate",)) == []


def test_nearly_the_same_text_from_many_places(ref: Reference) -> None:
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=GONE,
        velocity=GONE,
        similar=Similar(seen=90, networks=64, words=50, form=900),
    )
    assert list(detect(obs, ref)) == [Signal("lead.similar_text", ("90", "64 or more", "50"), 1.0)]
    assert not list(detect(msgspec.structs.replace(obs, similar=GONE), ref))

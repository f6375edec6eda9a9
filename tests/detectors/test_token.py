"""The render token: age, absence, reuse."""

from __future__ import annotations

import pytest

from detectors.observation import Client, Duplicate, Kind, Observation, Page, RenderToken, Request, Session, Unavailable
from detectors.reference import FormSettings, Reference
from detectors.signal import Signal
from detectors.token import DERIVED, detect, haste

GONE = Unavailable("test")
COOKIE = Session("cookie", "ab", 100)


@pytest.fixture(scope="module")
def ref() -> Reference:
    return Reference.builtin()


def found(
    ref: Reference,
    token: RenderToken | Unavailable | None,
    *,
    session: Session | Unavailable = COOKIE,
    duplicate: Duplicate | Unavailable | None = None,
    kind: Kind = Kind.SUBMISSION,
    min_seconds: float = 3,
    partial: tuple[str, ...] = (),
) -> list[Signal]:
    obs = Observation(
        kind,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        network=GONE,
        velocity=GONE,
        session=session,
        token=token,
        duplicate=duplicate,
        partial=tuple((fact, "redis: no answer") for fact in partial),
    )
    return list(detect(obs, ref.with_form(FormSettings(min_seconds=min_seconds))))


@pytest.mark.parametrize(
    ("state", "signal"), [("missing", "token.missing"), ("malformed", "token.malformed"), ("forged", "token.forged")]
)
def test_states(ref: Reference, state: str, signal: str) -> None:
    assert found(ref, RenderToken(state)) == [Signal(signal)]


def test_a_form_at_human_pace_says_nothing(ref: Reference) -> None:
    assert found(ref, RenderToken("valid", age_ms=41_000, uses=1)) == []


@pytest.mark.parametrize(
    ("age_ms", "words"), [(3 * 86_400_000, "3 days"), (30 * 3_600_000, "30 hours"), (-1, "an unknown time")]
)
def test_an_old_tab(ref: Reference, age_ms: int, words: str) -> None:
    assert found(ref, RenderToken("expired", age_ms=age_ms, uses=1)) == [Signal("token.expired", (words,))]


@pytest.mark.parametrize(
    ("age_ms", "strength"), [(0, 1.0), (400, 1.0), (1_000, 1.0), (1_500, 0.562), (2_000, 0.25), (2_500, 0.062)]
)
def test_strength_grows_as_the_age_falls(ref: Reference, age_ms: int, strength: float) -> None:
    assert found(ref, RenderToken("valid", age_ms=age_ms, uses=1)) == [
        Signal("form.too_fast", (f"{age_ms / 1000:.1f}", "3"), strength)
    ]


@pytest.mark.parametrize(("age_ms", "min_seconds"), [(3_000, 3), (2_900, 3), (-1, 3), (100, 0)])
def test_not_too_fast(ref: Reference, age_ms: int, min_seconds: int) -> None:
    assert found(ref, RenderToken("valid", age_ms=age_ms, uses=1), min_seconds=min_seconds) == []


def test_haste_falls_steadily() -> None:
    for least in (1, 2, 3, 10):
        values = [haste(age, least) for age in range(0, least * 1000 + 200, 50)]
        assert values == sorted(values, reverse=True)
        assert values[0] == 1.0
        assert values[-1] == 0.0


def test_a_double_click_is_one_lead(ref: Reference) -> None:
    token = RenderToken("valid", 9_000, uses=2, same_body=True, same_session=True, same_network=True)
    assert found(ref, token) == [Signal("lead.duplicate_submit", ("2",))]


def test_the_back_button_is_informative(ref: Reference) -> None:
    token = RenderToken("valid", 90_000, uses=2, same_body=False, same_session=True, same_network=True)
    assert found(ref, token) == [Signal("token.reused", ("2",))]


@pytest.mark.parametrize(
    ("same_session", "same_network"), [(True, False), (False, True), (None, False), (False, None), (None, None)]
)
def test_one_difference_is_not_enough(ref: Reference, same_session: bool | None, same_network: bool | None) -> None:
    token = RenderToken("valid", 9_000, uses=2, same_body=False, same_session=same_session, same_network=same_network)
    assert found(ref, token) == [Signal("token.reused", ("2",))]


SHARED = RenderToken("valid", 9_000, uses=7, same_body=False, same_session=False, same_network=False)


def test_from_another_session_and_network_it_is_shared(ref: Reference) -> None:
    assert found(ref, SHARED) == [Signal("token.shared", ("7",))]


def test_derived_sessions_follow_the_network_and_count_half(ref: Reference) -> None:
    assert found(ref, SHARED, session=Session("derived", "ab", 0)) == [Signal("token.shared", ("7",), DERIVED)]


def test_the_same_contact_on_the_way_from_wifi_to_the_phone_network(ref: Reference) -> None:
    assert found(ref, SHARED, duplicate=Duplicate(contact_seen=2)) == [Signal("token.reused", ("7",))]


def test_silent_where_it_cannot_know(ref: Reference) -> None:
    assert found(ref, None) == found(ref, GONE) == []
    assert found(ref, RenderToken("missing"), kind=Kind.LANDING) == []


@pytest.mark.parametrize("partial", ["token", "duplicate"])
def test_nobody_is_accused_of_a_shared_token_by_what_is_not_known(ref: Reference, partial: str) -> None:
    """The first use that is known may not be the first; and a contact who has written before may only seem new."""
    assert found(ref, SHARED, partial=(partial,)) == [Signal("token.reused", ("7",))]
    assert found(ref, SHARED, partial=("velocity", "session")) == [Signal("token.shared", ("7",))]


def test_a_contact_who_cannot_be_looked_up_may_have_written_before(ref: Reference) -> None:
    assert found(ref, SHARED, duplicate=GONE) == [Signal("token.reused", ("7",))]


def test_what_was_seen_of_a_token_holds_where_more_is_unknown(ref: Reference) -> None:
    token = RenderToken("valid", 9_000, uses=2, same_body=True, same_session=True, same_network=True)
    assert found(ref, token, partial=("token",)) == [Signal("lead.duplicate_submit", ("2",))]
    assert found(ref, RenderToken("valid", 9_000, uses=0), partial=("token",)) == []
    assert found(ref, RenderToken("forged"), partial=("token",)) == [Signal("token.forged")]

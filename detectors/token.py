"""The render token: was the form rendered by us, how long ago, and is it used once?

The token is signed and bound to one rendering of one form. Its absence says little (a cached page, a page without injection); its age at submission shows a
script that fills in no time; its use from elsewhere shows a form that was captured and is replayed. Where the first use may be unknown, or whether the
contact has written before, nobody is said to use what another was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.observation import Duplicate, Kind, Observation, RenderToken, Session, Unavailable
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

AT_ONCE_MS = 1_000
"""Nobody reads and fills a form within a second, not even with a password manager; from here down the strength is full."""

LEAST = 0.02
"""A strength below this is not worth a line in the explanation."""

DERIVED = 0.5
"""Strength of a shared token where sessions are derived from network and browser: then "another session" says little more than "another network"."""


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    token = obs.token
    if obs.kind is not Kind.SUBMISSION or not isinstance(token, RenderToken):
        return
    match token.state:
        case "missing":
            yield Signal("token.missing")
        case "malformed":
            yield Signal("token.malformed")
        case "forged":
            yield Signal("token.forged")
        case "expired":
            yield Signal("token.expired", evidence=(_in_words(token.age_ms),))
            yield from _reuse(obs, token)
        case "valid":
            strength = haste(token.age_ms, ref.form.min_seconds)
            if strength >= LEAST:
                seconds = f"{token.age_ms / 1000:.1f}"
                yield Signal("form.too_fast", evidence=(seconds, f"{ref.form.min_seconds:g}"), strength=strength)
            yield from _reuse(obs, token)


def haste(age_ms: int, min_seconds: float) -> float:
    """How strongly the age speaks for a script: 1 up to a second, falling with the square to 0 at `min_seconds`; 0 for an unknown age."""
    least = min_seconds * 1000
    if age_ms < 0 or age_ms >= least:
        return 0.0
    floor = min(AT_ONCE_MS, least / 2)
    if age_ms <= floor:
        return 1.0
    return round(((least - age_ms) / (least - floor)) ** 2, 3)


def _reuse(obs: Observation, token: RenderToken) -> Iterator[Signal]:
    if token.uses <= 1:
        return
    if token.same_body:  # a double click, a retry: one lead
        yield Signal("lead.duplicate_submit", evidence=(str(token.uses),))
        return
    returning = isinstance(obs.duplicate, Duplicate) and obs.duplicate.contact_seen > 1
    unsure = isinstance(obs.duplicate, Unavailable) or obs.is_partial("token") or obs.is_partial("duplicate")
    if token.same_session is False and token.same_network is False and not returning and not unsure:
        derived = isinstance(obs.session, Session) and obs.session.kind == "derived"
        yield Signal("token.shared", evidence=(str(token.uses),), strength=DERIVED if derived else 1.0)
    else:  # the back button, or the same person on the way from Wi-Fi to the phone network
        yield Signal("token.reused", evidence=(str(token.uses),))


def _in_words(age_ms: int) -> str:
    hours = age_ms // 3_600_000
    if age_ms < 0:
        return "an unknown time"
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"

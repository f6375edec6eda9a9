"""The duplicate: the site has had this very lead, this contact, or nearly this text, before.

The same content twice is more often an impatient person than a bot, ten times it is not. A contact who comes back with something else is a good sign
for the site owner and weighs nothing. One text from many places is copied or made from a template, unless the form itself fills it in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.behaviour import Similar
from detectors.observation import (
    Duplicate,
    Observation,
    RenderToken,
    Unavailable,
)
from detectors.signal import Signal
from detectors.velocity import DISTINCT_CAP

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

CLICKS = 3
"""So many times is the same form taken to be sent by one impatient person where its token cannot tell: its uses are unknown or known in part."""


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    yield from _again(obs)
    if isinstance(obs.similar, Similar):
        strength = ref.repeats.similar.strength(obs.similar, partial=obs.is_partial("similar"))
        if strength:
            networks = obs.similar.networks
            told = f"{networks} or more" if networks >= DISTINCT_CAP else str(networks)
            yield Signal("lead.similar_text", (str(obs.similar.seen), told, str(obs.similar.words)), round(strength, 3))


def _again(obs: Observation) -> Iterator[Signal]:
    seen = obs.duplicate
    if not isinstance(seen, Duplicate):
        return
    clicks = 1
    if isinstance(obs.token, RenderToken) and obs.token.uses > 1 and obs.token.same_body is True:
        clicks = obs.token.uses  # a double click is told by the token and is one lead
    if isinstance(obs.token, Unavailable) or obs.is_partial("token"):
        clicks = max(clicks, CLICKS)
    if seen.body_seen > clicks:
        yield Signal(
            "lead.duplicate",
            evidence=(str(seen.body_seen),),
            strength=round(min(1.0, 0.4 + 0.2 * (seen.body_seen - clicks - 1)), 3),
        )
    elif seen.contact_seen > clicks:
        yield Signal("lead.known_contact", evidence=(str(seen.contact_seen), str(seen.contact_days)))

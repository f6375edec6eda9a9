"""Crossed contacts: the parts of a lead come again and again, each time with others.

People have one name and few numbers. Programs that make up leads run out of one part before the others: one telephone number with many names, one text
with many addresses. So do families, offices with a switchboard and agents who type leads in for others; they stay within the limits, or speak softly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.behaviour import Similar
from detectors.observation import (
    Observation,
    Velocity,
)
from detectors.signal import Signal
from detectors.velocity import DISTINCT_CAP

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True
"""Nothing to look at where no form was posted."""

SIGNALS = {
    "email_phones": "crossing.email_phones",
    "phone_emails": "crossing.phone_emails",
    "phone_names": "crossing.phone_names",
    "name_emails": "crossing.name_emails",
    "text_emails": "crossing.text_addresses",
}

_WORDS = ("a minute", "10 minutes", "an hour", "a day")


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.velocity, Velocity):
        return
    limits = ref.repeats
    for dimension, row in obs.velocity.counts.items():
        allowed = limits.crossings.get(dimension)
        if allowed is None or row[-1].distinct < 2:
            continue
        worst, at = max(
            (limit.strength(counted.distinct) if limit else 0.0, at)
            for at, (limit, counted) in enumerate(zip(allowed, row, strict=True))
        )
        if dimension == "text_emails" and worst:
            # whose text it is, is only known where texts were compared
            worst *= limits.similar.foreign(obs.similar) if isinstance(obs.similar, Similar) else 0.0
        if worst:
            distinct = row[at].distinct
            told = f"{distinct} or more" if distinct >= DISTINCT_CAP else str(distinct)
            yield Signal(SIGNALS[dimension], (told, _WORDS[at]), round(worst, 3))

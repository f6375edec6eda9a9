"""Unusual among the accepted traffic of this site: an isolation forest's opinion, with what made it.

Advisory: what is unusual may be a person, so it weighs with other findings and never rejects. Without a model (too little traffic yet, or training is
off) nothing is said, and nothing is held against the visitor or the confidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.anomaly.explain import explain
from detectors.anomaly.reading import Values, vector
from detectors.observation import Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.anomaly.model import Model, Models
    from detectors.reference import Reference


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    models = ref.anomaly
    if not models.active and not models.shadow:
        return
    place = (obs.site, obs.kind)
    active, shadow = models.active.get(place), models.shadow.get(place)
    if active is None and shadow is None:
        return
    values = vector(obs)
    if active is not None and (found := opinion("anomaly.unusual", active, models, values)) is not None:
        yield found
    if shadow is not None and (found := opinion("anomaly.shadow", shadow, models, values)) is not None:
        yield found


def opinion(name: str, model: Model, models: Models, values: Values) -> Signal | None:
    """The finding of one model; None where the observation is usual, or too little of it is known.

    Evidence: percentile ("99.8"), what made it unusual, version of the model.
    """
    percentile = model.opinion(values).percentile
    strength = models.limits.strength(percentile)
    if strength <= 0:
        return None
    if len([value for value in values if value == value]) < models.limits.least_known * len(values):
        return None
    reasons = "; ".join([part.text for part in explain(model, values)])
    if not reasons:  # unusual in ways that speak for nothing: a person who is slow, or has much patience
        return None
    return Signal(name, (f"{100 * percentile:.2f}".rstrip("0").rstrip("."), reasons, model.version), strength)

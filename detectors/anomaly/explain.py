"""Says what made an observation unusual: which features shortened its way through the trees, and what is usual for them.

Each step down a tree changes how long the rest of the way is expected to be; the change belongs to the feature that was asked (path attribution after
Saabas). The sum over all steps is exactly the observation's path length, so nothing is left unexplained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.anomaly.features import Feature
from detectors.anomaly.model import QUANTILES, Model

LOW, MIDDLE, HIGH = QUANTILES.index(5), QUANTILES.index(50), QUANTILES.index(95)
NAMED = 3
"""Features that a finding names."""


@dataclass(frozen=True, slots=True)
class Part:
    """share: how much of what shortened the way this feature did, 0..1."""

    feature: Feature
    value: float
    usual: tuple[float, float]
    share: float

    @property
    def text(self) -> str:
        low, high = (self.feature.amount(value) for value in self.usual)
        found = self.feature.say.format(self.feature.amount(self.value))
        return f"{found}, usual is {low if low == high else f'{low} to {high}'}"


def contributions(model: Model, values: list[float]) -> list[float]:
    """By feature, how much longer (above 0) or shorter (below) it made the mean path length. values: filled, as `Model.filled` gives them."""
    walk = model.walk
    feature, threshold, left, right, expected = walk.feature, walk.threshold, walk.left, walk.right, walk.expected
    found = [0.0] * len(values)
    for place in walk.root:
        while (asked := feature[place]) >= 0:
            below = left[place] if values[asked] <= threshold[place] else right[place]
            found[asked] += expected[below] - expected[place]
            place = below
    trees = len(walk.root)
    return [change / trees for change in found]


def explain(model: Model, values: Sequence[float], named: int = NAMED) -> tuple[Part, ...]:
    """The features that made the observation unusual, the strongest first. values: as they were read, NaN where not known.

    A feature that is not known, or lies on its innocent side of what is usual, is never named: it can only have been on the way of another.
    """
    filled = model.filled(values)
    shorter = [max(0.0, -change) for change in contributions(model, filled)]
    total = sum(shorter) or 1.0
    parts = []
    for place, (feature, row) in enumerate(zip(model.features, model.about.quantiles, strict=True)):
        value, middle = values[place], row[MIDDLE]
        telling = value > middle if feature.suspicious == "high" else value < middle
        if shorter[place] > 0 and telling:
            parts.append(Part(feature, value, (row[LOW], row[HIGH]), shorter[place] / total))
    return tuple(sorted(parts, key=lambda part: -part.share)[:named])

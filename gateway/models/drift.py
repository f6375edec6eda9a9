"""How far the traffic of late has moved from what a model learned: the population stability index of each feature."""

from __future__ import annotations

from math import log

import numpy as np

from detectors.anomaly.model import Bins, Description, Model
from gateway.models.collect import Rows

RECENT = 5_000
"""Accepted records, the newest, that drift and agreement are measured on."""
LEAST = 200
"""Known values below which the index is chance."""
SMALLEST = 0.001
"""Share that stands for an empty bin, so that one visitor in a new one is no infinite change."""


def stability_index(usual: Bins, column: Rows) -> float | None:
    """None where too few values are known. 0: the same; see gateway.models.notes.DRIFTED."""
    values = column[~np.isnan(column)].astype(np.float64)
    if len(values) < LEAST or not usual.edges:
        return None
    places = np.searchsorted(np.array(usual.edges), values, "left")
    shares = np.bincount(places, minlength=len(usual.shares)) / len(values)
    found = 0.0
    for now, before in zip(shares.tolist(), usual.shares, strict=True):
        now, before = max(now, SMALLEST), max(before, SMALLEST)
        found += (now - before) * log(now / before)
    return found


def drift(about: Description, rows: Rows) -> dict[str, float]:
    """Index by feature, of those that can be measured."""
    found = {}
    for place, name in enumerate(about.features):
        index = stability_index(about.bins[place], rows[:, place])
        if index is not None:
            found[name] = index
    return found


def percentiles(model: Model, rows: Rows) -> list[float]:
    """Of each row, 0..1."""
    return [model.judge(row).percentile for row in rows.astype(float).tolist()]


def rank_correlation(one: list[float], other: list[float]) -> float:
    """Spearman's, -1..1; 1 where both rank alike. 0 where one of them has only one value."""
    if len(one) < 2:
        return 0.0
    ranks = [_ranks(np.array(values)) for values in (one, other)]
    spread = [float(rank.std()) for rank in ranks]
    if not all(spread):
        return 0.0
    return float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / spread[0] / spread[1])


def _ranks(values: Rows) -> Rows:
    """Mean rank of equal values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], np.float64)

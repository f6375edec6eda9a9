"""Made-up features of usual and of bad traffic, without the cost of observations: for what concerns models as such."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from detectors.anomaly.feature_sets import FEATURES
from detectors.anomaly.model import Model
from detectors.observation import Kind
from gateway.models.training import Traffic, Trained, train

NOW = 1_790_000_000_000_000
SECOND = 1_000_000


def usual(kind: Kind, count: int, seed: int = 1) -> Any:
    """People: mostly one of everything, some two or three, a few more."""
    chance = np.random.default_rng(seed)
    busy = np.floor(chance.exponential(0.8, count))
    columns = []
    for feature in FEATURES[kind]:
        if feature.unit in ("events", "times"):
            column = 1 + np.floor(busy * chance.random(count) * 1.5)
        elif feature.unit == "seconds":
            column = chance.lognormal(4, 0.8, count)
        elif feature.name == "headers.count":
            column = chance.integers(13, 18, count)
        elif feature.unit == "characters":
            column = chance.normal(110, 15, count).clip(20)
        elif feature.unit == "share":
            column = chance.random(count) * 0.2 if feature.suspicious == "high" else 0.4 + chance.random(count)
        elif feature.name == "session.landings":
            column = 1 + np.floor(chance.exponential(2, count))
        elif feature.unit == "yes or no" or feature.name.startswith(("headers.", "crossing.", "click.", "lead.")):
            column = np.zeros(count)
        else:
            column = 1 + np.floor(chance.exponential(0.3, count))
        columns.append(column)
    rows = np.stack(columns, 1).astype(np.float32)
    rows[chance.random(rows.shape) < 0.02] = np.nan
    return rows


def bots(kind: Kind, count: int, seed: int = 2) -> Any:
    """Programs that come in numbers: busy addresses, few headers, no pause."""
    rows = usual(kind, count, seed)
    chance = np.random.default_rng(seed)
    bad = {
        "address.1h": 18,
        "address.1d": 60,
        "address.each.1h": 18,
        "prefix.each.1h": 18,
        "headers.count": 9,
        "session.1d": 40,
    }
    bad |= {"token.age": 3, "session.age": 4, "session.pace": 9, "session.1m": 6, "similar.seen": 12}
    for place, feature in enumerate(FEATURES[kind]):
        if feature.name in bad:
            rows[:, place] = np.round(bad[feature.name] * (0.6 + 0.8 * chance.random(count)), 1)
    return rows


def traffic(kind: Kind, rows: Any, **more: Any) -> Traffic:
    at = NOW - (np.arange(len(rows), 0, -1, dtype=np.int64)) * 60 * SECOND
    return Traffic("acme", kind, rows, at, **more)


@cache
def trained(kind: Kind, count: int = 3000, seed: int = 1) -> Trained:
    return train(traffic(kind, usual(kind, count, seed)), NOW)


def model(kind: Kind, count: int = 3000, seed: int = 1) -> Model:
    made = trained(kind, count, seed)
    return Model(made.about, made.onnx)

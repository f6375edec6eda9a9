"""Evasive programs that keep below every limit: the anomaly model beside scikit-learn's isolation forest on the same features, made-up traffic.

Both learn from one town's traffic and are measured on another's. What the training data holds of programs is left in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import anomaly
from bench.grounds.judge import Judge
from bench.table import Row, row
from detectors.anomaly.model import Models
from detectors.observation import Kind
from gateway.models.training import Traffic, train

_TRAFFIC: Any = anomaly  # it takes its traffic from the tests' support, which is no package

PEOPLE, SEED = 1_200, 1
SHIFT = 10.0
"""Scores of either forest lie between -1 and 1."""


def rows(judge: Judge) -> list[Row]:
    learn = _TRAFFIC.Town(PEOPLE, 4, anomaly.PROGRAMS_A_DAY, SEED).visits()
    fresh = _TRAFFIC.Town(PEOPLE, 4, anomaly.PROGRAMS_A_DAY, SEED + 1000).visits()
    found: list[Row] = []
    for kind in Kind:
        learned, test = (list(_TRAFFIC.of_kind(visits, kind)) for visits in (learn, fresh))
        at = np.array([visit.observation.at for visit in learned], np.int64)
        seen = anomaly.matrix(learned)
        made, theirs = train(Traffic("acme", kind, seen, at), anomaly.NOW), anomaly.plain(seen)
        reference = np.array(made.about.reference)
        place = min(len(reference) - 1, int(np.ceil(Models.builtin().limits.tell_from * (len(reference) + 1))) - 1)
        good = anomaly.matrix([visit for visit in test if visit.who == _TRAFFIC.PERSON])
        for who in sorted({visit.who for visit in test} - {_TRAFFIC.PERSON}):
            bad = anomaly.matrix([visit for visit in test if visit.who == who])
            ground, note = f"evasive programs, {kind}s: {who}", "made-up traffic, programs among what is learned from"
            service = SHIFT + float(reference[place])
            ours = _moved(made.scores(bad)), _moved(made.scores(good))
            found.append(row(ground, "anomaly model", *ours, service=service, note=note))
            other = _moved(theirs(bad)), _moved(theirs(good))
            found.append(row(ground, "sklearn IsolationForest", *other, peer=True, service=2 * SHIFT, note=note))
    return found


def _moved(scores: Any) -> list[float]:
    return [SHIFT + float(score) for score in scores]

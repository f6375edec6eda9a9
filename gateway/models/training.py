"""From the features of accepted traffic to a model that may be published, or to the reason why there is none. Runs in the training process alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from detectors.anomaly.feature_sets import FEATURES, NAMES
from detectors.anomaly.features import SCHEMA, Feature
from detectors.anomaly.model import FORMAT, MOST_REFERENCE, QUANTILES, Bins, Description, Direction
from detectors.data_files import load
from detectors.observation import Kind
from gateway.models.forest import SEED, Forest, Rows, export, grow, inputs, scaled

HELD_BACK = 0.2
"""Share of the traffic, its newest, that a model is compared with and not trained on."""
TRIMMED = 0.1
"""Share of the rest that is left out of the second pass, its most unusual: as much of accepted traffic as may be bad."""
PASSES = 4
"""Times a forest is grown, each on what the one before found least unusual of all: programs that hide each other in the first come out in the next."""
LEAST_KNOWN_BAD = 0.75
"""Least area under the curve against the shipped examples of bad traffic. Half is chance; a model grown on floods stays far below."""
LEAST_LABELLED = 0.55
"""The same against labels of the site: people also call things junk that no behaviour tells."""
LEAST_LABELS = 20
"""Labels of bad traffic below which their ranking is chance."""
IMAGINED = 0.12
"""Rows that are added to those a forest is grown on, as a share of them; see `imagined`. With half as many, programs that people have nothing alike (a click
id that moves) were split off too late."""
MOVED = 0.2
"""Share of an imagined row's features that are moved away from what is usual."""
FAR = 2.5
"""How far at least, on a logarithmic scale: twelve times as much as usual."""
TOO_FAR = 0.65
"""Share of imagined rows that usual traffic does not surpass; see `without_programs`. Measured on made-up towns: of people at most 5 in a thousand lie
beyond, of replayed clicks, slow readers and stuffed leads 40 to 90 in a hundred."""
A_TAIL = 0.01
"""Share of the comparison that may lie beyond all the same, because people have a tail, too: up to here nothing is left out, so that a site without
programs is compared with all of its people."""
OUTLIERS = 0.002
"""Share that stays of what lies beyond, next to where it begins."""
SLICES = 10
"""Bins of a feature, of equal share, by which drift is measured."""


class Refused(Exception):
    """The model must not be published; in words, with what to do."""


@dataclass(frozen=True)
class Traffic:
    """What a model is made from. Features as `vector` reads them (NaN: not known), times in UTC microseconds.

    rows  n by features, accepted and not called bad since; at  of each
    bad, good  what people labelled, to check the direction with
    read  records looked at
    """

    site: str
    kind: Kind
    rows: Rows
    at: NDArray[np.int64]
    bad: Rows | None = None
    good: Rows | None = None
    read: int = 0


@dataclass(frozen=True)
class Trained:
    """about, onnx: what is published."""

    about: Description
    onnx: bytes
    fitted: IsolationForest = field(repr=False)
    median: Rows = field(repr=False)

    def scores(self, rows: Rows) -> NDArray[np.float64]:
        """0..1, higher is more unusual."""
        features = FEATURES[self.about.kind]
        return score(self.fitted, one_sided(fill(rows, self.median), self.median, features), features)


def train(traffic: Traffic, now: int) -> Trained:
    """In several passes: the most unusual of one is left out of the next, so that programs among the accepted do not become usual. Raises Refused."""
    features = FEATURES[traffic.kind]
    order = np.argsort(traffic.at, kind="stable")
    rows, at = traffic.rows[order], traffic.at[order]
    held = max(1, int(len(rows) * HELD_BACK))
    learned, compared = rows[:-held], rows[-held:][-MOST_REFERENCE:]
    if len(learned) < 2:
        raise Refused("there are not even two observations to learn from")
    median = medians(learned)
    cut = one_sided(fill(learned, median), median, features)
    kept = np.arange(len(cut))
    for _ in range(PASSES - 1):
        earlier = grow(np.concatenate([cut[kept], imagined(cut[kept], median, features)]), features)
        kept = np.argsort(score(earlier, cut, features), kind="stable")[: max(2, len(cut) - int(len(cut) * TRIMMED))]
    beyond = imagined(cut[kept], median, features)
    fitted = grow(np.concatenate([cut[kept], beyond]), features)
    forest = export(fitted, features)
    usual = learned[kept]
    draft = Trained(_describe(traffic, now, forest, usual, learned, median, at), forest.onnx, fitted, median)
    reference = without_programs(np.sort(draft.scores(compared)), score(fitted, beyond, features))
    direction = _direction(draft, traffic, reference)
    about = _with(draft.about, reference, direction, used=len(kept), trimmed=len(cut) - len(kept))
    return replace(draft, about=about)


def _direction(draft: Trained, traffic: Traffic, reference: NDArray[np.float64]) -> Direction:
    """Raises Refused where bad traffic looks usual to the model."""
    known_bad = auc(draft.scores(examples(traffic.kind, draft.median)), reference)
    if known_bad < LEAST_KNOWN_BAD:
        raise Refused(
            f"it is backwards: it ranks known bad traffic above usual traffic in {known_bad:.0%} of comparisons only ({LEAST_KNOWN_BAD:.0%} are "
            "asked for). Most of the accepted traffic is probably not people. Label some of it (leadgate leads label) or tighten the rules first"
        )
    if traffic.bad is None or len(traffic.bad) < LEAST_LABELS:
        return Direction(known_bad)
    good = reference if traffic.good is None or len(traffic.good) < LEAST_LABELS else draft.scores(traffic.good)
    labelled = auc(draft.scores(traffic.bad), good)
    if labelled < LEAST_LABELLED:
        raise Refused(
            f"it is backwards: it ranks what people called bot or junk above good traffic in {labelled:.0%} of comparisons only "
            f"({LEAST_LABELLED:.0%} are asked for). Look at the labels, or wait for more of them"
        )
    return Direction(known_bad, labelled, len(traffic.bad), len(good))


def without_programs(ascending: NDArray[np.float64], beyond: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of the comparison without those that are more unusual than most imagined rows (`beyond`): programs among the held-back traffic, which would
    make their like look usual. How far from usual that is, the site itself says: imagined rows are its own, moved as far as its own traffic is spread.

    Nothing is left out unless more than A_TAIL lie there, by a standard deviation of such a count; and never more than TRIMMED: where more lie there,
    it is how people are at this site.
    """
    size = len(ascending)
    usual = int(np.searchsorted(ascending, np.quantile(beyond, TOO_FAR), "right"))
    far = size - usual
    if far <= A_TAIL * size + np.sqrt(A_TAIL * size):
        return ascending
    usual += int(OUTLIERS * size)
    return ascending[:usual] if size - usual <= TRIMMED * size else ascending


def medians(rows: Rows) -> Rows:
    """Of each feature; 0 where it was never known."""
    known = ~np.isnan(rows)
    return np.array([np.median(c[k]) if k.any() else 0.0 for c, k in zip(rows.T, known.T, strict=True)], np.float32)


def fill(rows: Rows, median: Rows) -> Rows:
    return np.where(np.isnan(rows), median, rows).astype(np.float32)


def one_sided(rows: Rows, median: Rows, features: tuple[Feature, ...]) -> Rows:
    """What lies on the innocent side of the median becomes the median, so that the forest finds nothing unusual there."""
    high = np.array([feature.suspicious == "high" for feature in features])
    return np.where(high, np.maximum(rows, median), np.minimum(rows, median)).astype(np.float32)


def imagined(rows: Rows, median: Rows, features: tuple[Feature, ...]) -> Rows:
    """Rows nobody sent: usual ones, with a few features moved to their suspicious side, by as much as to far beyond what was seen.

    A forest splits only between values that it has seen. Where all of a site's visitors have the same value, it would never ask for it, and the
    first who differs would look like everybody; what lies beyond the largest value it has seen would look like that value.
    """
    chance = np.random.default_rng(SEED)
    count = max(8, int(len(rows) * IMAGINED))
    found = scaled(rows[chance.integers(0, len(rows), count)], features)
    usual, high = scaled(median[None, :], features)[0], np.percentile(scaled(rows, features), 99, axis=0)
    low = np.percentile(scaled(rows, features), 1, axis=0)
    moved = chance.random(found.shape) < MOVED
    way = chance.random(found.shape)
    for place, feature in enumerate(features):
        most = feature.grown_on(feature.most)
        if feature.suspicious == "low":
            end = 0.0 if feature.scale == "plain" else max(0.0, min(low[place], usual[place] - FAR))
        elif feature.scale == "log":
            end = min(most, usual[place] + max(FAR, 2 * (high[place] - usual[place])))
        else:
            end = most
        column = usual[place] + way[:, place] * (end - usual[place])
        column = (
            column if feature.scale == "plain" and feature.unit in ("share", "characters") else _whole(column, feature)
        )
        found[:, place] = np.where(moved[:, place], column, found[:, place])
    log = np.array([feature.scale == "log" for feature in features])
    found[:, log] = np.expm1(found[:, log])
    return found.astype(np.float32)


def _whole(column: NDArray[np.float64], feature: Feature) -> NDArray[np.float64]:
    """Counts are whole numbers."""
    if feature.unit == "seconds":
        return column
    return np.log1p(np.round(np.expm1(column))) if feature.scale == "log" else np.round(column)


def score(fitted: IsolationForest, rows: Rows, features: tuple[Feature, ...]) -> NDArray[np.float64]:
    return np.asarray(-fitted.score_samples(inputs(rows, features)), np.float64)


def examples(kind: Kind, median: Rows) -> Rows:
    """The shipped examples of bad traffic: what they do not name is as usual at the site."""
    content, _ = load("anomaly_known_bad.yaml")
    names = NAMES[kind]
    rows = np.tile(median, (len(content[kind]), 1))
    for row, example in zip(rows, content[kind], strict=True):
        for name, value in example["values"].items():
            row[names.index(name)] = value
    return rows


def auc(bad: NDArray[np.float64], good: NDArray[np.float64]) -> float:
    """Share of pairs in which the bad one is more unusual; a tie is half."""
    ordered = np.sort(good)
    below = np.searchsorted(ordered, bad, "left") + np.searchsorted(ordered, bad, "right")
    return float(below.mean() / 2 / len(ordered))


def _quantiles(column: Rows, middle: float) -> tuple[float, ...]:
    known = column[~np.isnan(column)]
    return tuple(map(float, np.percentile(known, QUANTILES))) if len(known) else (float(middle),) * len(QUANTILES)


def bins(column: Rows) -> Bins:
    known = column[~np.isnan(column)].astype(np.float64)
    if not len(known):
        return Bins((), (1.0,))
    edges = np.unique(np.quantile(known, np.arange(1, SLICES) / SLICES))
    shares = np.bincount(np.searchsorted(edges, known, "left"), minlength=len(edges) + 1) / len(known)
    return Bins(tuple(map(float, edges)), tuple(map(float, shares)))


def _describe(
    traffic: Traffic, now: int, forest: Forest, usual: Rows, learned: Rows, median: Rows, at: NDArray[np.int64]
) -> Description:
    """usual: what the forest was grown on in the end; learned: that and what was left out, which later traffic has too."""
    digest = hashlib.sha256(forest.onnx).hexdigest()
    made = datetime.fromtimestamp(now / 1e6, UTC)
    return Description(
        format=FORMAT,
        schema=SCHEMA,
        version=f"{made:%Y%m%d-%H%M%S}-{digest[:8]}",
        site=traffic.site,
        kind=traffic.kind,
        made_at=now,
        first_at=int(at[0]),
        last_at=int(at[-1]),
        read=traffic.read or len(traffic.rows),
        used=0,
        trimmed=0,
        reference_size=0,
        sample=forest.sample,
        norm=forest.norm,
        features=NAMES[traffic.kind],
        median=tuple(map(float, median)),
        quantiles=tuple(_quantiles(column, middle) for column, middle in zip(usual.T, median, strict=True)),
        bins=tuple(bins(column) for column in learned.T),
        reference=(),
        direction=Direction(0.0),
        trees=forest.trees,
        onnx=digest,
    )


def _with(
    about: Description, reference: NDArray[np.float64], direction: Direction, used: int, trimmed: int
) -> Description:
    return msgspec.structs.replace(
        about,
        reference=tuple(round(float(value), 7) for value in reference),
        reference_size=len(reference),
        direction=direction,
        used=used,
        trimmed=trimmed,
    )

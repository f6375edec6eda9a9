"""Weights refitted by logistic regression around the shipped ones, cross-validated, with what their calibration was and is.

Gaussian prior centred on the present weights; a weight keeps its sign, moves at most MOST_CHANGE in one run, and only where enough labelled records
have its signal. Nothing here is random: folds are made of days.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from gateway.learning.evidence import Row, effective, weigh
from rules.bands import MAX_WEIGHT

LEAST_EACH = 50.0
"""Labels of each side below which nothing is learned: the interval of any share would be wider than what is to be found out."""
LEAST_HITS = 20.0
"""Effective labelled records that have a signal, below which its weight stays."""
MOST_CHANGE = 0.7
"""Log-odds a weight may move in one run: a step from one band to the next."""
MOST = MAX_WEIGHT / 1000
"""A rules file with more is refused."""
FURTHEST = 5.0
"""How far the fit may look: what one run may change is cut from where it would end, not fitted within, so that other weights do not make up for it."""
LEAST_SURE = 2.0
"""Standard errors from the present weight, below which it stays."""
LEAST_CHANGE = 0.1
"""Smaller differences are noise, and stay as they are."""
SPREADS = (0.2, 0.35, 0.7)
"""Standard deviations of the prior that are tried, in log-odds; the one that predicts best is taken. With n labels a signal's weight moves by about
n / (n + 4 / spread^2) of what they say."""
FOLDS = 5
BINS = 10

Floats = NDArray[np.float64]


class Bin(msgspec.Struct, frozen=True):
    """Of the reliability table: labelled records whose predicted share of bad lies in it; predicted and actual mean, 0 to 1."""

    low: float
    high: float
    count: float
    predicted: float | None
    actual: float | None


class Calibration(msgspec.Struct, frozen=True):
    """brier: mean squared error; ece: mean distance of predicted and actual share, over the bins; log_loss: nats; all weighted as rows count."""

    brier: float
    ece: float
    log_loss: float
    bins: tuple[Bin, ...]


class Fit(msgspec.Struct, frozen=True):
    """new: weights that change, log-odds by signal. reason: why nothing changes, "" where something does.

    as_scored  the quality that is told today, taken for a probability
    before     the present weights with the share of bad among the labels, predicted for days that were left out
    after      the new ones, the same way
    """

    new: dict[str, float]
    reason: str
    labels_bad: float
    labels_good: float
    spread: float | None = None
    as_scored: Calibration | None = None
    before: Calibration | None = None
    after: Calibration | None = None
    better_by: float | None = None
    """How many standard errors, over the days, the log loss got better; above 1 is asked for."""


def fit(
    rows: Sequence[Row], weights: Mapping[str, float], shipped: Mapping[str, float], fixed: Container[str] = ()
) -> Fit:
    """weights: present log-odds of all signals; shipped: the prior's centre, which a second run on the same labels finds again; fixed: signals that
    may not change, whatever the labels say."""
    rows = list(rows)
    if rows:
        weigh(rows)
    counting = effective(rows)
    bad, good = counting[True], counting[False]

    def nothing(reason: str) -> Fit:
        return Fit({}, reason, bad, good)

    if min(bad, good) < LEAST_EACH:
        return nothing(
            f"there are too few labels: {bad:.0f} bad and {good:.0f} good count, {LEAST_EACH:.0f} of each are needed. Nothing is changed"
        )
    folds = _folds(rows)
    if folds is None:
        return nothing(
            "all labels are of one day, so that nothing can be checked on days that were left out. Nothing is changed"
        )
    names = [name for name in _learnable(rows, weights) if name not in fixed]
    data = _Data(rows, names, weights, shipped)
    if not data.names:
        return nothing(f"no signal is found in {LEAST_HITS:.0f} labelled records that count. Nothing is changed")
    before = data.left_out(folds, None)
    tried = [(data.left_out(folds, spread), spread) for spread in SPREADS]
    after, spread = min(tried, key=lambda pair: data.loss(pair[0]))
    as_scored = data.calibration(_sigmoid(np.array([row.score for row in rows])))
    told = (data.calibration(before), data.calibration(after))
    gain = data.gain(before, after, folds)
    delta, intercept = data.solve(np.ones(len(rows), dtype=bool), spread)
    errors = data.errors(delta, intercept, spread)
    new = {
        name: round(weights[name] + change, 2) + 0.0  # and never "-0.0"
        for name, change, error in zip(data.names, delta.tolist(), errors.tolist(), strict=True)
        if abs(change) >= max(LEAST_CHANGE, LEAST_SURE * error)
    }
    reason = ""
    if not new:
        reason = "the labels agree with the weights as they are"
    elif gain <= 1:
        new, reason = (
            {},
            "other weights predict days that were left out no better than the present ones. Nothing is changed",
        )
    return Fit(new, reason, bad, good, spread, as_scored, *told, gain)


def _learnable(rows: Sequence[Row], weights: Mapping[str, float]) -> list[str]:
    """Signals that enough rows have, and that count at all today: what is shown only stays so."""
    hits: dict[str, float] = {}
    for row in rows:
        for name, strength in row.strengths.items():
            if strength:
                hits[name] = hits.get(name, 0.0) + row.weight
    return sorted(name for name, count in hits.items() if count >= LEAST_HITS and weights.get(name))


def _folds(rows: Sequence[Row]) -> Floats | None:
    """The fold of each row: whole days, dealt by the number of their rows so that folds are of about one size. None for a single day."""
    days: dict[int, float] = {}
    for row in rows:
        days[row.day] = days.get(row.day, 0.0) + row.weight
    if len(days) < 2:
        return None
    sizes = [0.0] * min(FOLDS, len(days))
    chosen = {}
    for day, size in sorted(days.items(), key=lambda pair: (-pair[1], pair[0])):
        place = sizes.index(min(sizes))
        sizes[place] += size
        chosen[day] = place
    return np.array([chosen[row.day] for row in rows], dtype=np.float64)


class _Data:
    """The rows as arrays: strengths of the signals that may change, offset with all others, targets, weights."""

    def __init__(
        self, rows: Sequence[Row], names: list[str], weights: Mapping[str, float], shipped: Mapping[str, float]
    ) -> None:
        self.names = names
        place = {name: number for number, name in enumerate(names)}
        self.x = np.zeros((len(rows), len(names)))
        self.offset = np.zeros(len(rows))
        for number, row in enumerate(rows):
            self.offset[number] = row.offset
            for name, strength in row.strengths.items():
                self.offset[number] += strength * weights.get(name, 0.0)
                if name in place:
                    self.x[number, place[name]] = strength
        self.y = np.array([row.bad for row in rows], dtype=np.float64)
        self.w = np.array([row.weight for row in rows])
        self.contact = np.unique([row.contact for row in rows], return_inverse=True)[1]
        base = np.array([weights[name] for name in names])
        self.centre = np.array([shipped.get(name, weights[name]) - weights[name] for name in names])
        # A sign is kept: what speaks against a visitor may end at 0 and never speak for him.
        low, high = np.where(base > 0, -base, -FURTHEST), np.where(base < 0, -base, FURTHEST)
        self.most = np.maximum(-MOST_CHANGE, -MOST - base), np.minimum(MOST_CHANGE, MOST - base)
        self.bounds = [*zip(low.tolist(), high.tolist(), strict=True), (-20.0, 20.0)]

    def solve(self, use: NDArray[np.bool_], spread: float | None) -> tuple[Floats, float]:
        """(changes of the weights, intercept) that fit the rows of `use`, cut to what one run may change; without a spread the weights stay and only
        the intercept is found."""
        x, y, w, offset = self.x[use], self.y[use], self.w[use], self.offset[use]
        count = len(self.names)

        def target(point: Floats) -> tuple[float, Floats]:
            delta, intercept = point[:count], point[count]
            score = offset + intercept + (x @ delta if spread is not None else 0.0)
            loss = float(w @ (np.logaddexp(0.0, score) - y * score))
            error = w * (_sigmoid(score) - y)
            slope = np.append(x.T @ error, error.sum())
            if spread is None:
                slope[:count] = 0.0
                return loss, slope
            away = delta - self.centre
            slope[:count] += away / spread**2
            return loss + float(away @ away) / (2 * spread**2), slope

        found = minimize(
            target, np.zeros(count + 1), jac=True, method="L-BFGS-B", bounds=self.bounds, options={"maxiter": 500}
        )
        delta = np.clip(found.x[:count], *self.most)
        if spread is None or np.array_equal(delta, found.x[:count]):
            return delta, float(found.x[count])
        return delta, _intercept(offset + x @ delta, y, w)

    def errors(self, delta: Floats, intercept: float, spread: float) -> Floats:
        """Standard error of each change, from the curvature of what was minimised."""
        p = _sigmoid(self.offset + intercept + self.x @ delta)
        whole = np.column_stack([self.x, np.ones(len(self.y))])
        curve = (whole * (self.w * p * (1 - p))[:, None]).T @ whole
        curve[np.diag_indices(len(self.names))] += 1 / spread**2
        return np.sqrt(np.diag(np.linalg.inv(curve + 1e-9 * np.eye(len(curve))))[:-1])

    def left_out(self, folds: Floats, spread: float | None) -> Floats:
        """For each row the probability of bad, fitted on the other folds without those who are in this one as well: a sender who comes back on
        another day would be known again, and flatter whatever was fitted."""
        predicted = np.zeros(len(self.y))
        for fold in np.unique(folds):
            here = folds == fold
            others = ~here & ~np.isin(self.contact, self.contact[here])
            delta, intercept = self.solve(others if others.any() else ~here, spread)
            predicted[here] = _sigmoid(self.offset[here] + intercept + self.x[here] @ delta)
        return predicted

    def losses(self, predicted: Floats) -> Floats:
        p = np.clip(predicted, 1e-9, 1 - 1e-9)
        return np.asarray(-(self.y * np.log(p) + (1 - self.y) * np.log(1 - p)))

    def loss(self, predicted: Floats) -> float:
        return float(self.w @ self.losses(predicted) / self.w.sum())

    def gain(self, before: Floats, after: Floats, folds: Floats) -> float:
        """How many standard errors the log loss got better by, fold against fold; few folds tell a standard error roughly, so that rows tell it too
        and the larger one counts."""
        better = self.losses(before) - self.losses(after)
        mean = float(self.w @ better / self.w.sum())
        spread = float(np.sqrt((self.w**2) @ (better - mean) ** 2) / self.w.sum())
        means = [float(self.w[folds == f] @ better[folds == f] / self.w[folds == f].sum()) for f in np.unique(folds)]
        between = float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
        return mean / max(spread, between, 1e-12)

    def calibration(self, predicted: Floats) -> Calibration:
        total = float(self.w.sum())
        bins = []
        ece = 0.0
        for number in range(BINS):
            low, high = number / BINS, (number + 1) / BINS
            here = (predicted >= low) & ((predicted < high) | (number == BINS - 1))
            count = float(self.w[here].sum())
            if not count:
                bins.append(Bin(low, high, 0.0, None, None))
                continue
            mean, actual = (float(self.w[here] @ values[here] / count) for values in (predicted, self.y))
            ece += count / total * abs(mean - actual)
            bins.append(Bin(low, high, round(count, 1), round(mean, 4), round(actual, 4)))
        brier = float(self.w @ (predicted - self.y) ** 2 / total)
        return Calibration(round(brier, 5), round(ece, 5), round(self.loss(predicted), 5), tuple(bins))


def _intercept(score: Floats, y: Floats, w: Floats) -> float:
    """The constant that makes the predicted number of bad the actual one; found by halving, since it only grows."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if w @ (_sigmoid(score + middle) - y) < 0 else (low, middle)
    return (low + high) / 2


def _sigmoid(score: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -50, 50))))

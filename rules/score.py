"""From signals to a sum: weights, composite rules, group caps. All amounts are integers in millis of log-odds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detectors.observation import Kind, Observation
from detectors.signal import Signal
from rules.bands import BANDS
from rules.expression import EvaluationError
from rules.pack import Composite, Pack
from rules.verdict import Applied, GroupSum
from rules.weights import Weight, unweighted

DECISIVE = BANDS["decisive"]


@dataclass(slots=True)
class Part:
    """One signal's part in the sum. `strength` in thousandths; `amount` is what its full strength weighs now, after composites."""

    weight: Weight
    evidence: tuple[str, ...]
    strength: int
    amount: int
    counted: int
    changed_by: str | None = None

    @property
    def decisive(self) -> bool:
        """Only a fact at its full strength decides; a half-sure one weighs, and half as much."""
        return self.amount == DECISIVE and self.strength >= 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """What a route is judged by. Made by `Ruleset.policy`, which fills in what the route leaves to the pack.

    review_below     quality, 0-100, below which the visitor is reviewed; 0: never
    undecided_below  confidence, 0-100, below which the class of traffic is undecided
    review_at        the same threshold as a sum in millis: reviewed from here on
    off              signals that this route does not take note of
    """

    kind: Kind
    pack: str
    review_below: int
    undecided_below: int
    review_at: int
    off: frozenset[str] = frozenset()

    def noted(self, signals: list[Signal]) -> list[Signal]:
        """Those of `signals` that this route takes note of."""
        return [signal for signal in signals if signal.id not in self.off] if self.off else signals


class Sum(NamedTuple):
    """`score` in millis, prior included, and what each group added to it."""

    score: int
    groups: tuple[GroupSum, ...]


def quality(score: int) -> int:
    """0-100 from a sum in millis: 100 x (1 - sigmoid), 100 best."""
    return round(100 / (1 + math.exp(min(score, 50_000) / 1000)))


def score_at(below: int) -> int:
    """The smallest sum in millis whose quality is below `below`; a sum no visitor reaches for 0."""
    if below <= 0:
        return 1_000_000
    edge = (min(below, 100) - 0.5) / 100
    score = math.floor(1000 * math.log((1 - edge) / edge)) - 2
    while quality(score) >= below:
        score += 1
    return score


def parts_of(signals: Sequence[Signal], weights: Mapping[str, Weight]) -> list[Part]:
    """One part for each signal. Of several with the same id only the strongest counts: two bad addresses in one form are one finding."""
    parts: list[Part] = []
    first: dict[str, Part] = {}
    for signal in signals:
        weight = weights.get(signal.id) or unweighted(signal.id)
        strength = signal.strength
        thousandths = 1000 if strength >= 1 else round(strength * 1000) if strength > 0 else 0
        part = Part(weight, signal.evidence, thousandths, weight.millis, weight.millis * thousandths // 1000)
        parts.append(part)
        other = first.setdefault(signal.id, part)
        if other is not part:
            weaker = part if thousandths <= other.strength else other
            weaker.amount = weaker.counted = 0
            weaker.changed_by = "the same finding, stronger"
            first[signal.id] = part if weaker is other else other
    return parts


def matching(
    pack: Pack,
    due: Collection[int],
    strengths: Mapping[str, float],
    obs: Observation,
    earlier: Mapping[int, bool],
) -> tuple[dict[int, bool], list[tuple[str, str]]]:
    """Which composites of `due` hold, by index in file order, and those without an answer as (name, why).

    earlier  answers that still stand and need not be asked for again
    """
    answers: dict[int, bool] = {}
    failed: list[tuple[str, str]] = []
    for index in sorted(due):
        composite = pack.composites[index]
        try:
            known = earlier.get(index)
            answers[index] = composite.when.holds(strengths, obs) if known is None else known
        except EvaluationError as error:
            failed.append((f"rule {composite.name}", str(error)))
    return answers, failed


def apply(held: Sequence[Composite], parts: list[Part], weights: Mapping[str, Weight]) -> tuple[Applied, ...]:
    """Change `parts` in place: all removals, then replacements, then additions. A removed signal is not replaced; an addition brings it back."""
    by_id = {part.weight.id: part for part in parts if part.changed_by is None}
    effects: dict[str, list[str]] = {composite.name: [] for composite in held}
    removed: set[str] = set()
    for composite in held:
        for signal in composite.remove:
            part = by_id.get(signal)
            if part is not None and signal not in removed:
                removed.add(signal)
                effects[composite.name].append(f"removed {signal} ({_points(part.counted)})")
                part.amount, part.counted, part.changed_by = 0, 0, composite.name
    for composite in held:
        for signal, millis in composite.replace:
            part = by_id.get(signal)
            if part is not None and signal not in removed:
                before, part.counted = part.counted, millis * part.strength // 1000
                effects[composite.name].append(f"changed {signal} from {_points(before)} to {_points(part.counted)}")
                part.amount, part.changed_by = millis, composite.name
    for composite in held:
        for signal, millis in composite.add:
            present = by_id.get(signal)
            if present is not None and signal not in removed and abs(present.counted) >= abs(millis):
                continue
            if present is None:
                present = by_id[signal] = Part(weights[signal], (), 1000, millis, millis)
                parts.append(present)
            present.strength, present.amount, present.counted, present.changed_by = 1000, millis, millis, composite.name
            removed.discard(signal)
            effects[composite.name].append(f"added {signal} ({_points(millis)})")
    return tuple(Applied(c.name, c.source, tuple(effects[c.name]), c.text) for c in held)


def tally(parts: Sequence[Part], pack: Pack) -> Sum:
    """Prior plus every group's sum, each held to its cap on both sides. Decisive parts stand outside the caps."""
    if not parts:
        return Sum(pack.prior, ())
    totals: dict[str, int] = {}
    facts: dict[str, int] = {}
    for part in parts:
        group = part.weight.group
        if part.decisive:
            facts[group] = facts.get(group, 0) + part.counted
        totals[group] = totals.get(group, 0) + part.counted
    score = pack.prior
    groups = []
    for group, total in totals.items():
        cap = pack.caps.get(group)
        counted = total
        if cap is not None:
            fixed = facts.get(group, 0)
            counted = fixed + max(-cap, min(cap, total - fixed))
        score += counted
        groups.append(GroupSum(group, total, cap, counted))
    return Sum(score, tuple(groups))


def score_without(part: Part, sums: Sum, pack: Pack) -> int:
    """The score had this part not been there, all else equal. For sums without decisive parts."""
    name = part.weight.group
    cap = pack.caps.get(name)
    for group in sums.groups:
        if group.group == name:
            rest = group.total - part.counted
            return sums.score - group.counted + (rest if cap is None else max(-cap, min(cap, rest)))
    return sums.score


def _points(millis: int) -> str:
    return f"{millis / 1000:.1f}"

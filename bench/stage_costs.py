"""Times by stage, and what they come to: medians of rounds, the least of all rounds, the decision as a sum and in one piece."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

DECISION = ("facts: ", "detector: ", "rules: ")
"""How the names of the stages begin that are the decision."""
ANOMALY = "detector: anomaly"

Table = list[tuple[str, float]]


class Stages:
    """Times of one round by stage, in nanoseconds, in the order in which stages were first met.

    whole    decisions in one piece, CPU time
    unusual  of those visitors measured by stage whom the anomaly model calls unusual: what it took
    """

    def __init__(self) -> None:
        self.times: defaultdict[str, list[int]] = defaultdict(list)
        self.whole: list[int] = []
        self.unusual: list[int] = []

    def take(self, stage: str, since: int) -> int:
        self.times[stage].append(time.perf_counter_ns() - since)
        return time.perf_counter_ns()


@dataclass(frozen=True)
class Costs:
    """What one kind of request costs, in microseconds.

    stages    in their order; decision: the sum of those that are the decision
    whole, mean  the decision in one piece, median and mean; unusual: share of visitors that the model calls unusual; explained: its median for those
    """

    stages: Table
    decision: float
    whole: float
    mean: float
    unusual: float
    explained: float


def costs(rounds: Sequence[Stages], more: Table) -> Costs:
    """The least of all rounds; `more`: what was measured on the whole."""
    table = [(stage, min(median(each.times[stage]) for each in rounds) / 1000) for stage in rounds[0].times]
    unusual = [took for each in rounds for took in each.unusual]
    return Costs(
        stages=[*table, *more],
        decision=sum(us for stage, us in table if stage.startswith(DECISION)),
        whole=min(median(each.whole) for each in rounds) / 1000,
        mean=min(fmean(each.whole) for each in rounds) / 1000,
        unusual=len(unusual) / sum(len(each.times[ANOMALY]) for each in rounds),
        explained=median(unusual) / 1000 if unusual else 0.0,
    )


def show(title: str, found: dict[str, Costs]) -> None:
    print(f"\n{title}")
    for name, cost in found.items():
        print(f"\n  One {name}")
        for stage, us in cost.stages:
            print(f"    {stage:40}{us:>8.1f}")
            if stage.startswith(DECISION[-1]):
                print(f"    {'THE DECISION (facts, detectors, rules)':40}{cost.decision:>8.1f}")
        print(f"    {'together':40}{sum(us for _, us in cost.stages):>8.1f}")
        print(f"    {'the decision in one piece: median':40}{cost.whole:>8.1f}")
        print(f"    {'    mean':40}{cost.mean:>8.1f}")
        print(f"    anomaly of the {cost.unusual:.1%} that are unusual{'':7}{cost.explained:>8.1f}")

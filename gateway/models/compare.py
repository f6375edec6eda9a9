"""Two models of one site and kind on recorded traffic: do they rank alike, whose verdict would change, and which of them knows the labelled better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from detectors.anomaly import opinion
from detectors.anomaly.model import Model, Models
from detectors.anomaly.reading import vector
from detectors.observation import Kind
from detectors.signal import Signal
from gateway.evidence.record import Record, decode, observation_of
from gateway.models.collect import LEAST_KNOWN, PAGE, Labelled, known
from gateway.models.drift import rank_correlation
from gateway.stores.records import RecordFilter, Store
from rules.ruleset import Ruleset
from rules.score import Policy

MOST = 20_000
"""Recorded requests that are looked at, the newest."""
EXAMPLES = 10
"""Records named whose verdict would change."""
LEAST_LABELS = 20


@dataclass
class Side:
    """What one model said. percentiles: of every record looked at; told: how many it calls unusual."""

    version: str
    percentiles: list[float] = field(default_factory=list)
    told: int = 0
    bad: list[float] = field(default_factory=list)
    good: list[float] = field(default_factory=list)

    @property
    def labelled(self) -> float | None:
        """Area under the curve of labelled bad against labelled good; None where there are too few."""
        if len(self.bad) < LEAST_LABELS or len(self.good) < LEAST_LABELS:
            return None
        wins = sum((one > other) + (one == other) / 2 for one in self.bad for other in self.good)
        return wins / len(self.bad) / len(self.good)


@dataclass
class Comparison:
    """read: records looked at; both: called unusual by both; changes: (before, after) → how many verdicts; examples: (id, before, after)."""

    one: Side
    other: Side
    read: int = 0
    both: int = 0
    changes: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def correlation(self) -> float:
        return rank_correlation(self.one.percentiles, self.other.percentiles)


async def compare(
    store: Store,
    site: str,
    kind: Kind,
    models: tuple[Model, Model],
    ruleset: Ruleset,
    policy: Callable[[Record], Policy],
    labels: Labelled,
    told: Callable[[int], None] = lambda done: None,
) -> Comparison:
    """models: first the one in force. policy: what a record's route is judged by."""
    found = Comparison(Side(models[0].version), Side(models[1].version))
    limits = Models.builtin()
    where = RecordFilter(kind=kind.value, site=site, source="live")
    cursor: str | None = None
    while found.read < MOST:
        page = await store.records(where, PAGE, cursor)
        for entry in page.items:
            record = decode(entry.body)
            observation = observation_of(record, entry.personal)
            values = vector(observation)
            if known(values) < LEAST_KNOWN * len(values):
                continue
            found.read += 1
            kept = [
                Signal(signal.id, signal.evidence, signal.strength / 1000)
                for signal in record.signals
                if not signal.id.startswith("anomaly.")
            ]
            verdicts, unusual = [], []
            for side, model in zip((found.one, found.other), models, strict=True):
                percentile = model.judge(values).percentile
                side.percentiles.append(percentile)
                if entry.id in labels.bad:
                    side.bad.append(percentile)
                elif entry.id in labels.good:
                    side.good.append(percentile)
                signal = opinion("anomaly.unusual", model, limits, values)
                unusual.append(signal is not None)
                side.told += signal is not None
                signals = kept if signal is None else [*kept, signal]
                verdicts.append(ruleset.judge(signals, observation, policy(record)).decision.value)
            found.both += all(unusual)
            if verdicts[0] != verdicts[1]:
                change = (verdicts[0], verdicts[1])
                found.changes[change] = found.changes.get(change, 0) + 1
                if len(found.examples) < EXAMPLES:
                    found.examples.append((entry.id, *change))
        told(found.read)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found

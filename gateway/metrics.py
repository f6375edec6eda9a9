"""Counters of the running process, shown at /metrics.

The request path adds to plain dictionaries (a tenth of a microsecond); the Prometheus form is built when somebody asks for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector


class Spec(NamedTuple):
    kind: str  # counter, gauge or summary
    help: str
    labels: tuple[str, ...] = ()


METRICS = {
    "leadgate_requests": Spec(
        "counter", "Requests received, by what they met: landing, form, other, own, none.", ("site", "route")
    ),
    "leadgate_observations": Spec("counter", "Judged observations.", ("site", "kind", "verdict", "ivt")),
    "leadgate_signals": Spec("counter", "Signals that fired.", ("signal",)),
    "leadgate_assessed": Spec(
        "counter",
        "Requests that another server asked about, by how it asked (auth, assess) and what came of it: passed, declined, accept, review, reject, "
        "repeated, dry_run, refused (a bad body), other (no landing page), undecided (answered without a verdict).",
        ("way", "result"),
    ),
    "leadgate_refusals": Spec(
        "counter", "Requests refused before they reached a site, by reason.", ("status", "reason")
    ),
    "leadgate_fail_open": Spec("counter", "Requests passed on without a decision, by reason.", ("site", "reason")),
    "leadgate_unjournaled": Spec(
        "counter", "Form submissions passed on although the store could not commit in time.", ("site",)
    ),
    "leadgate_undecided": Spec("counter", "Form submissions that could not be read, by reason.", ("site", "reason")),
    "leadgate_leads": Spec("counter", "Changes of a lead's state, by the state it came to.", ("site", "state")),
    "leadgate_origin_errors": Spec("counter", "Failures of the site behind the gateway, by kind.", ("site", "error")),
    "leadgate_detector_failures": Spec("counter", "Detectors that raised an error.", ("detector",)),
    "leadgate_records_dropped": Spec(
        "counter", "Records that could not be queued because the store was too slow or away."
    ),
    "leadgate_reloads": Spec("counter", "Reloads of the configuration, by result: applied, refused.", ("result",)),
    "leadgate_handler_failures": Spec("counter", "Programming errors that reached the edge."),
    "leadgate_injected": Spec(
        "counter", "Pages that got a render token, and pages that could not get one, by reason.", ("site", "result")
    ),
    "leadgate_stage_seconds": Spec("summary", "Time spent in each stage of a decision, in seconds.", ("stage",)),
    "leadgate_in_flight": Spec("gauge", "Requests being answered."),
    "leadgate_connections": Spec("gauge", "Open connections of visitors."),
    "leadgate_store_queue": Spec("gauge", "Records waiting for the next commit."),
    "leadgate_store_healthy": Spec("gauge", "1 while the system of record commits."),
    "leadgate_hot_state_keys": Spec("gauge", "Counters and seals held in memory."),
    "leadgate_hot_state_evicted": Spec(
        "gauge", "Counters and seals given up to stay within the memory bound, since start."
    ),
    "leadgate_held_leads": Spec("gauge", "Leads that wait for a person."),
    "leadgate_held_oldest_seconds": Spec("gauge", "Age of the oldest lead that waits for a person, in seconds."),
}


class Metrics:
    """One process's counters. Names are those of `METRICS`; labels are given in the order they are declared there."""

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._timed: defaultdict[str, int] = defaultdict(int)
        self._gauges: dict[str, Callable[[], float]] = {}

    def count(self, *name_and_labels: str) -> None:
        self.counts[name_and_labels] += 1

    def stage(self, stage: str, since: float) -> float:
        """Adds the time since `since` (a perf_counter value) to `stage`; answers the time now, so that stages can be chained."""
        now = perf_counter()
        self._sums[stage] += now - since
        self._timed[stage] += 1
        return now

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        self._gauges[name] = read

    def total(self, name: str) -> int:
        """Sum of a counter over all its labels."""
        return sum(value for key, value in self.counts.items() if key[0] == name)

    def exposition(self) -> bytes:
        """The text format Prometheus reads."""
        registry = CollectorRegistry()
        registry.register(_Families(self))
        return generate_latest(registry)

    def families(self) -> Iterator[Metric]:
        for name, spec in METRICS.items():
            if spec.kind == "counter":
                counter = CounterMetricFamily(name, spec.help, labels=spec.labels)
                for key, value in tuple(self.counts.items()):
                    if key[0] == name:
                        counter.add_metric(key[1:], value)
                if not spec.labels and (name,) not in self.counts:
                    counter.add_metric((), 0)
                yield counter
            elif spec.kind == "summary":
                summary = SummaryMetricFamily(name, spec.help, labels=spec.labels)
                for stage, total in tuple(self._sums.items()):
                    summary.add_metric((stage,), count_value=self._timed[stage], sum_value=total)
                yield summary
            elif name in self._gauges:
                yield GaugeMetricFamily(name, spec.help, value=self._gauges[name]())


class _Families(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()

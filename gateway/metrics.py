"""Counters of the running process, shown at /metrics.

The request path adds to plain dictionaries (a tenth of a microsecond); the Prometheus form is built when somebody asks for it. Several workers
leave snapshots of theirs for each other, and whoever is asked shows the sum: `Spec.across` says what that is for a gauge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import add
from time import perf_counter
from typing import Literal, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector


class Spec(NamedTuple):
    """across: what several workers' values of a gauge are together; the counters of all are added up."""

    kind: Literal["counter", "gauge", "summary"]
    help: str
    labels: tuple[str, ...] = ()
    across: Literal["sum", "max", "min"] = "sum"


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
    "leadgate_outcomes": Spec(
        "counter",
        "What was said about leads on the public listener, by source and what came of it: taken, known (said before), unknown_lead, unmapped (a "
        "stage that means nothing to us), unsigned, malformed, throttled.",
        ("source", "result"),
    ),
    "leadgate_labels": Spec("counter", "Labels given by people through the API.", ("label",)),
    "leadgate_holdouts": Spec(
        "counter",
        "Submissions forwarded although they would have been held, to measure how often holding is wrong.",
        ("site", "form"),
    ),
    "leadgate_holdout_followed": Spec("gauge", "Hold-outs of the last 90 days that have a label.", across="max"),
    "leadgate_holdout_good": Spec("gauge", "Of these, people.", across="max"),
    "leadgate_holdout_rate": Spec("gauge", "Share of people among them: how often holding is wrong.", across="max"),
    "leadgate_holdout_rate_low": Spec("gauge", "Lower end of its 95 % interval.", across="max"),
    "leadgate_holdout_rate_high": Spec("gauge", "Upper end of its 95 % interval.", across="max"),
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
    "leadgate_store_healthy": Spec("gauge", "1 while the system of record commits, for every worker.", across="min"),
    "leadgate_hot_state_keys": Spec("gauge", "Counters and seals held in memory."),
    "leadgate_hot_state_evicted": Spec(
        "gauge", "Counters and seals given up to stay within the memory bound, since start."
    ),
    "leadgate_held_leads": Spec("gauge", "Leads that wait for a person.", across="max"),
    "leadgate_held_oldest_seconds": Spec(
        "gauge", "Age of the oldest lead that waits for a person, in seconds.", across="max"
    ),
    "leadgate_hot_state_partial": Spec(
        "counter", "Observations decided with a part of the shared counters only, by reason.", ("reason",)
    ),
    "leadgate_hot_state_errors": Spec("counter", "Failures of the shared state, by kind.", ("error",)),
    "leadgate_hot_state_open": Spec(
        "gauge", "1 while a worker leaves the shared state alone and counts by itself.", across="max"
    ),
    "leadgate_spooled": Spec("gauge", "Leads, records and events that wait in the local spool for the shared store."),
    "leadgate_spooled_leads": Spec(
        "counter", "Form submissions made durable in the local spool because the shared store was away.", ("site",)
    ),
    "leadgate_geoip_age_days": Spec(
        "gauge", "Age of the data that addresses are looked up in, in days: the first database named.", across="max"
    ),
    "leadgate_feed_age_days": Spec(
        "gauge", "Age of the oldest feed of networks, in days; 0 where there is none.", across="max"
    ),
    "leadgate_model_drift": Spec(
        "gauge",
        "How far a feature of recent accepted traffic has moved from what the model learned (population stability index; 0.25 is a lot).",
        ("site", "kind", "feature"),
        across="max",
    ),
    "leadgate_model_rounds": Spec(
        "counter", "Rounds of training in the background, by result: done, failed.", ("result",)
    ),
    "leadgate_log_lines_lost": Spec(
        "gauge", "Log lines that could not be written since start: the disk is full, or their reader went away."
    ),
    "leadgate_campaign_floods": Spec(
        "counter", "Floods of campaigns' parts as seen by a worker, by what happened: began, ended.", ("site", "change")
    ),
    "leadgate_campaigns_flooded": Spec("gauge", "Parts of campaigns that are flooded now.", across="max"),
    "leadgate_workers": Spec("gauge", "Worker processes that take visitors.", across="max"),
    "leadgate_worker_restarts": Spec(
        "counter", "Worker processes replaced, by reason: ended (by itself or killed), rolled (asked for).", ("reason",)
    ),
}


class Snapshot(msgspec.Struct, frozen=True):
    """What one worker counted since its start.

    counts  (name, *labels) joined by "\x1f" → value
    sums    stage → (seconds, how often)
    gauges  name, or (name, *labels) joined by "\x1f" → value at that moment
    advice  what the worker would tell at /readyz
    """

    counts: dict[str, int] = {}
    sums: dict[str, tuple[float, int]] = {}
    gauges: dict[str, float] = {}
    advice: tuple[str, ...] = ()


class Metrics:
    """One process's counters. Names are those of `METRICS`; labels are given in the order they are declared there."""

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._timed: defaultdict[str, int] = defaultdict(int)
        self._gauges: dict[str, Callable[[], float]] = {}
        self._labelled: dict[str, Callable[[], Mapping[tuple[str, ...], float]]] = {}
        self.others: Callable[[], Iterable[Snapshot]] = tuple
        """What the other workers counted, read when somebody asks."""

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

    def labelled_gauge(self, name: str, read: Callable[[], Mapping[tuple[str, ...], float]]) -> None:
        """read: values by their labels, in the order they are declared."""
        self._labelled[name] = read

    def total(self, name: str) -> int:
        """Sum of a counter over all its labels, in this process."""
        return sum(value for key, value in self.counts.items() if key[0] == name)

    def snapshot(self, advice: Iterable[str] = ()) -> Snapshot:
        return Snapshot(
            {_SEPARATOR.join(key): value for key, value in self.counts.items()},
            {stage: (total, self._timed[stage]) for stage, total in self._sums.items()},
            {name: read() for name, read in self._gauges.items()} | self._by_labels(),
            tuple(advice),
        )

    def _by_labels(self) -> dict[str, float]:
        return {
            _SEPARATOR.join((name, *labels)): now
            for name, read in self._labelled.items()
            for labels, now in read().items()
        }

    def exposition(self) -> bytes:
        """The text format Prometheus reads."""
        registry = CollectorRegistry()
        registry.register(_Families(together([self.snapshot(), *self.others()])))
        return generate_latest(registry)


def together(snapshots: Iterable[Snapshot]) -> Snapshot:
    """All counters and sums added up, gauges as their Spec says; the advice of all, each once."""
    counts: defaultdict[str, int] = defaultdict(int)
    sums: dict[str, tuple[float, int]] = {}
    gauges: dict[str, float] = {}
    advice: dict[str, None] = {}
    for one in snapshots:
        for key, value in one.counts.items():
            counts[key] += value
        for stage, (seconds, times) in one.sums.items():
            total, timed = sums.get(stage, (0.0, 0))
            sums[stage] = (total + seconds, timed + times)
        for name, now in one.gauges.items():
            spec = METRICS.get(name.partition(_SEPARATOR)[0])
            if spec is not None:
                gauges[name] = _ACROSS[spec.across](gauges[name], now) if name in gauges else now
        advice |= dict.fromkeys(one.advice)
    return Snapshot(dict(counts), sums, gauges, tuple(advice))


_SEPARATOR = "\x1f"
_ACROSS: dict[str, Callable[[float, float], float]] = {"sum": add, "max": max, "min": min}


class _Families(Collector):
    def __init__(self, shown: Snapshot) -> None:
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        shown = self._shown
        counted: defaultdict[str, list[tuple[list[str], int]]] = defaultdict(list)
        for key, value in shown.counts.items():
            name, *labels = key.split(_SEPARATOR)
            counted[name].append((labels, value))
        for name, spec in METRICS.items():
            if spec.kind == "counter":
                counter = CounterMetricFamily(name, spec.help, labels=spec.labels)
                for labels, value in counted[name] or ([] if spec.labels else [([], 0)]):
                    counter.add_metric(labels, value)
                yield counter
            elif spec.kind == "summary":
                summary = SummaryMetricFamily(name, spec.help, labels=spec.labels)
                for stage, (seconds, times) in shown.sums.items():
                    summary.add_metric((stage,), count_value=times, sum_value=seconds)
                yield summary
            elif spec.labels:
                gauge = GaugeMetricFamily(name, spec.help, labels=spec.labels)
                for key, now in shown.gauges.items():
                    if key.startswith(name + _SEPARATOR):
                        gauge.add_metric(key.split(_SEPARATOR)[1:], now)
                yield gauge
            elif name in shown.gauges:
                yield GaugeMetricFamily(name, spec.help, value=shown.gauges[name])

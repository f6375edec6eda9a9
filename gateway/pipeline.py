"""One request's way to its verdict: gather, detect, judge, record. The edge, the admin API and replay all run this one path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import msgspec

import detectors
from detectors.observation import Observation, Unavailable
from detectors.reference import Reference
from detectors.signal import Signal
from gateway.evidence.record import Answered, build
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.log import seldom
from gateway.metrics import Metrics
from gateway.model import Mode, now_us
from gateway.stores.records import Entry
from rules.lists import Lists
from rules.ruleset import Ruleset
from rules.score import Policy
from rules.verdict import Decision, Ivt, Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a route is judged by: built once per generation, shared by all its requests.

    name  of the landing page entry or form, for people
    """

    name: str
    mode: Mode
    generation: str
    reference: Reference
    ruleset: Ruleset
    policy: Policy
    lists: Lists


class Judged(msgspec.Struct, frozen=True):
    """An arrival with everything that was found out about it."""

    arrival: Arrival
    observation: Observation
    signals: tuple[Signal, ...]
    verdict: Verdict
    by: Judgement

    @property
    def decision(self) -> Decision:
        return self.verdict.decision


class Pipeline:
    """Facts in, verdict out, record queued.

    keep    takes a record for the next commit; False where there was no room
    source  "live" or "replay", stands in each record
    """

    def __init__(
        self, collector: Collector, keep: Callable[[Entry], bool], metrics: Metrics, *, source: str = "live"
    ) -> None:
        self._collector = collector
        self._keep = keep
        self._metrics = metrics
        self._source = source

    async def judge(self, arrival: Arrival, by: Judgement, *, dry: bool = False) -> Judged:
        """The verdict on an arrival. Never raises: what fails becomes a fact that could not be had, and is counted.

        dry  judge as if: no counter moves, no click id is sealed, and metrics do not show it
        """
        clock = perf_counter()
        stage, count = self._metrics.stage, self._metrics.count
        failures: list[tuple[str, str]] = []
        try:
            observation = await self._collector.gather(arrival, dry=dry)
        except Exception as error:  # noqa: BLE001 - fail open: a fault of ours must not cost a visitor the page
            observation = _without_facts(arrival, f"facts: {type(error).__name__}")
            failures.append(("facts", type(error).__name__))
            count("leadgate_fail_open", arrival.site, "facts")
            seldom("fail open", "facts", type(error).__name__, reason="facts", route=by.name, error=repr(error))
        clock = stage("facts", clock)
        signals, failed = detectors.run(observation, by.reference)
        for detector, kind in failed:
            failures.append((f"detector {detector}", kind))
            count("leadgate_detector_failures", detector)
            seldom("detector failed", detector, detector=detector, error=kind)
        signals = by.policy.noted(signals)
        clock = stage("detectors", clock)
        try:
            verdict = by.ruleset.judge(signals, observation, by.policy, by.lists.match(observation), failures)
        except Exception as error:  # noqa: BLE001 - fail open, as above
            verdict = _undecided(f"rules: {type(error).__name__}")
            count("leadgate_fail_open", arrival.site, "rules")
            seldom("fail open", "rules", type(error).__name__, reason="rules", route=by.name, error=repr(error))
        stage("rules", clock)
        if dry:
            return Judged(arrival, observation, tuple(signals), verdict, by)
        count("leadgate_observations", arrival.site, arrival.kind, verdict.decision, verdict.ivt)
        for signal in signals:
            count("leadgate_signals", signal.id)
        return Judged(arrival, observation, tuple(signals), verdict, by)

    def record(self, judged: Judged, answered: Answered | None = None) -> None:
        """Queue the record for the next commit; the request does not wait for it.

        answered  what the visitor got, where it is known by now
        """
        clock = perf_counter()
        try:
            kept = self._keep(self.entry(judged, answered))
        except Exception as error:  # noqa: BLE001 - the visitor was judged and is answered, whatever becomes of the record
            kept = False
            seldom("record failed", type(error).__name__, route=judged.by.name, error=repr(error))
        if not kept:
            self._metrics.count("leadgate_records_dropped")
        self._metrics.stage("record", clock)

    def entry(self, judged: Judged, answered: Answered | None = None) -> Entry:
        arrival, by = judged.arrival, judged.by
        return build(
            judged.observation,
            id=arrival.id,
            mode=by.mode,
            recorded_at=now_us() if self._source == "live" else arrival.at,
            signals=judged.signals,
            verdict=judged.verdict,
            generation=by.generation,
            form=arrival.form,
            route=by.name,
            answered=answered,
            peer=arrival.peer,
            source=self._source,
        )


def _without_facts(arrival: Arrival, reason: str) -> Observation:
    missing = Unavailable(reason)
    return Observation(
        arrival.kind,
        arrival.site,
        arrival.at,
        arrival.page,
        arrival.client,
        arrival.request,
        missing,
        missing,
        missing,
        lead=arrival.lead,
    )


def _undecided(reason: str) -> Verdict:
    """What stands in for a verdict where none could be reached: the visitor goes on, and the record says why nothing was decided."""
    return Verdict(
        decision=Decision.ACCEPT,
        quality=50,
        confidence=0,
        ivt=Ivt.UNDECIDED,
        category=None,
        score=0,
        decided_by=f"undecided: {reason}",
        reasons=(),
        groups=(),
        composites=(),
        unavailable=(("rules", reason),),
        nearest="",
    )

"""The one path to a verdict, and that nothing which fails on it costs a visitor the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import detectors
from detectors.observation import Client, Kind, Page, Request, Unavailable
from detectors.reference import Reference
from gateway.evidence.record import Answered, decode
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.metrics import Metrics
from gateway.model import Mode, new_id, now_us
from gateway.pipeline import Judgement, Pipeline
from gateway.stores.canonical import chained
from gateway.stores.hot.memory import MemoryState
from gateway.stores.records import FIRST_PREV, Entry
from geoip.network import Network
from rules import loader
from rules.lists import Entry as ListEntry
from rules.lists import Lists
from rules.verdict import Decision, Ivt

CURL = (("Host", "acme.example"), ("User-Agent", "curl/8.5.0"), ("Accept", "*/*"))


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    ruleset = loader.load()
    return Judgement(
        "/offer*",
        Mode.TAG,
        "0123456789abcdef",
        Reference.builtin(),
        ruleset,
        ruleset.policy(Kind.LANDING),
        Lists([], []),
    )


def arrival() -> Arrival:
    return Arrival(
        new_id(),
        Kind.LANDING,
        "acme",
        now_us(),
        Client("203.0.113.9"),
        Request("GET", "/offer", CURL),
        Page("acme.example", "/offer"),
    )


async def _no_reverse(_: str) -> Unavailable:
    return Unavailable("not asked")


def collector(network: Callable[[str], Network | Unavailable] = lambda _: Network()) -> Collector:
    return Collector(b"k" * 32, MemoryState(), network, _no_reverse, lambda *_: False)


async def test_a_program_is_judged_counted_and_recorded(judgement: Judgement) -> None:
    kept: list[Entry] = []
    metrics = Metrics()
    pipeline = Pipeline(collector(), lambda entry: kept.append(entry) or True, metrics)
    judged = await pipeline.judge(arrival(), judgement)
    pipeline.record(judged, Answered(200, "origin"))
    assert judged.decision is Decision.REVIEW
    assert "bot.http_library" in [signal.id for signal in judged.signals]
    assert metrics.counts["leadgate_signals", "bot.http_library"] == 1
    record = decode(chained(kept[0].parts, "test", 1, FIRST_PREV)[0])
    assert (record.id, record.generation, record.route, record.answered) == (
        judged.arrival.id, "0123456789abcdef", "/offer*", Answered(200, "origin"),
    )  # fmt: skip
    assert record.verdict == judged.verdict


async def test_facts_that_fail_let_the_visitor_on_and_say_so(judgement: Judgement) -> None:
    def broken(_: str) -> Network:
        raise ZeroDivisionError

    metrics = Metrics()
    judged = await Pipeline(collector(broken), lambda _: True, metrics).judge(arrival(), judgement)
    assert judged.decision is not Decision.REJECT
    assert judged.verdict.ivt is Ivt.UNDECIDED
    assert ("facts", "ZeroDivisionError") in judged.verdict.unavailable
    assert metrics.counts["leadgate_fail_open", "acme", "facts"] == 1


async def test_a_detector_that_fails_is_a_fact_that_could_not_be_had(
    judgement: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = detectors.run

    def failing(obs: object, ref: object) -> tuple[list[object], list[tuple[str, str]]]:
        signals, _ = real(obs, ref)  # type: ignore[arg-type]
        return list(signals), [("email", "KeyError")]

    monkeypatch.setattr(detectors, "run", failing)
    metrics = Metrics()
    judged = await Pipeline(collector(), lambda _: True, metrics).judge(arrival(), judgement)
    assert ("detector email", "KeyError") in judged.verdict.unavailable
    assert metrics.counts["leadgate_detector_failures", "email"] == 1


async def test_rules_that_fail_let_the_visitor_on(judgement: Judgement, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(judgement.ruleset), "judge", broken)
    metrics = Metrics()
    judged = await Pipeline(collector(), lambda _: True, metrics).judge(arrival(), judgement)
    assert (judged.decision, judged.verdict.ivt, judged.verdict.confidence) == (Decision.ACCEPT, Ivt.UNDECIDED, 0)
    assert judged.verdict.decided_by == "undecided: rules: RuntimeError"
    assert metrics.counts["leadgate_fail_open", "acme", "rules"] == 1


async def test_an_operators_list_wins_and_is_named(judgement: Judgement) -> None:
    allowed = Lists([ListEntry("office", addresses=("203.0.113.0/24",))], [ListEntry("curl", user_agents=("curl",))])
    by = Judgement(
        judgement.name,
        judgement.mode,
        judgement.generation,
        judgement.reference,
        judgement.ruleset,
        judgement.policy,
        allowed,
    )
    judged = await Pipeline(collector(), lambda _: True, Metrics()).judge(arrival(), by)
    assert judged.decision is Decision.ACCEPT
    assert "office" in judged.verdict.decided_by


async def test_a_full_store_queue_is_counted(judgement: Judgement) -> None:
    metrics = Metrics()
    pipeline = Pipeline(collector(), lambda _: False, metrics)
    pipeline.record(await pipeline.judge(arrival(), judgement))
    assert metrics.total("leadgate_records_dropped") == 1

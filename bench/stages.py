"""What each stage of a decision costs, in the process and without the visitors' sockets: medians in microseconds.

    python bench/stages.py [--visits 10000] [--rounds 5] [--embedded]

Visitors are those of bench/visitors.py, most of them new, so that caches are as warm as they are under ad traffic and no warmer. Two tables: the
embedded stores, then Redis and PostgreSQL. Stages are timed by the clock, in turn for one visitor after the other; "hot state" on Redis therefore
holds the way there and back, and the server's work. Each is the median of a round's visits, and the least of the rounds, so that what else the machine
does shows little. What is written is given as CPU time, of this process with its threads and of PostgreSQL.

"The decision" is facts, detectors and rules. It is also measured in one piece, on visitors of its own, without clocks between its parts and as CPU time
of its thread: the median, and the mean, which holds what unusual visitors cost (their findings are explained, composites evaluated). The anomaly
model is trained here, on the visitors of the first round, before anything is timed.

Real requests cost more than the sum: between two stages of one visitor the code and data of others have passed through the processor's caches, and
threads wait for each other (see docs/performance.md).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy
import uvloop
from aiohttp.http import HttpRequestParser

from bench import programs, visitors
from bench.load import Missing, cpu_seconds
from bench.own_stores import own_stores
from bench.stage_costs import ANOMALY, Costs, Stages, costs, show
from detectors import DETECTORS, OF_A_PAGE_VIEW, run
from detectors.anomaly.model import Model, Models
from detectors.anomaly.reading import vector
from detectors.observation import Kind, Observation, ReverseName, Unavailable
from detectors.signal import Signal
from gateway import config as configuration
from gateway.app import Gateway
from gateway.bounds import intake_limits
from gateway.evidence.record import Answered
from gateway.facts.collect import Collector
from gateway.intake.exchange import Exchange
from gateway.intake.forms import FormLimits
from gateway.intake.framing import read_head
from gateway.intake.target import parse
from gateway.model import now_us
from gateway.models.training import Traffic, train
from gateway.pipeline import Judged, Judgement
from gateway.stores import keys as stored_keys
from gateway.stores.hot import Answers, Operation
from gateway.stores.leads import NewLead
from gateway.stores.records import Entry
from gateway.visits.arrivals import raw_head
from gateway.visits.reading import understand

OUT = Path(__file__).parent / "out"
BATCH = 200
"""Records that are committed at once: what 100 ms bring at 2,000 visits a second."""


class Measured:
    """One gateway, opened as it is for serving, with clocks between its parts."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.network_took = self.hot_took = 0
        built = gateway._built
        key = gateway.keys.current(stored_keys.HASH).derive("hot state")
        self.collector = Collector(key, self, self._network, _no_reverse, built.wants_reverse, board=gateway.board)
        self.pipeline, self.arrivals = gateway.pipeline, gateway.edge._arrivals
        self.site = next(site for site in gateway.generation.sites if site.name == "forms")
        self.form = self.site.forms[0]
        self.models = Models.builtin()
        self.seen: list[Observation] = []
        self.learning, self.whole = True, False
        self.limits = intake_limits(gateway.config)
        self.parser = self._new_parser()
        self.trouble: str | None = None

    def _new_parser(self) -> HttpRequestParser:
        from aiohttp.base_protocol import BaseProtocol

        loop = asyncio.get_running_loop()
        return HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)

    # what the collector asks

    def _network(self, address: str) -> Any:
        since = time.perf_counter_ns()
        found = self.gateway._built.network_fact(address)
        self.network_took = time.perf_counter_ns() - since
        return found

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        since = time.perf_counter_ns()
        answers = await self.gateway.hot.observe(ops, now, dry=dry)
        self.hot_took = time.perf_counter_ns() - since
        return answers

    async def close(self) -> None:
        """Belongs to the interface; the gateway closes its state itself."""

    # visits

    def _read(self, raw: bytes) -> tuple[Exchange, bytes]:
        end = raw.index(b"\r\n\r\n") + 4
        connection: Any = SimpleNamespace(peer=("127.0.0.1", 50_000), tls=False)
        head = read_head(raw[:end], self.parser, self.limits)
        if not head.pristine:
            self.parser = self._new_parser()
        return Exchange(head, connection), raw[end:]

    async def landing(self, raw: bytes, stages: Stages) -> Entry:
        clock = time.perf_counter_ns()
        exchange, _ = self._read(raw)
        clock = stages.take("request head", clock)
        target = parse(exchange.target, exchange.method, exchange.headers)
        route = self.site.landing(exchange.method, target)
        assert route is not None
        clock = stages.take("target and route", clock)
        visit = self.arrivals.read(exchange, self.gateway.generation, self.site, target, Kind.LANDING)
        stages.take("arrival: client, click, session", clock)
        return await self._decide(visit.arrival, route.judgement, stages)

    async def submission(self, raw: bytes, stages: Stages) -> Entry:
        clock = time.perf_counter_ns()
        exchange, body = self._read(raw)
        clock = stages.take("request head", clock)
        target = parse(exchange.target, exchange.method, exchange.headers)
        forms = self.site.forms_at(target)
        clock = stages.take("target and route", clock)
        reading = understand(forms, exchange.header(b"content-type"), None, body, FormLimits(), target)
        assert reading is not None
        clock = stages.take("form: fields, contacts", clock)
        visit = self.arrivals.read(
            exchange,
            self.gateway.generation,
            self.site,
            target,
            Kind.SUBMISSION,
            lead=reading.lead,
            content=reading.content,
            contacts=reading.contacts,
            form=self.form.form.name,
        )
        stages.take("arrival: client, click, session", clock)
        return await self._decide(visit.arrival, self.form.judgement, stages)

    def learn(self, kind: Kind) -> None:
        """A model of the visitors seen so far, as it is trained on a site's accepted traffic, is in force from here on."""
        rows = numpy.array([vector(obs) for obs in self.seen], numpy.float32)
        at = numpy.array([obs.at for obs in self.seen], numpy.int64)
        made = train(Traffic(self.site.name, kind, rows, at), self.seen[-1].at)
        self.models = Models.of({(self.site.name, kind): Model(made.about, made.onnx)}, {})
        self.seen.clear()
        self.learning = False

    async def _whole(self, arrival: Any, by: Judgement, stages: Stages) -> Judged:
        since = time.thread_time_ns()
        observation = await self.collector.gather(arrival)
        signals, failures = run(observation, by.reference)
        verdict = by.ruleset.judge(signals, observation, by.policy, by.lists.match(observation), failures)
        stages.whole.append(time.thread_time_ns() - since)
        return Judged(arrival, observation, tuple(signals), verdict, by)

    async def _decide(self, arrival: Any, by: Any, stages: Stages) -> Entry:
        if not self.learning:
            by = replace(by, reference=replace(by.reference, anomaly=self.models))
            if self.whole:
                return self.pipeline.entry(await self._whole(arrival, by, stages), Answered(200, "origin"))
        clock = time.perf_counter_ns()
        observation = await self.collector.gather(arrival)
        took = time.perf_counter_ns() - clock
        stages.times["facts: network"].append(self.network_took)
        stages.times["facts: hot state"].append(self.hot_took)
        stages.times["facts: keys and assembly"].append(took - self.network_took - self.hot_took)
        if self.learning:
            self.seen.append(observation)
        signals: list[Signal] = []
        clock = time.perf_counter_ns()
        for detect in OF_A_PAGE_VIEW if arrival.kind is Kind.LANDING else DETECTORS:
            known = len(signals)
            signals += detect(observation, by.reference)
            stage = "detector: " + detect.__module__.removeprefix("detectors.")
            clock = stages.take(stage, clock)
            if stage == ANOMALY and len(signals) > known:
                stages.unusual.append(stages.times[stage][-1])
        verdict = by.ruleset.judge(signals, observation, by.policy, by.lists.match(observation), [])
        clock = stages.take("rules: verdict", clock)
        entry = self.pipeline.entry(Judged(arrival, observation, tuple(signals), verdict, by), Answered(200, "origin"))
        stages.take("record", clock)
        return entry

    # what is written

    async def record(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.gateway.store.record(entry)
        await self.gateway.store.flush()

    async def journal(self, numbers: Sequence[int]) -> None:
        """Make leads durable, 32 at a time, as 32 connections would."""

        async def one(number: int) -> None:
            exchange, body = self._read(visitors.fill(visitors.submission(number, b"forms.example"), number))
            target = parse(b"/lead", "POST", ())
            arrival = self.arrivals.read(exchange, self.gateway.generation, self.site, target, Kind.SUBMISSION).arrival
            lead = NewLead(
                id=arrival.id,
                site="forms",
                form="quote",
                received_at=arrival.at,
                head=raw_head(exchange),
                peer="127.0.0.1:50000",
                client=None,
                scheme="http",
                content_type="application/x-www-form-urlencoded",
                origin="http://127.0.0.1:9000",
                success=b"{}",
            )
            await self.gateway.store.journal(lead, body)

        for start in range(0, len(numbers), 32):
            await asyncio.gather(*[one(number) for number in numbers[start : start + 32]])


async def _no_reverse(address: str) -> ReverseName | Unavailable:
    return Unavailable("not asked here")


async def measure(folder: Path, visits: int, rounds: int, database: int | None, **stores: str) -> dict[str, Costs]:
    """By kind of request. database: process id of PostgreSQL, where records go there."""
    programs.leadgate(folder, 8080, 9000, 8081, **stores)
    file = folder / "leadgate.yaml"
    gateway = Gateway(file, configuration.load(file))
    await gateway.open()
    await gateway._built.warm_up()
    gc.collect()
    gc.freeze()
    measured = Measured(gateway)
    found: dict[str, Costs] = {}
    number = 1000
    batches = max(2, visits // rounds // BATCH)
    for kind, name, visit, template in (
        (Kind.LANDING, "landing page", measured.landing, visitors.landing),
        (Kind.SUBMISSION, "form post", measured.submission, visitors.submission),
    ):
        measured.learning = True
        taken = [Stages() for _ in range(rounds + 1)]
        written = server = 0.0
        for stages in taken:
            for batch in range(batches):
                measured.whole = batch % 2 == 1
                numbers = range(number, number + BATCH)
                number += BATCH
                requests = [visitors.fill(template(each, b"forms.example"), each) for each in numbers]
                entries = [await visit(request, stages) for request in requests]
                before = time.process_time(), cpu_seconds(database) if database else 0.0
                await measured.record(entries)
                if not measured.learning:
                    written += time.process_time() - before[0]
                    server += (cpu_seconds(database) if database else 0.0) - before[1]
            await gateway.board.tick(now_us())
            if measured.learning:  # the first round warms up, too
                measured.learn(kind)
        per_visit = 1e6 / (rounds * batches * BATCH)
        more = [("store: chained, indexed, stored", written * per_visit)]
        if database:
            more.append(("PostgreSQL's own work", server * per_visit))
        if kind is Kind.SUBMISSION:
            since = time.process_time()
            await measured.journal(range(number, number + visits // 4))
            more.append(("lead: sealed, committed", (time.process_time() - since) / (visits // 4) * 1e6))
        found[name] = costs(taken[1:], more)
    await gateway.store.close()
    await gateway.hot.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--embedded", action="store_true", help="not on Redis and PostgreSQL")
    options = parser.parse_args()
    counted = f"{options.visits} visits in {options.rounds} rounds"
    print(f"Microseconds in each stage, least of the medians of {counted}; load average {os.getloadavg()[0]:.1f}")
    told: dict[str, object] = {"at": int(time.time())}
    with tempfile.TemporaryDirectory() as folder:
        embedded = uvloop.run(measure(Path(folder), options.visits, options.rounds, None))
    show("In memory and SQLite", embedded)
    told["embedded"] = {name: asdict(cost) for name, cost in embedded.items()}
    if options.embedded:
        return _written(told)
    try:
        with own_stores() as stores, tempfile.TemporaryDirectory() as folder:
            places = {"state": stores.state, "store": stores.store}
            database = stores.pids["postgres"]
            shared = uvloop.run(measure(Path(folder), options.visits, options.rounds, database, **places))
    except Missing as error:
        print(f"\nLeft out, Redis and PostgreSQL: {error}")
    else:
        show("Redis and PostgreSQL", shared)
        told["shared"] = {name: asdict(cost) for name, cost in shared.items()}
    return _written(told)


def _written(told: dict[str, object]) -> int:
    OUT.mkdir(exist_ok=True)
    (OUT / "stages.json").write_text(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What each stage of a decision costs, in the process and without sockets: medians in microseconds, of 5,000 visitors in turn.

    python bench/stages.py [--visits 5000]

Visitors rotate, so that caches are as warm as they are on a busy site and no warmer. Real requests cost more than the
sum: between two stages other visitors' code runs (see docs/performance.md).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import visitors
from detectors import DETECTORS
from detectors.observation import Kind, ReverseName, Unavailable
from gateway import config as configuration
from gateway.app import Gateway
from gateway.evidence.record import Answered
from gateway.facts.collect import Collector
from gateway.intake.forms import FormLimits
from gateway.intake.target import parse
from gateway.pipeline import Judged
from gateway.stores import keys as stored_keys
from gateway.stores.hot import Answers, Operation
from gateway.stores.leads import NewLead
from gateway.stores.memory import MemoryState
from gateway.visits.arrivals import raw_head
from gateway.visits.reading import understand

OUT = Path(__file__).parent / "out"
CONFIG = """
listen: 127.0.0.1:8080
admin: {{listen: 127.0.0.1:8081}}
trusted_proxies: [127.0.0.1/32]
store: sqlite:///{folder}/leadgate.db
keys: {{directory: {folder}/keys}}
sites:
  - name: roofs
    origin: http://127.0.0.1:9000
    mode: tag
    landing_pages: [{{path: "/offer*"}}]
    forms:
      - name: quote
        path: /lead
        fields: {{full_name: full_name, email: email, phone: phone, company: company, message: message}}
"""


class Stages:
    """Times by stage, in nanoseconds, in the order in which stages were first met."""

    def __init__(self) -> None:
        self.times: defaultdict[str, list[int]] = defaultdict(list)

    def take(self, stage: str, since: int) -> int:
        now = time.perf_counter_ns()
        self.times[stage].append(now - since)
        return time.perf_counter_ns()

    def table(self) -> list[tuple[str, float]]:
        return [(stage, median(times) / 1000) for stage, times in self.times.items()]


class TimedState:
    """Hot state that notes how long it took."""

    def __init__(self) -> None:
        self.state = MemoryState()
        self.took = 0

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        since = time.perf_counter_ns()
        answers = await self.state.observe(ops, now, dry=dry)
        self.took = time.perf_counter_ns() - since
        return answers

    async def close(self) -> None:
        await self.state.close()

    @property
    def trouble(self) -> str | None:
        return self.state.trouble


class Measured:
    """One gateway, built as it is for serving, with clocks between its parts."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.network_took = 0
        self.hot = TimedState()
        key = gateway.keys.current(stored_keys.HASH).derive("hot state")
        self.collector = Collector(key, self.hot, self._network, _no_reverse, gateway._wants_reverse)
        self.pipeline, self.arrivals = gateway.pipeline, gateway.edge._arrivals
        self.site = gateway.generation.sites[0]
        self.form = self.site.forms[0]

    def _network(self, address: str) -> Any:
        since = time.perf_counter_ns()
        found = self.gateway._built.network_fact(address)
        self.network_took = time.perf_counter_ns() - since
        return found

    async def landing(self, number: int, stages: Stages) -> None:
        exchange = visitors.landing(number)
        clock = time.perf_counter_ns()
        target = parse(exchange.target, exchange.method, exchange.headers)
        route = self.site.landing(exchange.method, target)
        assert route is not None
        clock = stages.take("target and route", clock)
        visit = self.arrivals.read(exchange, self.gateway.generation, self.site, target, Kind.LANDING)
        stages.take("arrival: client, click, session", clock)
        await self._decide(visit.arrival, route.judgement, stages)

    async def submission(self, number: int, stages: Stages) -> None:
        exchange, body = visitors.submission(number)
        clock = time.perf_counter_ns()
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
        await self._decide(visit.arrival, self.form.judgement, stages)

    async def _decide(self, arrival: Any, by: Any, stages: Stages) -> None:
        clock = time.perf_counter_ns()
        observation = await self.collector.gather(arrival)
        took = time.perf_counter_ns() - clock
        stages.times["facts: network"].append(self.network_took)
        stages.times["facts: hot state"].append(self.hot.took)
        stages.times["facts: keys and assembly"].append(took - self.network_took - self.hot.took)
        signals = []
        clock = time.perf_counter_ns()
        for detect in DETECTORS:
            signals += detect(observation, by.reference)
            clock = stages.take("detector: " + detect.__module__.removeprefix("detectors."), clock)
        verdict = by.ruleset.judge(signals, observation, by.policy, by.lists.match(observation), [])
        clock = stages.take("rules: verdict", clock)
        entry = self.pipeline.entry(Judged(arrival, observation, tuple(signals), verdict, by), Answered(200, "origin"))
        clock = stages.take("record", clock)
        self.gateway.store.record(entry)

    async def journal(self, numbers: Sequence[int]) -> None:
        """Make leads durable, 32 at a time, as 32 connections would."""

        async def one(number: int) -> None:
            exchange, body = visitors.submission(number)
            arrival = self.arrivals.read(
                exchange, self.gateway.generation, self.site, parse(b"/lead", "POST", ()), Kind.SUBMISSION
            ).arrival
            lead = NewLead(
                id=arrival.id,
                site="roofs",
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


def writer_us() -> float:
    """CPU time the store's thread has used so far, in microseconds."""
    thread = next(thread for thread in threading.enumerate() if thread.name.startswith("store-gateway"))
    return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0]) / 1000


async def _no_reverse(address: str) -> ReverseName | Unavailable:
    return Unavailable("not asked here")


async def measure(folder: Path, visits: int) -> dict[str, list[tuple[str, float]]]:
    file = folder / "leadgate.yaml"
    file.write_text(CONFIG.format(folder=folder))
    gateway = Gateway(file, configuration.load(file))
    await gateway.open()
    await gateway._built.warm_up()
    gc.collect()
    gc.freeze()
    measured = Measured(gateway)
    tables = {}
    for name, visit in (("landing page", measured.landing), ("form post", measured.submission)):
        for number in range(visitors.VISITORS):  # everybody has been here once
            await visit(number, Stages())
            if number % 500 == 499:
                await gateway.store.flush()
        stages, before = Stages(), writer_us()
        for number in range(visits):
            await visit(visitors.VISITORS + number, stages)
            if number % 500 == 499:
                await gateway.store.flush()
        tables[name] = [*stages.table(), ("writer: chained, indexed, stored", (writer_us() - before) / visits)]
    since = time.process_time()
    await measured.journal(range(visits // 4))
    tables["form post"].append(("journal: sealed, committed", (time.process_time() - since) / (visits // 4) * 1e6))
    await gateway.store.close()
    return tables


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--visits", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = asyncio.run(measure(Path(folder), options.visits))
    print(
        f"\nMicroseconds in each stage, medians of {options.visits}; the last lines are CPU time of the store's thread"
    )
    for name, rows in tables.items():
        print(f"\nOne {name}")
        for stage, us in rows:
            print(f"  {stage:40}{us:>8.1f}")
        print(f"  {'together':40}{sum(us for _, us in rows):>8.1f}")
    OUT.mkdir(exist_ok=True)
    (OUT / "stages.json").write_text(json.dumps({"at": int(time.time()), "stages": tables}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

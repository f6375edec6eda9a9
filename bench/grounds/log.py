"""A real access log: clients that declare themselves as programs, and what everybody else shows. Declarations are weak labels: whoever poses as a browser
counts as a person here, and some do.

Each client's page views are counted as in service, in memory; the network is looked up in the shipped database.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bench.grounds import data
from bench.grounds.agents import peers
from bench.grounds.judge import Judge, Scores, held
from bench.grounds.networks import reader
from bench.table import Ground, Row, Scorer
from detectors.observation import Client, Kind, Observation, Page, Request, ReverseName, Unavailable
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.replay.arrivals import not_a_page
from gateway.replay.files import parse
from gateway.replay.lines import Unreadable
from gateway.stores.hot.memory import MemoryState


def rows(judge: Judge) -> list[Row]:
    visits: dict[str, list[Scores]] = defaultdict(list)
    agents: dict[str, str] = {}
    for address, agent, obs in asyncio.run(_observations()):
        visits[address].append(judge.scores(obs))
        agents[address] = agent
    named = peers()
    declared = {address for address, agent in agents.items() if any(peer.score(agent) for peer in named)}
    bad, good = sorted(declared), sorted(set(visits) - declared)
    behaviour = ("velocity", "session", "network")
    scorers = [_best(f"{group}.*", visits, group) for group in ("bot", *behaviour)]
    scorers.append(
        Scorer(
            "verdict",
            lambda client: float(max(score.whole for score in visits[str(client)])),
            service=float(judge.held_from(Kind.LANDING)),
        )
    )
    scorers += [Scorer(peer.name, _of(peer.score, agents), peer=True) for peer in named]
    note = "clients; bad: what either peer calls a program, so peers are right by definition"
    found = Ground("access log of 2015", bad, good, scorers, note).rows()
    stopped = [client for client in good if any(held(score.verdict) for score in visits[client])]
    print(
        f"access log: of {len(good)} clients that declare nothing, {len(stopped)} are held: {', '.join(sorted({_why(visits[client]) for client in stopped}))}"
    )
    return found


def _best(name: str, visits: dict[str, list[Scores]], group: str) -> Scorer:
    return Scorer(name, lambda client: float(max(score.groups.get(group, 0) for score in visits[str(client)])))


def _of(score: Callable[[Any], float], agents: dict[str, str]) -> Callable[[object], float]:
    return lambda client: score(agents[str(client)])


def _why(scores: list[Scores]) -> str:
    stopped = next(score for score in scores if held(score.verdict))
    return " + ".join(sorted({reason.signal for reason in stopped.verdict.reasons if reason.counted > 0}))


async def _observations() -> list[tuple[str, str, Observation]]:
    """(client, agent, page view) in the order of the log."""
    collector = Collector(bytes(32), MemoryState(), reader().lookup, _no_name, lambda *_: False)
    found = []
    for number, text in enumerate(data.lines("access-log/apache_logs.gz")):
        try:
            line = parse(text.encode("latin-1", "replace"))
        except Unreadable:  # one of 10,000
            continue
        if not_a_page(line) or line.status >= 300:
            continue
        request = Request(
            line.method, line.target, line.headers, line.version, line.scheme, complete=False, ordered=False
        )
        page = Page("www.semicomplete.example", line.target.partition("?")[0])
        arrival = Arrival(f"{number}", Kind.LANDING, "log", line.at, Client(line.address), request, page)
        found.append((line.address, line.agent, await collector.gather(arrival)))
    return found


async def _no_name(address: str) -> ReverseName | Unavailable:
    return Unavailable(f"not looked up here: {len(address)}")

"""Four processes on one Redis are as one: none of their events is lost or counted twice, and each click id has one first writer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
from servers import Redis, RedisCluster

from gateway.stores.hot import Hit
from gateway.stores.hot.memory import MemoryState

ROOT = Path(__file__).parents[2]
PROCESSES, EVENTS, KEYS, MEMBERS, CLICKS = 4, 1200, 7, 50, 200
NOW = 1_760_011_200_000_000

WORKER = """
import asyncio, json, sys
import msgspec
from gateway.stores.hot import Hit, Seal
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState

async def main(mode, nodes, me, processes, events, keys, members, clicks, now):
    settings = RedisSettings(mode, tuple(map(tuple, nodes)), deadline_s=10)
    counting, sealing = RedisState(settings, callers_clock=True), RedisState(settings)
    await counting.start()
    await sealing.start()
    print("ready", flush=True)
    sys.stdin.readline()
    found = []

    async def event(number):
        key, click, member = number % keys, number % clicks, b"%d" % (number * 31 % members)
        counts, seal = await asyncio.gather(
            counting.observe([Hit(b"address-%d" % key, member), Hit(b"everybody", member)], now),
            sealing.observe([Seal(b"click-%d" % click, b"%d" % me, 3600)], now),
        )
        (sealed,) = seal.results
        partial = [*counts.partial.values(), *seal.partial.values()]
        found.append([key, *counts.results, click, sealed.value.decode(), sealed.count, partial])

    mine = list(range(me, events, processes))
    for at in range(0, len(mine), 8):
        await asyncio.gather(*map(event, mine[at : at + 8]))
    await counting.close()
    await sealing.close()
    sys.stdout.buffer.write(msgspec.json.encode(found))

asyncio.run(main(*json.loads(sys.argv[1])))
"""


def run(mode: str, nodes: Any) -> list[list[Any]]:
    """What each event of four processes at once was answered."""
    processes = []
    for me in range(PROCESSES):
        given = json.dumps([mode, nodes, me, PROCESSES, EVENTS, KEYS, MEMBERS, CLICKS, NOW])
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, given],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    for process in processes:  # all at once
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return [event for process in processes for event in msgspec.json.decode(process.communicate(timeout=120)[0])]


async def single() -> dict[bytes, list[tuple[tuple[int, int], ...]]]:
    """The same events in one process, in memory: what each key was answered, in order."""
    state = MemoryState()
    told: dict[bytes, list[tuple[tuple[int, int], ...]]] = defaultdict(list)
    for number in range(EVENTS):
        member = b"%d" % (number * 31 % MEMBERS)
        for key in (b"address-%d" % (number % KEYS), b"everybody"):
            (counts,) = (await state.observe([Hit(key, member)], NOW)).results
            assert isinstance(counts, tuple)
            told[key].append(tuple((each.count, each.distinct) for each in counts))
    return told


async def held_against_one_process(events: list[list[Any]]) -> None:
    assert len(events) == EVENTS
    assert not any(event[-1] for event in events)
    shared: dict[bytes, list[tuple[tuple[int, int], ...]]] = defaultdict(list)
    sealed: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for key, counts, everybody, click, value, count, _ in events:
        shared[b"address-%d" % key].append(tuple(map(tuple, counts)))
        shared[b"everybody"].append(tuple(map(tuple, everybody)))
        sealed[click].append((count, value))
    alone = await single()
    assert shared.keys() == alone.keys()
    for key, answers in shared.items():
        answers.sort()
        assert [[c for c, _ in row] for row in answers] == [[c for c, _ in row] for row in alone[key]]  # 1, 2, 3, ...
        assert answers[-1] == alone[key][-1]  # and the same distinct members
    assert len(sealed) == CLICKS
    for uses in sealed.values():
        assert sorted(count for count, _ in uses) == list(range(1, EVENTS // CLICKS + 1))
        assert len({value for _, value in uses}) == 1  # all were told the same first writer


async def test_four_processes_on_one_server_count_as_one(fresh_redis: Redis) -> None:
    await held_against_one_process(run("single", [("127.0.0.1", fresh_redis.port)]))


async def test_four_processes_on_a_cluster_count_as_one(redis_cluster: RedisCluster) -> None:
    redis_cluster.flush()
    await held_against_one_process(run("cluster", redis_cluster.addresses))

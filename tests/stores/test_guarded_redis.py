"""The guarded state before real servers that are killed, paused, filled, flushed: under load, nobody is left without an answer, answers say when they
know too little, and the server is in use again soon after its return. What it cost is printed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from servers import Redis, RedisCluster, Sentinels

from detectors.observation import Unavailable
from gateway.model import now_us
from gateway.stores.hot import Answers, Hit, Look, Seal
from gateway.stores.hot.guarded import MEANWHILE, GuardedState
from gateway.stores.hot.memory import MemoryState
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState

VISITORS = 8
OPS = tuple(Hit(b"a%d" % each, b"m") for each in range(6))
BACK_WITHIN_S = 5.0
DEADLINE_S = 0.05
"""Long enough for a busy test machine."""


class Load:
    """Visitors without end; each brings a new click id and counts for one address.

    alone   answers of which this process counted at least a part; noted: those the shared state itself called incomplete
    waited  answers that took as long as a deadline; row: answers in a row that came from the shared state alone
    """

    def __init__(self, state: GuardedState) -> None:
        self.state = state
        self.answered = self.alone = self.noted = self.waited = self.row = 0
        self.latest = Answers(())
        self.reasons: Counter[str] = Counter()
        self.clicks: list[bytes] = []
        self._stop = False

    async def visit(self, visitor: int) -> None:
        while not self._stop:
            self.answered += 1
            click = b"C%d-%d" % (visitor, self.answered)
            ops = [*OPS, Seal(click, b"v", 600), Look(b"Snone")]
            self.clicks.append(click)
            begin = time.monotonic()
            answers = await self.state.observe(ops, now_us())
            self.waited += time.monotonic() - begin >= DEADLINE_S
            assert len(answers.results) == len(ops)
            assert not [found for found in answers.results if isinstance(found, Unavailable)]
            here = [why for why in answers.partial.values() if MEANWHILE in why]
            self.reasons.update({why.partition(";")[0] for why in here})
            self.alone += bool(here)
            self.row = 0 if here else self.row + 1
            self.noted += len(here) < len(answers.partial)
            self.latest = answers
            await asyncio.sleep(0.001)

    async def unknown(self, clicks: list[bytes]) -> int:
        """How many of these the shared state has not heard of."""
        found = (await self.state.shared.observe([Look(click) for click in clicks], now_us())).results
        assert not any(isinstance(each, Unavailable) for each in found)
        return found.count(None)

    async def until(self, done: Callable[[], bool], seconds: float = 20) -> float:
        """Seconds it took."""
        begin = time.monotonic()
        while not done():
            assert time.monotonic() - begin < seconds, f"not within {seconds} s: {self.reasons}, {self.state.trouble}"
            await asyncio.sleep(0.005)
        return time.monotonic() - begin

    async def some(self, more: int = 200) -> None:
        goal = self.answered + more
        await self.until(lambda: self.answered >= goal)

    async def back(self, what: str) -> None:
        seconds = await self.until(lambda: self.row >= 50 and not self.state.open, BACK_WITHIN_S)
        print(
            f"{what}: {self.answered} observations, {self.alone} counted here, {self.noted} noted by the shared state, "
            f"in use again after {seconds:.2f} s; {dict(self.reasons)}"
        )


@asynccontextmanager
async def loaded(settings: RedisSettings) -> AsyncIterator[Load]:
    state = GuardedState(RedisState(settings), MemoryState())
    await state.start()
    load = Load(state)
    async with asyncio.TaskGroup() as group:
        for visitor in range(VISITORS):
            group.create_task(load.visit(visitor))
        try:
            await load.some()
            yield load
        finally:
            load._stop = True
    await state.close()


def single(server: Redis) -> RedisSettings:
    return RedisSettings("single", (("127.0.0.1", server.port),), deadline_s=DEADLINE_S)


async def off_loop(work: Callable[[], object]) -> None:
    """Visitors go on meanwhile."""
    await asyncio.to_thread(work)


async def test_a_healthy_server_answers_all() -> None:
    with Redis() as server:
        async with loaded(single(server)) as load:
            await load.some(400)
            assert (load.state.opened, load.state.trouble, load.noted) == (0, None, 0)
            assert load.alone == 0


@pytest.mark.parametrize(
    ("breaks", "mends"),
    [("kill", "start"), ("pause", "resume"), ("fill", "room")],
    ids=["killed", "paused", "full"],
)
async def test_a_server_that_fails_and_comes_back(breaks: str, mends: str) -> None:
    with Redis() as server:
        async with loaded(single(server)) as load:
            before = load.alone
            await off_loop(getattr(server, breaks))
            first = len(load.clicks)  # of those that come now
            await load.until(lambda: load.state.open)
            await load.some()
            assert load.alone > before + 100
            assert load.state.trouble is not None and "127.0.0.1" not in load.state.trouble
            await off_loop(getattr(server, mends))
            await load.back(breaks)
            await load.until(lambda: not len(load.state.handover))
            seen = load.alone
            await load.some()
            assert load.alone == seen
            assert load.state.trouble is None
            assert (load.noted > 0) == (breaks == "kill")  # it came back empty, and says so
            assert await load.unknown(load.clicks[first:-VISITORS]) == 0
            if breaks != "kill":
                assert await load.unknown(load.clicks[:first]) == 0


async def test_a_server_that_is_flushed_says_so_and_stays_in_use() -> None:
    with Redis() as server:
        async with loaded(single(server)) as load:
            assert load.noted == 0
            await off_loop(server.flush)
            await load.until(lambda: load.noted > 0)
            await load.some()
            assert (load.state.opened, load.alone) == (0, 0)
            print(f"flushed: {load.noted} noted by the shared state")


async def test_a_server_that_is_away_at_the_start_is_used_when_it_comes() -> None:
    server = Redis()
    try:
        async with loaded(single(server)) as load:
            assert load.state.open and load.alone > 0
            await off_loop(server.start)
            await load.back("away at the start")
    finally:
        server.close()


async def test_a_dead_master_of_a_cluster_costs_only_what_it_held() -> None:
    """It has no replica: its part is counted here until it is back, the rest by the others, and nobody waits for it again and again."""
    with RedisCluster(masters=3) as cluster:
        settings = RedisSettings("cluster", cluster.addresses, deadline_s=DEADLINE_S)
        async with loaded(settings) as load:
            dead = cluster.nodes[1]
            await off_loop(dead.kill)
            await load.until(lambda: load.alone > 0)
            await load.some(100)
            waited, begun = load.waited, load.answered
            parts = [len(load.latest.partial)]
            for _ in range(20):
                await load.some(20)
                parts.append(len(load.latest.partial))
            assert all(0 < part < 8 for part in parts)  # some of eight operations, never all
            assert load.waited - waited < (load.answered - begun) / 4
            assert load.state.opened == 0
            await off_loop(dead.start)
            await load.back("one of three masters killed")


async def test_a_paused_master_of_a_cluster_is_waited_for_only_for_a_moment() -> None:
    with RedisCluster(masters=3) as cluster:
        settings = RedisSettings("cluster", cluster.addresses, deadline_s=DEADLINE_S)
        async with loaded(settings) as load:
            slow = cluster.nodes[1]
            await off_loop(slow.pause)
            await load.until(
                lambda: load.waited >= VISITORS
            )  # then the connection is given up, and its part is answered at once
            await load.some(100)
            waited, begun = load.waited, load.answered
            await load.some(300)
            assert load.waited - waited < (load.answered - begun) / 4
            assert load.state.opened == 0
            await off_loop(slow.resume)
            await load.back("one of three masters paused")


async def test_a_replica_takes_over_by_sentinels_and_answers_say_what_may_be_lost() -> None:
    with Sentinels() as sentinels:
        settings = RedisSettings("sentinel", sentinels.addresses, "mymaster", deadline_s=DEADLINE_S)
        async with loaded(settings) as load:
            assert (load.alone, load.noted) == (0, 0)
            await off_loop(sentinels.master.kill)
            await load.until(lambda: load.alone > 0)
            await load.until(lambda: load.noted > 0, 30)
            await load.back("the master died, a replica took over")
            assert sentinels.current is sentinels.replica


async def test_a_replica_takes_over_in_a_cluster_and_only_its_part_says_so() -> None:
    with RedisCluster(masters=3, replicas=1) as cluster:
        settings = RedisSettings("cluster", cluster.addresses[:3], deadline_s=DEADLINE_S)
        async with loaded(settings) as load:
            dead = cluster.nodes[1]
            await off_loop(dead.kill)
            await load.until(lambda: load.alone > 0)
            await off_loop(lambda: cluster.wait_taken_over(dead))
            await load.back("one of three masters died, its replica took over")
            noted = [len((await load.state.observe(OPS, now_us())).partial) for _ in range(20)]
            assert all(0 < count < len(OPS) for count in noted)
            assert load.state.opened <= 1

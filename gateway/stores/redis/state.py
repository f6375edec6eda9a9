"""Hot state in Redis 7, shared by all processes: alone, behind sentinels, or as a cluster."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

import hiredis

from detectors.observation import Unavailable
from gateway.stores.hot import Answers, Operation, Result
from gateway.stores.redis.cluster import Cluster
from gateway.stores.redis.connection import Reply
from gateway.stores.redis.epochs import Epochs
from gateway.stores.redis.errors import Failure, away, explain
from gateway.stores.redis.link import Link, Tally
from gateway.stores.redis.sentinel import Sentinels
from gateway.stores.redis.settings import Address, RedisSettings
from gateway.stores.redis.wire import BUCKETS, Wire, bucket_of, read

OLDEST = 7
"""Major version of the oldest server that is tested."""


class _Call:
    """One bucket's part of an observation in a cluster."""

    __slots__ = ("asked", "bucket", "command", "flags", "link", "ops", "places", "reply")

    def __init__(
        self,
        bucket: int,
        places: list[int],
        ops: list[Operation],
        flags: int,
        command: bytes,
        link: Link | None,
        asked: asyncio.Future[Reply] | None,
    ) -> None:
        self.bucket, self.places, self.ops, self.flags = bucket, places, ops, flags
        self.command, self.link, self.asked = command, link, asked
        self.reply: Reply = None

    async def settle(self, cluster: Cluster) -> None:
        assert self.link is not None
        self.reply = await cluster.settle(self.bucket, self.link, self.command, self.reply)


class RedisState:
    """One script call for each observation; in a cluster one for each bucket it touches, all sent before any is waited for.

    callers_clock  count by the caller's clock instead of the server's: for tests, which stand still or travel
    tally          counters for metrics
    """

    def __init__(self, settings: RedisSettings, *, callers_clock: bool = False) -> None:
        self._settings, self._callers_clock = settings, callers_clock
        self._wire = Wire(settings.prefix)
        self.tally = Tally()
        self._epochs = Epochs(BUCKETS if settings.mode == "cluster" else 1)
        self._link: Link | None = None
        self._cluster: Cluster | None = None
        self._sentinels: Sentinels | None = None

    async def start(self) -> None:
        """Connects in the background; returns after the first attempt, or `connect_s` (twice that for a cluster). Never fails."""
        settings, wire = self._settings, self._wire
        if self._link is not None or self._cluster is not None:
            return
        if settings.mode == "cluster":
            self._cluster = Cluster(settings, wire, self.tally, self._epochs)
            await self._cluster.start()
            return
        where = self._only
        if settings.mode == "sentinel":
            self._sentinels = Sentinels(settings, self._switched, self._count)
            self._sentinels.start()
            where = self._sentinels.master
        self._link = Link(settings, wire.probe(0, wire.epoch), where, self.tally, lambda _: self._epochs.changed((0,)))
        self._link.start()
        try:
            await asyncio.wait_for(self._link.attempted.wait(), settings.connect_s)
        except TimeoutError:
            return

    async def close(self) -> None:
        for part in (self._sentinels, self._cluster, self._link):
            if part is not None:
                await part.close()

    async def _only(self) -> Address | Failure:
        return self._settings.nodes[0]

    def _count(self, failure: Failure) -> None:
        self.tally.failures[failure.kind] += 1

    def _switched(self) -> None:
        if self._link is not None:
            self._link.renew(away("another server became master"))

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        if not ops:
            return Answers(())
        if self._cluster is not None:
            return await self._spread(self._cluster, ops, now, dry)
        epochs, wire, link = self._epochs, self._wire, self._link
        if link is None:
            return Answers([Unavailable("redis: not started")] * len(ops))
        flags = epochs.flags(0, dry)
        at = float(now) if self._callers_clock else -1.0
        reply = await link.evaluate(wire.command(wire.epoch, ops, at, epochs.known[0], flags))
        if type(reply) is not bytes:
            reply = reply if isinstance(reply, Failure) else explain(str(reply))
            link.note(reply)
        return self._read(reply, ops, now, 0, flags)

    async def _spread(self, cluster: Cluster, ops: Sequence[Operation], now: int, dry: bool) -> Answers:
        at = float(now) if self._callers_clock else -1.0
        groups: dict[int, list[int]] = {}
        for place, op in enumerate(ops):
            groups.setdefault(bucket_of(op.key), []).append(place)
        calls = [self._call(cluster, bucket, places, ops, at, dry) for bucket, places in groups.items()]
        unsettled = []
        for call in calls:
            link = call.link
            if link is None:
                call.reply = cluster.failure
            elif call.asked is None:
                call.reply = link.failure
                link.note(link.failure)
            else:
                call.reply = await call.asked
                if type(call.reply) is not bytes:
                    unsettled.append(call)
                elif link.remedy is not None:
                    link.remedy = None
        if unsettled:
            await asyncio.gather(*(call.settle(cluster) for call in unsettled))
        results: list[Result] = [None] * len(ops)
        partial: dict[int, str] = {}
        for call in calls:
            answers = self._read(call.reply, call.ops, now, call.bucket, call.flags)
            for place, result in zip(call.places, answers.results, strict=True):
                results[place] = result
            for place, note in answers.partial.items():
                partial[call.places[place]] = note
        return Answers(results, partial)

    def _call(
        self, cluster: Cluster, bucket: int, places: list[int], ops: Sequence[Operation], at: float, dry: bool
    ) -> _Call:
        mine = [ops[place] for place in places]
        flags = self._epochs.flags(bucket, dry)
        command = self._wire.command(self._wire.epochs[bucket], mine, at, self._epochs.known[bucket], flags)
        link = cluster.owners[bucket]
        return _Call(bucket, places, mine, flags, command, link, link.ask(command) if link is not None else None)

    def _read(self, reply: Reply, ops: Sequence[Operation], now: int, scope: int, flags: int) -> Answers:
        """Of what a call came to in the end: bytes or a Failure."""
        if type(reply) is bytes:
            try:
                heard = read(reply, ops, now)
            except struct.error:
                reply = away("answered something else")
            else:
                note = self._epochs.hear(scope, flags, heard)
                return Answers(heard.results, dict.fromkeys(range(len(ops)), note)) if note else Answers(heard.results)
        return Answers([Unavailable(reply.reason)] * len(ops))

    def _links(self) -> list[Link]:
        if self._cluster is not None:
            return list(self._cluster.links.values())
        return [] if self._link is None else [self._link]

    async def probe(self) -> bool:
        """Does the shared state take writes? In a cluster: does any master."""
        links = self._links()
        replies = await asyncio.gather(*(link.evaluate(link.probe) for link in links))
        for link, reply in zip(links, replies, strict=True):
            if isinstance(reply, Failure | hiredis.ReplyError):
                link.note(reply if isinstance(reply, Failure) else explain(str(reply)))
        return any(type(reply) is bytes for reply in replies)

    @property
    def trouble(self) -> str | None:
        """What is broken first, then what is set up so that it will not hold."""
        links = self._links()
        if self._cluster is not None and not links:
            return self._cluster.failure.remedy
        if self._cluster is not None:
            for (host, port), link in self._cluster.links.items():
                if link.remedy:
                    return f"{link.remedy} ({host}:{port})"
        for link in links:
            if link.remedy:
                return link.remedy
        for greeting in (link.greeting for link in links):
            if greeting is None:
                continue
            if greeting.policy not in ("", "noeviction"):
                return f"redis forgets silently when it is full (maxmemory-policy {greeting.policy}): set noeviction"
            major = greeting.version.partition(".")[0]
            if major.isdigit() and int(major) < OLDEST:
                return f"redis is {greeting.version}; Leadgate needs {OLDEST} or newer"
        return None

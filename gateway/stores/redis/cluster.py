"""Which node of a Redis Cluster serves which bucket: asked at the start, when a node says that it moved, and when one is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

import hiredis

from gateway.stores.redis.connection import ASKING, Connection, Reply, open_connection
from gateway.stores.redis.epochs import Epochs
from gateway.stores.redis.errors import Failure, away, explain, unexpected
from gateway.stores.redis.link import Link, Tally
from gateway.stores.redis.settings import Address, RedisSettings
from gateway.stores.redis.wire import BUCKETS, SLOTS, Wire, packed

CHECK_S = 30.0
"""How often the map is asked for although nothing seems wrong."""

GAP_S = 0.3
"""At least between two questions for the map, however many calls find it wrong."""

Range = tuple[int, int, Address, tuple[Address, ...]]
"""First and last slot, the master, its replicas."""


def ranges(reply: Reply, asked: Address) -> Iterator[Range]:
    """Of CLUSTER SLOTS; a node without a name stands at the host that was asked. Raises TypeError or ValueError where it is something else."""
    if not isinstance(reply, list):
        raise TypeError("not a list of slots")
    for row in reply:
        if not isinstance(row, list) or len(row) < 3:
            raise TypeError("not a range of slots")
        nodes = [((each[0] or b"").decode() if each[0] != b"?" else "", int(each[1])) for each in row[2:]]
        master, *replicas = [(host or asked[0], port) for host, port in nodes]
        yield int(row[0]), int(row[1]), master, tuple(replicas)


class Cluster:
    """owners: the link that serves a bucket, by bucket; None where nobody is known to."""

    def __init__(self, settings: RedisSettings, wire: Wire, tally: Tally, epochs: Epochs) -> None:
        self._settings, self._wire, self._tally, self._epochs = settings, wire, tally, epochs
        self.owners: list[Link | None] = [None] * BUCKETS
        self.links: dict[Address, Link] = {}
        self._replicas: list[tuple[Address, ...]] = [()] * BUCKETS
        self._wanted = asyncio.Event()
        self._known = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.failure = away("the cluster's map is not known yet")

    async def start(self) -> None:
        """Returns when each master was tried once, or after twice `connect_s`."""
        self._task = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(2 * self._settings.connect_s):
                await self._known.wait()
                await asyncio.gather(*(link.attempted.wait() for link in list(self.links.values())))
        except TimeoutError:
            return

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self.links.values()), *self._closing)
        self.links.clear()

    def refresh(self) -> None:
        """Soon, in the background."""
        self._wanted.set()

    async def settle(self, bucket: int, link: Link, command: bytes, reply: Reply) -> bytes | Failure:
        """What a call for one bucket came to: sent to the right node where the map was wrong, once."""
        reply = await link.settle(command, reply)
        if isinstance(reply, hiredis.ReplyError):
            word, _, rest = str(reply).partition(" ")
            if word in ("MOVED", "ASK"):
                link = self._pointed(word, rest, bucket, link)
                if word == "ASK" and link.connection is not None:
                    link.connection.post(ASKING)
                reply = await link.evaluate(command)
        if type(reply) is bytes:
            return reply
        failure = reply if isinstance(reply, Failure) else explain(str(reply))
        link.note(failure)
        if failure.kind in ("moving", "replica", "down", "away"):
            self.refresh()
        return failure

    def _pointed(self, word: str, rest: str, bucket: int, by: Link) -> Link:
        """The link a redirection points to; `by` itself where it makes no sense."""
        host, _, port = rest.rpartition(" ")[2].rpartition(":")
        self.refresh()
        if not port.isdigit():
            return by
        address = host or next((known for known, link in self.links.items() if link is by), ("", 0))[0], int(port)
        link = self._link(address, bucket)
        if word == "MOVED":
            self._give(bucket, address, link)
        return link

    def _link(self, address: Address, bucket: int) -> Link:
        link = self.links.get(address)
        if link is None:
            link = Link(
                self._settings,
                self._wire.probe(bucket, self._wire.epochs[bucket]),
                _constant(address),
                self._tally,
                self._fresh,
                self.refresh,
            )
            self.links[address] = link
            link.start()
        return link

    def _give(self, bucket: int, address: Address, link: Link) -> None:
        if link is not self.owners[bucket]:
            if address in self._replicas[bucket]:  # it followed the master: this was a fail-over, not a move
                self._epochs.changed((bucket,))
            self.owners[bucket] = link

    def _fresh(self, link: Link) -> None:
        self._epochs.changed(bucket for bucket, owner in enumerate(self.owners) if owner is link)

    async def _keep(self) -> None:
        while True:
            self._wanted.clear()
            try:
                view: list[Range] | Failure = await self._ask()
            except Exception as error:  # noqa: BLE001 - without this task the cluster is never found again; counted
                view = unexpected(error)
                self._tally.failures[view.kind] += 1
            if isinstance(view, Failure):
                self.failure = view
                self.refresh()
            else:
                self._apply(view)
                self._known.set()
            await asyncio.sleep(GAP_S)
            broken = not all(owner is not None and owner.connection is not None for owner in self.owners)
            try:
                await asyncio.wait_for(self._wanted.wait(), GAP_S if broken else CHECK_S)
            except TimeoutError:
                continue

    async def _ask(self) -> list[Range] | Failure:
        """Of nodes that are connected, then of all that were ever named."""
        live = [(address, link.connection) for address, link in self.links.items() if link.connection is not None]
        random.shuffle(live)
        for address, connection in live:
            view = await _view(connection, address)
            if not isinstance(view, Failure):
                return view
        failure = away("no node of the cluster answers")
        for address in dict.fromkeys([*self._settings.nodes, *self.links, *(r for row in self._replicas for r in row)]):
            opened = await open_connection(self._settings, address, self._settings.username, self._settings.password)
            if isinstance(opened, Failure):
                failure = opened
                self._tally.failures[opened.kind] += 1
                continue
            view = await _view(opened, address)
            opened.drop(away("closed"))
            if not isinstance(view, Failure):
                return view
            failure = view
        return failure

    def _apply(self, view: list[Range]) -> None:
        replicas = list(self._replicas)
        served: set[int] = set()
        for bucket, slot in enumerate(SLOTS):
            for first, last, master, followers in view:
                if first <= slot <= last:
                    self._give(bucket, master, self._link(master, bucket))
                    replicas[bucket] = followers
                    served.add(bucket)
                    break
        for bucket in range(BUCKETS):
            if bucket not in served:
                self.owners[bucket] = None
        self._replicas = replicas
        for bucket, owner in enumerate(self.owners):
            if owner is not None:
                owner.probe = self._wire.probe(bucket, self._wire.epochs[bucket])
        self.failure = away(
            "nobody serves this part of the cluster", "the cluster does not serve all slots: redis-cli --cluster check"
        )
        used = {id(owner) for owner in self.owners}
        for address, link in list(self.links.items()):
            if id(link) not in used:
                del self.links[address]
                task = asyncio.create_task(link.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)


async def _view(connection: Connection, address: Address) -> list[Range] | Failure:
    reply = await connection.send(packed(b"CLUSTER", b"SLOTS"))
    if isinstance(reply, Failure):
        return reply
    if isinstance(reply, hiredis.ReplyError):
        if "cluster support disabled" in str(reply):
            return Failure("mode", "redis: this is no cluster", "redis is no cluster: write redis:// in `state`")
        return explain(reply)
    try:
        return list(ranges(reply, address))
    except (ValueError, TypeError, IndexError):
        return away("answered something else")


def _constant(address: Address) -> Callable[[], Awaitable[Address | Failure]]:
    async def where() -> Address | Failure:
        return address

    return where

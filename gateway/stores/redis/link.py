"""Keeps one server connected: log-in, what kind of server it is, the script; anew with back-off when the connection is lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import hiredis
import msgspec

from gateway.stores.redis.connection import Connection, Reply, open_connection, refusal
from gateway.stores.redis.errors import Failure, away, explain, unexpected
from gateway.stores.redis.settings import Address, RedisSettings
from gateway.stores.redis.wire import LOAD, packed

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
"""Between attempts to connect, doubled each time and shortened by chance (many processes come back at once); short enough that a server that is back
is in use within seconds."""

STEADY_S = 5.0
"""A connection that held for so long ends the back-off."""


HOPELESS = {"loading", "replica", "refused"}
"""Failures after which a connection is of no use: connect anew, perhaps to another server."""


class Greeting(msgspec.Struct, frozen=True):
    """What a server says of itself. run_id: another after each of its starts."""

    run_id: str
    version: str
    policy: str


class Tally:
    """Counted for metrics, by all links of a state together.

    round_trips  calls of the script that were sent
    failures     by kind (errors.py): late, away, crowded, full, loading, replica, refused, moving, down, ...
    reconnects   connections made after the first to the same server
    """

    def __init__(self) -> None:
        self.round_trips = self.reconnects = 0
        self.failures: Counter[str] = Counter()


class Link:
    """One server, wherever it is just now.

    probe      a call of the script that writes; shows whether the server takes them
    where      answers its address, or why it is not known; asked before each attempt
    on_fresh   called when a connection stands to a server that is not the one known before, or was started anew: state may be lost
    connection None while there is none; `failure` says why then
    """

    def __init__(
        self,
        settings: RedisSettings,
        probe: bytes,
        where: Callable[[], Awaitable[Address | Failure]],
        tally: Tally,
        on_fresh: Callable[[Link], None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings, self.probe, self._where, self._tally = settings, probe, where, tally
        self._on_fresh, self._on_lost = on_fresh, on_lost
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.attempted = asyncio.Event()  # once, whatever came of it
        self.connection: Connection | None = None
        self.failure = away("not connected yet")
        self.greeting: Greeting | None = None
        self.remedy: str | None = None

    def start(self) -> None:
        self._task = self._task or asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.connection is not None:
            self.connection.on_lost = None
            self.connection.drop(away("closed"))
            self.connection = None

    def renew(self, why: Failure) -> None:
        """The server is not the right one any more: ask where it is, and connect."""
        if self.connection is not None:
            self.connection.drop(why)

    def note(self, failure: Failure) -> None:
        """A call failed: count it, keep what the operator should do, and leave a server that is no master any more."""
        self._tally.failures[failure.kind] += 1
        if failure.remedy:
            self.remedy = failure.remedy
        if failure.kind in HOPELESS:
            self.renew(failure)

    def ask(self, command: bytes) -> asyncio.Future[Reply] | None:
        """Sends a call of the script; what comes back is for `settle`, unless it is bytes. None while there is no connection."""
        if self.connection is None:
            return None
        self._tally.round_trips += 1
        return self.connection.send(command)

    async def settle(self, command: bytes, reply: Reply) -> bytes | Failure | hiredis.ReplyError:
        """What a call came to in the end: the script is loaded where the server forgot it. Error replies are handed on: a cluster reads them."""
        connection = self.connection
        if type(reply) is hiredis.ReplyError and connection is not None and str(reply).startswith("NOSCRIPT"):
            connection.load()
            self._tally.round_trips += 1
            reply = await connection.send(command)
        if isinstance(reply, bytes | Failure | hiredis.ReplyError):
            return reply
        return away("answered something else")

    async def evaluate(self, command: bytes) -> bytes | Failure | hiredis.ReplyError:
        """`ask` and `settle` in one."""
        asked = self.ask(command)
        if asked is None:
            return self.failure
        reply = await asked
        if type(reply) is bytes:
            self.remedy = None
            return reply
        return await self.settle(command, reply)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        wait = FIRST_WAIT_S
        while True:
            try:
                failure = await self._connect()
            except Exception as error:  # noqa: BLE001 - without this task the server never comes back; counted below
                failure = unexpected(error)
            self.attempted.set()
            if failure is None:
                since = loop.time()
                await self._lost.wait()
                self._on_lost()
                if loop.time() - since > STEADY_S:
                    wait = FIRST_WAIT_S
            else:
                self.failure, self.remedy = failure, failure.remedy or self.remedy
                self._tally.failures[failure.kind] += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def _connect(self) -> Failure | None:
        address = await self._where()
        if isinstance(address, Failure):
            return address
        settings = self._settings
        connection = await open_connection(settings, address, settings.username, settings.password)
        if isinstance(connection, Failure):
            return connection
        try:
            greeting = await self._greet(connection)
        except BaseException:
            connection.drop(away("closed"))
            raise
        if isinstance(greeting, Failure):
            connection.drop(greeting)
            return greeting
        connection.change_deadline(settings.deadline_s)
        known = self.greeting
        self._lost.clear()
        self.greeting, self.connection = greeting, connection
        connection.on_lost = self._gone
        if known is not None:
            self._tally.reconnects += 1
            if known.run_id != greeting.run_id:
                self._on_fresh(self)
        if not connection.open:  # lost before anybody listened
            self._gone(away("connection lost"))
        return None

    def _gone(self, why: Failure) -> None:
        self.connection, self.failure = None, why
        self._lost.set()

    async def _greet(self, connection: Connection) -> Greeting | Failure:
        chosen = [connection.send(packed(b"SELECT", b"%d" % self._settings.db))] if self._settings.db else []
        asked = [connection.send(packed(b"INFO")), connection.send(LOAD), connection.send(self.probe)]
        replies = [await future for future in chosen + asked]
        told = _told(replies[-3])
        if told.get("redis_mode") == "sentinel":
            return explain("SENTINEL")
        for reply in replies[:-1]:
            failure = refusal(reply)
            if failure is not None:
                return failure
        if told.get("loading") == "1":
            return explain("LOADING")
        if told.get("role", "master") != "master":
            return explain("READONLY")
        failure = refusal(replies[-1])
        if failure is not None and failure.kind in HOPELESS:
            return failure
        self.remedy = (
            failure.remedy if failure is not None else None
        )  # full, say: reading works, and it may mend itself
        return Greeting(told.get("run_id", ""), told.get("redis_version", ""), told.get("maxmemory_policy", ""))


def _told(info: Reply) -> dict[str, str]:
    """What INFO says, nothing where it was refused."""
    text = info.decode("utf-8", "replace") if isinstance(info, bytes) else ""
    return dict(line.partition(":")[::2] for line in text.splitlines())

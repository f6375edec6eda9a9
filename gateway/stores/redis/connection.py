"""One pipelined connection to a Redis: write, then a queue of futures. A client library costs several times as much for each call.

Deadlines are kept by one timer for the connection. An answer that comes late is thrown away in its turn; a connection whose oldest question stays
unanswered for long is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from gateway.stores.redis.errors import BROKEN_OFF, Failure, away, connecting, crowded, explain, late
from gateway.stores.redis.settings import Address, RedisSettings
from gateway.stores.redis.wire import LOAD, packed

PENDING = 1_024
"""Questions without an answer on one connection; more at once than fit into a deadline of 10 ms at 100,000 a second."""

GIVE_UP = 10
"""A connection is dropped when its oldest question is late by so many deadlines: whoever answers then, answers nobody any more."""

GRACE_S = 0.001
"""Between a deadline and its being kept the loop reads once more: where this process itself was late, the answer is there already."""

ASKING = packed(b"ASKING")

Reply = Any
"""bytes, int, None, a list of these, hiredis.ReplyError, or a Failure of our own."""


class Connection(asyncio.Protocol):
    """on_lost is called once, with why, when the connection is gone; on_push with what comes unasked."""

    def __init__(
        self,
        deadline_s: float,
        on_lost: Callable[[Failure], None] | None = None,
        on_push: Callable[[Reply], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline_s
        self.on_lost, self.on_push = on_lost, on_push
        self._reader = hiredis.Reader()
        self._futures: deque[asyncio.Future[Reply] | None] = deque()
        self._due: deque[float] = deque()
        self._expired = 0  # so many of the oldest are late; their answers are thrown away
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._why: Failure | None = None
        self._heard = False
        self.late = 0

    @property
    def open(self) -> bool:
        return self._transport is not None and self._why is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, command: bytes) -> asyncio.Future[Reply]:
        """Ask. The future has a result by the deadline, whatever happens; it never raises."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._why is not None or self._transport is None:
            future.set_result(self._why or away("not connected"))
        elif len(self._futures) >= PENDING:
            future.set_result(crowded(PENDING))
        else:
            self._queue(future)
            self._transport.write(command)
        return future

    def post(self, command: bytes) -> None:
        """Ask, and throw the answer away."""
        if self._why is None and self._transport is not None and len(self._futures) < PENDING:
            self._queue(None)
            self._transport.write(command)

    def load(self) -> None:
        """The script is there for what is asked next."""
        self.post(LOAD)

    def _queue(self, future: asyncio.Future[Reply] | None) -> None:
        due = self._loop.time() + self._deadline
        self._futures.append(future)
        self._due.append(due)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                if not self._futures:
                    self._unasked(reply)
                    continue
                future = self._futures.popleft()
                self._due.popleft()
                if self._expired:
                    self._expired -= 1
                elif future is not None and not future.done():
                    future.set_result(reply)
        except hiredis.ProtocolError:
            remedy = "what answers there does not speak the Redis protocol: correct host and port in `state`"
            self.drop(away("does not speak the Redis protocol", remedy))

    def _unasked(self, reply: Reply) -> None:
        if self.on_push is not None:
            self.on_push(reply)
        elif isinstance(reply, hiredis.ReplyError):  # too many clients, protected mode: said before anything was asked
            self.drop(explain(reply))

    def _look(self) -> None:
        """The oldest is due; keep the deadline after one more reading."""
        self._timer = self._loop.call_later(GRACE_S, self._expire, self._loop.time())

    def _expire(self, by: float) -> None:
        self._timer = None
        failure: Failure | None = None
        while self._expired < len(self._due) and self._due[self._expired] <= by:
            future = self._futures[self._expired]
            self._expired += 1
            if future is not None and not future.done():
                failure = failure or late(self._deadline)
                self.late += 1
                future.set_result(failure)
        if not self._due:
            return
        give_up = self._due[0] + GIVE_UP * self._deadline
        if self._expired and give_up <= by:
            self.drop(late(self._deadline))
            return
        due = self._due[self._expired] if self._expired < len(self._due) else give_up
        self._timer = self._loop.call_at(min(due, give_up) if self._expired else due, self._look)

    def drop(self, why: Failure) -> None:
        """Give the connection up; what waits is answered with the failure."""
        if self._why is not None:
            return
        self._why = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        for future in self._futures:
            if future is not None and not future.done():
                future.set_result(why)
        self._futures.clear()
        self._due.clear()
        if self.on_lost is not None:
            self.on_lost(why)

    def connection_lost(self, error: Exception | None) -> None:
        self.drop(away("connection lost", "" if self._heard else BROKEN_OFF))

    def change_deadline(self, deadline_s: float) -> None:
        """For what is asked from now on; call it while nothing is pending."""
        self._deadline = deadline_s


async def open_connection(
    settings: RedisSettings, address: Address, username: str | None, password: str | None
) -> Connection | Failure:
    """Connected and logged in, or why not. Never raises but CancelledError; `connect_s` bounds connecting and logging in, each."""
    loop = asyncio.get_running_loop()
    connection: Connection | None = None
    host, port = address
    try:
        context = settings.ssl_context()
    except OSError:  # ssl.SSLError is one
        return away("no usable certificate authority", "the file in `redis.ca` cannot be read as certificates (PEM)")
    try:
        async with asyncio.timeout(settings.connect_s):
            _, connection = await loop.create_connection(
                lambda: Connection(settings.connect_s),
                host,
                port,
                ssl=context,
                server_hostname=host if context else None,
            )
    except (OSError, ValueError) as error:
        return connecting(error, tls=settings.tls)
    if password:
        words = [b"AUTH", *([username.encode()] if username else []), password.encode()]
        try:
            reply = await connection.send(packed(*words))
        except asyncio.CancelledError:
            connection.drop(away("closed"))
            raise
        failure = refusal(reply)
        if failure is not None:
            connection.drop(failure)
            return failure
    return connection


def refusal(reply: Reply) -> Failure | None:
    """What kept a reply from being one."""
    if isinstance(reply, Failure):
        return reply
    return explain(reply) if isinstance(reply, hiredis.ReplyError) else None

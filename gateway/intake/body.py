"""A request body between the socket and its reader: bounded, with its clocks."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from gateway.intake.chunked import ChunkedDecoder
from gateway.intake.refusal import IntakeError

if TYPE_CHECKING:
    from gateway.intake.receiver import Receiver


class Budget:
    """Body bytes held in memory by all connections of a listener together."""

    __slots__ = ("_waiting", "total", "used")

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def full(self) -> bool:
        return self.used >= self.total

    def take(self, size: int) -> None:
        self.used += size

    def give(self, size: int) -> None:
        self.used -= size
        while self._waiting and self.used < self.total:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    async def wait_for_room(self, size: int, timeout_s: float) -> bool:
        """Takes `size` bytes when there is room within `timeout_s`; tells whether there was."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self.used + size > self.total:
            remaining = deadline - loop.time()
            if remaining <= 0:
                return False
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.append(waiter)
            await asyncio.wait((waiter,), timeout=remaining)
            if not waiter.done():
                waiter.cancel()
        self.used += size
        return True


class Body:
    """Fed by its connection, emptied by `next`. Either `length` bytes, or chunked, or (a tunnel) until the connection ends."""

    __slots__ = (
        "_clock", "_connection", "_counted", "_decoder", "_error", "_queue", "_remaining", "_waiter", "begun", "discarding", "done",
        "received", "size",
    )  # fmt: skip

    def __init__(self, connection: Receiver, length: int | None, decoder: ChunkedDecoder | None) -> None:
        self._connection = connection
        self._remaining = length
        self._decoder = decoder
        self._queue: deque[bytes] = deque()
        self._error: IntakeError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._clock: float | None = None  # since when the visitor has been the one we wait for
        self._counted = 0.0  # and for how long before that, in seconds
        self.size = 0  # bytes in the queue
        self.received = 0  # bytes of the body in all
        self.begun = False  # at least one byte of it, framing included, has arrived
        self.done = False  # the last byte has arrived
        self.discarding = False  # nobody will read it

    @property
    def remaining(self) -> int | None:
        """Bytes still to come, where that is known."""
        return self._remaining

    @property
    def failed(self) -> bool:
        return self._error is not None

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns what lies behind it. Raises BodyMalformed."""
        self.begun = True
        rest = b""
        if self._decoder is not None:
            data = self._decoder.feed(data)
            if self._decoder.done:
                self.done = True
                rest = self._decoder.rest
        elif self._remaining is not None:
            if len(data) > self._remaining:
                data, rest = data[: self._remaining], data[self._remaining :]
            self._remaining -= len(data)
            self.done = self._remaining == 0
        if data:
            self.received += len(data)
            if not self.discarding:
                self._queue.append(data)
                self.size += len(data)
                self._connection.budget.take(len(data))
        if data or self.done:
            self._wake()
        return rest

    def end(self) -> None:
        """The visitor ended a tunnel's direction."""
        self.done = True
        self._wake()

    def fail(self, error: IntakeError) -> None:
        """What has arrived stays readable; then `error` is raised. The first error stays."""
        if self._error is None and not self.done:
            self._error = error
            self._wake()

    def discard(self) -> None:
        """Drops what is queued and what is still to come."""
        self.discarding = True
        self._queue.clear()
        self._connection.budget.give(self.size)
        self.size = 0

    async def next(self) -> bytes:
        """The next bytes; empty at the end of the body. Raises what `fail` was given."""
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self.done or self.discarding:
                return b""
            self._waiter = self._connection.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._queue.popleft()
        self.size -= len(data)
        self._connection.budget.give(len(data))
        self._connection.body_taken(self)
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # the clock of the minimum rate: runs only while it is the visitor who keeps us waiting

    def run_clock(self, now: float) -> None:
        if self._clock is None:
            self._clock = now

    def stop_clock(self, now: float) -> None:
        if self._clock is not None:
            self._counted += now - self._clock
            self._clock = None

    def waited(self, now: float) -> float:
        """Seconds spent waiting for the visitor."""
        return self._counted + (0.0 if self._clock is None else now - self._clock)

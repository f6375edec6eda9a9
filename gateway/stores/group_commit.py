"""What waits for the next group commit: the bookkeeping that every backend's writer shares.

Two queues: `operations` (leads; somebody mostly waits for them) and `entries` (records and events; nobody does).
Whatever arrives while one commit runs goes into the next. When a commit fails, those who wait are told at once; what
nobody waits for is kept and tried again, up to the queue's bound.

Filled by anybody; emptied by one writer, which may be a thread. Nothing here waits or does I/O.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from gateway.stores.errors import StoreError, StoreUnavailable, Unstorable
from gateway.stores.operations import Item, Outcome

Op = TypeVar("Op")

BUSY, NOTHING, URGENT_ONLY = 0, 1, 2
"""What the writer is doing: committing; waiting for anything; lingering, so that only what somebody waits for is worth
waking it for.
"""


class Waiting(msgspec.Struct, Generic[Op]):
    """An operation in the queue.

    future   None where nobody waits
    size     bytes it holds
    seconds  how long its commit may take; None: as long as any
    refused  whoever waited was told that it failed, before it was known
    """

    operation: Op | None
    future: asyncio.Future[object] | None
    loop: asyncio.AbstractEventLoop | None
    size: int = 0
    seconds: float | None = None
    refused: bool = False


class Bounds(msgspec.Struct, frozen=True):
    """queue: records and events that may wait, and operations that may; linger: seconds to gather records before a
    commit; entries, operations, bytes: the most that one commit takes.
    """

    queue: int
    linger: float
    entries: int = 1000
    operations: int = 500
    bytes: int = 16 * 1024 * 1024


class Counters(msgspec.Struct):
    """What happened since the start; written by the writer, save `dropped`."""

    committed: int = 0
    commits: int = 0
    dropped: int = 0
    failed: int = 0
    unsettled: int = 0
    unjournaled: int = 0


class Work(msgspec.Struct, Generic[Op]):
    """What one commit takes. given: what nobody waits for in it was given to another store meanwhile."""

    operations: list[Waiting[Op]]
    entries: list[Item]
    given: bool = False

    def singles(self) -> list[Work[Op]]:
        """The same, one thing at a time: to find what cannot be stored at all."""
        return [Work([waiting], []) for waiting in self.operations] + [Work([], [entry]) for entry in self.entries]


Answers = list[tuple[Waiting[Op], Outcome]]


class CommitQueue(Generic[Op]):
    """wake: called when the writer should look. The writer calls `_take`, commits, then `_done_with` or `_failed`."""

    def __init__(self, bounds: Bounds, wake: Callable[[], None]) -> None:
        self.counters = Counters()
        self.trouble: str | None = None
        self._bounds, self._wake_up = bounds, wake
        self._operations: deque[Waiting[Op]] = deque()
        self._entries: deque[Item] = deque()
        self._flushes: deque[tuple[int, Waiting[Op]]] = deque()
        self._queued = self._done = 0  # entries ever accepted, and ever dealt with
        self._waiting_for = BUSY
        self._closing = False

    # Called by anybody.

    @property
    def lag(self) -> int:
        return len(self._entries) + len(self._operations)

    def put(self, entry: Item) -> bool:
        if len(self._entries) >= self._bounds.queue or self._closing:
            self.counters.dropped += 1
            return False
        self._queued += 1
        self._entries.append(entry)
        if self._waiting_for == NOTHING:
            self._wake_up()
        return True

    def has_room(self) -> bool:
        return len(self._entries) < self._bounds.queue

    async def do(self, operation: Op, size: int = 0) -> object:
        """Queue an operation and wait until it is durable. Raises StoreError."""
        waiting = self._ask(operation, size)
        assert waiting.future is not None
        return await waiting.future

    def _ask(self, operation: Op, size: int, seconds: float | None = None) -> Waiting[Op]:
        if self._closing:
            raise StoreUnavailable("the store is closing")
        if len(self._operations) >= self._bounds.queue:
            raise StoreUnavailable("too many submissions wait for the store")
        loop = asyncio.get_running_loop()
        waiting = Waiting(operation, loop.create_future(), loop, size, seconds)
        self._push(waiting)
        return waiting

    def do_soon(self, operation: Op) -> None:
        if self._closing or len(self._operations) >= 2 * self._bounds.queue:
            self.counters.unsettled += 1
            return
        self._push(Waiting(operation, None, None))

    async def flush(self) -> None:
        """Wait until everything queued before is durable. Raises StoreUnavailable."""
        if self._closing:
            raise StoreUnavailable("the store is closing")
        loop = asyncio.get_running_loop()
        waiting: Waiting[Op] = Waiting(None, loop.create_future(), loop)
        self._flushes.append((self._queued, waiting))
        self._push(Waiting(None, None, None))
        assert waiting.future is not None
        await waiting.future

    def _push(self, waiting: Waiting[Op]) -> None:
        self._operations.append(waiting)
        if self._waiting_for:
            self._wake_up()

    # Called by the writer.

    def _take(self) -> Work[Op]:
        operations: list[Waiting[Op]] = []
        size = 0
        while self._operations and len(operations) < self._bounds.operations and size < self._bounds.bytes:
            waiting = self._operations.popleft()
            if (
                waiting.future is None or not waiting.future.cancelled()
            ):  # given up before it was begun: as if never asked
                operations.append(waiting)
                size += waiting.size
        if self.trouble is not None and operations:
            return Work(operations, [])  # those who wait find out first whether the store is back
        return Work(operations, [self._entries.popleft() for _ in range(min(len(self._entries), self._bounds.entries))])

    def _done_with(self, work: Work[Op], outcomes: Sequence[Outcome]) -> Answers[Op]:
        """It is durable."""
        self.trouble = None
        self._done += 0 if work.given else len(work.entries)
        self.counters.unsettled += sum(
            waiting.future is None and outcome.error is not None
            for waiting, outcome in zip(work.operations, outcomes, strict=True)
        )
        return list(zip(work.operations, outcomes, strict=True))

    def _put_back(self, work: Work[Op]) -> Answers[Op]:
        """It failed: keep what nobody waits for; refuse the rest."""
        self._operations.extendleft(reversed([waiting for waiting in work.operations if waiting.future is None]))
        self._entries.extendleft(reversed(work.entries))
        refusal = Outcome(error=StoreUnavailable(self.trouble or "the store cannot commit"))
        return [(waiting, refusal) for waiting in work.operations if waiting.future is not None]

    def _drop(self, work: Work[Op], error: Exception) -> Answers[Op]:
        """The one thing in it cannot be stored at all."""
        if work.entries:
            self._done += 1
            self.counters.dropped += 1
            return []
        self.counters.unsettled += work.operations[0].future is None
        return [(work.operations[0], Outcome(error=Unstorable(f"it cannot be stored: {error}")))]

    def _flushed(self, failed: bool) -> Answers[Op]:
        answers: Answers[Op] = []
        while self._flushes and (failed or self._flushes[0][0] <= self._done):
            error: StoreError | None = StoreUnavailable(self.trouble or "the store cannot commit") if failed else None
            answers.append((self._flushes.popleft()[1], Outcome(error=error)))
        return answers

    def _give_up(self) -> Answers[Op]:
        """Closing while the store cannot commit: what is left is counted, and whoever still waits is told."""
        self.counters.dropped += len(self._entries)
        self.counters.unsettled += sum(
            waiting.future is None and waiting.operation is not None for waiting in self._operations
        )
        refusal = Outcome(error=StoreUnavailable(self.trouble or "the store is closed"))
        answers = [(waiting, refusal) for waiting in self._operations]
        self._entries.clear()
        self._operations.clear()
        return answers


def resolve(answers: Sequence[tuple[asyncio.Future[object], Outcome]]) -> None:
    """In the futures' own loop."""
    for future, outcome in answers:
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)

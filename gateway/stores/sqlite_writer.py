"""The writer's thread: takes what waits, commits it in one transaction, tells those who wait.

Two queues: `operations` (leads; somebody mostly waits for them) and `entries` (records and events; nobody does).
Whatever arrives while one commit runs
goes into the next. With only entries it waits up to `linger`; with operations only as long as the last commit was
busy, so that a single submission is
durable at once and a flood is still written in few commits.

When a commit fails, those who wait are told at once; what nobody waits for is kept and tried again, up to the queue's
bound.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.stores.errors import StoreUnavailable, StoreUnopenable
from gateway.stores.keys import KeyRing
from gateway.stores.records import Entry
from gateway.stores.sqlite_commit import Duplicate, EventEntry, Operation, Outcome, begin

_BATCH_ENTRIES = 1000
_BATCH_OPERATIONS = 500
_BATCH_BYTES = 16 * 1024 * 1024
_LINGER_PER_OPERATION = 0.00025
_RETRY_FIRST, _RETRY_MAX = 0.05, 2.0

_BUSY, _NOTHING, _OPERATIONS_ONLY = 0, 1, 2
"""What the thread is doing: committing; waiting for anything; lingering, so that only an operation is worth waking it
for.
"""

_POISON = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    TypeError,
    ValueError,
    OverflowError,
)
"""Errors of one item, not of the store: the rest of the batch must not suffer for it."""


class Waiting(msgspec.Struct):
    """An operation in the queue. future: None where nobody waits; size: bytes it holds."""

    operation: Operation
    future: asyncio.Future[object] | None
    loop: asyncio.AbstractEventLoop | None
    size: int = 0


class Bounds(msgspec.Struct, frozen=True):
    """queue: records and events that may wait, and operations that may; linger: seconds to gather records before a
    commit.
    """

    queue: int
    linger: float


class Counters(msgspec.Struct):
    """What happened since the start; written by the writer's thread, save `dropped`."""

    committed: int = 0
    commits: int = 0
    dropped: int = 0
    failed: int = 0
    unsettled: int = 0
    unjournaled: int = 0


class Writer:
    """Owns the writing connection. `connect` opens it again after an error of the file."""

    def __init__(
        self, path: Path, name: str, keys: KeyRing, bounds: Bounds, connect: Callable[[], sqlite3.Connection]
    ) -> None:
        self.counters = Counters()
        self.trouble: str | None = None
        self.fault: Callable[[], None] | None = None  # tests: called before COMMIT, may raise sqlite3.OperationalError
        self._path, self._name, self._keys, self._bounds, self._connect = path, name, keys, bounds, connect
        self._connection: sqlite3.Connection | None = connect()
        self._operations: deque[Waiting] = deque()
        self._entries: deque[Entry | EventEntry] = deque()
        self._flushes: deque[tuple[int, Waiting]] = deque()
        self._queued = self._done = 0  # entries ever accepted, and ever dealt with
        self._wake = threading.Event()
        self._waiting_for = _BUSY
        self._closing = False
        self._busy_with = 0  # operations in the last commit
        self._retry = 0.0
        self._thread = threading.Thread(target=self._run, name=f"store-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # Called by anybody.

    @property
    def lag(self) -> int:
        return len(self._entries) + len(self._operations)

    def put(self, entry: Entry | EventEntry) -> bool:
        if len(self._entries) >= self._bounds.queue or self._closing:
            self.counters.dropped += 1
            return False
        self._queued += 1
        self._entries.append(entry)
        if self._waiting_for == _NOTHING:
            self._wake.set()
        return True

    def has_room(self) -> bool:
        return len(self._entries) < self._bounds.queue

    async def do(self, operation: Operation, size: int = 0) -> object:
        """Queue an operation and wait until it is durable. Raises StoreError."""
        if self._closing:
            raise StoreUnavailable("the store is closing")
        if len(self._operations) >= self._bounds.queue:
            raise StoreUnavailable("too many submissions wait for the store")
        loop = asyncio.get_running_loop()
        waiting = Waiting(operation, loop.create_future(), loop, size)
        self._push(waiting)
        assert waiting.future is not None
        return await waiting.future

    def do_soon(self, operation: Operation) -> None:
        if self._closing or len(self._operations) >= 2 * self._bounds.queue:
            self.counters.unsettled += 1
            return
        self._push(Waiting(operation, None, None))

    async def flush(self) -> None:
        """Wait until everything queued before is durable. Raises StoreUnavailable."""
        if self._closing:
            raise StoreUnavailable("the store is closing")
        loop = asyncio.get_running_loop()
        waiting = Waiting(lambda _: None, loop.create_future(), loop)
        self._flushes.append((self._queued, waiting))
        self._push(Waiting(lambda _: None, None, None))
        assert waiting.future is not None
        await waiting.future

    def close(self) -> None:
        """Commit what is queued and end the thread; what cannot be committed then is counted as dropped."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _push(self, waiting: Waiting) -> None:
        self._operations.append(waiting)
        if self._waiting_for:
            self._wake.set()

    # The writer's thread.

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self.trouble = f"the writer's thread has stopped: {error!r}"
            self._closing = True
            self._give_up()
            raise
        finally:
            if self._connection is not None:
                self._connection.close()

    def _serve(self) -> None:
        while True:
            self._gather()
            if self._closing and not (self._operations or self._entries or self._flushes):
                return
            operations, entries = self._take()
            answers = self._commit(operations, entries)
            failed = self.trouble is not None
            answers += self._flushed(failed)
            _tell(answers)
            if failed and self._closing:
                self._give_up()
                return

    def _gather(self) -> None:
        """Wait for work, and then a little for more of it."""
        if self.trouble is not None:
            self._retry = min(max(2 * self._retry, _RETRY_FIRST), _RETRY_MAX)
            self._wait(_OPERATIONS_ONLY, self._retry, lambda: bool(self._operations))
            return
        self._retry = 0.0
        self._wait(_NOTHING, None, lambda: bool(self._operations or self._entries))
        if self._operations:
            if self._busy_with > 1 and not self._closing:
                time.sleep(min(self._bounds.linger, self._busy_with * _LINGER_PER_OPERATION))
        elif len(self._entries) < _BATCH_ENTRIES:
            self._wait(_OPERATIONS_ONLY, self._bounds.linger, lambda: bool(self._operations))

    def _wait(self, waiting_for: int, seconds: float | None, ready: Callable[[], bool]) -> None:
        self._waiting_for = waiting_for
        if (
            not ready() and not self._closing
        ):  # looked at after the flag is up: a producer sees the flag, or we see its work
            self._wake.wait(seconds)
        self._waiting_for = _BUSY
        self._wake.clear()

    def _take(self) -> tuple[list[Waiting], list[Entry | EventEntry]]:
        operations: list[Waiting] = []
        size = 0
        while self._operations and len(operations) < _BATCH_OPERATIONS and size < _BATCH_BYTES:
            waiting = self._operations.popleft()
            if (
                waiting.future is None or not waiting.future.cancelled()
            ):  # given up before it was begun: as if never asked
                operations.append(waiting)
                size += waiting.size
        if self.trouble is not None and operations:
            return operations, []  # those who wait find out first whether the store is back
        return operations, [self._entries.popleft() for _ in range(min(len(self._entries), _BATCH_ENTRIES))]

    def _commit(self, operations: list[Waiting], entries: list[Entry | EventEntry]) -> list[tuple[Waiting, Outcome]]:
        """One transaction; what failed is put back, and those who wait are told."""
        self._busy_with = len(operations)
        try:
            outcomes = self._transaction(operations, entries)
        except (sqlite3.Error, StoreUnopenable, *_POISON) as error:
            if isinstance(error, _POISON):
                return self._one_by_one(operations, entries, error)
            self.trouble = f"{self._path}: {error}"
            self.counters.failed += 1
            self._after_failure(error)
            return self._put_back(operations, entries)
        self.trouble = None
        self._done += len(entries)
        self.counters.unsettled += sum(
            waiting.future is None and outcome.error is not None
            for waiting, outcome in zip(operations, outcomes, strict=True)
        )
        return list(zip(operations, outcomes, strict=True))

    def _put_back(self, operations: list[Waiting], entries: list[Entry | EventEntry]) -> list[tuple[Waiting, Outcome]]:
        """Keep what nobody waits for; refuse the rest."""
        self._operations.extendleft(reversed([waiting for waiting in operations if waiting.future is None]))
        self._entries.extendleft(reversed(entries))
        refusal = Outcome(error=StoreUnavailable(self.trouble or "the store cannot commit"))
        return [(waiting, refusal) for waiting in operations if waiting.future is not None]

    def _transaction(self, operations: list[Waiting], entries: list[Entry | EventEntry]) -> list[Outcome]:
        if self._connection is None:
            self._connection = self._connect()
        for look in (False, True):
            transaction = begin(self._connection, self._name, self._keys)
            try:
                if self.trouble is not None:  # an empty commit succeeds on a full disk: write something, to know
                    self._connection.execute("UPDATE counters SET value = value WHERE name = 'received'")
                outcomes = transaction.apply([waiting.operation for waiting in operations])
                written = transaction.finish(entries, look=look)
                if self.fault is not None:
                    self.fault()
                self._connection.execute("COMMIT")
            except Duplicate:
                self._connection.execute("ROLLBACK")
                continue
            except (sqlite3.Error, *_POISON):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self.counters.commits += 1
            self.counters.committed += written
            return outcomes
        raise AssertionError("unreachable: with `look` there are no duplicates")

    def _one_by_one(
        self, operations: list[Waiting], entries: list[Entry | EventEntry], error: Exception
    ) -> list[tuple[Waiting, Outcome]]:
        """Something in the batch cannot be stored at all: find it, drop it, keep the rest."""
        if len(operations) + len(entries) > 1:
            answers: list[tuple[Waiting, Outcome]] = []
            singles: list[tuple[list[Waiting], list[Entry | EventEntry]]] = [([waiting], []) for waiting in operations]
            singles += [([], [entry]) for entry in entries]
            for position, (one_operation, one_entry) in enumerate(singles):
                answers += self._commit(one_operation, one_entry)
                if self.trouble is not None:
                    rest = position + 1
                    return answers + self._put_back(operations[rest:], entries[max(0, rest - len(operations)) :])
            return answers
        if entries:
            self._done += 1
            self.counters.dropped += 1
            return []
        self.counters.unsettled += operations[0].future is None
        return [(operations[0], Outcome(error=StoreUnavailable(f"it cannot be stored: {error}")))]

    def _after_failure(self, error: Exception) -> None:
        """After anything but a full disk or a lock, start again with a fresh connection."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if self._connection is not None and code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
            self._connection.close()
            self._connection = None

    def _flushed(self, failed: bool) -> list[tuple[Waiting, Outcome]]:
        answers: list[tuple[Waiting, Outcome]] = []
        while self._flushes and (failed or self._flushes[0][0] <= self._done):
            outcome = (
                Outcome(error=StoreUnavailable(self.trouble or "the store cannot commit")) if failed else Outcome()
            )
            answers.append((self._flushes.popleft()[1], outcome))
        return answers

    def _give_up(self) -> None:
        """Closing while the store cannot commit: what is left is counted, and whoever still waits is told."""
        self.counters.dropped += len(self._entries)
        self.counters.unsettled += sum(waiting.future is None for waiting in self._operations)
        refusal = Outcome(error=StoreUnavailable(self.trouble or "the store is closed"))
        _tell([(waiting, refusal) for waiting in self._operations])
        self._entries.clear()
        self._operations.clear()


def _tell(answers: list[tuple[Waiting, Outcome]]) -> None:
    """Resolve futures in their loops, one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[object], Outcome]]] = {}
    for waiting, outcome in answers:
        if waiting.future is not None and waiting.loop is not None:
            by_loop.setdefault(waiting.loop, []).append((waiting.future, outcome))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, told)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(told: list[tuple[asyncio.Future[object], Outcome]]) -> None:
    for future, outcome in told:
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)

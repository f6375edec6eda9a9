"""The writer's thread: takes what waits, commits it in one transaction, tells those who wait.

With only entries it waits up to `linger` for more of them; with operations only as long as the last commit was busy,
so that a single submission is durable at once and a flood is still written in few commits. What waits, and what is
kept when a commit fails: gateway.stores.group_commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gateway.stores.errors import StoreUnopenable
from gateway.stores.group_commit import (
    BUSY,
    NOTHING,
    URGENT_ONLY,
    Answers,
    Bounds,
    CommitQueue,
    Waiting,
    Work,
    resolve,
)
from gateway.stores.keys import KeyRing
from gateway.stores.operations import Duplicate, Outcome
from gateway.stores.sqlite.commit import Operation, begin

_LINGER_PER_OPERATION = 0.00025
_RETRY_FIRST, _RETRY_MAX = 0.05, 2.0

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


class Writer(CommitQueue[Operation]):
    """Owns the writing connection. `connect` opens it again after an error of the file."""

    def __init__(
        self, path: Path, name: str, keys: KeyRing, bounds: Bounds, connect: Callable[[], sqlite3.Connection]
    ) -> None:
        self._wake = threading.Event()
        super().__init__(bounds, self._wake.set)
        self.fault: Callable[[], None] | None = None  # tests: called before COMMIT, may raise sqlite3.OperationalError
        self._path, self._name, self._keys, self._connect = path, name, keys, connect
        self._connection: sqlite3.Connection | None = connect()
        self._busy_with = 0  # operations in the last commit
        self._retry = 0.0
        self._thread = threading.Thread(target=self._run, name=f"store-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Commit what is queued and end the thread; what cannot be committed then is counted as dropped."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    # The writer's thread.

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self.trouble = f"the writer's thread has stopped: {error!r}"
            self._closing = True
            _tell(self._give_up())
            raise
        finally:
            if self._connection is not None:
                self._connection.close()

    def _serve(self) -> None:
        while True:
            self._gather()
            if self._closing and not (self._operations or self._entries or self._flushes):
                return
            answers = self._commit(self._take())
            failed = self.trouble is not None
            answers += self._flushed(failed)
            _tell(answers)
            if failed and self._closing:
                _tell(self._give_up())
                return

    def _gather(self) -> None:
        """Wait for work, and then a little for more of it."""
        if self.trouble is not None:
            self._retry = min(max(2 * self._retry, _RETRY_FIRST), _RETRY_MAX)
            self._wait(URGENT_ONLY, self._retry, lambda: bool(self._operations))
            return
        self._retry = 0.0
        self._wait(NOTHING, None, lambda: bool(self._operations or self._entries))
        if self._operations:
            if self._busy_with > 1 and not self._closing:
                time.sleep(min(self._bounds.linger, self._busy_with * _LINGER_PER_OPERATION))
        elif len(self._entries) < self._bounds.entries:
            self._wait(URGENT_ONLY, self._bounds.linger, lambda: bool(self._operations))

    def _wait(self, waiting_for: int, seconds: float | None, ready: Callable[[], bool]) -> None:
        self._waiting_for = waiting_for
        if (
            not ready() and not self._closing
        ):  # looked at after the flag is up: a producer sees the flag, or we see its work
            self._wake.wait(seconds)
        self._waiting_for = BUSY
        self._wake.clear()

    def _commit(self, work: Work[Operation]) -> Answers[Operation]:
        """One transaction; what failed is put back, and those who wait are told."""
        self._busy_with = len(work.operations)
        try:
            outcomes = self._transaction(work)
        except (sqlite3.Error, StoreUnopenable, *_POISON) as error:
            if isinstance(error, _POISON):
                return self._one_by_one(work, error)
            self.trouble = f"{self._path}: {error}"
            self.counters.failed += 1
            self._after_failure(error)
            return self._put_back(work)
        return self._done_with(work, outcomes)

    def _transaction(self, work: Work[Operation]) -> list[Outcome]:
        if self._connection is None:
            self._connection = self._connect()
        for look in (False, True):
            transaction = begin(self._connection, self._name, self._keys)
            try:
                if self.trouble is not None:  # an empty commit succeeds on a full disk: write something, to know
                    self._connection.execute("UPDATE counters SET value = value WHERE name = 'received'")
                outcomes = transaction.apply([waiting.operation for waiting in work.operations])
                written = transaction.finish(work.entries, look=look)
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

    def _one_by_one(self, work: Work[Operation], error: Exception) -> Answers[Operation]:
        """Something in the batch cannot be stored at all: find it, drop it, keep the rest."""
        singles = work.singles()
        if len(singles) == 1:
            return self._drop(work, error)
        answers: Answers[Operation] = []
        for position, single in enumerate(singles, 1):
            answers += self._commit(single)
            if self.trouble is not None:
                rest = max(0, position - len(work.operations))
                return answers + self._put_back(Work(work.operations[position:], work.entries[rest:]))
        return answers

    def _after_failure(self, error: Exception) -> None:
        """After anything but a full disk or a lock, start again with a fresh connection."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if self._connection is not None and code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
            self._connection.close()
            self._connection = None


def _tell(answers: list[tuple[Waiting[Operation], Outcome]]) -> None:
    """Resolve futures in their loops, one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[object], Outcome]]] = {}
    for waiting, outcome in answers:
        if waiting.future is not None and waiting.loop is not None:
            by_loop.setdefault(waiting.loop, []).append((waiting.future, outcome))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(resolve, told)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue

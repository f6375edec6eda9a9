"""The task that commits to PostgreSQL, in the event loop: takes what waits, writes it in one transaction, tells those
who wait.

With only entries it waits up to `linger` for more of them; with operations only as long as the last commit was busy.
What waits, and what is kept when a commit fails: gateway.stores.group_commit.

Nobody waits longer than the deadline. Whoever was told that it failed finds nothing of it later: a lead that got in
after all is taken out again. While the store is in trouble everybody is told at once, and the connection is made anew
with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from gateway.stores.carry.carried import Loose
from gateway.stores.errors import StoreError, StoreUnavailable
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
from gateway.stores.operations import LeadRow, Outcome, Settle, Unjournaled
from gateway.stores.postgres.commit import Head, Operation
from gateway.stores.postgres.connect import Connection
from gateway.stores.postgres.errors import FAILURES, POISON, message_of, unopenable
from gateway.stores.postgres.link import Link, Unsure
from gateway.stores.postgres.partitions import Partitions
from gateway.stores.postgres.recovery import Retract
from gateway.stores.postgres.settings import PostgresSettings

_LINGER_PER_OPERATION = 0.00025
_RETRY_FIRST, _RETRY_MAX = 0.05, 1.0
_ENTRIES, _OPERATIONS, _BYTES = 500, 200, 4 * 1024 * 1024
"""The most that one commit takes: some ten milliseconds for a server that is well."""
_FEWEST = 20
"""A commit that did not end in time is tried with a quarter of its entries, down to so many."""


class Writer(CommitQueue[Operation]):
    """Owns the writing connection.

    chores  called every heartbeat while the store is well: what to do besides, as operations nobody waits for
    """

    def __init__(
        self,
        settings: PostgresSettings,
        name: str,
        keys: KeyRing,
        connection: Connection,
        head: Head,
        days: Partitions,
        chores: Callable[[float], Sequence[Operation]],
    ) -> None:
        self._wake = asyncio.Event()
        self._link = Link(settings, name, keys, connection, head, days)
        self._most = Bounds(settings.queue, settings.linger_ms / 1000, _ENTRIES, _OPERATIONS, _BYTES)
        super().__init__(self._most, self._wake.set)
        self._settings, self._name, self._chores = settings, name, chores
        self._unsure: tuple[Unsure, Work[Operation]] | None = None
        self._under_way: Work[Operation] | None = None
        self._busy_with = 0
        self._retry = 0.0
        self._well_since = self._beat = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"store-{self._name}")

    async def do(self, operation: Operation, size: int = 0, seconds: float | None = None) -> object:
        """Queue an operation and wait until it is durable, for the deadline or `seconds`. Raises StoreError."""
        if self.trouble is not None and not self._closing:
            raise StoreUnavailable(self.trouble)
        waiting = self._ask(operation, size, seconds)
        assert waiting.future is not None
        limit = seconds or self._settings.deadline_s
        try:
            async with asyncio.timeout(limit):
                return await waiting.future
        except TimeoutError:
            waiting.refused = True
            raise StoreUnavailable(f"{self._settings.place}: no answer within {limit * 1000:.0f} ms") from None

    @property
    def lag(self) -> int:
        unsure = 0 if self._unsure is None else len(self._unsure[1].entries) + len(self._unsure[1].operations)
        return super().lag + unsure

    def hand_over(self) -> list[Loose]:
        """See gateway.stores.carry.carried.HandsOver. What stands in a commit that is under way goes too: should it take
        place, ids tell.
        """
        given: list[Loose] = []
        begun = [self._under_way] if self._under_way is not None else []
        if self._unsure is not None:
            begun.append(self._unsure[1])
        for work in (*begun, Work(list(self._operations), list(self._entries))):
            given += [each.operation for each in work.operations if _loose(each)]  # type: ignore[misc]
            given += work.entries
        for work in begun:
            work.given = True
            self._done += len(work.entries)
        self._done += len(self._entries)
        self._entries.clear()
        kept = [each for each in self._operations if not _loose(each)]
        self._operations.clear()
        self._operations.extend(kept)
        return given

    def _put_back(self, work: Work[Operation]) -> Answers[Operation]:
        if work.given:
            work = Work([each for each in work.operations if not _loose(each)], [])
        return super()._put_back(work)

    async def flush(self) -> None:
        if self.trouble is not None and not self._closing:
            raise StoreUnavailable(self.trouble)
        await super().flush()

    async def close(self) -> None:
        """Commit what is queued and end the task; what cannot be committed then is counted as dropped."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    # The task.

    async def _run(self) -> None:
        try:
            await self._serve()
        except BaseException as error:
            self.trouble = f"the writer has stopped: {error!r}"
            self._closing = True
            self._tell(self._give_up())
            raise
        finally:
            await self._link.close()

    async def _serve(self) -> None:
        while True:
            await self._gather()
            if self._closing and not (self._operations or self._entries or self._flushes or self._unsure):
                return
            if self.trouble is None and time.monotonic() >= self._beat:
                self._heartbeat()
            if self._unsure is None or await self._found_out():  # what was begun before comes first
                self._tell(await self._commit(self._take()))
            failed = self.trouble is not None
            self._tell(self._flushed(failed))
            if failed:
                self._tell(self._refuse_waiting())
            if failed and self._closing:
                self._tell(self._put_unsure_back())
                self._tell(self._give_up())
                return

    async def _gather(self) -> None:
        """Wait for work, and then a little for more of it."""
        if self.trouble is not None:
            self._retry = min(max(2 * self._retry, _RETRY_FIRST), _RETRY_MAX)
            await self._wait(BUSY, self._retry, lambda: False)
            return
        self._retry = 0.0
        left = max(0.0, self._beat - time.monotonic())
        await self._wait(NOTHING, left, lambda: bool(self._operations or self._entries))
        if self._operations:
            if self._busy_with > 1 and not self._closing:
                await asyncio.sleep(min(self._bounds.linger, self._busy_with * _LINGER_PER_OPERATION))
        elif 0 < len(self._entries) < self._bounds.entries:
            await self._wait(URGENT_ONLY, self._bounds.linger, lambda: bool(self._operations))

    async def _wait(self, waiting_for: int, seconds: float, ready: Callable[[], bool]) -> None:
        self._waiting_for = waiting_for
        if not ready() and not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
        self._waiting_for = BUSY
        self._wake.clear()

    def _heartbeat(self) -> None:
        self._beat = time.monotonic() + self._settings.heartbeat_s
        for operation in self._chores(time.monotonic() - self._well_since):
            self.do_soon(operation)

    async def _commit(self, work: Work[Operation]) -> Answers[Operation]:
        """One transaction; what failed is put back, and those who wait are told."""
        self._busy_with, self._under_way = len(work.operations), work
        try:
            outcomes = await self._link.commit(work)
        except Unsure as unsure:
            self._failed(unsure.why)
            self._unsure = (unsure, work)
            return []  # those who wait are told by the deadline, unless it is known before
        except POISON as error:
            return await self._one_by_one(work, error)
        except (*FAILURES, StoreError) as error:
            self._failed(error)
            return self._put_back(work)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: without this task nothing is committed until a restart
            return await self._one_by_one(work, ValueError(f"an error in Leadgate itself ({type(error).__name__})"))
        finally:
            self._under_way = None
        if self.trouble is not None:
            self._well_since = time.monotonic()
        if self._bounds is not self._most:
            most = min(2 * self._bounds.entries, _ENTRIES)
            self._bounds = self._most if most == _ENTRIES else self._bounded(most)
        return self._settled(work, outcomes)

    def _settled(self, work: Work[Operation], outcomes: list[Outcome]) -> Answers[Operation]:
        """It is durable: leads whose visitors were told otherwise are taken out again, before anything else is done."""
        self.counters.commits, self.counters.committed = self._link.commits, self._link.committed
        late = [
            waiting.operation.lead.id
            for waiting, outcome in zip(work.operations, outcomes, strict=True)
            if waiting.refused and outcome.error is None and isinstance(waiting.operation, LeadRow)
        ]
        if late:
            self._operations.appendleft(Waiting(Retract(tuple(late)), None, None))
        return self._done_with(work, outcomes)

    def _failed(self, error: Exception) -> None:
        known = error if isinstance(error, StoreError) else unopenable(self._settings, error)
        self.trouble = str(known)
        self.counters.failed += 1
        if isinstance(error, TimeoutError):
            self._bounds = self._bounded(max(_FEWEST, self._bounds.entries // 4))

    def _bounded(self, entries: int) -> Bounds:
        return Bounds(self._most.queue, self._most.linger, entries, _OPERATIONS, _BYTES)

    async def _found_out(self) -> bool:
        """What became of the commit whose answer was lost? False while the server cannot be asked."""
        assert self._unsure is not None
        unsure, work = self._unsure
        try:
            took_place = await self._link.took_place(unsure)
        except (*FAILURES, StoreError) as error:
            self._failed(error)
            return False
        if took_place:
            self._unsure = None
            self._tell(self._settled(work, unsure.outcomes))
        else:
            self._tell(self._put_unsure_back())
        return True

    def _refuse_waiting(self) -> Answers[Operation]:
        """Those who came meanwhile need not wait to hear it."""
        waiting = [each for each in self._operations if each.future is not None]
        if waiting:
            kept = [each for each in self._operations if each.future is None]
            self._operations.clear()
            self._operations.extend(kept)
        refusal = Outcome(error=StoreUnavailable(self.trouble or "the store cannot commit"))
        return [(each, refusal) for each in waiting]

    def _put_unsure_back(self) -> Answers[Operation]:
        if self._unsure is None:
            return []
        _, work = self._unsure
        self._unsure = None
        return self._put_back(work)

    async def _one_by_one(self, work: Work[Operation], error: Exception) -> Answers[Operation]:
        """Something in the batch cannot be stored at all: find it, drop it, keep the rest."""
        singles = work.singles()
        if len(singles) == 1:
            return self._drop(work, ValueError(message_of(error)))
        answers: Answers[Operation] = []
        for position, single in enumerate(singles, 1):
            answers += await self._commit(single)
            if self.trouble is not None:
                rest = max(0, position - len(work.operations))
                return answers + self._put_back(Work(work.operations[position:], work.entries[rest:]))
        return answers

    def _tell(self, answers: Answers[Operation]) -> None:
        resolve([(waiting.future, outcome) for waiting, outcome in answers if waiting.future is not None])


def _loose(waiting: Waiting[Operation]) -> bool:
    return waiting.future is None and isinstance(waiting.operation, Settle | Unjournaled)

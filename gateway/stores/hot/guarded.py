"""A shared hot state that may fail, and the one in the process that stands in for it: visitors wait for neither.

What the shared state cannot answer, this process counts for itself, and the answer says so. Where it fails again and again it is not asked any more, so
that nobody waits for a deadline, until a probe in the background finds it well again. Seals that were made meanwhile are then brought there
(handover.py); what was counted stays in the process, and limits begin in the shared state where they left off.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from detectors.observation import Unavailable
from gateway.stores.hot import Answers, Hit, HotState, Operation, Result, Seal, Sealed
from gateway.stores.hot.handover import PAUSE_S, Handover
from gateway.stores.hot.memory import MemoryState, Sizes

MEANWHILE = "counted in this process only"
"""What stands behind the reason where this process answered."""

KINDS = 64
"""Distinct reasons that are counted by name; they come from a fixed list, and if they ever do not, the rest is `OTHER`."""

OTHER = "other"

LOST = "redis: state lost"
"""How answers are counted of which the shared state itself says that they may know too little; its own words name the time."""


class Shared(HotState, Protocol):
    """A hot state of many processes."""

    async def start(self) -> None:
        """Connects in the background; never fails because the server is away."""

    async def probe(self) -> bool:
        """Would it carry out what it is asked for, writing included? Does not raise; bounded in time by itself, and here once more."""


class Tells(Protocol):
    """Takes an event of gateway.log.EVENTS with its fields."""

    def __call__(self, event: str, **fields: object) -> None: ...


class Breaker(msgspec.Struct, frozen=True):
    """When the shared state is left alone, and how it is found again.

    row              observations in a row that failed whole: a server that is gone is left alone after so many
    most, last       so many of the last ones (60 at most): one that limps
    first_s, last_s  pause before a probe, doubled after each that fails; a quarter of it is chance, so that processes do not come all at once.
                     Below the 5 seconds within which the shared state is to be in use again after its return
    probe_s          how long a probe may take
    settled_s        a state that fails again within this time goes on with the longer pauses, so that one that flaps costs little
    """

    row: int = 5
    most: int = 25
    last: int = 50
    first_s: float = 0.25
    last_s: float = 2.0
    probe_s: float = 1.0
    settled_s: float = 10.0


DEFAULT = Breaker()


def _silent(event: str, **fields: object) -> None: ...


def _decides(ops: Sequence[Operation]) -> bool:
    """Is this asked for a decision? Its operations begin with a counter; what is asked in the background holds none."""
    return bool(ops) and type(ops[0]) is Hit


class GuardedState:
    """A HotState that always answers.

    local       answers what `shared` does not
    on_event    told "hot state lost" (reason, remedy) and "hot state back" (seconds, probes)
    on_partial  told a reason for each observation that knows less than it should
    on_error    told the reason of each failure of `shared`
    clock       seconds, monotonic

    opened   how often the shared state was left alone
    probes   how often it was tried since then
    handover seals made here, on their way to the shared state
    answered_here  reason → observations of which this process answered at least one operation
    """

    def __init__(
        self,
        shared: Shared,
        local: MemoryState,
        *,
        on_event: Tells = _silent,
        on_partial: Callable[[str], None] = lambda _: None,
        on_error: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        breaker: Breaker = DEFAULT,
        handover_s: float = PAUSE_S,
    ) -> None:
        self.shared, self.local = shared, local
        self.opened = self.probes = 0
        self.answered_here: Counter[str] = Counter()
        self._on_event, self._on_partial, self._on_error = on_event, on_partial, on_error
        self._clock, self._breaker = clock, breaker
        self._failures = 0  # one bit for each of the last observations, the latest one lowest
        self._row, self._window = (1 << breaker.row) - 1, (1 << breaker.last) - 1
        self._since: float | None = None  # left alone since
        self._reason = ""
        self._pause, self._back_at = breaker.first_s, -breaker.settled_s
        self._probing: asyncio.Task[None] | None = None
        self._closed = False
        self._names: set[str] = set()
        self.handover = Handover(shared, lambda: self._since is None, on_error, handover_s)

    async def start(self) -> None:
        await self.shared.start()

    def sizes(self) -> Sizes:
        """What this process holds itself."""
        return self.local.sizes()

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        if self._since is not None:
            return await self._alone(ops, now, dry)
        try:
            answers = await self.shared.observe(ops, now, dry=dry)
        except Exception as error:  # noqa: BLE001 - it never should; were it to, no visitor may pay for it. Counted below
            failure = Unavailable(f"shared state: {type(error).__name__}")
            answers = Answers([failure] * len(ops))
        if Unavailable not in map(type, answers.results):
            if self._failures:
                self._failures = self._failures << 1 & self._window
            if answers.partial and _decides(ops):
                self._on_partial(LOST)
            return answers
        return await self._completed(answers, ops, now, dry)

    async def _alone(self, ops: Sequence[Operation], now: int, dry: bool) -> Answers:
        reason = self._reason
        if not ops:
            return Answers(())
        results = await self._here(ops, now, dry)
        self.answered_here[reason] += 1
        if _decides(ops):
            self._on_partial(reason)
        return Answers(results, dict.fromkeys(range(len(ops)), f"{reason}; {MEANWHILE}"))

    async def _completed(self, answers: Answers, ops: Sequence[Operation], now: int, dry: bool) -> Answers:
        """The answers of the shared state, and this process' own where it gave none."""
        results = list(answers.results)
        failed = {place: found.reason for place, found in enumerate(results) if type(found) is Unavailable}
        own = await self._here([ops[place] for place in failed], now, dry)
        partial = dict(answers.partial)
        for (place, reason), result in zip(failed.items(), own, strict=True):
            results[place] = result
            partial[place] = f"{reason}; {MEANWHILE}"
        reasons = self._tell(self._on_error, failed.values())
        for reason in reasons:
            self.answered_here[reason] += 1
        noted = any(place not in failed for place in answers.partial)
        if _decides(ops):
            self._tell(self._on_partial, [*failed.values(), LOST] if noted else failed.values())
        self._failed(next(iter(failed.values())), whole=len(failed) == len(ops))
        return Answers(results, partial)

    async def _here(self, ops: Sequence[Operation], now: int, dry: bool) -> Sequence[Result]:
        results = (await self.local.observe(ops, now, dry=dry)).results
        if not dry:
            for op, found in zip(ops, results, strict=True):
                if type(op) is Seal and type(found) is Sealed:
                    self.handover.add(op, found.value, now)
        return results

    def _named(self, reason: str) -> str:
        if reason not in self._names:
            if len(self._names) >= KINDS:
                return OTHER
            self._names.add(reason)
        return reason

    def _tell(self, hook: Callable[[str], None], reasons: Iterable[str]) -> list[str]:
        """Each once."""
        told = list(dict.fromkeys(map(self._named, reasons)))
        for reason in told:
            hook(reason)
        return told

    # the breaker

    @property
    def open(self) -> bool:
        """Is the shared state left alone?"""
        return self._since is not None

    @property
    def trouble(self) -> str | None:
        if self._since is None:
            return self.shared.trouble
        remedy = self.shared.trouble
        if remedy is None or remedy == self._reason:  # nothing better is known
            remedy = "Check that the server of `state` runs and can be reached from here"
        return (
            f"the shared state does not answer ({self._reason}): limits, click ids and used tokens are kept by each process for itself until it "
            f"does, which is tried every {self._breaker.last_s:g} s or sooner. {remedy}"
        )

    def _failed(self, reason: str, *, whole: bool) -> None:
        """Where only a part fails the others are worth asking: that opens nothing."""
        self._failures = (self._failures << 1 | whole) & self._window
        if not whole or self._since is not None or self._closed:  # of those asked together only one opens it
            return
        if self._failures & self._row == self._row or self._failures.bit_count() >= self._breaker.most:
            self._leave_alone(self._named(reason))

    def _leave_alone(self, reason: str) -> None:
        self._since, self._reason, self._failures = self._clock(), reason, 0
        self.opened += 1
        soon = self._since - self._back_at < self._breaker.settled_s
        self._pause = min(self._pause * 2, self._breaker.last_s) if soon else self._breaker.first_s
        self._probing = asyncio.create_task(self._find_again(), name="hot state probe")
        self._on_event("hot state lost", reason=reason, remedy=self.trouble)

    async def _find_again(self) -> None:
        while True:
            await asyncio.sleep(self._pause * (0.75 + random.random() / 4))  # noqa: S311 - spreads load, keeps no secret
            self.probes += 1
            if await self._well():
                break
            self._pause = min(self._pause * 2, self._breaker.last_s)
        now = self._clock()
        seconds = 0.0 if self._since is None else now - self._since
        self._since, self._back_at, self._failures = None, now, 0
        self._on_event("hot state back", seconds=round(seconds, 3), probes=self.probes)

    async def _well(self) -> bool:
        try:
            async with asyncio.timeout(self._breaker.probe_s):
                return await self.shared.probe()
        except TimeoutError:
            self._on_error("probe: no answer")
        except Exception as error:  # noqa: BLE001 - the search must go on, or the shared state would never be used again
            self._on_error(f"probe: {type(error).__name__}")
        return False

    async def close(self) -> None:
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self.handover.close()
        await self.shared.close()
        await self.local.close()

"""Looks after a shared store and its spool: is the shared one there, what waits, and bringing it over when it can be."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.log import Spell, log, seldom
from gateway.stores.carry.carried import Loose
from gateway.stores.carry.carrying import Limits
from gateway.stores.errors import StoreCorrupt, StoreError, StoreUnavailable, StoreUnopenable, StoreUnreachable
from gateway.stores.keys import KeyRing
from gateway.stores.records import StoreStats
from gateway.stores.spool.adoption import Adopted
from gateway.stores.spool.draining import Moved, Mover, Primary, Refused, ask
from gateway.stores.spool.file import Content, Spool

_ROUND_S = 0.1
_LOOK_S = 1.0
"""Seconds between two counts of what waits and two looks at the disk."""

_TELL_S = 60.0
"""Seconds between two lines of the log about what was brought over, where it goes on and off; what was not told is in the next."""

_NAME = "PostgreSQL"


class SpoolSettings(msgspec.Struct, frozen=True):
    """queue        records and events that may wait for a commit of the spool
    first_try_s  how long the start waits for the shared store before it goes on without
    retry_s      seconds between two tries to reach the shared store, and between two questions whether it commits again
    hold_off_s   after a commit failed, so long nothing is tried there: nobody waits for a deadline twice
    hand_over_s  after so long without the shared store, what waits in its queue is made durable in the spool
    adopt_s      seconds between two looks for spools that ended gateways left behind
    reserve      bytes of free disk that are kept for leads: with less, records are dropped and counted
    limits       how much is carried at once
    """

    queue: int = 20_000
    first_try_s: float = 3.0
    retry_s: float = 0.5
    hold_off_s: float = 0.5
    hand_over_s: float = 0.5
    adopt_s: float = 10.0
    reserve: int = 256 * 1024 * 1024
    limits: Limits = Limits()


class Keeper:
    """used: may the spool hold something? up: the shared store, while it commits."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Primary]],
        spool: Spool,
        directory: Path,
        keys: KeyRing,
        settings: SpoolSettings,
        clock: Callable[[], int],
    ) -> None:
        self.spool, self.moving = spool, asyncio.Lock()
        self._connect, self._directory, self._settings, self._clock = connect, directory, settings, clock
        self._adopted = Adopted(directory, spool.path, keys, clock)
        self._mover = Mover(settings.limits)
        self._primary: Primary | None = None
        self._task: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._in_hand: list[Loose] = []  # taken from the shared store's queue, not durable yet
        self._writes, self._clean = 1, 0  # what was left behind counts as written
        self._held_off = 0.0
        self._away_since: float | None = None
        self._away_at = 0
        self._problem = ""
        self._refused = Refused()
        self._content = Content()
        self._room = True
        self._dropped = 0
        self._moved = Moved()
        self._spell, self._announced = Spell(), False
        self._next = dict.fromkeys(("connect", "probe", "look", "adopt", "tell"), 0.0)

    # What others ask.

    @property
    def up(self) -> Primary | None:
        primary = self._primary
        if primary is None or not primary.healthy:
            return None
        return primary if self._held_off <= time.monotonic() else None

    def there(self) -> Primary:
        """Raises StoreUnavailable."""
        primary = self._primary
        if primary is None or not primary.healthy:
            raise StoreUnavailable(self._away_text() + "; what it holds can be read when it is back")
        return primary

    @property
    def used(self) -> bool:
        return self._writes != self._clean

    @property
    def spools(self) -> tuple[Spool, ...]:
        return (self.spool, *self._adopted.spools)

    def touch(self) -> None:
        """Something was, or is being, written to the spool."""
        self._writes += 1

    def failed(self, reason: str) -> None:
        """A commit of the shared store failed: for a moment nothing more is tried there."""
        self._problem = reason
        self._held_off = time.monotonic() + self._settings.hold_off_s
        self._went_away()

    def room_for_records(self) -> bool:
        self.touch()
        if not self._room:
            self._dropped += 1
        return self._room

    @property
    def blocked(self) -> bool:
        """Does the shared store refuse what the spool holds?"""
        return self._refused.why is not None

    def trouble(self) -> str | None:
        if self._refused.why is not None:
            return f"what waits in {self._directory} is refused by {_NAME}: {self._refused.why}"
        if self.up is not None:
            return None
        waiting = self._content
        text = f"{self._away_text()}: {waiting.leads} leads and {waiting.entries} records wait in {self._directory}"
        if self.spool.trouble is not None:
            text += f", which cannot be written either ({self.spool.trouble})"
        return text

    def _away_text(self) -> str:
        if self._away_since is None:
            return f"{_NAME} does not answer"
        at = datetime.fromtimestamp(self._away_at / 1_000_000, UTC)
        return f"{_NAME} is away since {at:%H:%M} UTC" + (f" ({self._problem})" if self._problem else "")

    def waiting(self) -> int:
        content = self._content
        return len(self._in_hand) + self.spool.lag + content.leads + content.entries + content.loose

    def lag(self) -> int:
        return self.waiting() + (0 if self._primary is None else self._primary.lag)

    def stats(self) -> StoreStats:
        mine = self.spool.stats()
        theirs = StoreStats(*[0] * 7) if self._primary is None else self._primary.stats()
        return StoreStats(
            self.lag(),
            theirs.committed + mine.committed,
            theirs.commits + mine.commits,
            theirs.dropped + mine.dropped + self._dropped,
            theirs.failed + mine.failed,
            theirs.unsettled + mine.unsettled,
            theirs.unjournaled + mine.unjournaled,
        )

    # Its life.

    async def start(self) -> None:
        """Raises StoreUnopenable."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.first_try_s):
                await self._reach()
        if self._primary is None:
            self._went_away()
        await self._look()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """What the shared store cannot commit any more is made durable in the spool; an empty spool is taken away."""
        for task in (self._task, self._probe):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        primary = self._primary
        if primary is not None:
            try:
                async with asyncio.timeout(self._settings.first_try_s):
                    await primary.flush()
            except (StoreError, TimeoutError):
                self._in_hand += primary.hand_over()
            await primary.close()
        with contextlib.suppress(StoreUnavailable):  # of now, or of a step that was broken off
            await self._keep_in_hand()
        await self._adopted.close()
        try:
            await self.spool.flush()
            empty = not await self.spool.content() and not self._in_hand
        except StoreError:
            empty = False
        self._dropped += len(self._in_hand)
        await (self.spool.remove() if empty else self.spool.close())

    async def _run(self) -> None:
        while True:
            pause = _ROUND_S
            try:
                pause = await self._round()
            except (StoreError, OSError) as error:
                self._problem = str(error)
            except Exception as error:  # noqa: BLE001 - without this task nothing is brought over until a restart; told
                self._problem = f"an error in Leadgate itself ({type(error).__name__})"
                seldom("store failed", "spool", reason=self._problem, remedy="report it; it is tried again")
            await asyncio.sleep(pause)

    def _due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._next[what]:
            return False
        self._next[what] = now + every
        return True

    async def _round(self) -> float:
        """Seconds until the next one."""
        if self._primary is None and self._due("connect", self._settings.retry_s):
            with contextlib.suppress(StoreUnopenable):  # told by `trouble`; it is tried again
                await self._reach()
        if self._due("look", _LOOK_S):
            await self._look()
        primary = self.up
        if primary is None:
            self._went_away()
            await self._while_away()
            return _ROUND_S
        self._came_back()
        await self._keep_in_hand()
        if self._due("adopt", self._settings.adopt_s):
            await self._adopted.look()
        return await self._drain(primary)

    async def _reach(self) -> None:
        try:
            self._primary = await self._connect()
        except (StoreUnavailable, StoreUnreachable, OSError) as error:
            self._problem = str(error)
        except StoreUnopenable as error:
            self._problem = str(error)
            raise

    def _went_away(self) -> None:
        if self._away_since is None:
            self._away_since, self._away_at = time.monotonic(), self._clock()
            if self._primary is not None:
                self._problem = self._primary.trouble or self._problem
        if not self._spell.begins():
            return
        self._announced = True
        log.warning(
            "store spooling",
            reason=self._problem,
            spool=str(self._directory),
            remedy="see to PostgreSQL; nothing is lost meanwhile",
        )

    def _came_back(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            self._problem = ""
            self._spell.ends()
            self._next["adopt"] = 0.0
            self._refused.clear()

    async def _while_away(self) -> None:
        primary = self._primary
        if primary is None or self._away_since is None:
            return
        if time.monotonic() - self._away_since >= self._settings.hand_over_s:
            await self._hand_over(primary)
        if (self._probe is None or self._probe.done()) and self._due("probe", self._settings.retry_s):
            self._probe = asyncio.create_task(ask(primary, self._settings.first_try_s))

    async def _hand_over(self, primary: Primary) -> None:
        """Raises StoreUnavailable; what was taken is tried again then."""
        self._in_hand += primary.hand_over()
        await self._keep_in_hand()

    async def _keep_in_hand(self) -> None:
        if not self._in_hand:
            return
        self.touch()
        await self.spool.keep(self._in_hand)
        self._in_hand = []
        self.touch()

    async def _look(self) -> None:
        self._room = (found := os.statvfs(self._directory)).f_bavail * found.f_frsize > self._settings.reserve
        if self.used or self._adopted.spools:
            self._content = await self._waiting_now()

    async def _waiting_now(self) -> Content:
        found = await self.spool.content()
        for spool in self._adopted.spools:
            with contextlib.suppress(StoreUnavailable):  # told when it is emptied
                found += await spool.content()
        return found

    # Bringing it over.

    async def _drain(self, primary: Primary) -> float:
        if not (self.used or self._adopted.spools):
            return _ROUND_S
        began, writes, moved = time.monotonic(), self._writes, None
        for spool in self.spools:
            if self._refused.rests(spool.path):
                continue
            try:
                async with self.moving:
                    moved = await self._mover.step(spool, primary)
            except StoreCorrupt as error:
                self._refused.add(spool.path, error)
                continue
            except StoreUnavailable as error:
                if spool is self.spool or not primary.healthy:
                    raise
                seldom("store failed", f"drain {spool.path.name}", reason=str(error), remedy="it is tried again")
                continue  # its file cannot be read, or it takes too long: the others are emptied all the same
            self._refused.forget(spool.path)
            if moved is not None:
                self._moved += moved
                break
        if moved is not None:
            return time.monotonic() - began  # as long as it worked it rests: visitors' commits go in between
        await self._adopted.remove_empty()
        await self._perhaps_clean(writes)
        return _ROUND_S

    async def _perhaps_clean(self, writes: int) -> None:
        await self.spool.flush()
        self._content = await self._waiting_now()
        if self._content or self._writes != writes:
            return
        self._clean = writes
        if self._moved != Moved() and (self._due("tell", _TELL_S) or self._announced):
            self._announced = False
            log.info("store drained", leads=self._moved.leads, records=self._moved.records, changes=self._moved.changes)
            self._moved = Moved()

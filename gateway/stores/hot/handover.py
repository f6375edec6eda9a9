"""Seals that this process bound because the shared state did not answer, brought there when it does: a click id or token that was first seen meanwhile is
not new to anybody afterwards. Counters are not brought: their windows pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from detectors.observation import Unavailable
from gateway.stores.hot import HotState, Look, Seal

MOST = 20_000
"""Seals that may wait, about 200 bytes each; a visit makes two to five. What comes when there are so many is left out and counted."""

BATCH = 64
"""Seals in one call: some visits' worth, so that visitors do not wait behind it."""

PAUSE_S = 1.0
"""Before the first attempt, and after a round that left something."""


class Handover:
    """usable: is the shared state being asked at all? on_error: told the type of what it should never raise.

    carried  seals that are in the shared state now, or were there already
    dropped  seals for which there was no room
    """

    def __init__(
        self,
        shared: HotState,
        usable: Callable[[], bool],
        on_error: Callable[[str], None],
        pause_s: float = PAUSE_S,
    ) -> None:
        self._shared, self._usable, self._on_error, self._pause_s = shared, usable, on_error, pause_s
        self._waiting: dict[bytes, Seal] = {}
        self._now = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.carried = self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, seal: Seal, first: bytes, now: int) -> None:
        """`first` is the value that is bound here. now: microseconds on the caller's clock."""
        self._now = now
        if seal.key in self._waiting or self._closed:
            return
        if len(self._waiting) >= MOST:
            self.dropped += 1
            return
        self._waiting[seal.key] = seal if seal.value == first else Seal(seal.key, first, seal.ttl_s)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._carry(), name="hot state handover")

    async def _carry(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._pause_s)
            waiting = list(self._waiting.values())
            for at in range(0, len(waiting), BATCH):
                if not self._usable():
                    break
                await self._bind(waiting[at : at + BATCH])

    async def _bind(self, seals: list[Seal]) -> None:
        """Only what nobody has bound: an operation that was given up may have been carried out all the same, and is not counted twice."""
        try:
            held = (await self._shared.observe([Look(seal.key) for seal in seals], self._now)).results
            bound = [seal for seal, found in zip(seals, held, strict=True) if found is None]
            made = (await self._shared.observe(bound, self._now)).results
        except Exception as error:  # noqa: BLE001 - what waits must be tried again. Counted by the hook
            self._on_error(f"handover: {type(error).__name__}")
            return
        failed = {seal.key for seal, found in zip(seals, held, strict=True) if isinstance(found, Unavailable)}
        failed |= {seal.key for seal, found in zip(bound, made, strict=True) if isinstance(found, Unavailable)}
        for seal in seals:
            if seal.key not in failed and self._waiting.pop(seal.key, None) is not None:
                self.carried += 1

    async def close(self) -> None:
        """What waits still is given up."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

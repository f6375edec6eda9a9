"""Spools that ended gateways left behind in the same directory: whoever finds the lock free empties them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from gateway.log import seldom
from gateway.stores.errors import StoreError, StoreLocked, StoreUnavailable, StoreUnopenable
from gateway.stores.keys import KeyRing
from gateway.stores.spool.file import SUFFIX, Spool, adopt

_AT_ONCE = 4
"""Files held open at the same time; the others wait."""


class Adopted:
    """spools: those that this process holds besides its own."""

    def __init__(self, directory: Path, own: Path, keys: KeyRing, clock: Callable[[], int]) -> None:
        self._directory, self._own, self._keys, self._clock = directory, own, keys, clock
        self.spools: list[Spool] = []

    async def look(self) -> None:
        held = {self._own, *(spool.path for spool in self.spools)}
        for path in sorted(self._directory.glob("*" + SUFFIX)):
            if len(self.spools) >= _AT_ONCE:
                return
            if path.absolute() not in held:
                await self._take(path)

    async def _take(self, path: Path) -> None:
        try:
            self.spools.append(await asyncio.to_thread(adopt, path, self._keys, clock=self._clock))
        except StoreLocked:
            return  # its holder is alive
        except StoreUnopenable as error:
            seldom(
                "store failed",
                f"spool {path.name}",
                reason=str(error),
                remedy="keep the file: it may hold leads that are nowhere else",
            )

    async def remove_empty(self) -> None:
        for spool in tuple(self.spools):
            with contextlib.suppress(StoreUnavailable):  # told when it is emptied
                if not await spool.content():
                    self.spools.remove(spool)
                    await spool.remove()

    async def close(self) -> None:
        for spool in self.spools:
            try:
                await (spool.close() if await spool.content() else spool.remove())
            except StoreError:
                await spool.close()
        self.spools.clear()

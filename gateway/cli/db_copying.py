"""The work of `leadgate db copy`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from gateway import backends
from gateway.cli.common import operator_store
from gateway.config import Config
from gateway.stores.carry.copying import Amount, Source
from gateway.stores.carry.sums import Part, compare
from gateway.stores.keys import KeyRing

QUIET_S = 5.0
WRITER = "gateway-0"
"""The name under which what a crash left open in the SQLite store is noted: that of the gateway it belonged to."""


class Progress:
    """A bar for each kind of rows on a terminal, a line now and then elsewhere; on standard error."""

    def __init__(self, totals: dict[str, int]) -> None:
        self._totals = totals
        self._done = dict.fromkeys(totals, 0)
        self._said = time.monotonic()
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=console)
            self._tasks = {name: self._bar.add_task(name, total=total) for name, total in self._totals.items()}
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, name: str, rows: int) -> None:
        self._done[name] += rows
        if self._bar is not None:
            self._bar.update(self._tasks[name], completed=self._done[name])
        elif self._done[name] >= self._totals[name] or time.monotonic() - self._said >= QUIET_S:
            self._said = time.monotonic()
            print(f"{name}: {self._done[name]:,} of {self._totals[name]:,}", file=sys.stderr, flush=True)


async def copy_store(config: Config, path: Path) -> tuple[Part, ...]:
    """path: absolute. Raises StoreError."""
    from gateway.stores.postgres.connect import connect
    from gateway.stores.postgres.errors import FAILURES, unavailable
    from gateway.stores.postgres.sums import PostgresSide

    place = backends.postgres_settings(config)
    async with operator_store(config) as target:
        keys = KeyRing.open(config.keys_path, Source.keys_used(path))
        source = await asyncio.to_thread(Source.open, path, keys, writer=WRITER)
        try:
            amount: Amount = await source.amount()
            totals = {"leads": amount.leads, "entries": amount.entries, "compared": amount.leads + amount.entries}
            with Progress(totals) as progress:
                await source.copy(target, progress.advance)  # type: ignore[arg-type]
                connection = await connect(place)
                try:
                    return await compare(
                        source.side(), PostgresSide(connection), lambda rows: progress.advance("compared", rows)
                    )
                except FAILURES as error:
                    raise unavailable(place, error) from error
                finally:
                    connection.terminate()
        finally:
            await source.close()

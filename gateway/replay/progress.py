"""How far a replay is: a bar on a terminal, a line now and then elsewhere. Goes to standard error, so that the report can be piped."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

QUIET_S = 10.0


class Progress:
    """total: bytes of all files, 0 where unknown (a pipe)."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._bytes = self._lines = 0
        self._begun = monotonic()
        self._said = self._begun
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        console = Console(stderr=True)
        if console.is_terminal:
            self._bar = Bar(
                TextColumn("Reading"),
                BarColumn(),
                DownloadColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=self._total or None, speed="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, size: int, lines: int) -> None:
        """So many bytes were read, and so many lines dealt with, since the last time."""
        if not self._bytes:  # loading rules and lists before is no part of the speed
            self._begun = monotonic()
        self._bytes += size
        self._lines += lines
        now = monotonic()
        if self._bar is not None:
            speed = f"{self._lines:,} lines, {self._rate(now):,} a second"
            self._bar.update(self._task, completed=self._bytes, speed=speed)
        elif now - self._said >= QUIET_S:
            self._said = now
            part = f", {100 * self._bytes // self._total} %" if self._total else ""
            print(f"{self._lines:,} lines{part}, {self._rate(now):,} lines a second", file=sys.stderr, flush=True)

    def _rate(self, now: float) -> int:
        return round(self._lines / max(now - self._begun, 0.001))

"""What the parent knows of its workers, how patient it is with them, and what it must be told of what they do."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from gateway.workers.worker import Line, Worker

Change = Literal["refused", "swap", "roll"]


class WorkersFailed(Exception):
    """No worker ever served; the message is what the first of them said."""


class Patience(msgspec.Struct, frozen=True):
    """All in seconds.

    first, last  pause before a worker that ended again is replaced, doubled each time: one that cannot live takes no processor time from the others
    well         a worker that ran this long was well: its successor starts at once
    start        how long a worker may take until it serves; longer than any wait for a store at the start
    reload       how long it may take to take up new settings
    hung         how long the event loop of one that serves may stand still; its visitors wait meanwhile, and it would for ever
    margin       beyond the plan's `drain_s`, to commit what is queued and to close; then the worker is killed
    look         between two looks at the files and at the workers
    """

    first: float = 0.2
    last: float = 30.0
    well: float = 60.0
    start: float = 60.0
    reload: float = 30.0
    hung: float = 30.0
    margin: float = 10.0
    look: float = 1.0


class Plan(Protocol):
    """What the workers are and where their settings come from. Everything but `body` runs in the parent."""

    @property
    def generation(self) -> str: ...

    @property
    def drain_s(self) -> float:
        """`drain_seconds` of the settings in force."""

    def body(self, worker: Worker) -> int:
        """A worker's life, on the settings in force; answers its exit code."""

    def changed(self) -> bool:
        """Did the files change since the last `prepare`?"""

    def prepare(self) -> Change:
        """Reads them. refused: told in the log. swap: workers can take them up as they run. roll: only new workers can."""

    def adopt(self) -> None:
        """What was prepared is in force: workers start on it."""

    def revert(self) -> None:
        """It is not, after all."""


@dataclass(eq=False)
class Process:
    """One worker as the parent sees it.

    edition  which settings it runs on, counted
    ready    it serves, or did
    ended    it was, and the system knows no more of it
    hung_up  its end of the line is closed
    said     what it answered to the last reload
    failure  what it said of itself before it ended
    leaving  it was asked to end
    kill_at  when it is killed, if it has not ended by then
    beats    how far its seat's count was at the last look, and how many looks ago it was another
    """

    worker: Worker
    pid: int
    line: Line
    started_at: float
    edition: int
    kill_at: float | None
    ready: bool = False
    ended: bool = False
    hung_up: bool = False
    leaving: bool = False
    said: tuple[str, str] | None = None
    failure: str = ""
    beats: tuple[int, int] = (-1, 0)

    @property
    def serves(self) -> bool:
        return self.ready and not self.ended

    def looked_at(self, beats: int) -> int:
        """Answers how many looks in a row its event loop stood still. Looks are counted, not seconds: where the whole machine stood still, there was
        none."""
        self.beats = (beats, self.beats[1] + 1 if beats == self.beats[0] else 0)
        return self.beats[1]


@dataclass(eq=False)
class Slot:
    """A place for one serving worker.

    due       when it is filled, if it is to be
    failures  workers in a row that were not well
    failure   what the last of them said
    """

    process: Process | None = None
    due: float | None = 0.0
    failures: int = 0
    failure: str = ""

    def emptied(self, process: Process, now: float, patience: Patience) -> float:
        """Its worker ended; answers in how many seconds it is filled again."""
        if process.ready and now - process.started_at >= patience.well:
            self.failures = 0
        self.failure = process.failure or self.failure
        return self.failed(now, patience)

    def failed(self, now: float, patience: Patience) -> float:
        """Once more there is no worker; answers in how many seconds the next is started."""
        doublings = min(self.failures - 1, 30)
        pause = min(patience.last, patience.first * 2.0**doublings) if self.failures else 0.0
        self.failures += 1
        self.due = now + pause
        return pause


def how(code: int) -> str:
    """How a process ended, in words; `code` as os.waitstatus_to_exitcode gives it."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

"""Several workers under one parent: it owns the listening sockets, starts the workers, replaces those that end, and takes them down in order.

The parent has no event loop and no threads, so that it may fork at any time; it loads code and lists before, and all workers share that memory. It
does nothing but wait for signals, for what workers say and for the moment when something is due. It keeps the listening sockets open as long as it
lives: a connection that waits in their queue survives any worker.

SIGTERM, SIGINT  stop: all workers finish what is under way, side by side
SIGHUP           reload the settings, as does a change of the files
SIGUSR1          replace all workers one after another

What takes several steps is in gateway.workers.rolling.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn

import msgspec

from gateway.intake.sharing import Seats
from gateway.log import log
from gateway.workers.processes import Patience, Plan, Process, Slot, WorkersFailed, how
from gateway.workers.rolling import Steps, reload, roll
from gateway.workers.snapshots import RunDirectory
from gateway.workers.worker import APPLIED, FAILED, READY, REFUSED, STOP, Line, Worker

SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
STACKS: Final = signal.SIGUSR2
"""Makes a worker write to standard error what it is doing: names of functions, no values."""
_DONE: Final = object()


@dataclass(eq=False)
class Supervisor:
    """`run()` answers the exit code: 0 after a clean stop, 1 where a worker had to be killed. Raises WorkersFailed, OSError."""

    workers: int
    plan: Plan
    public: Sequence[socket.socket]
    admin: Sequence[socket.socket]
    directory: RunDirectory
    patience: Patience = field(default_factory=Patience)
    clock: Callable[[], float] = time.monotonic
    stopping: bool = field(default=False, init=False)
    edition: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.seats = Seats(self.workers + 1)  # one more than serve: a successor starts beside the one it replaces
        self.slots = [Slot() for _ in range(self.workers)]
        self.processes: dict[int, Process] = {}
        self._spawned = 0
        self._served = self._killed = False
        self._steps: Steps | None = None
        self._wanted: deque[Literal["reload", "roll"]] = deque(maxlen=2)  # asked for twice is done twice at most
        self._look_at = self.clock() + self.patience.look

    # the parent's life

    def run(self) -> int:
        heard, woken = socket.socketpair()  # signals arrive here as bytes, one after another with everything else
        heard.setblocking(False)
        woken.setblocking(False)
        before = {number: signal.signal(number, _noted) for number in SIGNALS}
        waked = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        self._heard, self._woken = heard, woken
        try:
            while not self.stopping or self.processes:
                self._advance()
                self._wait()
        finally:
            for process in self.processes.values():
                os.kill(process.pid, signal.SIGKILL)
                os.waitpid(process.pid, 0)
            signal.set_wakeup_fd(waked)
            for number, handler in before.items():
                signal.signal(number, handler)
            heard.close()
            woken.close()
        return 1 if self._killed else 0

    def _advance(self) -> None:
        """Everything that is due now."""
        now = self.clock()
        for process in tuple(self.processes.values()):
            if process.kill_at is not None and now >= process.kill_at:
                process.kill_at = None
                if not process.ready:
                    process.failure = f"it did not serve within {self.patience.start:g} seconds"
                self._killed = self._killed or self.stopping
                os.kill(process.pid, signal.SIGKILL)
        if self.stopping:
            return
        if now >= self._look_at:
            self._look_at = now + self.patience.look
            self._look_after(now)
            if self.plan.changed():
                self.want("reload")
        if self._steps is None and self._wanted:
            self._steps = self._reload() if self._wanted.popleft() == "reload" else roll(self)
        if self._steps is not None and next(self._steps, _DONE) is _DONE:
            self._steps = None
        for slot in self.slots:  # after the steps, which may have brought a successor already
            if slot.due is not None and now >= slot.due:
                self._fill(slot, now)

    def _look_after(self, now: float) -> None:
        """Workers whose event loop stands still write where, and are killed at the next look: visitors they took up would wait for ever."""
        for process in self.processes.values():
            still = process.looked_at(self.seats.beats(process.worker.seat))
            if process.serves and process.kill_at is None and still * self.patience.look >= self.patience.hung:
                process.failure = f"it stood still for {self.patience.hung:g} seconds"
                process.kill_at = now + self.patience.look
                os.kill(process.pid, STACKS)

    def _wait(self) -> None:
        """Until something happens or is due, and takes note of it."""
        dues = [process.kill_at for process in self.processes.values()]
        if not self.stopping:
            dues += [self._look_at, *(slot.due for slot in self.slots)]
        nearest = min((due for due in dues if due is not None), default=self.clock() + 1.0)
        lines = {process.line.sock: process for process in self.processes.values() if not process.hung_up}
        ready, _, _ = select.select([self._heard, *lines], [], [], max(0.0, nearest - self.clock()))
        for sock in ready:
            if sock in lines:
                self._listen(lines[sock])
        if self._heard in ready:
            heard = {signal.Signals(number) for number in self._heard.recv(4096)}
            for number in sorted(heard, key=signal.SIGCHLD.__eq__):  # who is told to stop replaces nobody
                self._signalled(number)

    def _signalled(self, number: signal.Signals) -> None:
        if number is signal.SIGCHLD:
            self._reap()
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop()
        else:
            self.want("reload" if number is signal.SIGHUP else "roll")

    def want(self, what: Literal["reload", "roll"]) -> None:
        if what not in self._wanted:
            self._wanted.append(what)

    def _stop(self) -> None:
        if self.stopping:
            return
        self.stopping = True
        if self._steps is not None:
            self._steps.close()
        for sock in self.public:  # nobody would take up what comes now
            sock.close()
        for process in self.processes.values():
            self.end(process, STOP)

    # workers

    def _fill(self, slot: Slot, now: float) -> None:
        slot.due = None
        try:
            slot.process = self.spawn(slot.process)
        except OSError as error:  # too many processes, or no memory: the others go on
            pause = slot.failed(now, self.patience)
            log.error(
                "worker ended", how=f"cannot be started: {error.strerror}", restart_in_s=pause, serving=self.serving
            )

    def spawn(self, predecessor: Process | None) -> Process:
        """A new worker, at the seat of one that ended if it is given, otherwise at the first free one. Raises OSError."""
        taken = {process.worker.seat for process in self.processes.values()}
        seats = [predecessor.worker.seat] if predecessor is not None and predecessor.ended else []
        seat = next(seat for seat in (*seats, *range(self.workers + 1)) if seat not in taken)
        ours, theirs = (Line(sock) for sock in socket.socketpair())
        worker = Worker(
            seat, str(self._spawned), self.workers, self.public, self.admin, self.seats, self.directory, theirs
        )
        self._spawned += 1
        with suppress(OSError):  # a full disk must not keep workers from being replaced
            sys.stdout.flush()
            sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # or the child would tell the parent of signals of its own
        try:
            pid = os.fork()
            if pid == 0:
                self._live(worker, ours)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        theirs.sock.close()
        now = self.clock()
        process = Process(worker, pid, ours, now, self.edition, now + self.patience.start)
        self.processes[pid] = process
        return process

    def _live(self, worker: Worker, ours: Line) -> NoReturn:
        """The child's life. It has no part in what is the parent's alone."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)  # the parent's business; a terminal sends them to everybody
            with suppress(OSError, ValueError, RuntimeError):  # standard error is closed, or no file
                faulthandler.register(STACKS)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            ours.sock.close()
            for process in self.processes.values():
                process.line.sock.close()  # or they would never see the parent's end
            self._heard.close()
            self._woken.close()
            code = self.plan.body(worker)
        except BaseException as error:  # noqa: BLE001 - nothing may escape into the parent's code, which this process has a copy of
            traceback.print_exc()
            worker.line.say(FAILED, f"{type(error).__name__}: {error}")
        finally:
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _listen(self, process: Process) -> None:
        said = process.line.hear()
        if said is None:
            process.hung_up = True
            return
        for word, detail in said:
            if word == READY:
                self._began(process)
            elif word in (APPLIED, REFUSED):
                process.said = (word, detail)
            elif word == FAILED:
                process.failure = detail

    def _began(self, process: Process) -> None:
        process.ready = self._served = True
        if not process.leaving:
            process.kill_at = None
        log.info("worker started", worker=process.worker.seat, pid=process.pid, serving=self.serving)

    @property
    def serving(self) -> int:
        return len(self.seats.connections)

    def end(self, process: Process, word: str) -> None:
        """Asks a worker to finish what it has begun, and sees to it that it ends."""
        process.leaving = True
        process.line.say(word)
        process.kill_at = self.clock() + self.plan.drain_s + self.patience.margin

    def _reap(self) -> None:
        while self.processes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            process = self.processes.pop(pid, None)
            if process is not None:
                self._ended(process, os.waitstatus_to_exitcode(status))

    def _ended(self, process: Process, code: int) -> None:
        process.ended = True
        self._listen(process)  # its last words
        process.line.sock.close()
        self.seats.leave(process.worker.seat)
        slot = next((slot for slot in self.slots if slot.process is process), None)
        with suppress(OSError, msgspec.DecodeError):  # what it counted is lost, and nothing else
            self.directory.fold(process.worker.name)
        if process.ready and not self.stopping:
            self._count("leadgate_worker_restarts", "rolled" if slot is None else "ended")
        more: dict[str, object] = {"error": process.failure} if process.failure else {}
        if slot is not None and not self.stopping:
            more["restart_in_s"] = slot.emptied(process, self.clock(), self.patience)
        about = {"worker": process.worker.seat, "pid": process.pid, "how": how(code), "serving": self.serving, **more}
        if code and not self.stopping:
            log.error("worker ended", **about)
        else:
            log.info("worker ended", **about)
        if not self._served and all(slot.failures for slot in self.slots):
            raise WorkersFailed(next((slot.failure for slot in self.slots if slot.failure), "see what they wrote"))

    def _reload(self) -> Steps:
        done = yield from reload(self)
        self._count("leadgate_reloads", "applied" if done else "refused")
        gc.collect()
        gc.freeze()  # what workers that start from now on share
        return done

    def _count(self, *name_and_labels: str) -> None:
        try:
            self.directory.count(*name_and_labels)
        except OSError as error:
            log.warning("worker metrics", reason=error.strerror, remedy=f"look at {self.directory.path}")


def _noted(number: int, frame: object) -> None:
    """Python wakes the loop by a byte; without a handler the signal would do its worst."""

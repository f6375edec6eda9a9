"""A real server on loopback: its program, a port, a directory of its own; started, stopped, killed, paused, by pid.

Usable without pytest. Whatever still runs when this process ends is ended then.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

PACKAGES = {
    "redis-server": "redis-server",
    "redis-cli": "redis-server",
    "initdb": "postgresql",
    "postgres": "postgresql",
    "psql": "postgresql",
    "pgbouncer": "pgbouncer",
    "nginx": "nginx",
}
"""Which Debian package has the program."""

START_S = 30.0
"""How long a server may take until it answers; two shared cores with other work on them."""


def program(name: str) -> str:
    """Where the program is. Raises AssertionError that names the package: these are required, never skipped."""
    places = [shutil.which(name), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)]
    places += [f"/usr/sbin/{name}"]
    found = next((place for place in places if place and os.access(place, os.X_OK)), None)
    assert found, f"{name} is not on this machine: apt-get install {PACKAGES.get(name, name)}"
    return found


PORTS = range(12_000, 32_000)
"""Below those that Linux gives to outgoing connections (32768 and more): what is handed out here stays free until its server listens."""
SHARES = 16
"""Test processes that run at once have ports of their own each."""


def _ports() -> Iterator[int]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    share = PORTS[int(worker or 0) % SHARES :: SHARES]
    start = random.randrange(len(share))  # somebody else may run tests on this machine, too
    yield from itertools.cycle([*share[start:], *share[:start]])


_next_port = _ports()


def free_port() -> int:
    """A port of loopback where nobody listens; none is told twice until all were."""
    for _ in PORTS:
        port = next(_next_port)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def unprivileged() -> str | None:
    """The user for programs that refuse root: `postgres`, else `nobody`; None where this process is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise AssertionError("root, and no user postgres or nobody: PostgreSQL refuses to run as root")


def run_as(user: str | None) -> dict[str, Any]:
    """Arguments for subprocess that make it run as that user."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def give(path: Path, user: str | None) -> None:
    """The path and what is below belongs to that user."""
    if user is None:
        return
    entry = pwd.getpwnam(user)
    for each in (path, *path.rglob("*")):
        os.chown(each, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def new_directory(prefix: str, user: str | None = None) -> Path:
    """A short path, since unix sockets lie in it; only its owner reads it."""
    made = Path(tempfile.mkdtemp(prefix=f"lg-{prefix}-"))
    give(made, user)
    return made


def running(pid: int) -> bool:
    """Zombies do not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield int(child)
        yield from descendants(int(child))


def wait_for(condition: Callable[[], object], what: str, seconds: float = START_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


_alive: weakref.WeakSet[Server] = weakref.WeakSet()


class Server:
    """One process and what it starts. A subclass says `command()` and `answers()`; a port stays the same over restarts."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, user: str | None = None) -> None:
        self.user = user
        self.directory = new_directory(self.name, user)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        _alive.add(self)

    def command(self) -> Sequence[str]:
        raise AssertionError("a subclass says it")

    def answers(self) -> bool:
        raise AssertionError("a subclass says it")

    @property
    def log(self) -> str:
        """What it wrote so far."""
        file = self.directory / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def spawn(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **run_as(self.user),
            )  # fmt: skip

    def start(self, seconds: float = START_S) -> Any:
        """Returns itself once it answers. A port that somebody else took meanwhile is changed, on the first start only."""
        first = self.process is None
        self.spawn()
        end = time.monotonic() + seconds
        while not self.answers():
            if self.pid is None:
                if first and "in use" in self.log.lower():
                    (self.directory / "log").unlink()
                    self.port = free_port()
                    self.spawn()
                    continue
                raise AssertionError(f"{self.name} ended by itself:\n{self.log[-3000:]}")
            assert time.monotonic() < end, f"{self.name} does not answer:\n{self.log[-3000:]}"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """As an operator stops it: what is open is finished or broken off, nothing is lost."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """kill -9, its children too: as if the machine had lost its power."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.pid is None:
            return
        pids = [self.process.pid, *descendants(self.process.pid)]
        if number == signal.SIGKILL:
            self._signal(signal.SIGSTOP)  # or the parent makes new children meanwhile
            pids = [self.process.pid, *descendants(self.process.pid)]
        for pid in pids if number == signal.SIGKILL else pids[:1]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        if number != signal.SIGKILL:
            self._signal(signal.SIGCONT)  # one that is paused cannot end
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self._end(signal.SIGKILL)
        wait_for(lambda: not any(running(pid) for pid in pids), f"{self.name} does not end")

    def _signal(self, number: signal.Signals) -> None:
        if self.process is None or self.pid is None:
            return
        for pid in (self.process.pid, *descendants(self.process.pid)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def pause(self) -> None:
        """SIGSTOP to the process and all its children: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stopped and started on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Ended, and its directory removed."""
        self.kill()
        _alive.discard(self)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Any:
        return self if self.pid is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


@atexit.register
def _end_all() -> None:
    for each in list(_alive):
        each.close()

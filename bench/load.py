"""Starting programs, loading them with wrk, and reading what CPU time they used."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import visitors

TICKS = os.sysconf("SC_CLK_TCK")
SCRIPT = Path(__file__).parent / "wrk" / "visits.lua"
CONNECTIONS = 32

KINDS: Mapping[str, tuple[Callable[..., bytes], int, int]] = {
    "landing": (visitors.landing, 1, CONNECTIONS),
    "submission": (visitors.submission, 1, CONNECTIONS),
    "auth": (visitors.auth, 1, CONNECTIONS),
    "assess": (visitors.assess, 1, CONNECTIONS),
    "batch": (partial(visitors.assess, batch=50), 50, 2),
}
"""What is asked: its templates, how many visits are in one request, and by how many connections (what is under way at the end is work that nobody counts,
so few where a request holds many visits)."""


class Missing(LookupError):
    """A program that this part needs is not installed."""


class Load(NamedTuple):
    """What wrk sends. kind: one of KINDS; path: of the page or form; traffic: see bench/visitors.py."""

    kind: str = "landing"
    host: str = "offers.example"
    path: str = "/offer"
    traffic: str = visitors.ORDINARY


class Sent(NamedTuple):
    """What became of it. refused: answers of 400 and above; broken: connections that failed or timed out; cpu: seconds that wrk itself used."""

    visits: int
    seconds: float
    refused: int
    broken: int
    cpu: float


class Traffic:
    """wrk and the visits made so far: each run goes on where the one before ended, so that no click id comes twice.

    folder  templates are written here, once for each load
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Load, Path] = {}
        self._next = 1000
        program("wrk")

    def send(self, load: Load, port: int, seconds: int) -> Sent:
        """Load `port` for so long, with one thread and keep-alive connections."""
        template, visits, connections = KINDS[load.kind]
        if load not in self._files:
            made = partial(template, host=load.host.encode(), path=load.path.encode())
            self._files[load] = visitors.write(self._folder / f"load-{len(self._files)}", made, load.traffic, visits)
        command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
        command += [f"http://127.0.0.1:{port}/", "--", str(self._files[load]), str(self._next), load.traffic]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("{")))
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self._next += (told["requests"] + 2 * CONNECTIONS) * visits
        return Sent(told["requests"] * visits, told["microseconds"] / 1e6, told["refused"], told["broken"], cpu)


def program(name: str, *places: Path) -> str:
    """Where a program is. Raises Missing."""
    for place in (*places, Path("/usr/sbin"), Path("/usr/local/bin")):
        if (place / name).is_file():
            return str(place / name)
    found = shutil.which(name)
    if found is None:
        raise Missing(name)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[int]:
    """The process id of `command` once it listens on `port`; stopped at the end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait(process, port, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its threads and its children, ended ones included, since they started."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used = sum(map(int, stat[11:15])) / TICKS
        for task in Path(f"/proc/{pid}/task").iterdir():
            used += sum(cpu_seconds(int(child)) for child in (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):  # it ended while it was looked at: its parent has its time now
        return 0.0
    return used


def settled(pid: int, seconds: float = 10) -> float:
    """`cpu_seconds` once the program has come to rest: what it put off (a queue that is written later) counts too."""
    used, quiet, end = cpu_seconds(pid), 0, time.monotonic() + seconds
    while quiet < 3 and time.monotonic() < end:
        time.sleep(0.1)
        before, used = used, cpu_seconds(pid)
        quiet = quiet + 1 if used - before <= 0.011 else 0
    return used

"""Starting programs, loading them with wrk, and reading what CPU time they used."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
SCRIPTS = Path(__file__).parent / "wrk"


class Missing(LookupError):
    """A program that this part needs is not installed."""


class Load(NamedTuple):
    """What wrk sends: script, Host, path, and from how many addresses it pretends to come."""

    script: str
    host: str = "offers.example"
    path: str = "/offer"
    visitors: int = 5000


class Sent(NamedTuple):
    """What became of it. refused: answers of 400 and above; broken: connections that failed or timed out."""

    requests: int
    seconds: float
    refused: int
    broken: int


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
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    used = sum(map(int, stat[11:15])) / TICKS
    for task in Path(f"/proc/{pid}/task").iterdir():
        used += sum(cpu_seconds(int(child)) for child in (task / "children").read_text().split())
    return used


def settled(pid: int, seconds: float = 10) -> float:
    """`cpu_seconds` once the program has come to rest: what it put off (a queue that is written later) counts too."""
    used, quiet, end = cpu_seconds(pid), 0, time.monotonic() + seconds
    while quiet < 3 and time.monotonic() < end:
        time.sleep(0.1)
        before, used = used, cpu_seconds(pid)
        quiet = quiet + 1 if used - before <= 0.011 else 0
    return used


def wrk(load: Load, port: int, seconds: int, connections: int) -> Sent:
    """Load `port` for so long, with one thread and keep-alive connections."""
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(SCRIPTS / load.script), f"http://127.0.0.1:{port}/"]
    command += ["--", load.host, load.path, str(load.visitors)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    told = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("{")))
    return Sent(told["requests"], told["microseconds"] / 1e6, told["refused"], told["broken"])

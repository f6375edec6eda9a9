"""`make run`, without its set-up: the site and the gateway start, say where to look, and stop together."""

from __future__ import annotations

import fcntl
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import ROOT, until
from visitor import request

PORTS = (8080, 8081, 9000)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """The ports are the example's own, whichever process tests it: one test at a time."""
    with (ROOT / "examples/run.py").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy, so that its store is not the one of somebody who tries the example here."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "examples/run.py"


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def taken() -> Iterator[None]:
    """Something answers on the first port, ours or somebody else's."""
    if free(PORTS[0]):
        with socket.create_server(("127.0.0.1", PORTS[0])):
            yield
    else:
        yield


def test_a_port_in_use_is_named(examples: Path, taken: None) -> None:
    done = subprocess.run([sys.executable, str(examples)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Port 8080 is in use by another program")
    assert done.stdout == ""


def test_it_runs_shows_where_to_look_and_stops(examples: Path) -> None:
    if not all(free(port) for port in PORTS):
        pytest.skip("something else uses port 8080, 8081 or 9000")
    # a shell that starts the tests in the background has SIGINT ignored, and that would be inherited
    process = subprocess.Popen(
        [sys.executable, str(examples)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    lines: list[str] = []
    assert process.stdout is not None
    reading = threading.Thread(
        target=lambda out: lines.extend(iter(out.readline, "")), args=(process.stdout,), daemon=True
    )
    reading.start()
    try:
        until(lambda: process.poll() is not None or any("Ctrl-C stops" in line for line in lines), 90)
        assert process.poll() is None, lines
        assert request(8080, "GET", "/offer", [("Host", "a")]).status == 200
        head = [("Host", "a"), ("Content-Type", "application/x-www-form-urlencoded")]
        assert request(8080, "POST", "/lead", head, b"full_name=Bot&email=x%40mailinator.com").status == 303
        token = re.search(r"Bearer (\S+)'", "".join(lines))
        assert token is not None
        told = request(8081, "GET", "/api/v1/leads", [("Host", "a"), ("Authorization", f"Bearer {token[1]}")])
        assert len(told.json()["items"]) == 1  # type: ignore[index]
        assert (examples.parent.parent / "var/example/leadgate.db").exists()
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(60)
        finally:
            process.terminate()
    assert code == 0
    assert all(free(port) for port in PORTS)

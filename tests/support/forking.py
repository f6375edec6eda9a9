"""Gateways that start in a fraction of the time: a process loads code and lists once, and each start is a fork of it that runs `serve`.

What is forked is the program itself; only the reading of the shipped lists, the same for every start, is done ahead.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from running import ROOT, TOKEN, Gateway


class Forker:
    """The process that forks. clock: a file that says how many seconds its gateways' wall clock is from the machine's."""

    def __init__(self, clock: Path | None = None) -> None:
        self.lock = threading.Lock()
        environ = dict(os.environ) | {"LEADGATE_ADMIN_TOKEN": TOKEN}
        environ.pop("LEADGATE_ORIGIN", None)
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(clock or "")],
            cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.ask("hello")

    def ask(self, *words: object) -> Any:
        with self.lock:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps(words) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


class ForkedGateway(Gateway):
    """`spawn`, `wait` and `kill` as the whole program has them. Without a `forker` it has one of its own, and a clock that can be turned.

    env  what a gateway's environment has besides; only what is read after the imports, passwords for example
    """

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any],
        env: Mapping[str, str] | None = None,
        forker: Forker | None = None,
    ) -> None:
        super().__init__(directory, config, env)
        self.more = dict(env or {})
        self.clock = directory / "clock"
        self.clock.write_text("0")
        self.owned = Forker(self.clock) if forker is None else None
        self.forker = forker or self.owned
        self.child: int | None = None
        self.code: int | None = None

    def turn_clock(self, seconds: int) -> None:
        """The gateway's wall clock is this far from the machine's, from now on."""
        assert self.owned is not None, "a forker that others use has the machine's clock"
        self.clock.write_text(str(seconds))
        time.sleep(0.05)  # until the gateway has seen it

    def _ask(self, *words: object) -> Any:
        assert self.forker is not None
        return self.forker.ask(*words)

    @property
    def pid(self) -> int | None:
        """None once it has ended."""
        if self.child is not None and self.code is None:
            self.code = self._ask("code", self.child)
        return self.child if self.code is None else None

    def spawn(self, preexec: object = None) -> ForkedGateway:
        assert preexec is None, "a fork has no room for it"
        reading, writing = os.pipe()
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()
        self.code = None
        self.child = self._start(["serve"], writing, writing)
        os.close(writing)
        return self

    def _start(self, arguments: Sequence[str], output: int, errors: int) -> int:
        ours = f"/proc/{os.getpid()}/fd"
        words = [*arguments, "--config", str(self.path)]
        return int(self._ask("start", words, f"{ours}/{output}", f"{ours}/{errors}", self.more))

    def cli(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command is a fork, too."""
        (out_read, out), (err_read, err) = os.pipe(), os.pipe()
        pid = self._start(arguments, out, err)
        os.close(out)
        os.close(err)
        told: dict[int, str] = {}

        def read(end: int) -> None:
            with os.fdopen(end, encoding="utf-8") as lines:
                told[end] = lines.read()

        readers = [threading.Thread(target=read, args=(end,), daemon=True) for end in (out_read, err_read)]
        for reader in readers:
            reader.start()
        end = time.monotonic() + timeout
        while (code := self._ask("code", pid)) is None:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["leadgate", *arguments], timeout)
            time.sleep(0.01)
        for reader in readers:
            reader.join(5)
        return subprocess.CompletedProcess(["leadgate", *arguments], code, told[out_read], told[err_read])

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            self.output.extend(iter(lines.readline, ""))

    def signal(self, number: int) -> None:
        assert self.child is not None
        if self.pid is not None:
            os.kill(self.child, number)

    def wait(self, seconds: float = 40) -> int:
        """Exit code; negative for a signal."""
        end = time.monotonic() + seconds
        while self.pid is not None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("the gateway", seconds)
            time.sleep(0.01)
        assert self.code is not None, "it was never started"
        return self.code

    def close(self) -> None:
        if self.pid is not None:
            self.kill()
        if self.owned is not None:
            self.owned.close()


def _turn_clock(file: Path) -> None:
    """time.time_ns and time.time follow what stands in `file`, looked at every few milliseconds."""
    real, real_float, monotonic = time.time_ns, time.time, time.monotonic
    seen = [0.0, 0]

    def offset() -> int:
        if monotonic() - seen[0] > 0.005:
            seen[:] = [monotonic(), int(file.read_text() or "0")]
        return int(seen[1])

    time.time_ns = lambda: real() + offset() * 1_000_000_000
    time.time = lambda: real_float() + offset()


def _run(arguments: list[str], output: int, errors: int, more: Mapping[str, str]) -> None:
    """In the child: never comes back."""
    code = 1
    try:
        from gateway.cli.main import main

        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.close(output)
        os.close(errors)
        # What led to the forking process's own ends; a program's are made like this, when it starts.
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        os.environ.update(more)
        sys.argv = ["leadgate", *arguments]
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main(clock: str) -> None:
    import gc

    if clock:
        _turn_clock(Path(clock))

    import gateway.app
    import gateway.cli.main
    import gateway.stores.postgres.store  # noqa: F401 - all of it is loaded here, so that no fork has to
    from detectors.reference import Reference
    from geoip.reader import NetworkReader

    NetworkReader([])  # keeps the published ranges
    reference = Reference.builtin()
    Reference.builtin = classmethod(lambda cls, **overrides: reference)  # type: ignore[method-assign,assignment]
    gc.collect()
    gc.freeze()
    codes: dict[int, int] = {}
    for line in sys.stdin:
        what, *words = json.loads(line)
        answer: object = None
        if what == "start":
            arguments, *ends, more = words
            output, errors = (os.open(end, os.O_WRONLY) for end in ends)
            answer = os.fork()
            if answer == 0:
                _run(arguments, output, errors, more)
            os.close(output)
            os.close(errors)
        elif what == "code":
            pid = int(words[0])
            if pid not in codes:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    codes[pid] = os.waitstatus_to_exitcode(status)
            answer = codes.get(pid)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])

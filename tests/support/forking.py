"""Gateways that start in a fraction of the time: a process loads code and lists once, and each start is a fork of it that runs `serve`.

What is forked is the program itself; only the reading of the shipped lists, the same for every start, is done ahead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from running import ROOT, Gateway


class ForkedGateway(Gateway):
    """`spawn` and `kill` as the whole program has them, by way of the process that forks."""

    def __init__(self, directory: Path, config: Mapping[str, Any]) -> None:
        super().__init__(directory, config)
        self.clock = directory / "clock"
        self.turn_clock(0)
        self.forker = subprocess.Popen(
            [sys.executable, __file__, str(self.path)],
            cwd=ROOT, env=self.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.child: int | None = None
        threading.Thread(target=self._errors, daemon=True).start()
        self._ask("")

    def turn_clock(self, seconds: int) -> None:
        """The gateway's wall clock is this far from the machine's, from now on."""
        self.clock.write_text(str(seconds))
        time.sleep(0.05)  # until the gateway has seen it

    def _errors(self) -> None:
        assert self.forker.stderr is not None
        self.output.extend(iter(self.forker.stderr.readline, ""))

    def _ask(self, command: str) -> str:
        assert self.forker.stdin is not None
        assert self.forker.stdout is not None
        self.forker.stdin.write(command + "\n")
        self.forker.stdin.flush()
        return self.forker.stdout.readline().strip()

    @property
    def pid(self) -> int | None:
        return self.child

    def spawn(self, preexec: object = None) -> ForkedGateway:
        self.child = int(self._ask("start"))
        return self

    def signal(self, number: int) -> None:
        assert self.child is not None
        os.kill(self.child, number)

    def wait(self, seconds: float = 40) -> int:
        """Exit code; negative for a signal."""
        code = int(self._ask("wait"))
        self.child = None
        return code

    def close(self) -> None:
        if self.child is not None:
            self.kill()
        assert self.forker.stdin is not None
        self.forker.stdin.close()
        self.forker.wait(10)


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


def _main(path: Path) -> None:
    import gc

    _turn_clock(path.parent / "clock")

    from detectors.reference import Reference
    from gateway import app

    reference, reader = Reference.builtin(), app.NetworkReader([])
    Reference.builtin = classmethod(lambda cls, **overrides: reference)  # type: ignore[method-assign,assignment]
    app.NetworkReader = lambda databases: reader  # type: ignore[misc,assignment]
    gc.collect()
    gc.freeze()
    child = 0
    for line in sys.stdin:
        if line.strip() == "start":
            child = os.fork()
            if child == 0:
                os.dup2(2, 1)
                os._exit(app.serve(path))
            print(child, flush=True)
        elif line.strip() == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        else:
            print("ready", flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

"""Workers that do little, under the real parent: each answers its seat, process id and the settings it runs on.

What they do is told by files in a directory: `settings` (text; "refuse" in it: new settings are refused by whoever reads them; "roll": only new workers can
take them up), and by what `Toys.say` puts there. Requests: `/` is answered at once, `/slow` when the file `go` is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from running import ROOT, free_port, until


class Toys:
    """A parent with `count` workers, as a process of its own. `first_s`, `last_s`: its back-off; `margin_s`: before it kills."""

    def __init__(self, directory: Path, count: int = 2, **patience: float) -> None:
        self.directory, self.port = directory, free_port()
        self.say("settings", "one")
        self.output: list[str] = []
        arguments = {"directory": str(directory), "port": self.port, "count": count, "patience": patience}
        environ = dict(os.environ) | {"XDG_RUNTIME_DIR": str(directory), "PYTHONPATH": str(ROOT)}
        environ.pop("RUNTIME_DIRECTORY", None)
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(arguments)], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
        )
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()

    def _collect(self) -> None:
        assert self.process.stderr is not None
        self.output.extend(iter(self.process.stderr.readline, ""))

    def say(self, file: str, text: str = "") -> None:
        beside = self.directory / f".{file}"
        beside.write_text(text)
        beside.replace(self.directory / file)

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.logs if line["event"] == event]

    def serving(self, count: int) -> Toys:
        """Waits until so many workers were started."""
        until(lambda: len(self.logged("worker started")) >= count, what="".join(self.output))
        return self

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def running(self) -> dict[int, int]:
        """Seat → process id of the workers that serve, as the log has them."""
        ended = {line["pid"] for line in self.logged("worker ended")}
        return {line["worker"]: line["pid"] for line in self.logged("worker started") if line["pid"] not in ended}

    def connections(self) -> dict[int, socket.socket]:
        """An open connection to each worker that serves, by its process id."""
        wanted, found, opened = set(self.running().values()), {}, []
        while not wanted <= found.keys():
            assert len(opened) < 300, f"{wanted} serve, and only {found.keys()} answer"
            opened.append(self.connect())
            found[ask(opened[-1])[1]] = opened[-1]
        for connection in opened:
            if connection not in found.values():
                connection.close()
        return found

    def answers(self) -> list[tuple[int, int, str]]:
        """(seat, process id, settings) of every worker that serves."""
        found = self.connections()
        answers = [ask(connection) for connection in found.values()]
        for connection in found.values():
            connection.close()
        return answers

    def pids(self) -> set[int]:
        return {pid for _, pid, _ in self.answers()}

    def counted(self, *name_and_labels: str) -> int:
        """What the parent counted."""
        files = list(self.directory.glob("leadgate-*/gone"))
        counts = json.loads(files[0].read_bytes())["counted"]["counts"] if files else {}
        return int(counts.get("\x1f".join(name_and_labels), 0))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        code = self.process.wait(seconds)
        self.reader.join(seconds)  # what it wrote last
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.say("go")
            self.say("release")
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def ask(connection: socket.socket, path: str = "/") -> tuple[int, int, str]:
    """One request on an open connection. Raises ConnectionError where it was closed without an answer."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return read_answer(connection)


def read_answer(connection: socket.socket) -> tuple[int, int, str]:
    data = b""
    while b"\n" not in data.partition(b"\r\n\r\n")[2]:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionResetError(f"closed after {data!r}")
        data += piece
    assert data.startswith(b"HTTP/1.1 200 "), data
    seat, pid, settings = data.partition(b"\r\n\r\n")[2].decode().split()
    return int(seat), int(pid), settings


def _main() -> int:
    from gateway import log as logging
    from gateway.config import Address
    from gateway.intake.exchange import Exchange
    from gateway.intake.server import Limits, Listener
    from gateway.metrics import Metrics
    from gateway.serving import bind
    from gateway.workers.processes import Change, Patience, WorkersFailed
    from gateway.workers.snapshots import RunDirectory
    from gateway.workers.supervisor import Supervisor
    from gateway.workers.worker import APPLIED, FAILED, LEAVE, READY, REFUSED, RELOAD, Worker

    given = json.loads(sys.argv[1])
    directory = Path(given["directory"])
    logging.configure("info")

    def settings() -> str:
        return (directory / "settings").read_text()

    def told(file: str) -> bool:
        return (directory / file).exists()

    class Plan:
        generation, drain_s = "one", float(given["patience"].pop("drain", 20.0))

        def __init__(self) -> None:
            self.seen = self.in_force = settings()

        def changed(self) -> bool:
            return settings() != self.seen

        def prepare(self) -> Change:
            self.seen = settings()
            if "invalid" in self.seen:
                return "refused"
            return "roll" if "roll" in self.seen else "swap"

        def adopt(self) -> None:
            self.before, self.in_force = self.in_force, self.seen

        def revert(self) -> None:
            self.in_force = self.before

        def body(self, worker: Worker) -> int:
            if told("fail") or "unusable" in self.in_force:
                worker.line.say(FAILED, "the toy is broken")
                return 1
            while told("wait") and int(worker.name) > 1 and not told("release"):
                time.sleep(0.01)
            return asyncio.run(live(worker, self.in_force))

    async def live(worker: Worker, in_force: str) -> int:
        metrics = Metrics()
        stop = asyncio.Event()
        words: list[str] = []

        async def answer(exchange: Exchange) -> None:
            metrics.count("leadgate_requests", "toy", "other")
            while exchange.target.startswith(b"/slow") and not told("go"):
                await asyncio.sleep(0.01)
            await exchange.respond(200, f"{worker.seat} {os.getpid()} {in_force}\n".encode())

        def hear(word: str) -> None:
            nonlocal in_force
            words.append(word)
            if word == RELOAD:
                wanted = settings()
                if "refuse" in wanted or ("second" in wanted and worker.seat == 1):
                    worker.line.say(REFUSED, "the toy does not want it")
                elif "silent" not in wanted:
                    in_force = wanted
                    worker.line.say(APPLIED)
            else:
                stop.set()

        worker.attend(asyncio.get_running_loop(), hear)
        listener = Listener(answer, Limits(), lambda status, reason: None, lambda address: True)
        listener.join(worker.public, worker.share)
        publishing = asyncio.create_task(worker.keep_published(metrics.snapshot))
        worker.line.say(READY)
        if told("die"):
            await asyncio.sleep(0.02)
            return 3
        if told("stuck") or (told("stuck second") and worker.seat == 1):
            time.sleep(600)
        await stop.wait()
        await listener.drain(20, 2.0 if LEAVE in words else 0.0)
        publishing.cancel()
        worker.publish(metrics.snapshot())
        if worker.orphaned:
            worker.directory.leave(worker.name)
        return 0

    runs = RunDirectory.make()
    (public,) = bind(Address("127.0.0.1", given["port"]))
    try:
        return Supervisor(
            given["count"], Plan(), [public], [], runs, Patience(**{"look": 0.1} | given["patience"])
        ).run()
    except WorkersFailed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        runs.remove()


if __name__ == "__main__":
    sys.exit(_main())

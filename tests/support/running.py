"""A real gateway process: settings as YAML in a directory of its own, free ports, its log lines collected."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from origin import Origin
from ruamel.yaml import YAML
from server_process import descendants, free_port
from visitor import Browser, Response, request, talk

ROOT = Path(__file__).parents[2]
TOKEN = "system-test-token-0123456789"


QUOTE: dict[str, Any] = {
    "name": "quote",
    "path": "/lead",
    "fields": {"email": "email", "phone": "phone", "full_name": "full_name", "message": "message"},
    "honeypot": "lg_note_k7",
}


def site(origin: Origin, mode: str = "tag", forms: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """One site with a landing page and the quote form, unless told otherwise."""
    return {
        "name": "acme",
        "origin": origin.url,
        "mode": mode,
        "session": "cookie",
        "landing_pages": [{"path": "/offer*"}],
        "forms": [QUOTE] if forms is None else forms,
    } | more


class Gateway:
    """`config`: the settings without addresses, or sites alone. Trusts 127.0.0.1 about the visitor's address unless told otherwise."""

    def __init__(self, directory: Path, config: Mapping[str, Any], env: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.port, self.admin_port = free_port(), free_port()
        self.path = directory / "leadgate.yaml"
        self.config: dict[str, Any] = {
            "listen": f"127.0.0.1:{self.port}",
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "trusted_proxies": ["127.0.0.1"],
            "reviewer": {"email": "leads@acme-roofs.se"},
            "dns": {"enabled": False},
        } | dict(config)
        self.environ = dict(os.environ) | {"LEADGATE_ADMIN_TOKEN": TOKEN} | dict(env or {})
        self.environ.pop("LEADGATE_ORIGIN", None)
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.write(self.config)

    def write(self, config: Mapping[str, Any] | str) -> None:
        """New settings, put in place in one step."""
        beside = self.path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            if isinstance(config, str):
                file.write(config)
            else:
                YAML().dump(json.loads(json.dumps(config)), file)
        beside.replace(self.path)

    # the process

    def spawn(self, preexec: Callable[[], None] | None = None) -> Gateway:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--config", str(self.path)],
            cwd=ROOT, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=preexec,
        )  # fmt: skip
        threading.Thread(target=self._collect, args=(self.process,), daemon=True).start()
        return self

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.output.extend(iter(process.stdout.readline, ""))

    def start(self, seconds: float = 60, preexec: Callable[[], None] | None = None) -> Gateway:
        self.spawn(preexec)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pid is None:
                raise AssertionError(f"the gateway ended by itself: {''.join(self.output)}")
            try:
                if self.open("/readyz").status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the gateway does not get ready: {''.join(self.output)}")

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def wait(self, seconds: float = 40) -> int:
        """Exit code, once it has ended."""
        assert self.process is not None
        return self.process.wait(seconds)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        if self.pid is not None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """kill -9, its workers too: as if the machine had lost its power."""
        if self.pid is not None:
            workers = list(descendants(self.pid))
            self.signal(signal.SIGKILL)
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        self.wait()

    def restart(self) -> None:
        assert self.stop() == 0
        self.start()

    # talking to it

    def browser(self, address: str | None = None) -> Browser:
        return Browser(self.port, address)

    def raw(self, data: bytes, timeout: float = 30) -> bytes:
        return talk(self.port, data, timeout=timeout)

    def open(self, target: str) -> Response:
        """The admin listener without a token."""
        return request(self.admin_port, "GET", target, [("Host", "127.0.0.1")])

    def call(self, target: str, method: str = "GET", body: bytes = b"", token: str | None = TOKEN) -> Response:
        fields = [("Host", "127.0.0.1")] + ([("Authorization", f"Bearer {token}")] if token else [])
        return request(self.admin_port, method, "/api/v1" + target, fields, body)

    def api(self, target: str, method: str = "GET", status: int = 200, body: bytes = b"") -> Any:
        answer = self.call(target, method, body)
        assert answer.status == status, (answer.status, answer.text)
        return answer.json()

    def cli(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway.cli", *arguments, "--config", str(self.path)]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=timeout, check=False
        )

    # looking

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output if line.startswith("{")]

    @property
    def told(self) -> str:
        """What an operator would look at: readiness, counters of the stores, the last lines of the log."""
        ready = self.open("/readyz").text if self.pid is not None else "not running"
        metrics = self.open("/metrics").text.splitlines() if self.pid is not None else []
        stores = [line for line in metrics if line.startswith(("leadgate_store", "leadgate_spool", "leadgate_hot"))]
        return "\n".join(["", ready, *stores, *self.output[-15:]])

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.logs if line.get("event") == event]

    def metric(self, name: str, **labels: str) -> float:
        """Sum over all samples of that name with these labels."""
        total = 0.0
        for line in self.open("/metrics").text.splitlines():
            if line.startswith((name + "{", name + " ")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def lead(self, lead_id: str, state: str | None = None, seconds: float = 15) -> dict[str, Any]:
        """The lead, once it is there and, if told, in that state."""
        last: Any = None
        for _ in range(int(seconds / 0.05)):
            answer = self.call(f"/leads/{lead_id}")
            last = answer.json()
            if answer.status == 200 and last["record"] is not None and state in (None, last["state"]):
                return dict(last)
            time.sleep(0.05)
        raise AssertionError(f"lead {lead_id} is not {state}: {last}{self.told}")

    def newest_lead(self) -> dict[str, Any]:
        items = self.api("/leads?limit=1")["items"]
        assert items, f"no lead is there{self.told}"
        return dict(items[0])

    def record(self, record_id: str, seconds: float = 10) -> dict[str, Any]:
        for _ in range(int(seconds / 0.05)):
            answer = self.call(f"/records/{record_id}")
            if answer.status == 200:
                return dict(answer.json())  # type: ignore[call-overload]
            time.sleep(0.05)
        raise AssertionError(f"no record {record_id}: {answer.text}{self.told}")

    def conserved(self) -> dict[str, Any]:
        """The count of leads, which must hold at any moment."""
        found = self.api("/conservation")
        assert found["holds"], found
        return dict(found)


def until(condition: Callable[[], object], seconds: float = 15, what: str = "") -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what or "it did not happen in time"
        time.sleep(0.05)


Start = Callable[..., Gateway]
"""(settings, directory=None, env=None, own_clock=False) -> a gateway that is not started yet; own_clock: it can be turned."""

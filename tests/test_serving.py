"""`leadgate serve` with several workers on Redis and PostgreSQL: one gateway, as its visitors and operators see it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import ForkedGateway, Forker
from origin import Origin
from running import Gateway, free_port, site, until
from shared_stores import SharedStores
from visitor import person

from gateway.config import Address
from gateway.serving import bind


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.stop()


@pytest.fixture
def gateway(origin: Origin, shared_stores: SharedStores, tmp_path: Path, forker: Forker) -> Iterator[Gateway]:
    settings = shared_stores.settings() | {"workers": 2, "sites": [site(origin)], "journal_deadline_ms": 10_000}
    env = shared_stores.env | {"XDG_RUNTIME_DIR": str(tmp_path), "RUNTIME_DIRECTORY": ""}
    made = ForkedGateway(tmp_path, settings, env, forker)
    yield made
    if made.pid is not None:
        made.kill()


def running(gateway: Gateway) -> dict[int, int]:
    """Seat → process id of the workers that serve."""
    ended = {line["pid"] for line in gateway.logged("worker ended")}
    return {line["worker"]: line["pid"] for line in gateway.logged("worker started") if line["pid"] not in ended}


def both(gateway: Gateway) -> Gateway:
    gateway.start()
    until(lambda: len(running(gateway)) == 2)
    return gateway


class Visitors:
    """People who read pages and send forms all the while, three at a time. Every one of them is answered."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.pages = self.forms = 0
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(3)]

    def _visit(self) -> None:
        while not self._over.is_set():
            try:
                browser = self.gateway.browser()
                status = browser.get("/offer").status, browser.post("/lead", person()).status
            except Exception as error:
                self.wrong.append(repr(error))
                continue
            self.pages += 1
            self.forms += 1
            if status != (200, 200):
                self.wrong.append(str(status))

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        until(lambda: self.forms > 10 or self.wrong)
        return self

    def __exit__(self, *_: object) -> None:
        seen = self.forms
        until(lambda: self.forms > seen + 10 or self.wrong)
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert self.wrong == []


def test_workers_are_replaced_and_reloaded_under_visitors_and_every_lead_is_there(gateway: Gateway) -> None:
    both(gateway)
    shown = []

    def requests() -> bool:
        shown.append(gateway.metric("leadgate_requests_total"))
        return True

    with Visitors(gateway) as visitors:
        requests()
        gateway.signal(signal.SIGUSR1)
        until(lambda: requests() and gateway.metric("leadgate_worker_restarts_total", reason="rolled") == 2, 40)
        gateway.config["sites"][0]["mode"] = "monitor"
        gateway.write(gateway.config)
        until(lambda: requests() and gateway.logged("reloaded"), 40)
        gateway.config["evidence_queue"] = 5000
        gateway.write(gateway.config)
        until(lambda: requests() and len(gateway.logged("reloaded")) == 2, 60)
        requests()
    assert shown == sorted(shown), "counters never fall"
    until(lambda: gateway.metric("leadgate_requests_total") == visitors.pages + visitors.forms)
    assert gateway.metric("leadgate_reloads_total", result="applied") == 2
    assert gateway.metric("leadgate_workers") == 2
    until(lambda: gateway.conserved()["received"] == visitors.forms, what=f"{visitors.forms}: {gateway.conserved()}")
    assert not gateway.logged("handler failed")
    assert gateway.stop() == 0
    assert not list(gateway.directory.glob("leadgate-*"))


def test_a_killed_worker_costs_what_it_had_in_hand_and_no_count(gateway: Gateway) -> None:
    both(gateway)
    for _ in range(10):
        assert gateway.browser().get("/offer").status == 200
    until(lambda: gateway.metric("leadgate_requests_total") == 10)
    seat, pid = next(iter(running(gateway).items()))
    os.kill(pid, signal.SIGKILL)
    until(lambda: gateway.logged("worker ended"))
    for _ in range(10):
        assert gateway.browser().get("/offer").status == 200
        assert gateway.metric("leadgate_requests_total") >= 10
    until(lambda: len(running(gateway)) == 2)
    assert running(gateway)[seat] != pid
    until(lambda: gateway.metric("leadgate_requests_total") == 20)
    assert gateway.metric("leadgate_worker_restarts_total", reason="ended") == 1
    assert gateway.browser().post("/lead", person()).status == 200
    until(lambda: gateway.conserved()["received"] == 1)
    assert gateway.stop() == 0


def test_workers_whose_parent_was_killed_go_by_themselves(gateway: Gateway) -> None:
    both(gateway)
    assert gateway.browser().post("/lead", person()).status == 200
    gateway.signal(signal.SIGKILL)
    assert gateway.wait() == -signal.SIGKILL
    until(lambda: len(gateway.logged("stopped")) == 2, 40)
    until(lambda: not list(gateway.directory.glob("leadgate-*")))
    with pytest.raises(ConnectionRefusedError):
        gateway.browser().get("/offer")
    gateway.start()
    assert gateway.conserved()["received"] == 1
    assert gateway.stop() == 0


def test_what_needs_a_restart_is_refused_whole(gateway: Gateway) -> None:
    both(gateway)
    before = running(gateway)
    good = gateway.path.read_text()
    gateway.write(good.replace("workers: 2", "workers: 3"))
    until(lambda: gateway.logged("reload refused"))
    told = gateway.logged("reload refused")[0]
    assert ("workers" in told["problems"][0], told["remedy"]) == (True, "restart the gateway")
    until(lambda: gateway.metric("leadgate_reloads_total", result="refused") == 1)
    gateway.write("sites: [{name: acme, orgin: x}]\n")
    until(lambda: len(gateway.logged("reload refused")) == 2)
    assert "old settings stay in force" in gateway.logged("reload refused")[1]["remedy"]
    assert running(gateway) == before
    assert gateway.browser().get("/offer").status == 200


def test_a_port_in_use_ends_with_one_and_bad_settings_with_two(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", gateway.port)):
        assert gateway.spawn().wait() == 1
    until(lambda: f"127.0.0.1:{gateway.port}" in gateway.output[-1])
    assert "Traceback" not in "".join(gateway.output)
    gateway.write(gateway.path.read_text().replace("workers: 2", "workers: two"))
    assert gateway.spawn().wait() == 2


def test_workers_need_shared_stores(origin: Origin, tmp_path: Path, forker: Forker) -> None:
    gateway = ForkedGateway(tmp_path, {"workers": 2, "sites": [site(origin)]}, forker=forker)
    assert gateway.spawn().wait() == 2
    until(lambda: "redis://" in "".join(gateway.output))


def test_a_name_is_listened_on_at_all_its_addresses() -> None:
    port = free_port()
    made = bind(Address("localhost", port))
    assert {sock.getsockname()[1] for sock in made} == {port}
    with socket.create_connection(made[0].getsockname()[:2]):
        pass
    with pytest.raises(OSError, match=f"cannot listen on localhost:{port}"):
        bind(Address("localhost", port))
    for sock in made:
        sock.close()

"""The store cannot be written, from the start or all at once: no visitor sees an error on a form that is forwarded, and the books say so.

These are about the file of an embedded store; what PostgreSQL can do to a gateway stands in test_postgres_faults.py.
"""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import ForkedGateway, Forker
from origin import Origin
from running import Gateway, site, until
from visitor import Response, person

CRIPPLED = 64 * 1024  # bytes a file may have: below what the store's log has after a few leads


@pytest.fixture
def gateway(origin: Origin, tmp_path: Path, forker: Forker) -> Iterator[Gateway]:
    settings = {"sites": [site(origin, "enforce")], "journal_deadline_ms": 500}
    made = ForkedGateway(tmp_path, settings, forker=forker)
    yield made
    if made.pid is not None:
        made.kill()


def limit(gateway: Gateway, size: int) -> None:
    """As a full disk does: no file of the process may grow beyond `size` bytes."""
    assert gateway.pid is not None
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_commits_fail_and_come_back(gateway: Gateway, origin: Origin) -> None:
    gateway.start()
    before = [gateway.browser().post("/lead", person() | {"message": "x" * 30_000}) for _ in range(4)]
    assert {answer.status for answer in before} == {303}
    gateway.conserved()

    limit(gateway, CRIPPLED)
    forms = [person() for _ in range(12)]
    answers: list[Response] = []

    def post(form: dict[str, str]) -> None:
        answers.append(gateway.browser().post("/lead", form))

    threads = [threading.Thread(target=post, args=(form,)) for form in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answer.status for answer in answers] == [303] * 12, "no visitor sees an error"
    for form in forms:
        assert len(origin.holding(form["email"].replace("@", "%40"))) == 1
    doubtful = gateway.browser().post("/lead", person() | {"email": "who@mailinator.com"})
    assert doubtful.status == 303, "what cannot be kept is not held: the origin may keep it"
    assert gateway.browser().get("/offer").status == 303

    ready = gateway.open("/readyz")
    assert ready.status == 200, "forms still arrive: a balancer must not take the site down"
    assert "the store cannot commit" in str(ready.json()["advice"])  # type: ignore[index]
    assert gateway.metric("leadgate_unjournaled_total") == 13
    assert gateway.metric("leadgate_store_healthy") == 0
    assert gateway.logged("store failed")

    limit(gateway, resource.RLIM_INFINITY)
    until(lambda: gateway.open("/readyz").json()["advice"] == [], 20, "it recovers by itself")  # type: ignore[index]
    after = person()
    assert gateway.browser().post("/lead", after).status == 303
    gateway.lead(str(origin.wait_for(after["email"].replace("@", "%40")).field("X-Lead-Id")), "delivered")
    until(lambda: gateway.conserved()["unjournaled"] == 13)
    counts = gateway.conserved()
    assert counts["received"] == 5
    until(lambda: gateway.logged("store recovered"), 25, "".join(gateway.output))
    assert gateway.stop() == 0


def test_a_disk_that_is_full_from_the_start_is_said(origin: Origin, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, {"sites": [site(origin, "enforce")], "journal_deadline_ms": 500})
    gateway.spawn(preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    assert gateway.wait() == 1
    until(lambda: gateway.output)
    text = "".join(gateway.output)
    assert "Traceback" not in text, text
    assert "var" in text


def test_a_store_that_may_not_be_written_is_said(gateway: Gateway) -> None:
    gateway.start()
    assert gateway.stop() == 0
    directory = gateway.directory / "var"
    files = [directory / "leadgate.db", directory]
    as_root = os.geteuid() == 0
    if as_root:  # modes do not bind root; the immutable flag does, where the file system has it
        done = subprocess.run(["chattr", "+i", str(files[0])], check=False, capture_output=True)
        if done.returncode:
            pytest.skip("running as root, and the file system has no immutable flag")
    else:
        for file in files:
            file.chmod(0o500 if file.is_dir() else 0o400)
    try:
        gateway.output.clear()
        gateway.spawn()
        assert gateway.wait() == 1
        until(lambda: gateway.output)
        text = "".join(gateway.output)
        assert "leadgate.db" in text
        assert "Traceback" not in text, text
    finally:
        if as_root:
            subprocess.run(["chattr", "-i", str(files[0])], check=True)
        else:
            for file in reversed(files):
                file.chmod(0o700)
    gateway.start()


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntoo long for it", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 502),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", 0),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n", 502),
    ],
)
def test_an_origin_that_lies_about_lengths(origin: Origin, lying: Gateway, script: bytes, status: int) -> None:
    """Nothing of one answer may reach the next visitor, and the gateway goes on."""

    async def lie(side: object, request: object) -> None:
        await side.send(script)  # type: ignore[attr-defined]

    origin.scripts["/lie"] = lie
    try:
        answer = lying.browser().get("/lie")
        assert answer.status == status or status == 0
        assert b"too long" not in answer.body or answer.body == b"too l"
    except Exception:
        assert status == 0
    assert lying.browser().get("/fine").status == 303
    assert lying.metric("leadgate_handler_failures_total") == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, forker: Forker) -> Iterator[tuple[Origin, Gateway]]:
    made = Origin()
    gateway = ForkedGateway(tmp_path_factory.mktemp("lying"), {"sites": [site(made)]}, forker=forker).start()
    yield made, gateway
    gateway.kill()
    made.stop()


@pytest.fixture
def lying(shared: tuple[Origin, Gateway], origin: Origin) -> Gateway:
    shared[0].scripts = origin.scripts  # the origin of the test answers by way of the one the gateway knows
    shared[0].default = origin.default
    return shared[1]

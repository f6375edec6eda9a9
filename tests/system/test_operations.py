"""What an operator does to the gateway and what goes wrong around it: stopping, ports, files, extensions."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from origin import Origin, Received, Side, response
from running import Gateway, Start, site, until
from visitor import Response, person


def one_line(gateway: Gateway, code: int) -> str:
    """What a gateway that cannot start says: one sentence, no traceback."""
    assert gateway.wait() == code, gateway.output
    until(lambda: gateway.output)
    text = "".join(gateway.output)
    assert "Traceback" not in text, text
    return text


def test_sigterm_finishes_what_is_under_way(origin: Origin, gateways: Start) -> None:
    gateway = gateways({"sites": [site(origin)]}).start()
    entered, go_on = threading.Event(), asyncio.Event()

    async def slow(side: Side, request: Received) -> bytes:
        entered.set()
        await go_on.wait()
        return response("finished")

    origin.scripts["/lead"] = slow
    answers: list[Response] = []
    form = person()
    poster = threading.Thread(target=lambda: answers.append(gateway.browser().post("/lead", form)))
    poster.start()
    assert entered.wait(15)
    with socket.create_connection(("127.0.0.1", gateway.port)) as idle:
        gateway.signal(signal.SIGTERM)
        until(lambda: gateway.open("/readyz").status == 503, what="it says that it is stopping while it still works")
        assert "stopping" in str(gateway.open("/readyz").json())
        with pytest.raises(OSError):  # noqa: PT011
            socket.create_connection(("127.0.0.1", gateway.port), timeout=2)
        assert gateway.pid is not None
        origin._loop.call_soon_threadsafe(go_on.set)
        poster.join(15)
        assert answers[0].text == "finished"
        assert gateway.wait() == 0
        assert idle.recv(10) == b""
    assert gateway.logged("draining")
    assert gateway.logged("stopped")[0]["cut_off"] == 0
    del origin.scripts["/lead"]
    gateway.start()
    assert (
        gateway.lead(str(origin.holding(form["email"].replace("@", "%40"))[0].field("X-Lead-Id")))["state"]
        == "delivered"
    )


def test_what_does_not_finish_is_cut_off_and_said(origin: Origin, gateways: Start) -> None:
    gateway = gateways({"sites": [site(origin)], "drain_seconds": 0.5}).start()

    async def never(side: Side, request: Received) -> None:
        await asyncio.sleep(60)

    origin.scripts["/never"] = never
    with socket.create_connection(("127.0.0.1", gateway.port)) as waiting:
        waiting.sendall(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: origin.to("/never"))
        assert gateway.stop() == 0
    assert gateway.logged("stopped")[0]["cut_off"] == 1


def test_a_port_in_use_is_named(origin: Origin, gateways: Start) -> None:
    gateway = gateways({"sites": [site(origin)]})
    for port in (gateway.port, gateway.admin_port):
        with socket.create_server(("127.0.0.1", port)):
            text = one_line(gateway.spawn(), 1)
        assert f"127.0.0.1:{port}" in text.replace("('127.0.0.1', ", "127.0.0.1:").replace(f"{port})", str(port))
        assert "in use" in text
        gateway.output.clear()


def test_a_second_gateway_does_not_touch_the_store(origin: Origin, gateways: Start) -> None:
    first = gateways({"sites": [site(origin)]}).start()
    second = gateways({"sites": [site(origin)], "store": f"sqlite:///{first.directory}/var/leadgate.db",
                       "keys": {"directory": str(first.directory / "var/keys")}})  # fmt: skip
    text = one_line(second.spawn(), 1)
    assert "leadgate.db" in text
    assert "another gateway" in text
    assert first.open("/readyz").status == 200


@pytest.mark.parametrize("damage", ["not a database, but long enough to be read as one " * 100, ""])
def test_a_corrupt_store_is_named_and_left_alone(origin: Origin, gateways: Start, damage: str, tmp_path: Path) -> None:
    gateway = gateways({"sites": [site(origin)]}).start()
    gateway.browser().post("/lead", person())
    assert gateway.stop() == 0
    store = gateway.directory / "var/leadgate.db"
    whole = store.read_bytes()
    if damage:
        store.write_bytes(damage.encode())
    else:
        with sqlite3.connect(store) as connection:  # one byte of the newest entry
            connection.execute(
                "UPDATE entries SET body = CAST(replace(body, 'acme', 'bcme') AS BLOB) WHERE n = (SELECT max(n) FROM entries)"
            )
        connection.close()
        whole = b""
    gateway.output.clear()
    text = one_line(gateway.spawn(), 1)
    assert "leadgate.db" in text
    assert "backup" in text.lower()
    if whole:
        assert store.read_bytes() == damage.encode()
        for beside in ("leadgate.db-wal", "leadgate.db-shm"):
            (gateway.directory / "var" / beside).unlink(missing_ok=True)
        store.write_bytes(whole)
        gateway.output.clear()
        gateway.start()


def test_the_slow_parser_is_refused(origin: Origin, gateways: Start) -> None:
    gateway = gateways({"sites": [site(origin)]}, env={"AIOHTTP_NO_EXTENSIONS": "1"})
    text = one_line(gateway.spawn(), 1)
    assert "without its C parser" in text
    assert "AIOHTTP_NO_EXTENSIONS" in text


def test_settings_that_cannot_be_used_end_with_two(origin: Origin, gateways: Start) -> None:
    gateway = gateways({"sites": [site(origin)]})
    gateway.write("sites: []\nlissten: 1\n")
    text = one_line(gateway.spawn(), 2)
    assert "lissten" in text
    assert "at least one" in text or "sites" in text
    rules = gateway.directory / "rules"
    rules.mkdir()
    (rules / "lead-form.yaml").write_text(
        "pack: lead-form\ncomposites:\n  - {name: x, on: [a.b], when: 'sgnal(1)', then: {remove: [a.b]}}\n"
    )
    gateway.write(gateway.config | {"rules": {"directory": "rules"}})
    gateway.output.clear()
    text = one_line(gateway.spawn(), 1)
    assert "lead-form.yaml" in text
    (rules / "lead-form.yaml").unlink()
    (gateway.directory / "x.mmdb").write_bytes(b"no database")
    gateway.write(gateway.config | {"geoip": {"database": "x.mmdb"}})
    gateway.output.clear()
    assert "x.mmdb" in one_line(gateway.spawn(), 1)

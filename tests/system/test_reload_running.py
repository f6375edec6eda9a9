"""A reload changes how visitors are judged from one request to the next, and no connection notices."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest
from origin import Origin, Received, Side
from running import Gateway, Start, site, until
from visitor import person


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    return gateways({"sites": [site(origin, "tag")]}).start()


def reloads(gateway: Gateway, result: str) -> float:
    return gateway.metric("leadgate_reloads_total", result=result)


def mode(gateway: Gateway, word: str) -> None:
    gateway.config["sites"][0]["mode"] = word
    gateway.write(gateway.config)


def test_connections_run_across_a_reload(gateway: Gateway, origin: Origin) -> None:
    go_on = asyncio.Event()

    async def download(side: Side, request: Received) -> None:
        await side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        await go_on.wait()
        await side.send(b" last")

    async def echo(side: Side, request: Received) -> None:
        await side.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while data := await side.reader.read(100):
            await side.send(data.upper())

    origin.scripts |= {"/file": download, "/socket": echo}
    with (
        socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as loading,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as talking,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as idle,
    ):
        loading.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: origin.to("/file"))
        talking.sendall(b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert talking.recv(1000).startswith(b"HTTP/1.1 101 ")
        idle.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")

        before = reloads(gateway, "applied")
        mode(gateway, "monitor")
        until(lambda: reloads(gateway, "applied") > before, what="the changed file is taken up by itself")

        talking.sendall(b"still here")
        assert talking.recv(100) == b"STILL HERE"
        idle.sendall(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
        origin._loop.call_soon_threadsafe(go_on.set)
        answer = b""
        while not answer.endswith(b"first last"):
            piece = loading.recv(1000)
            assert piece, answer
            answer += piece


def test_each_verdict_names_the_generation_it_was_made_by(gateway: Gateway, origin: Origin) -> None:
    mode(gateway, "tag")
    until(lambda: len(gateway.logged("reloaded")) >= 2)
    first = gateway.logged("reloaded")[-1]["generation"]
    gateway.browser().get("/offer?v=tagged")
    tagged = gateway.record(str(origin.wait_for("v=tagged").field("X-Lead-Id")))
    assert (tagged["mode"], tagged["generation"]) == ("tag", first)
    mode(gateway, "monitor")
    until(lambda: len(gateway.logged("reloaded")) >= 3)
    second = gateway.logged("reloaded")[-1]["generation"]
    assert second != first
    gateway.browser().get("/offer?v=watched")
    origin.wait_for("v=watched")
    until(lambda: gateway.api("/records?limit=1")["items"][0]["id"] != tagged["id"])
    newest = gateway.record(gateway.api("/records?limit=1")["items"][0]["id"])
    assert (newest["mode"], newest["generation"]) == ("monitor", second)


def test_sighup_reloads(gateway: Gateway) -> None:
    before = reloads(gateway, "applied")
    gateway.signal(signal.SIGHUP)
    until(lambda: reloads(gateway, "applied") == before + 1)


def test_a_broken_file_changes_nothing_and_every_problem_is_told(gateway: Gateway, origin: Origin) -> None:
    good = gateway.path.read_text()
    before = reloads(gateway, "refused")
    gateway.write("sites:\n  - name: acme\n    orgin: x\n    mode: loud\n")
    until(lambda: reloads(gateway, "refused") > before)
    told = gateway.logged("reload refused")[-1]
    assert "orgin" in str(told["problems"])
    assert "loud" in str(told["problems"])
    assert "old settings stay in force" in told["remedy"]
    assert gateway.browser().post("/lead", person()).status == 200
    assert gateway.open("/readyz").status == 200
    gateway.write(good.replace(f"127.0.0.1:{gateway.port}", "127.0.0.1:1"))
    until(lambda: reloads(gateway, "refused") > before + 1)
    assert gateway.logged("reload refused")[-1]["remedy"] == "restart the gateway"
    gateway.write(good)
    until(lambda: gateway.logged("reloaded"))


def test_warnings_of_the_settings_are_logged_at_start_and_after_a_reload(gateway: Gateway) -> None:
    def told() -> list[str]:
        return [line["problem"] for line in gateway.logged("settings warning") if "website" in line["problem"]]

    form = {"name": "quote", "path": "/lead", "fields": {"email": "email"}, "honeypot": "website"}
    gateway.config["sites"][0]["forms"] = [form]
    assert not told()
    gateway.write(gateway.config)
    until(told)
    assert "browsers" in told()[0]
    gateway.restart()
    until(lambda: len(told()) == 2)

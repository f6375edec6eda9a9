"""Visitors who leave in the middle: what they had sent is a lead all the same, and its state is known."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from origin import Origin, Received, Side, response
from running import Gateway, Start, site, until
from visitor import new_address, person


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    return gateways({"sites": [site(origin)]}).start()


async def slow(side: Side, request: Received) -> bytes:
    await asyncio.sleep(0.5)
    return response("", "303 See Other", ("Location", "/thanks"))


async def slow_and_long(side: Side, request: Received) -> bytes:
    await asyncio.sleep(0.5)
    return response(b"x" * 8_000_000)


def leave(gateway: Gateway, body: bytes, length: int, how: str) -> None:
    head = (
        f"POST /lead HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {new_address()}\r\nContent-Length: {length}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(head.encode() + body)
        if how == "half-closed":
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100).startswith(b"HTTP/1.1 ")
        else:
            until(lambda: gateway.metric("leadgate_requests_total", route="form") >= 1)


@pytest.mark.parametrize("script", [slow, slow_and_long])
@pytest.mark.parametrize("how", ["closed", "reset", "half-closed"])
def test_a_whole_form_is_a_lead_whether_its_sender_waits_or_not(
    gateway: Gateway, origin: Origin, script: object, how: str
) -> None:
    origin.scripts["/lead"] = script  # type: ignore[assignment]
    mark = person()["email"]
    body = f"email={mark}".encode()
    leave(gateway, body, len(body), how)
    got = origin.wait_for(mark)
    lead = gateway.lead(str(got.field("X-Lead-Id")), "delivered")
    assert lead["record"] is not None
    gateway.conserved()


def test_half_a_form_is_none(gateway: Gateway, origin: Origin) -> None:
    origin.scripts["/lead"] = slow
    before = gateway.conserved()["received"]
    for how in ("closed", "reset"):
        leave(gateway, b"email=half@", 500, how)
    until(lambda: gateway.metric("leadgate_in_flight") == 0)
    assert gateway.conserved()["received"] == before
    assert not origin.holding("half@")
    assert gateway.metric("leadgate_handler_failures_total") == 0
    assert gateway.logged("handler failed") == []

"""A fault of ours on the way to a verdict costs a visitor neither the page nor the lead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers import free_port

from gateway.app import Gateway
from gateway.config import load

YAML = """
listen: 127.0.0.1:{port}
admin: {{listen: 127.0.0.1:{admin}}}
store: sqlite:///leadgate.db
keys: {{directory: keys}}
sites:
  - name: acme
    origin: http://127.0.0.1:{origin}
    mode: tag
    landing_pages: [{{path: /offer}}]
    forms: [{{name: quote, path: /lead, fields: {{email: email}}}}]
"""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    body = await reader.readexactly(length)
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (5 + length, b"seen " + body)
    )
    await writer.drain()
    writer.close()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    origin = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports = {"port": free_port(), "admin": free_port(), "origin": origin.sockets[0].getsockname()[1]}
    path = tmp_path / "leadgate.yaml"
    path.write_text(YAML.format(**ports))
    running = Gateway(path, load(path), "token")
    await running.start()
    yield running
    await running.stop()
    origin.close()


async def ask(gateway: Gateway, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*gateway.listener.addresses[0])
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


POST = b"POST /lead HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\nConnection: close\r\n\r\nemail=x"


async def test_reading_an_arrival_that_fails_lets_both_kinds_through(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(gateway.edge._arrivals, "read", broken)
    assert (await ask(gateway, b"GET /offer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).endswith(b"seen ")
    assert (await ask(gateway, POST)).endswith(b"seen email=x")
    assert gateway.metrics.counts["leadgate_fail_open", "acme", "landing"] == 1
    assert gateway.metrics.counts["leadgate_fail_open", "acme", "submission"] == 1
    assert gateway.metrics.total("leadgate_unjournaled") == 1
    assert gateway.metrics.total("leadgate_handler_failures") == 0


async def test_a_record_that_cannot_be_made_is_counted_and_nobody_notices(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.pipeline.build", broken)
    assert (await ask(gateway, POST)).endswith(b"seen email=x")
    await gateway.store.flush()
    assert gateway.metrics.total("leadgate_records_dropped") == 1
    conservation = await gateway.store.conservation()
    assert conservation.holds and conservation.by_state["delivered"] == 1

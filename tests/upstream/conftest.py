"""A raw-socket origin, the real listener with `forward` behind it, and a raw client, on both event loops."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from gateway.intake.server import Exchange, Limits, Listener
from gateway.upstream.client import Upstream
from gateway.upstream.errors import UpstreamError
from gateway.upstream.headers import Forwarded
from gateway.upstream.proxy import Outcome, forward
from gateway.upstream.settings import UpstreamSettings


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Transports differ between the loops (write buffering, half-close, pausing), so what touches sockets runs on both."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.name.startswith("test_upstream_proxy"):
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@dataclass
class Side:
    """One accepted connection at the origin."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def head(self) -> bytes:
        """Bytes of one request head with its empty line; b"" when the connection ended instead."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def request(self) -> tuple[bytes, bytes]:
        """One request: head and raw body, chunk framing included."""
        head = await self.head()
        lower = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            body = b""
            while True:
                line = await self.reader.readline()
                data = await self.reader.readexactly(int(line, 16) + 2)
                body += line + data
                if line == b"0\r\n":
                    return head, body
        if b"\r\ncontent-length: " in lower:
            length = int(lower.split(b"\r\ncontent-length: ", 1)[1].split(b"\r\n", 1)[0])
            return head, await self.reader.readexactly(length)
        return head, b""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End with RST, not FIN."""
        self.writer.transport.abort()


Script = Callable[[Side], Awaitable[None]]


@dataclass
class Rig:
    port: int
    upstream: Upstream
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[UpstreamError] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    connections: int = 0
    problems: list[BaseException] = field(default_factory=list)  # raised in the origin's script

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def talk(self, data: bytes) -> bytes:
        """Send all, end our side, return everything up to the end of the connection."""
        reader, writer = await self.open()
        writer.write(data)
        writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()

    async def settled(self) -> Outcome:
        """The first outcome, once it is there."""
        await until(lambda: bool(self.outcomes))
        return self.outcomes[0]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


MakeRig = Callable[..., Awaitable[Rig]]


def forwarded(exchange: Exchange) -> Forwarded:
    return Forwarded(peer=exchange.peer[0], proto="http", host=exchange.header(b"host"))


@pytest.fixture
async def rig() -> AsyncIterator[MakeRig]:
    closing: list[Callable[[], Awaitable[Any] | None]] = []

    async def make(
        script: Script,
        settings: UpstreamSettings = UpstreamSettings(),  # noqa: B008  # frozen
        limits: Limits = Limits(),  # noqa: B008  # frozen
        origin_ssl: Any = None,
        origin_url: str | None = None,
        **plan: Any,
    ) -> Rig:
        """`plan`: further arguments of `forward`; a callable among them is asked with the exchange first, under `_name`."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made.connections += 1
            try:
                await script(Side(reader, writer, made.connections))
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            except BaseException as problem:
                made.problems.append(problem)
            finally:
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**22, ssl=origin_ssl)
        origin_port = server.sockets[0].getsockname()[1]
        upstream = Upstream((origin_url or "http://127.0.0.1:{port}").format(port=origin_port), settings)

        async def handle(exchange: Exchange) -> None:
            given = {name: value for name, value in plan.items() if not name.startswith("_")}
            for name, make_value in plan.items():
                if name.startswith("_"):
                    value = make_value(exchange)
                    given[name[1:]] = await value if inspect.isawaitable(value) else value
            given.setdefault("forwarded", forwarded(exchange))
            try:
                made.outcomes.append(await forward(exchange, upstream, **given))
            except UpstreamError as failure:
                made.failures.append(failure)
                await exchange.respond(502, type(failure).__name__.encode())

        listener = Listener(
            handle,
            limits,
            lambda status, reason: None,
            lambda address: True,
            lambda exchange, error: made.errors.append(error),
        )
        await listener.start("127.0.0.1", 0)
        made = Rig(listener.addresses[0][1], upstream)
        closing.extend([lambda: listener.drain(0), upstream.close, lambda: server.close()])
        return made

    yield make
    for close in closing:
        done = close()
        if inspect.isawaitable(done):
            await done


@pytest.fixture
def origin() -> Callable[..., Script]:
    """Makes an origin that reads whole requests (into `seen`) and gives the same bytes to each; ends then if told to."""

    def answering(answer: bytes, seen: list[tuple[bytes, bytes]] | None = None, *, close: bool = False) -> Script:
        async def script(side: Side) -> None:
            while True:
                head, body = await side.request()
                if not head:
                    return
                if seen is not None:
                    seen.append((head, body))
                await side.send(answer)
                if close:
                    return

        return script

    return answering

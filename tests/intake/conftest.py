"""A real listener on a free port, on both event loops, and a raw client for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import uvloop

from gateway.intake.server import Exchange, Limits, Listener


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The listener's tests run on both loops, because their transports differ (write buffering, half-close, pausing)."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.name.startswith("test_server"):
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@dataclass
class Served:
    listener: Listener
    port: int
    refusals: list[tuple[int, str]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def talk(self, data: bytes, *, eof: bool = True) -> bytes:
        """Sends all, ends its side unless told otherwise, and returns everything up to the end of the connection."""
        reader, writer = await self.open()
        writer.write(data)
        if eof:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    running: list[Listener] = []

    async def make(
        handler: Callable[[Exchange], Awaitable[None]],
        limits: Limits = Limits(),  # noqa: B008  # frozen
        trusted: Callable[[str], bool] = lambda address: False,
        **start: object,
    ) -> Served:
        refusals: list[tuple[int, str]] = []
        errors: list[Exception] = []
        listener = Listener(
            handler, limits, lambda status, reason: refusals.append((status, reason)), trusted,
            lambda exchange, error: errors.append(error),
        )  # fmt: skip
        running.append(listener)
        await listener.start("127.0.0.1", 0, **start)
        return Served(listener, listener.addresses[0][1], refusals, errors)

    yield make
    for listener in running:
        await listener.drain(0)

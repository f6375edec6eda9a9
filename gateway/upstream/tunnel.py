"""A WebSocket after its 101: bytes both ways until both sides have ended, each side half-closed when its peer ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from gateway.upstream.connection import OriginConnection
from gateway.upstream.errors import IdleTimeout, OriginClosed, UpstreamError


class Writer(Protocol):
    async def write(self, data: bytes) -> None: ...
    async def finish(self) -> None: ...


async def run(
    reader: AsyncIterator[bytes], writer: Writer, connection: OriginConnection, patience: float
) -> tuple[int, int]:
    """Pump until both directions have ended; returns bytes (from the visitor, to the visitor).

    Raises UpstreamError when the origin breaks off or nothing moves for `patience` seconds, and what the visitor's side
    raises when it is lost. The connections are left for the caller to close.
    """
    received = 0
    sent = 0

    async def upwards() -> None:
        nonlocal received
        async for data in reader:
            received += len(data)
            connection.moved(patience)
            connection.write(data)
            await connection.drain()
        connection.end_sending()

    def ended(task: asyncio.Task[None]) -> None:
        # Ended by an error: the reading side must not wait for an origin that nobody listens to.
        if not task.cancelled() and task.exception() is not None:
            connection.fail(OriginClosed("the visitor's side of a tunnel was lost", sent=True))

    up = asyncio.get_running_loop().create_task(upwards())
    up.add_done_callback(ended)
    try:
        while data := await connection.read(patience):
            sent += len(data)
            await writer.write(data)
        await writer.finish()
        if not connection.closed:
            async with asyncio.timeout(patience):
                await up
    except TimeoutError:
        raise IdleTimeout("nothing moved in a tunnel that the origin had ended on its side", sent=True) from None
    except UpstreamError:
        if up.done() and not up.cancelled() and (cause := up.exception()) is not None:
            raise cause from None
        raise
    finally:
        up.cancel()
    return received, sent

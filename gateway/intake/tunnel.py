"""Both directions of an upgraded connection (WebSocket), as raw bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.intake.body import Body
    from gateway.intake.connection import Connection


class TunnelReader:
    """Bytes from the visitor, as they arrive; ends when the visitor ends his side, raises ClientGone when the connection is lost."""

    __slots__ = ("_body",)

    def __init__(self, body: Body) -> None:
        self._body = body

    def __aiter__(self) -> TunnelReader:
        return self

    async def __anext__(self) -> bytes:
        data = await self._body.next()
        if not data:
            raise StopAsyncIteration
        return data


class TunnelWriter:
    """Bytes to the visitor."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def write(self, data: bytes) -> None:
        self._connection.tunnel_used()
        await self._connection.send(data)

    async def finish(self) -> None:
        """Ends our side where the transport can (not over TLS); the visitor's bytes are still read."""
        self._connection.end_sending()

"""A visitor's connection as a pair of byte streams: when to read on, how to send, who has stalled."""

from __future__ import annotations

import asyncio
import math

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from gateway.intake.limits import Limits
from gateway.intake.refusal import ClientGone


class VisitorTransport(RequestHandler):
    """aiohttp's request handler without its request loop and its timers."""

    __slots__ = ("_held", "_last_byte", "_limits", "_stalled_at", "_unsent", "due", "loop", "lost", "peer", "tls")

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        super().__init__(
            server, loop=loop, keepalive_timeout=0, access_log=None,  # type: ignore[arg-type]  # None is how it is switched off
            max_line_size=limits.target_bytes, max_field_size=limits.header_field_bytes, max_headers=limits.header_count,
            auto_decompress=False,
        )  # fmt: skip
        self.loop = loop
        self.peer: tuple[str, int] = ("", 0)  # address and port; empty for a Unix socket
        self.tls = False
        self.lost = False
        self.due = math.inf  # loop time at which the sweep looks at this connection
        self._limits = limits
        self._held = False  # we read no further for now
        self._last_byte = 0.0  # loop time of the last byte through a tunnel
        self._unsent = 0  # bytes the visitor had not taken when we last looked
        self._stalled_at = 0.0  # since when it has been so many

    def new_parser(self) -> HttpRequestParser:
        """A parser that has read a head with a body or an upgrade waits for what we do not give it: it serves up to one such."""
        limits = self._limits
        return HttpRequestParser(
            self, self.loop, 2**16, max_line_size=limits.target_bytes, max_field_size=limits.header_field_bytes,
            max_headers=limits.header_count, auto_decompress=False,
        )  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        BaseProtocol.connection_made(self, transport)  # not RequestHandler's, which starts its request loop
        self.tls = transport.get_extra_info("sslcontext") is not None
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = (peer[0], peer[1])

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True
        self.due = math.inf
        BaseProtocol.connection_lost(self, exc)

    # reading

    def hold(self) -> None:
        """Stops reading; the kernel's buffers then slow the visitor down."""
        if not self._held:
            self._held = True
            self._pause_transport_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            self._resume_transport_reading()

    # sending

    async def send(self, data: bytes) -> None:
        """Sends, and waits while more than the transport's high-water mark is unsent. Raises ClientGone."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ClientGone("the connection was lost")
        transport.write(data)
        if self._paused:
            try:
                await self._drain_helper()
            except ConnectionError as error:
                raise ClientGone("the connection was lost") from error
            if self.lost:
                raise ClientGone("the connection was lost")

    def end_sending(self) -> None:
        """Ends our direction behind what was written, where the transport can (not over TLS)."""
        if self.transport is not None and self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def cut(self) -> None:
        """Drops the connection without a word more."""
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._unsent = self.transport.get_write_buffer_size()
            self._stalled_at = self.loop.time()
            self.due = min(self.due, self._stalled_at + self._limits.send_stall_s)

    def check_stall(self, now: float) -> float:
        """When the visitor is to be cut off for taking nothing of what we send, in loop time; not later than `now` if he is due."""
        if not self._paused:
            return math.inf
        self.sends_on(now)
        return self._stalled_at + self._limits.send_stall_s

    def sends_on(self, now: float) -> bool:
        """Whether there is still something unsent and the visitor takes of it."""
        unsent = 0 if self.transport is None else self.transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._unsent = unsent
            self._stalled_at = now
        return unsent > 0 and now - self._stalled_at < self._limits.send_stall_s

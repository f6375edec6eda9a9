"""The connections to one origin: bounded, kept alive for a while, the most recently used taken first."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from gateway.upstream.connection import OriginConnection
from gateway.upstream.errors import ConnectFailed, TlsFailed
from gateway.upstream.settings import Origin, UpstreamSettings, tls_context


class Pool:
    """Last in, first out: few connections stay warm and the surplus ages out.

    One sweep timer serves all deadlines of all connections, so that a request costs no timer of its own; a timeout
    strikes at most a quarter late (and at most a second).
    """

    def __init__(self, origin: Origin, settings: UpstreamSettings) -> None:
        self._origin = origin
        self._settings = settings
        self._tls = tls_context(origin, settings)
        self._idle: list[OriginConnection] = []
        self._open: set[OriginConnection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        shortest = min(
            settings.head_timeout, settings.idle_timeout, settings.tunnel_timeout, settings.keepalive_timeout or 1.0
        )
        self._interval = max(0.01, min(1.0, shortest / 4))

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def open(self) -> int:
        return len(self._open)

    def take(self, max_idle: float) -> OriginConnection | None:
        """The most recently used idle connection, if one was used within `max_idle` seconds."""
        idle = self._idle
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle[-1]
            age = now - connection.idle_since
            if connection.usable and age >= max_idle and age < connection.keepalive:
                return None  # fine for others
            idle.pop()
            if connection.usable and age < connection.keepalive:
                connection.reused = True
                return connection
            connection.close()
        return None

    def give_back(self, connection: OriginConnection) -> None:
        """Keep a connection whose exchange is over for the next one, or close it."""
        if (
            self._closed
            or not connection.keep
            or connection.keepalive <= 0
            or len(self._idle) >= self._settings.pool_size
        ):
            connection.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        self._wake_one()

    async def connect(self) -> OriginConnection:
        """A fresh connection. Raises ConnectFailed or TlsFailed."""
        where = self._origin.name
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._wait_for_slot()
                self._connecting += 1
                try:
                    connection = await self._dial()
                finally:
                    self._connecting -= 1
        except TimeoutError:
            raise ConnectFailed(f"no connection to {where} within {self._settings.connect_timeout:g} seconds") from None
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"the certificate of {where} was not accepted: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise TlsFailed(f"the TLS handshake with {where} failed: {error.reason or 'unknown reason'}") from error
        except ConnectionResetError as error:
            if self._tls is not None:
                raise TlsFailed(f"{where} closed the connection during the TLS handshake") from error
            raise ConnectFailed(f"no connection to {where}: {error.strerror or error}") from error
        except OSError as error:
            raise ConnectFailed(f"no connection to {where}: {error.strerror or error}") from error
        if self._closed:
            connection.abort()
            raise ConnectFailed(f"the gateway no longer sends to {where}")
        connection.on_lost = self._lost
        if connection.closed:
            raise ConnectFailed(f"{where} closed the connection at once")
        self._open.add(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._interval, self._sweep)
        return connection

    async def close(self) -> None:
        """Close idle connections now; busy ones end with their exchange."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _dial(self) -> OriginConnection:
        loop = asyncio.get_running_loop()
        if self._tls is None:
            _, connection = await loop.create_connection(self._factory, self._origin.host, self._origin.port)
        else:
            _, connection = await loop.create_connection(
                self._factory, self._origin.host, self._origin.port, ssl=self._tls, server_hostname=self._origin.host
            )
        return connection

    def _factory(self) -> OriginConnection:
        return OriginConnection(self._settings)

    async def _wait_for_slot(self) -> None:
        while len(self._open) + self._connecting >= self._settings.max_connections:
            if self._idle:
                # An idle connection that this request must not use (see `unsafe_reuse`) makes room for a fresh one.
                oldest = self._idle.pop(0)
                self._open.discard(oldest)
                oldest.abort()
                continue
            slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(slot)
            try:
                await slot
            except asyncio.CancelledError:
                if slot.done() and not slot.cancelled():
                    self._wake_one()  # given to us and not used: to the next
                raise
            finally:
                if slot in self._waiting:
                    self._waiting.remove(slot)

    def _wake_one(self) -> None:
        while self._waiting:
            slot = self._waiting.popleft()
            if not slot.done():
                slot.set_result(None)
                return

    def _lost(self, connection: OriginConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._wake_one()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._open):
            connection.expire(now)
        for connection in tuple(self._idle):
            if now - connection.idle_since >= connection.keepalive:
                self._idle.remove(connection)
                connection.close()
        self._sweeper = loop.call_later(self._interval, self._sweep) if self._open else None

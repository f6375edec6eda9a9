"""The public listener: accepts visitors' connections and hands their requests, one `Exchange` each, to a handler."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import http, http_parser, http_writer, web

from gateway.intake.body import Budget
from gateway.intake.connection import Connection
from gateway.intake.exchange import CONTINUE, Exchange
from gateway.intake.limits import Limits
from gateway.intake.refusal import (
    BodyMalformed,
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    IntakeError,
    NoRoom,
    Refused,
)
from gateway.intake.sharing import Share, Taker

__all__ = [
    "CONTINUE", "BodyMalformed", "BodyTimeout", "BodyTooLarge", "ClientGone", "Exchange", "ExtensionsMissing", "IntakeError", "Limits",
    "Listener", "NoRoom", "Refused", "require_extensions",
]  # fmt: skip

_log = logging.getLogger(__name__)

Handler = Callable[[Exchange], Awaitable[None]]
OnRefusal = Callable[[int, str], None]
OnError = Callable[[Exchange, Exception], None]


class ExtensionsMissing(RuntimeError):
    """aiohttp runs without its C extensions."""


def require_extensions() -> None:
    """Raises ExtensionsMissing where aiohttp's parser or writer is the pure-Python one: slower, and less strict with hostile input."""
    missing = []
    if http.HttpRequestParser is http_parser.HttpRequestParserPy:
        missing.append("parser")
    if http_writer._serialize_headers is http_writer._py_serialize_headers:
        missing.append("writer")
    if missing:
        raise ExtensionsMissing(
            f"aiohttp runs without its C {' and '.join(missing)}. Unset AIOHTTP_NO_EXTENSIONS if it is set; otherwise install aiohttp "
            "from a wheel for this platform (pip install --force-reinstall --only-binary aiohttp aiohttp)."
        )


def log_error(exchange: Exchange, error: Exception) -> None:
    """The default error hook: one record with traceback, and nothing of the visitor in it but the method."""
    _log.error("handler failed on a %s request", exchange.method, exc_info=error)


class Acceptor(web.Server):
    """Makes connections and knows the open ones; what they share lives here."""

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        on_refusal: OnRefusal,
        on_error: OnError,
        trusted: Callable[[str], bool],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(_unused, loop=loop)
        self.loop = loop
        self.handler = handler
        self.limits = limits
        self.on_refusal = on_refusal
        self.on_error = on_error
        self.trusted = trusted
        self.budget = Budget(limits.body_bytes_in_flight)
        self.in_flight = 0
        self.draining = False
        self.share: Share | None = None
        self._per_address: dict[bytes, int] = {}

    def __call__(self) -> Connection:
        return Connection(self, self.loop)

    def admit(self, connection: Connection) -> Refused | None:
        """Counts a new connection; returns why it must not stay, if so."""
        limits = self.limits
        if len(self._connections) > limits.connections:
            return Refused(503, "connections", "Too many connections. Please try again in a moment.")
        address = connection.peer[0]
        if not address or self.trusted(address):
            return None
        key = address_key(address)
        count = self._per_address.get(key, 0)
        if count >= limits.connections_per_address:
            return Refused(429, "connections_per_address", "Too many connections from this address.")
        self._per_address[key] = count + 1
        connection.address_key = key
        return None

    def forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if self.share is not None:
            self.share.add(-1)
        key = connection.address_key
        if key is not None:
            count = self._per_address[key] - 1
            if count:
                self._per_address[key] = count
            else:
                del self._per_address[key]

    def sweep(self) -> None:
        """Looks at every connection whose deadline has come. One pass a second is cheaper than a timer for each request."""
        now = self.loop.time()
        for connection in list(self._connections):
            if isinstance(connection, Connection) and connection.due <= now:
                connection.on_due(now)


async def _unused(_: web.BaseRequest) -> web.StreamResponse:
    """aiohttp's own request loop is replaced, so its handler is never called."""
    raise AssertionError


def address_key(address: str) -> bytes:
    """What connections are counted under: the IPv4 address (also where it is mapped into IPv6), or the IPv6 /64.

    A household or a server has a /64 of its own, so counting single IPv6 addresses would count nobody.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return parsed.packed[:8] if mapped is None else mapped.packed
    return parsed.packed


class Listener:
    """The public side of the gateway.

    handler: serves one exchange; it may raise what `gateway.intake.refusal` lists, which is then answered for it.
    on_refusal: called with status and reason (a stable word) for every request or connection refused here.
    trusted: tells whether an address is a trusted proxy, whose connections are not counted per address.
    on_error: called once for each exception that escapes the handler; the visitor gets a plain 500 if nothing was sent yet.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        on_refusal: OnRefusal,
        trusted: Callable[[str], bool],
        on_error: OnError = log_error,
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._on_refusal = on_refusal
        self._on_error = on_error
        self._trusted = trusted
        self._acceptor: Acceptor | None = None
        self._servers: list[asyncio.Server] = []
        self._takers: list[Taker] = []
        self._closed: list[Taker] = []
        self._timer: asyncio.TimerHandle | None = None
        shortest = min(
            limits.header_deadline_s, limits.keep_alive_s, limits.linger_s, limits.body_grace_s, limits.send_stall_s,
            limits.body_deadline_s, limits.tunnel_idle_s,
        )  # fmt: skip
        self._sweep_s = min(1.0, max(0.02, shortest / 4))

    async def start(
        self,
        host: str | None = None,
        port: int = 0,
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 1024,
    ) -> None:
        """Listens on `host` and `port` (0: any free one). May be called for several addresses.

        Raises OSError where the address cannot be had, ExtensionsMissing (see `require_extensions`).
        """
        acceptor = self._prepare()
        server = await acceptor.loop.create_server(acceptor, host, port, ssl=ssl_context, backlog=backlog)
        self._servers.append(server)

    def join(self, socks: Sequence[socket.socket], share: Share, ssl_context: ssl.SSLContext | None = None) -> None:
        """Takes this worker's share of the connections that come to sockets which are listening already."""
        acceptor = self._prepare()
        acceptor.share = share
        share.take()
        self._takers += [Taker(sock, acceptor, share, acceptor.loop, ssl_context) for sock in socks]

    def _prepare(self) -> Acceptor:
        require_extensions()
        if self._acceptor is None:
            loop = asyncio.get_running_loop()
            self._acceptor = Acceptor(
                self._handler, self._limits, self._on_refusal, self._on_error, self._trusted, loop
            )
            self._sweep()
        return self._acceptor

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens: address and port of each socket."""
        listening = [sock for server in self._servers for sock in server.sockets]
        listening += [taker.sock for taker in self._takers]
        return [sock.getsockname()[:2] for sock in listening]

    @property
    def in_flight(self) -> int:
        """Exchanges being served."""
        return 0 if self._acceptor is None else self._acceptor.in_flight

    @property
    def connections(self) -> int:
        """Open connections, idle ones included."""
        return 0 if self._acceptor is None else len(self._acceptor.connections)

    @property
    def body_bytes(self) -> int:
        """Body bytes held in memory."""
        return 0 if self._acceptor is None else self._acceptor.budget.used

    def stop_accepting(self) -> None:
        """Closes the listening sockets; open connections go on. Shared ones stay open elsewhere, and what waits there is served there."""
        for server in self._servers:
            server.close()
        if self._acceptor is not None and self._acceptor.share is not None:
            self._acceptor.share.leave()
        for taker in self._takers:
            taker.close()
        self._closed += self._takers
        self._takers = []

    async def drain(self, timeout_s: float, idle_s: float = 0.0) -> int:
        """Stops accepting, closes idle connections, lets open exchanges end with `Connection: close`.

        idle_s  how long idle connections are kept for one more request, which may be on its way; where others go on serving, a visitor
                then never meets a connection that was closed under him
        After `timeout_s` cuts what is left. Returns the number of exchanges cut off.
        """
        self.stop_accepting()
        acceptor = self._acceptor
        if acceptor is None:
            return 0
        acceptor.draining = True
        now = acceptor.loop.time()
        deadline, idle_until = now + timeout_s, now + min(idle_s, timeout_s)
        # once in a process's life; an event would cost every request
        while True:
            if now >= idle_until:
                for connection in acceptor.connections:
                    if isinstance(connection, Connection):
                        connection.close_if_idle()
            if now >= deadline or not (acceptor.connections or any(taker.opening for taker in self._closed)):
                break
            await asyncio.sleep(0.02)
            now = acceptor.loop.time()
        cut_off = acceptor.in_flight
        tasks = [c.cancel() for c in acceptor.connections if isinstance(c, Connection)]
        open_tasks = [task for task in tasks if task is not None]
        if open_tasks:
            await asyncio.wait(open_tasks, timeout=1.0)
        await asyncio.sleep(0)  # lets the transports report their end
        if self._timer is not None:
            self._timer.cancel()
        return cut_off

    def _sweep(self) -> None:
        acceptor = self._acceptor
        if acceptor is not None:
            self._timer = acceptor.loop.call_later(self._sweep_s, self._sweep)
            acceptor.sweep()

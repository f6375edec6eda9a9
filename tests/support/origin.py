"""A web site at a raw socket, in a thread of its own: keeps what it received byte for byte, and answers as a test tells it."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Received:
    """One request. raw_body: with chunk framing; body: without."""

    head: bytes
    raw_body: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        return [tuple(line.split(b": ", 1)) for line in self.head.split(b"\r\n")[1:] if line]  # type: ignore[misc]

    def field(self, name: str) -> str | None:
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.fields if key.lower() == wanted), None)

    def all(self, prefix: str) -> dict[str, str]:
        start = prefix.lower().encode()
        return {key.decode(): value.decode("latin-1") for key, value in self.fields if key.lower().startswith(start)}


class Side:
    """The origin's end of a connection, for scripts that do more than answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Side, Received], Awaitable[bytes | None] | bytes | None]
"""Answers with whole bytes, or writes itself and answers None; the connection ends then."""


def response(
    body: bytes | str = b"ok",
    status: str = "200 OK",
    *fields: tuple[str, str],
    kind: str = "text/html; charset=utf-8",
) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


class Origin:
    """`scripts` maps a path (without query) to an answer or a Script; what is not there gets `default`."""

    def __init__(self) -> None:
        self.scripts: dict[str, bytes | Script] = {}
        self.default: bytes | Script = response("the origin's page")
        self.received: list[Received] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=2**26)
        self.port = self._server.sockets[0].getsockname()[1]

    def down(self) -> None:
        """Nobody listens any more; new connections are refused."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    def up(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = Side(reader, writer)
        try:
            while (request := await self._read(reader, side)) is not None:
                self.received.append(request)
                path = request.target.split(b"?")[0].decode("latin-1")
                script = self.scripts.get(path, self.default)
                answer = script(side, request) if callable(script) else script
                if inspect.isawaitable(answer):
                    answer = await answer
                if answer is None:
                    return
                await side.send(answer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, side: Side) -> Received | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lower = head.lower()
        if b"\r\nexpect: 100-continue\r\n" in lower:
            await side.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            raw, body = bytearray(), bytearray()
            while True:
                line = await reader.readline()
                data = await reader.readexactly(int(line, 16) + 2)
                raw += line + data
                body += data[:-2]
                if line == b"0\r\n":
                    return Received(head, bytes(raw), bytes(body))
        if b"\r\ncontent-length: " in lower:
            length = int(lower.split(b"\r\ncontent-length: ", 1)[1].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
            return Received(head, body, body)
        return Received(head, b"", b"")

    # looking

    def to(self, path: str) -> list[Received]:
        return [request for request in self.received if request.target.split(b"?")[0] == path.encode()]

    def holding(self, piece: bytes | str) -> list[Received]:
        """Requests with `piece` in head or body."""
        wanted = piece.encode() if isinstance(piece, str) else piece
        return [request for request in self.received if wanted in request.head or wanted in request.body]

    def wait_for(self, piece: bytes | str, seconds: float = 15) -> Received:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.holding(piece)
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"the origin never received {piece!r}; it has {[r.line for r in self.received]}")

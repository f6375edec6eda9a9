"""One request of a visitor and the answer to it, as raw bytes in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from gateway.intake.refusal import STATUS_LINES, BodyTooLarge

if TYPE_CHECKING:
    from gateway.intake.connection import Connection
    from gateway.intake.framing import Head
    from gateway.intake.tunnel import TunnelReader, TunnelWriter

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """What a handler gets: the request as received, its body as it arrives, and the means to answer.

    All bytes are raw as received; header values come without the white space around them. Every method that waits raises `ClientGone`
    when the visitor's connection is lost; a lost connection does not cancel the handler (a lead may be on its way to the disk).
    The answer is `start`, `write` ..., `finish`, or `respond` in one go.
    """

    __slots__ = (
        "_closing", "_connection", "_reserved", "_written_chunked", "chunked", "content_length", "expects_continue", "finished",
        "has_body", "headers", "index", "method", "on_gone", "peer", "started", "target", "tls", "upgrade", "version",
    )  # fmt: skip

    def __init__(self, head: Head, connection: Connection) -> None:
        self.method: str = head.method
        self.target: bytes = head.target
        self.version: tuple[int, int] = head.version
        self.headers: tuple[tuple[bytes, bytes], ...] = head.headers
        self.index: dict[bytes, bytes] = head.index
        self.content_length: int | None = head.content_length
        self.chunked: bool = head.chunked
        self.has_body: bool = head.has_body
        self.expects_continue: bool = head.expects_continue  # waits for a 100; false once it was sent
        self.upgrade: bytes | None = head.upgrade
        self.peer: tuple[str, int] = connection.peer
        self.tls: bool = connection.tls
        self.started = False  # the head of the final answer is on its way
        self.finished = False  # and all of its body
        self.on_gone: Callable[[], None] | None = (
            None  # called once if the connection is lost before the answer is complete
        )
        self._connection = connection
        self._closing = False
        self._written_chunked = False
        self._reserved = 0

    # the request

    def header(self, name_lower: bytes) -> bytes | None:
        """Value of a header field by its lower-case name; several are joined with ", " (RFC 9110 section 5.3), cookies with "; "."""
        return self.index.get(name_lower)

    @property
    def gone(self) -> bool:
        """The visitor's connection is lost. A half-closed one is not: its owner still waits for the answer."""
        return self._connection.lost

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may serve another request after this answer. Ask when the head is built: drain changes it."""
        return self._connection.may_persist(self)

    def connection_field(self) -> bytes:
        """The `Connection` field line the answer needs (with CRLF), or nothing: `close`, or `keep-alive` for HTTP/1.0."""
        if not self.keep_alive:
            return b"Connection: close\r\n"
        return b"" if self.version == (1, 1) else b"Connection: keep-alive\r\n"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, without chunked framing; nothing for a request without body.

        The visitor is read only as fast as this is consumed. Does not send `100 Continue`: on streaming routes that is the
        origin's decision, see `inform`. Raises BodyTimeout, BodyMalformed, ClientGone.
        """
        body = self._connection.body_of(self)
        while body is not None:
            data = await body.next()
            if not data:
                return
            yield data

    async def read(self, limit: int) -> bytes:
        """The whole body, at most `limit` bytes; asks for it with `100 Continue` when the visitor waits for that.

        A `Content-Length` above the limit is refused before anything is read (and before `100 Continue` is sent: a handler
        that goes on with `chunks` has to `inform`). The memory is counted until the exchange ends. Raises BodyTooLarge (with
        what was received; the rest stays readable through `chunks`), NoRoom, BodyTimeout, BodyMalformed, ClientGone.
        """
        body = self._connection.body_of(self)
        if body is None:
            return b""
        if self.content_length is not None and self.content_length > limit:
            raise BodyTooLarge(b"", limit)
        if self.expects_continue and not body.begun:
            await self.inform(CONTINUE)
        received: list[bytes] = []
        size = 0
        while data := await body.next():
            await self._connection.reserve(len(data))
            self._reserved += len(data)
            received.append(data)
            size += len(data)
            if size > limit:
                raise BodyTooLarge(b"".join(received), limit)
        return received[0] if len(received) == 1 else b"".join(received)

    # the answer

    async def inform(self, head: bytes) -> None:
        """Sends an informational answer: the whole 1xx head with its final empty line. HTTP/1.0 clients are spared it.

        RFC 9110 section 15.2: "a server MUST NOT send a 1xx response to an HTTP/1.0 client".
        """
        if self.version != (1, 0):
            await self._connection.send(head)
        if head[9:12] == b"100":
            self._connection.body_invited(self)

    async def start(self, head: bytes, *, chunked: bool = False, close: bool = False) -> None:
        """Sends the head of the final answer, as given, with its final empty line.

        chunked: `write` frames what it is given and `finish` ends the last chunk; the head must say so. Not for HTTP/1.0.
        close: the connection ends behind the answer; set it when the head says so, or when only the end of the connection
        delimits the body.
        """
        if self.started:
            raise RuntimeError("the answer has been started before")
        if chunked and self.version == (1, 0):
            # RFC 9112 section 6.1: "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding
            # request indicates HTTP/1.1 (or later minor revisions)."
            raise ValueError("an HTTP/1.0 client cannot read a chunked answer: send it without framing and close=True")
        self.started = True
        self._written_chunked = chunked
        self._closing = close or not self.keep_alive
        await self._connection.send(head)

    async def write(self, data: bytes) -> None:
        """Sends body bytes; waits while the visitor's connection is full."""
        if not data:
            return
        if self._written_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await self._connection.send(data)

    async def finish(self) -> None:
        """Ends the answer. Without this the handler's return drops the connection, so that the visitor sees a broken answer."""
        if self._written_chunked and not self.finished:
            await self._connection.send(b"0\r\n\r\n")
        self.finished = True

    def abort(self) -> None:
        """Drops the connection now: the answer broke off and must not look complete."""
        self._connection.cut()

    async def respond(self, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """A whole answer of our own. Adds `Content-Length`, and `Connection` where the protocol needs it; nothing else."""
        if self.started:
            raise RuntimeError("the answer has been started before")
        parts = [STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status]
        parts.extend(b"%b: %b\r\n" % field for field in headers)
        # RFC 9110 section 8.6: "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx
        # (Informational) or 204 (No Content)."
        if status != 204 and status != 304:
            parts.append(b"Content-Length: %d\r\n" % len(body))
        parts.append(self.connection_field())
        parts.append(b"\r\n")
        if self.method != "HEAD" and status != 204 and status != 304:
            parts.append(body)
        self.started = True
        self._closing = not self.keep_alive
        await self._connection.send(b"".join(parts))
        self.finished = True

    def tunnel(self) -> tuple[TunnelReader, TunnelWriter]:
        """After a 101 was started: the raw bytes both ways, beginning with those that came right behind the request.

        The reader is an async iterator of bytes that ends when the visitor ends his side; the writer has `write(data)` (waits
        while the connection is full) and `finish()` (ends our side). Returning from the handler closes the connection.
        """
        if not self.started or self.upgrade is None:
            raise RuntimeError("a tunnel needs an upgrade request and a started 101 answer")
        return self._connection.open_tunnel()

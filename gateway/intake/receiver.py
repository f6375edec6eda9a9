"""What a visitor sends, taken apart: heads are cut out of the stream and parsed one at a time, bodies are passed on.

aiohttp's request handler is the base: its parser reads the heads, its write flow control is used as it is. Its request loop is not,
because it invents response fields, leaves half-closed clients without an answer, loses or misreads bytes behind an `Upgrade`, and has
no deadlines for bodies. Bodies never enter the parser, so that no second reader can find another end of them.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from typing import cast

from aiohttp.http import HttpRequestParser
from aiohttp.web_server import Server

from gateway.intake.body import Body, Budget
from gateway.intake.chunked import ChunkedDecoder
from gateway.intake.framing import Head, check_partial, read_head
from gateway.intake.limits import Limits
from gateway.intake.refusal import ClientGone, Refused
from gateway.intake.transport import VisitorTransport

# What the next bytes are: (part of) a head; body; nobody's yet, because an answer is being made; another protocol; thrown away.
HEAD, BODY, WAIT, TUNNEL, LINGER = range(5)
CHECK_S = 1.0  # how often the rate of an arriving body is looked at
_TAKING = (BODY, TUNNEL)
_PIPELINE_BYTES = 64 * 1024  # bytes of later requests held while an answer is made; then the visitor is read no further


class Receiver(VisitorTransport, ABC):
    """The incoming half of a connection. What happens with a complete head is said by the methods without a body."""

    __slots__ = ("_body", "_empty_line_skipped", "_eof", "_head_at", "_pending", "_phase", "_scanned", "budget")

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, limits: Limits, budget: Budget) -> None:
        super().__init__(server, loop, limits)
        self.budget = budget
        self._phase = HEAD
        self._pending = b""  # received, not yet understood
        self._scanned = 0  # so much of it holds no end of a head
        self._empty_line_skipped = False
        self._head_at = 0.0  # when the head was complete
        self._body: Body | None = None
        self._eof = False  # the visitor has ended his side

    @abstractmethod
    def begin(self, head: Head) -> None:
        """A request has come; the bytes behind its head are pending."""

    @abstractmethod
    def free(self) -> None:
        """A body that nobody wanted is over: the connection may serve the next request."""

    @abstractmethod
    def refuse(self, refused: Refused) -> None:
        """What came is no request we serve: answers and ends the connection."""

    @abstractmethod
    def end_connection(self, unread: bool = False) -> None:
        """Closes behind what was written. `unread`: the visitor may still be sending."""

    def eof_received(self) -> bool:  # type: ignore[override]  # the base closes the connection; we may still owe an answer
        self._eof = True
        if self.tls:  # TLS transports cannot stay half open
            return False
        if self._phase == HEAD:
            if not self._pending:
                return False
            self.refuse(Refused(400, "head_truncated", "The request ended before its header was complete."))
            return True
        if self._phase == LINGER:
            return False
        body = self._body
        if body is not None and not body.done:
            if self._phase == TUNNEL:
                body.end()
            else:
                # RFC 9112 section 8: "If the sender closes the connection [...] before the indicated number of octets are
                # received, the recipient MUST consider the message to be incomplete and close the connection."
                body.fail(ClientGone("the request body ended early"))
                return not body.discarding
        return True

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase == HEAD:
            self._read_head(self._pending + data if self._pending else data)
        elif phase in _TAKING:
            self._read_body(data)
        elif phase == WAIT:
            self._pending += data
            if len(self._pending) > _PIPELINE_BYTES:
                self.hold()

    def _read_head(self, data: bytes) -> None:
        if data[0] == 0x0D and not self._empty_line_skipped:
            # RFC 9112 section 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one
            # empty line (CRLF) received prior to the request-line." Stricter: exactly one.
            if data.startswith(b"\r\n"):
                self._empty_line_skipped = True
                data = data[2:]
            elif len(data) > 1:
                self.refuse(Refused(400, "bare_line_end", "A line ends with a bare CR."))
                return
        limits = self._limits
        end = data.find(b"\r\n\r\n", self._scanned) + 4
        try:
            if end < 4 or end > limits.header_bytes:
                if data and data != b"\r":
                    check_partial(data, limits)
                    if not self._pending:
                        self.due = self.loop.time() + limits.header_deadline_s
                    self._scanned = max(0, len(data) - 3)
                self._pending = data
                return
            parser = self._parser
            if parser is None:
                parser = self._parser = self.new_parser()
            head = read_head(data if end == len(data) else data[:end], cast(HttpRequestParser, parser), limits)
        except Refused as refused:
            self.refuse(refused)
            return
        if not head.pristine:
            self._parser = None
        self._pending = b"" if end == len(data) else data[end:]
        self._scanned = 0
        self._empty_line_skipped = False
        self._phase = WAIT
        self.due = math.inf
        self.begin(head)

    def _begin_body(self, head: Head) -> None:
        self._head_at = now = self.loop.time()
        decoder = ChunkedDecoder(self._limits) if head.chunked else None
        self._body = Body(self, head.content_length, decoder)
        self._phase = BODY
        self.due = now + CHECK_S
        if not head.expects_continue:
            self._body.run_clock(now)
        if self._pending:
            data, self._pending = self._pending, b""
            self._read_body(data)

    def _read_body(self, data: bytes) -> None:
        body = self._body
        if body is None or body.failed:
            return
        if not body.begun or self._phase == TUNNEL:
            self._last_byte = self.loop.time()
            body.run_clock(self._last_byte)
        try:
            rest = body.feed(data)
        except Refused as refused:
            body.fail(refused)
            if body.discarding:
                self.end_connection(unread=True)
            return
        if body.done:
            self._phase = WAIT
            self.due = self._stalled_at + self._limits.send_stall_s if self._paused else math.inf
            self._pending = rest
            if body.discarding:  # the answer was complete before
                self._body = None
                self.free()
            elif len(rest) > _PIPELINE_BYTES:
                self.hold()
        elif body.size > self._limits.body_buffer_bytes or (body.size and self.budget.full):
            self.hold()

    def hold(self) -> None:
        if self._body is not None and not self._held:
            self._body.stop_clock(self.loop.time())
        super().hold()

    def release(self) -> None:
        if self._body is not None and not self._body.done and self._held:
            self._body.run_clock(self.loop.time())
        super().release()

    def body_taken(self, body: Body) -> None:
        """The reader took a piece: read on, once there is room. An empty queue always reads on, so that nobody starves."""
        if self._held and self._phase != WAIT:
            low = 0 if self.budget.full else self._limits.body_buffer_bytes // 2
            if body.size <= low:
                self.release()

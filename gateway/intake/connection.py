"""One visitor's connection: bytes in, exchanges to the handler one after the other, bytes out.

aiohttp's request handler is the base: its parser reads the heads, its transport bookkeeping and write flow control are used as they are.
Its request loop is not, because it invents response fields, leaves half-closed clients without an answer, loses or misreads bytes
behind an `Upgrade`, and has no deadlines for bodies. Heads are cut out of the stream here and parsed one at a time; bodies never
enter the parser; a pipelined request is looked at only after the answer before it is complete.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, cast

from aiohttp.http import HttpRequestParser

from gateway.intake.body import Body, Budget
from gateway.intake.chunked import ChunkedDecoder
from gateway.intake.exchange import Exchange
from gateway.intake.framing import check_partial, read_head
from gateway.intake.refusal import BodyTimeout, ClientGone, NoRoom, Refused, plain_answer
from gateway.intake.transport import VisitorTransport
from gateway.intake.tunnel import TunnelReader, TunnelWriter

if TYPE_CHECKING:
    from gateway.intake.server import Acceptor

# What the next bytes are: (part of) a head; body; nobody's yet, because an answer is being made; another protocol; thrown away.
_HEAD, _BODY, _WAIT, _TUNNEL, _LINGER = range(5)
_TAKING = (_BODY, _TUNNEL)
_PIPELINE_BYTES = 64 * 1024  # bytes of later requests held while an answer is made; then the visitor is read no further
_DISCARD_BYTES = 256 * 1024  # rest of a body read in vain to keep a connection; beyond that closing is cheaper
_CHECK_S = 1.0  # how often the rate of an arriving body is looked at


class Connection(VisitorTransport):
    """Its life: head → (body) → answer → head ..., then closed at once or, where unread bytes may come, lingering."""

    __slots__ = (
        "_acceptor", "_body", "_empty_line_skipped", "_eof", "_exchange", "_head_at", "_pending", "_persist", "_phase", "_scanned",
        "_served", "_task", "address_key", "budget",
    )  # fmt: skip

    def __init__(self, acceptor: Acceptor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(acceptor, loop, acceptor.limits)
        self.budget: Budget = acceptor.budget
        self.address_key: bytes | None = None  # what it is counted under, if it is
        self._acceptor = acceptor
        self._phase = _HEAD
        self._pending = b""  # received, not yet understood
        self._scanned = 0  # so much of it holds no end of a head
        self._empty_line_skipped = False
        self._head_at = 0.0  # when the head was complete
        self._persist = False
        self._served = 0
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._body: Body | None = None
        self._eof = False  # the visitor has ended his side

    # transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._acceptor.connection_made(self, cast(asyncio.Transport, transport))
        refused = self._acceptor.admit(self)
        if refused is not None:
            self._refuse(refused)
        else:
            self.due = self.loop.time() + self._limits.keep_alive_s

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._acceptor.forget(self)
        self._pending = b""
        exchange = self._exchange
        if self._body is not None:
            self._body.fail(ClientGone("the connection was lost"))
        if exchange is not None and not exchange.finished and exchange.on_gone is not None:
            exchange.on_gone()

    def eof_received(self) -> bool:  # type: ignore[override]  # the base closes the connection; we may still owe an answer
        self._eof = True
        if self.tls:  # TLS transports cannot stay half open
            return False
        if self._phase == _HEAD:
            if not self._pending:
                return False
            self._refuse(Refused(400, "head_truncated", "The request ended before its header was complete."))
            return True
        if self._phase == _LINGER:
            return False
        body = self._body
        if body is not None and not body.done:
            if self._phase == _TUNNEL:
                body.end()
            else:
                # RFC 9112 section 8: "If the sender closes the connection [...] before the indicated number of octets are
                # received, the recipient MUST consider the message to be incomplete and close the connection."
                body.fail(ClientGone("the request body ended early"))
                return not body.discarding
        return True

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase == _HEAD:
            self._read_head(self._pending + data if self._pending else data)
        elif phase in _TAKING:
            self._read_body(data)
        elif phase == _WAIT:
            self._pending += data
            if len(self._pending) > _PIPELINE_BYTES:
                self.hold()

    # reading

    def _read_head(self, data: bytes) -> None:
        if data[0] == 0x0D and not self._empty_line_skipped:
            # RFC 9112 section 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one
            # empty line (CRLF) received prior to the request-line." Stricter: exactly one.
            if data.startswith(b"\r\n"):
                self._empty_line_skipped = True
                data = data[2:]
            elif len(data) > 1:
                self._refuse(Refused(400, "bare_line_end", "A line ends with a bare CR."))
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
            self._refuse(refused)
            return
        if not head.pristine:
            self._parser = None
        self._pending = b"" if end == len(data) else data[end:]
        self._scanned = 0
        self._empty_line_skipped = False
        self._served += 1
        self._persist = head.keep_alive and self._served < limits.requests_per_connection
        self._phase = _WAIT
        self.due = math.inf
        exchange = self._exchange = Exchange(head, self)
        if head.has_body:
            self._begin_body(exchange)
        self._acceptor.in_flight += 1
        self._task = self.loop.create_task(self._serve(exchange))

    def _begin_body(self, exchange: Exchange) -> None:
        self._head_at = now = self.loop.time()
        decoder = ChunkedDecoder(self._limits) if exchange.chunked else None
        self._body = Body(self, exchange.content_length, decoder)
        self._phase = _BODY
        self.due = now + _CHECK_S
        if not exchange.expects_continue:
            self._body.run_clock(now)
        if self._pending:
            data, self._pending = self._pending, b""
            self._read_body(data)

    def _read_body(self, data: bytes) -> None:
        body = self._body
        if body is None or body.failed:
            return
        if not body.begun or self._phase == _TUNNEL:
            self._last_byte = self.loop.time()
            body.run_clock(self._last_byte)
        try:
            rest = body.feed(data)
        except Refused as refused:
            body.fail(refused)
            if self._exchange is None:
                self._end_connection(unread=True)
            return
        if body.done:
            self._phase = _WAIT
            self.due = self._stalled_at + self._limits.send_stall_s if self._paused else math.inf
            self._pending = rest
            if self._exchange is None:  # the answer was complete before
                self._body = None
                self._next()
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

    # for the exchange

    def body_of(self, exchange: Exchange) -> Body | None:
        return self._body if exchange is self._exchange and exchange.has_body else None

    def body_taken(self, body: Body) -> None:
        """The reader took a piece: read on, once there is room. An empty queue always reads on, so that nobody starves."""
        if self._held and self._phase != _WAIT:
            low = 0 if self.budget.full else self._limits.body_buffer_bytes // 2
            if body.size <= low:
                self.release()

    def body_invited(self, exchange: Exchange) -> None:
        if self._body is not None and exchange is self._exchange and not self._held:
            self._body.run_clock(self.loop.time())
            exchange.expects_continue = False

    async def reserve(self, size: int) -> None:
        if not await self.budget.wait_for_room(size, self._limits.room_wait_s):
            raise NoRoom

    def may_persist(self, exchange: Exchange) -> bool:
        if not self._persist or self._acceptor.draining:
            return False
        body = self._body
        # A visitor who still waits for `100 Continue` may or may not send the body now: what comes next would be a guess.
        return body is None or not (body.failed or (exchange.expects_continue and not body.begun))

    def open_tunnel(self) -> tuple[TunnelReader, TunnelWriter]:
        body = self._body = Body(self, None, None)
        self._phase = _TUNNEL
        self._last_byte = self.loop.time()
        self.due = self._last_byte + self._limits.tunnel_idle_s
        if self.lost:
            body.fail(ClientGone("the connection was lost"))
        data, self._pending = self._pending, b""
        if data:
            self._read_body(data)
        if self._eof:
            body.end()
        self.release()
        return TunnelReader(body), TunnelWriter(self)

    def tunnel_used(self) -> None:
        self._last_byte = self.loop.time()

    # an exchange from its start to its end

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._acceptor.handler(exchange)
            if not exchange.started:
                raise RuntimeError("the handler returned without an answer")
        except ClientGone:
            if not exchange.started and not self.lost:  # half-closed inside the body: its owner may still read
                self._answer_refusal(exchange, Refused(400, "body_truncated", "The request body ended early."))
        except Refused as refused:
            self._answer_refusal(exchange, refused)
        except asyncio.CancelledError:  # cut off by drain
            self.cut()
            raise
        except Exception as error:  # noqa: BLE001  # a fault of the handler must not take the connection's bookkeeping with it
            self._acceptor.on_error(exchange, error)
            if not (exchange.started or self.lost):
                self._answer_refusal(exchange, Refused(500, "error", "The request could not be handled."))
        finally:
            self._ended(exchange)

    def _answer_refusal(self, exchange: Exchange, refused: Refused) -> None:
        self._acceptor.on_refusal(refused.status, refused.reason)
        if exchange.started or self.transport is None:
            return
        answer = plain_answer(refused.status, refused.text)
        self.transport.write(answer[: answer.index(b"\r\n\r\n") + 4] if exchange.method == "HEAD" else answer)
        exchange.started = exchange.finished = exchange._closing = True

    def _ended(self, exchange: Exchange) -> None:
        self._acceptor.in_flight -= 1
        if exchange._reserved:
            self.budget.give(exchange._reserved)
        self._exchange = self._task = None
        body = self._body
        if self.lost:
            if body is not None:
                body.discard()
        elif self._phase == _TUNNEL:
            self._end_connection()
        elif not exchange.finished:
            self.cut()
            if body is not None:
                body.discard()
        elif exchange._closing or self._acceptor.draining:
            self._end_connection()
        elif body is None or body.done:
            if body is not None:
                body.discard()
                self._body = None
            self._next()
        elif body.failed or self._eof or not self.may_persist(exchange) or (body.remaining or 0) > _DISCARD_BYTES:
            self._end_connection()
        else:
            body.discard()
            self.due = self.loop.time() + self._limits.linger_s
            self.release()

    def _next(self) -> None:
        """The connection is free for the next request; it may be here already."""
        self._phase = _HEAD
        data, self._pending = self._pending, b""
        self.due = self.loop.time() + self._limits.keep_alive_s
        if self._held:
            self.release()
        if data:
            self._read_head(data)
        if self._eof and self._phase == _HEAD and not self.lost:
            if self._pending:
                self._refuse(Refused(400, "head_truncated", "The request ended before its header was complete."))
            elif self.transport is not None:
                self.transport.close()

    def _refuse(self, refused: Refused) -> None:
        """Answers a request that never became an exchange, and closes."""
        self._acceptor.on_refusal(refused.status, refused.reason)
        self._parser = None
        if self.transport is not None:
            self.transport.write(plain_answer(refused.status, refused.text))
        self._end_connection(unread=True)

    def _end_connection(self, unread: bool = False) -> None:
        """Ends the connection behind what was written; lingers where the visitor may still be sending.

        RFC 9112 section 9.6: "If a server performs an immediate close of a TCP connection, there is a significant risk that the
        client will not be able to read the last HTTP response. [...] servers typically close a connection in stages."
        """
        transport = self.transport
        if transport is None:
            return
        body, self._body = self._body, None
        if body is not None:
            unread = unread or not body.done
            body.discard()
        unread = unread or bool(self._pending) or self._held
        self._phase = _LINGER
        self._pending = b""
        self._unsent = transport.get_write_buffer_size()
        self._stalled_at = self.loop.time()
        self.due = self._stalled_at + self._limits.linger_s
        if self._eof or not unread:
            transport.close()  # behind what is still unsent
        else:
            self.end_sending()
            self.release()

    # deadlines and drain, called by the acceptor

    def on_due(self, now: float) -> None:
        """Looks at the deadlines of the moment and sets `due` for the next look."""
        phase = self._phase
        if phase == _HEAD:
            if self._pending:
                self._refuse(Refused(408, "header_deadline", "The request header took too long."))
            else:
                self._end_connection()
            return
        if phase == _LINGER:
            if self.sends_on(now):
                self.due = now + self._limits.linger_s
            else:
                self.cut()
            return
        limits = self._limits
        due = self.check_stall(now)
        if phase == _TUNNEL:
            due = min(due, self._last_byte + limits.tunnel_idle_s)
        elif phase == _BODY and self._body is not None:
            if self._exchange is None:  # the rest of a body nobody wants
                self._end_connection()
                return
            self._check_pace(self._body, now)
            due = min(due, now + _CHECK_S)
        if due <= now:
            self._acceptor.on_refusal(408, "tunnel_idle" if phase == _TUNNEL and not self._paused else "send_stall")
            self.cut()
            return
        self.due = due

    def _check_pace(self, body: Body, now: float) -> None:
        limits = self._limits
        waited = body.waited(now) - limits.body_grace_s
        if now - self._head_at > limits.body_deadline_s:
            body.fail(BodyTimeout("body_deadline", "The request body took too long."))
        elif waited > 0 and body.received < waited * limits.body_min_rate:
            body.fail(BodyTimeout("body_rate", "The request body came too slowly."))

    def close_if_idle(self) -> None:
        if self._phase == _HEAD and not self._pending:
            self._end_connection()

    def cancel(self) -> asyncio.Task[None] | None:
        """Cuts the connection; returns the task of the exchange that was open, if any."""
        task = self._task
        if task is not None:
            task.cancel()
        self.cut()
        return task

"""One visitor's connection: bytes in, exchanges to the handler one after the other, bytes out.

A pipelined request is looked at only after the answer before it is complete, so that answers keep the order of the requests.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from gateway.intake.body import Body
from gateway.intake.exchange import Exchange
from gateway.intake.framing import Head
from gateway.intake.receiver import BODY, CHECK_S, HEAD, LINGER, TUNNEL, Receiver
from gateway.intake.refusal import BodyTimeout, ClientGone, NoRoom, Refused, plain_answer
from gateway.intake.tunnel import TunnelReader, TunnelWriter

if TYPE_CHECKING:
    from gateway.intake.server import Acceptor

_DISCARD_BYTES = 256 * 1024  # rest of a body read in vain to keep a connection; beyond that closing is cheaper


class Connection(Receiver):
    """Its life: head → (body) → answer → head ..., then closed at once or, where unread bytes may come, lingering."""

    __slots__ = ("_acceptor", "_exchange", "_persist", "_served", "_task", "address_key")

    def __init__(self, acceptor: Acceptor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(acceptor, loop, acceptor.limits, acceptor.budget)
        self.address_key: bytes | None = None  # what it is counted under, if it is
        self._acceptor = acceptor
        self._persist = False
        self._served = 0
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None

    # transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._acceptor.connection_made(self, cast(asyncio.Transport, transport))
        refused = self._acceptor.admit(self)
        if refused is not None:
            # Past the total nobody lingers, or those who wait to be refused would be without bound.
            self._eof = refused.status == 503
            self.refuse(refused)
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

    def begin(self, head: Head) -> None:
        self._served += 1
        self._persist = head.keep_alive and self._served < self._limits.requests_per_connection
        exchange = self._exchange = Exchange(head, self)
        if head.has_body:
            self._begin_body(head)
        self._acceptor.in_flight += 1
        self._task = self.loop.create_task(self._serve(exchange))

    # for the exchange

    def body_of(self, exchange: Exchange) -> Body | None:
        return self._body if exchange is self._exchange and exchange.has_body else None

    def body_invited(self, exchange: Exchange) -> None:
        if exchange is self._exchange:
            exchange.expects_continue = False
            if self._body is not None and not self._held:
                self._body.run_clock(self.loop.time())

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
        self._phase = TUNNEL
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
        elif self._phase == TUNNEL:
            self.end_connection()
        elif not exchange.finished:
            self.cut()
            if body is not None:
                body.discard()
        elif exchange._closing or self._acceptor.draining:
            self.end_connection()
        elif body is None or body.done:
            if body is not None:
                body.discard()
                self._body = None
            self.free()
        elif body.failed or self._eof or not self.may_persist(exchange) or (body.remaining or 0) > _DISCARD_BYTES:
            self.end_connection()
        else:
            body.discard()
            self.due = self.loop.time() + self._limits.linger_s
            self.release()

    def free(self) -> None:
        """The connection is free for the next request; it may be here already."""
        self._phase = HEAD
        data, self._pending = self._pending, b""
        self.due = self.loop.time() + self._limits.keep_alive_s
        if self._held:
            self.release()
        if data:
            self._read_head(data)
        if self._eof and self._phase == HEAD and not self.lost:
            if self._pending:
                self.refuse(Refused(400, "head_truncated", "The request ended before its header was complete."))
            elif self.transport is not None:
                self.transport.close()

    def refuse(self, refused: Refused) -> None:
        """Answers a request that never became an exchange, and closes."""
        self._acceptor.on_refusal(refused.status, refused.reason)
        self._parser = None
        if self.transport is not None:
            self.transport.write(plain_answer(refused.status, refused.text))
        self.end_connection(unread=True)

    def end_connection(self, unread: bool = False) -> None:
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
        self._phase = LINGER
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
        if phase == HEAD:
            if self._pending:
                self.refuse(Refused(408, "header_deadline", "The request header took too long."))
            else:
                self.end_connection()
            return
        if phase == LINGER:
            if self.sends_on(now):
                self.due = now + self._limits.linger_s
            else:
                self.cut()
            return
        limits = self._limits
        due = self.check_stall(now)
        if phase == TUNNEL:
            due = min(due, self._last_byte + limits.tunnel_idle_s)
        elif phase == BODY and self._body is not None:
            if self._exchange is None:  # the rest of a body nobody wants
                self.end_connection()
                return
            self._check_pace(self._body, now)
            due = min(due, now + CHECK_S)
        if due <= now:
            self._acceptor.on_refusal(408, "tunnel_idle" if phase == TUNNEL and not self._paused else "send_stall")
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
        if self._phase == HEAD and not self._pending:
            self.end_connection()

    def cancel(self) -> asyncio.Task[None] | None:
        """Cuts the connection; returns the task of the exchange that was open, if any."""
        task = self._task
        if task is not None:
            task.cancel()
        self.cut()
        return task

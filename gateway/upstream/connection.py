"""One connection to the origin: bytes out, one answer at a time in, both with back-pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import httptools

from gateway.upstream.answer_head import Head
from gateway.upstream.errors import BrokenAnswer, HeadTimeout, IdleTimeout, OriginClosed, UpstreamError
from gateway.upstream.settings import UpstreamSettings

NEVER: Final = float("inf")
HIGH_WATER: Final = 64 * 1024  # body bytes waiting for the visitor at which the origin is not read until they are taken


class OriginConnection(asyncio.Protocol):
    """Protocol and llhttp callbacks in one object. One task reads answers; another may write a request body meanwhile."""

    __slots__ = (
        "_chunks", "_complete", "_drainer", "_fields", "_for_head", "_loop", "_overhead", "_parser", "_raw", "_reading_paused", "_refusal",
        "_settings", "_stale_parser", "_transport", "_waiter", "_wants_upgrade", "_writing_paused", "buffered", "closed", "eof", "failure",
        "head", "head_done", "idle_since", "informs", "informs_seen", "keepalive", "on_lost", "persists", "read_deadline", "reused", "sent",
        "touched", "unexpected", "write_deadline",
    )  # fmt: skip

    def __init__(self, settings: UpstreamSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._parser = self._new_parser()
        self._stale_parser = False
        self._waiter: asyncio.Future[None] | None = None
        self._drainer: asyncio.Future[None] | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._refusal: str | None = None  # why a callback stopped the parser
        self._raw = False  # a tunnel: bytes are no longer HTTP
        self.persists = False  # the answer's head leaves the connection open for another request
        self.head = Head()
        self._complete = True
        self._for_head = False
        self._wants_upgrade = False
        self._fields: list[tuple[bytes, bytes]] = []
        self._overhead = 0
        self._chunks: deque[bytes] = deque()
        self.buffered = 0  # body bytes received and not yet taken
        self.head_done = False
        self.informs: deque[Head] = deque()
        self.informs_seen = 0
        self.failure: UpstreamError | None = None
        self.closed = False
        self.eof = False
        self.unexpected = False  # bytes that belong to no answer
        self.sent = False  # bytes of the current request were written
        self.touched = False  # bytes came back for it
        self.reused = False
        self.idle_since = 0.0
        self.keepalive = settings.keepalive_timeout
        self.read_deadline = NEVER
        self.write_deadline = NEVER
        self.on_lost: Callable[[OriginConnection], None] | None = None

    def _new_parser(self) -> httptools.HttpResponseParser:
        parser = httptools.HttpResponseParser(self)
        # Data behind `Connection: close` is counted as unexpected instead of spoiling the answer in the same packet; some
        # old servers pad chunk sizes. Neither is passed on: framing is rebuilt.
        parser.set_dangerous_leniencies(lenient_keep_alive=True, lenient_spaces_after_chunk_size=True)
        return parser

    # one exchange

    @property
    def usable(self) -> bool:
        """Nothing is known against sending a request now."""
        return not self.closed and not self.eof and not self.unexpected and self.failure is None and self._complete

    @property
    def complete(self) -> bool:
        """The whole answer was received (perhaps not yet taken)."""
        return self._complete

    @property
    def keep(self) -> bool:
        """After the answer: whether the connection may serve another request."""
        return self.persists and self.usable and not self._raw and not self._chunks and not self._writing_paused

    def begin(self, *, for_head: bool, wants_upgrade: bool) -> None:
        """Prepare for one request and its answer."""
        if self._stale_parser:
            self._parser = self._new_parser()
            self._stale_parser = False
        self._complete = self.head_done = self.sent = self.touched = self.persists = False
        self._for_head = for_head
        self._wants_upgrade = wants_upgrade
        self._overhead = self.informs_seen = 0
        self.read_deadline = self.write_deadline = NEVER

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.closed:
            self.sent = True
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the origin takes more. Raises what ended the connection."""
        while self._writing_paused and not self.closed:
            self.write_deadline = self._loop.time() + self._settings.idle_timeout
            self._drainer = self._loop.create_future()
            try:
                await self._drainer
            finally:
                self._drainer = None
                self.write_deadline = NEVER
        if self.closed:
            raise self.failure or OriginClosed(
                "the origin closed the connection while the request was sent", sent=self.sent
            )

    def end_sending(self) -> None:
        """Half-close towards the origin, where the transport can (not over TLS)."""
        if self._transport is not None and not self.closed and self._transport.can_write_eof():
            self._transport.write_eof()

    def await_head(self, timeout: float) -> None:
        """All of the request is out: from now on the origin has `timeout` seconds to answer."""
        if not self.head_done:
            self.read_deadline = self._loop.time() + timeout

    async def wait(self) -> None:
        """Until something is there for the reading task: an inform, the head, body bytes, the end, a failure."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self, patience: float) -> bytes:
        """Next bytes of the body, as soon as there are any; b"" at its end. Raises the failure once all before it is taken.

        `patience`: seconds without any byte before the origin is given up.
        """
        chunks = self._chunks
        while not chunks:
            if self._complete:
                return b""
            if self.failure is not None:
                raise self.failure
            self.read_deadline = self._loop.time() + patience
            try:
                await self.wait()
            finally:
                self.read_deadline = NEVER
        return self.take()

    def take(self) -> bytes:
        """All body bytes at hand, without waiting."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        if self._reading_paused and not self.closed and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    def moved(self, timeout: float) -> None:
        """In a tunnel: bytes went the other way, so whoever waits for the origin has `timeout` seconds again."""
        if self.read_deadline != NEVER:
            self.read_deadline = self._loop.time() + timeout

    def expire(self, now: float) -> None:
        """Called by the pool's sweep: end what waits beyond its deadline."""
        if now >= self.read_deadline and not self.head_done:
            self.fail(HeadTimeout("the origin did not answer in time", sent=self.sent))
        elif now >= self.read_deadline or now >= self.write_deadline:
            self.fail(IdleTimeout("the origin stopped in the middle of a transfer", sent=self.sent))

    def fail(self, failure: UpstreamError) -> None:
        """End the connection; whoever waits gets `failure`, unless another came first or the answer was already whole."""
        if self.failure is None:
            self.failure = failure
        self.abort()
        self.wake()

    def abort(self) -> None:
        if self._transport is not None and not self.closed:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None and not self.closed:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self._complete and self.failure is None:
            how = "reset" if exc is not None else "closed"
            self.failure = OriginClosed(
                f"the origin {how} the connection before its answer was complete", sent=self.sent
            )
        if self._drainer is not None and not self._drainer.done():
            self._drainer.set_result(None)
        self.wake()
        if self.on_lost is not None:
            self.on_lost(self)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._drainer is not None and not self._drainer.done():
            self._drainer.set_result(None)

    def eof_received(self) -> bool:
        self.eof = True
        half_open = False
        if self._raw:
            self._complete = True
            # TLS cannot be half-closed: there, returning True only draws a warning.
            half_open = self._transport is not None and self._transport.get_extra_info("ssl_object") is None
        elif self.head_done and not self._complete and self.head.length is None and not self.head.chunked:
            self._complete = True  # RFC 9112 §6.3 rule 8: the end of the connection ends the body
        elif not self._complete:
            self.fail(OriginClosed("the origin closed the connection before its answer was complete", sent=self.sent))
        self.wake()
        return half_open

    def data_received(self, data: bytes) -> None:
        self.touched = True
        if self._raw:
            self._keep_bytes(data)
            self.wake()
            return
        if self._complete:
            # Nothing was asked: an answer to nothing, or more bytes than announced.
            self.unexpected = True
            self.close()
            return
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if behind := data[upgrade.args[0] :]:
                self._keep_bytes(behind)
        except httptools.HttpParserError as error:
            if self._complete:
                self.unexpected = True  # rubbish behind a whole answer harms the connection, not the answer
            else:
                why = self._refusal or f"the origin sent no valid HTTP answer ({error})"
                self.fail(BrokenAnswer(why, sent=True))
        if self._overhead > self._settings.max_head and not self._complete:
            self.fail(BrokenAnswer("the origin's answer has too long a head, chunk framing or trailer", sent=True))
        self.wake()

    # llhttp

    def _refuse(self, why: str) -> BrokenAnswer:
        # httptools does not hand on every exception of a callback: the reason is kept beside it.
        self._refusal = why
        return BrokenAnswer(why, sent=True)

    def on_message_begin(self) -> None:
        if self._complete:
            self.unexpected = True
        else:
            self.head = head = Head()
            self._fields = head.headers

    def on_status(self, reason: bytes) -> None:
        if not self._complete:
            self.head.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        head = self.head
        parser = self._parser
        head.status = status = parser.get_status_code()
        self._fields = []  # trailers, or rubbish behind the answer: not looked at
        if len(head.headers) > self._settings.max_fields or (
            # Counted only where the bytes received make it possible: they may hold a piece of the body.
            self._overhead > self._settings.max_head
            and sum(len(name) + len(value) + 4 for name, value in head.headers) > self._settings.max_head
        ):
            raise self._refuse("the origin's answer has too many or too long header fields")
        version = parser.get_http_version()
        if version != "1.1":
            if version != "1.0":
                raise self._refuse("the origin speaks an HTTP version other than 1.0 or 1.1")
            head.version = (1, 0)
        if status < 100 or (status == 101 and not self._wants_upgrade):
            raise self._refuse(f"the origin answered with status {status}, which nobody asked for")
        try:
            self.persists = head.read_framing(for_head=self._for_head)
        except ValueError as error:
            raise self._refuse(str(error)) from None
        if head.patience is not None:
            # Leave the connection a second before the origin does.
            self.keepalive = min(self._settings.keepalive_timeout, max(0.0, head.patience - 1.0))
        self._overhead = 0
        if status < 200 and status != 101:
            self.informs_seen += 1
            if self.informs_seen > self._settings.max_informs or head.length or head.chunked:
                raise self._refuse("the origin sent too many informational answers, or one with a body")
            self.informs.append(head)
            return
        self.head_done = True
        self.read_deadline = NEVER
        if self._for_head:
            # The parser does not know HEAD and waits for a body; the next answer gets a fresh one.
            self._complete = self._stale_parser = True
        elif status == 101:
            self._raw = True

    def on_body(self, data: bytes) -> None:
        if self._complete:
            self.unexpected = True
            return
        self._overhead = 0
        self._keep_bytes(data)

    def on_message_complete(self) -> None:
        if self.head_done and not self._raw:
            self._complete = True

    def _keep_bytes(self, data: bytes) -> None:
        self._chunks.append(data)
        self.buffered += len(data)
        if self.buffered >= HIGH_WATER and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()

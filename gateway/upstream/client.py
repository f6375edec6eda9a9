"""The client for one origin: a head and a body out, an answer back, each connection used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Final

from gateway.upstream.answer_head import Head
from gateway.upstream.connection import OriginConnection
from gateway.upstream.errors import OriginClosed, UpstreamError
from gateway.upstream.pool import Pool
from gateway.upstream.settings import UpstreamSettings, parse_origin

# RFC 9110 §9.2.2: may be sent again when a connection ends before the answer.
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
SLICE: Final = 64 * 1024  # body bytes that are handed over without waiting

Inform = Callable[[Head], Awaitable[None]]


class BodyLengthError(ValueError):
    """A request body that is longer or shorter than was announced for it."""


class Upload:
    """A request body on its way to the origin while the answer is awaited or already relayed."""

    def __init__(
        self,
        connection: OriginConnection,
        body: AsyncIterable[bytes],
        settings: UpstreamSettings,
        *,
        chunked: bool,
        length: int | None,
    ) -> None:
        self._connection = connection
        self._body = body
        self._settings = settings
        self._chunked = chunked
        self._length = length
        self.size = 0  # body bytes handed to the origin
        self.complete = False  # the origin has all of it
        self.error: BaseException | None = None  # what the body's source raised
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._done)

    async def _run(self) -> None:
        connection = self._connection
        try:
            async for data in self._body:
                if not data:
                    continue
                self.size += len(data)
                if self._length is not None and self.size > self._length:
                    raise BodyLengthError(f"a request body is longer than the announced {self._length} bytes")
                connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
                if self.size == self._length:
                    self._mark_complete()
                await connection.drain()
        except UpstreamError:
            return  # the connection ended; whoever reads the answer learns why
        if self._length is not None and self.size < self._length:
            raise BodyLengthError(f"a request body is shorter than the announced {self._length} bytes")
        if self._chunked:
            connection.write(b"0\r\n\r\n")
        self._mark_complete()

    def _mark_complete(self) -> None:
        if not self.complete:
            self.complete = True
            self._connection.await_head(self._settings.head_timeout)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = error
            self._connection.wake()

    def stop(self) -> None:
        self._task.cancel()


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), SLICE):
        yield body[at : at + SLICE]


class Answer:
    """One answer of the origin: the head as attributes, the body as `chunks()` or by `read()`. Always `close()` it."""

    __slots__ = ("_pool", "connection", "head", "settings", "upload")

    def __init__(
        self, connection: OriginConnection, pool: Pool, settings: UpstreamSettings, upload: Upload | None
    ) -> None:
        self.connection = connection
        self.head = connection.head
        self.upload = upload
        self._pool = pool
        self.settings = settings

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def reason(self) -> bytes:
        return self.head.reason

    @property
    def version(self) -> tuple[int, int]:
        return self.head.version

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Fields 1:1 as received (order, case, duplicates, bytes), hop-by-hop ones included."""
        return self.head.headers

    @property
    def interrupted(self) -> bool:
        """The origin ended the connection before the body was whole."""
        return self.connection.failure is not None and not self.connection.complete

    @property
    def whole(self) -> bool:
        """All of the body has been received and waits in memory."""
        return self.connection.complete

    async def read(self) -> bytes:
        """The next body bytes as soon as there are any, b"" at the end.

        Raises UpstreamError when the origin breaks off (what came before it has been returned), and whatever the source of
        a request body raised that is still being sent.
        """
        connection = self.connection
        if self.upload is not None and self.upload.error is not None and not connection.complete:
            raise self.upload.error
        return await connection.read(self.settings.idle_timeout)

    async def chunks(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    async def close(self) -> None:
        """Give the connection back, or close it when the exchange did not come to its end."""
        self.release()

    def release(self) -> None:
        connection = self.connection
        if self.upload is not None:
            self.upload.stop()
            if not self.upload.complete:
                connection.abort()
                return
        if connection.keep:
            self._pool.give_back(connection)
        else:
            connection.abort()


class Upstream:
    """A pooled client for one origin. Bound to the event loop on which it is first used."""

    def __init__(self, origin_url: str, settings: UpstreamSettings | None = None) -> None:
        """Raises ValueError for an origin URL that is not just scheme, host and port, OSError for an unreadable CA file."""
        self.settings = settings or UpstreamSettings()
        self.origin = parse_origin(origin_url)
        self.pool = Pool(self.origin, self.settings)

    async def close(self) -> None:
        await self.pool.close()

    async def send(
        self,
        method: str,
        head: bytes,
        body: bytes | AsyncIterable[bytes] | None,
        *,
        chunked: bool = False,
        length: int | None = None,
        on_inform: Inform | None = None,
        upgrade: bool = False,
    ) -> Answer:
        """Send one request and wait for the head of its final answer.

        `head` as built by `headers.request_head`. A body in bytes must match its Content-Length; an iterable is framed in
        chunks where `chunked`, else it must yield `length` bytes. `on_inform` gets each 1xx as it comes. An early final
        answer returns while the body is still on its way; the upload then goes on only if the answer is a success on
        a persistent connection.

        A request that dies on a connection which had been idle is sent again, once, on a fresh connection, if the method is
        idempotent and the body is at hand. Raises UpstreamError, and whatever the body's source raises.
        """
        repeatable = method in IDEMPOTENT and (body is None or isinstance(body, bytes))
        connection = self.pool.take(self.settings.keepalive_timeout if repeatable else self.settings.unsafe_reuse)
        if connection is None:
            connection = await self.pool.connect()
        elif repeatable:
            try:
                return await self._exchange(connection, method, head, body, chunked, length, on_inform, upgrade)
            except OriginClosed:
                if connection.touched:
                    raise
            connection = await self.pool.connect()
        return await self._exchange(connection, method, head, body, chunked, length, on_inform, upgrade)

    async def _exchange(
        self,
        connection: OriginConnection,
        method: str,
        head: bytes,
        body: bytes | AsyncIterable[bytes] | None,
        chunked: bool,
        length: int | None,
        on_inform: Inform | None,
        upgrade: bool,
    ) -> Answer:
        connection.begin(for_head=method == "HEAD", wants_upgrade=upgrade)
        upload: Upload | None = None
        try:
            if body is None:
                connection.write(head)
            elif isinstance(body, bytes) and len(body) <= SLICE:
                connection.write(head + body)
            else:
                connection.write(head)
                if isinstance(body, bytes):
                    upload = Upload(connection, _slices(body), self.settings, chunked=False, length=len(body))
                else:
                    upload = Upload(connection, body, self.settings, chunked=chunked, length=length)
            if upload is None:
                connection.await_head(self.settings.head_timeout)
            while True:
                while connection.informs:
                    inform = connection.informs.popleft()
                    if on_inform is not None:
                        await on_inform(inform)
                if connection.head_done:
                    break
                if connection.failure is not None:
                    raise connection.failure
                if upload is not None and upload.error is not None:
                    raise upload.error
                await connection.wait()
        except BaseException:
            if upload is not None:
                upload.stop()
            connection.abort()
            raise
        if upload is not None and not upload.complete and (connection.head.status >= 300 or not connection.persists):
            upload.stop()
        return Answer(connection, self.pool, self.settings, upload)

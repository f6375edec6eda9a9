"""One request of a visitor through to the origin and its answer back, streaming both ways."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway.intake.exchange import Exchange
from gateway.intake.refusal import ClientGone, Refused
from gateway.upstream import tunnel
from gateway.upstream.answer_head import Head
from gateway.upstream.client import Answer, Inform, Upstream
from gateway.upstream.errors import OriginClosed, UpstreamError
from gateway.upstream.headers import Fields, Forwarded, request_head, response_head
from gateway.upstream.inject import Injector
from gateway.upstream.inject_policy import LOST_FIELDS, REQUEST_STRIP, cache_control, injectable


class Stream(Enum):
    """The body as it arrives from the visitor."""

    FROM_VISITOR = 1


OnHead = Callable[[int, Fields], Sequence[tuple[bytes, bytes]] | None]
OnData = Callable[[bytes], None]

_WEBSOCKET: Final = b"websocket"


@dataclass(slots=True)
class Outcome:
    """What became of a forwarded request. Returned only when an answer was started."""

    status: int | None = None  # of the final answer
    sent: bool = False  # the origin may have seen the request
    error: str | None = None  # why the answer broke off in the middle, in words for operators
    bytes_in: int = 0  # request body bytes handed to the origin
    bytes_out: int = 0  # answer body bytes received from the origin and relayed (a tunnel counts as body)
    injected: int | None = None  # forms that got the insertion; None: nothing was tried
    reused: bool = False  # on a connection that had served before
    upgraded: bool = False  # became a tunnel


async def forward(
    exchange: Exchange,
    upstream: Upstream,
    *,
    forwarded: Forwarded,
    add_headers: Fields = (),
    strip: frozenset[bytes] = frozenset(),
    body: bytes | AsyncIterable[bytes] | Stream | None = Stream.FROM_VISITOR,
    body_length: int | None = None,
    inject: Injector | None = None,
    response_add: Fields = (),
    on_head: OnHead | None = None,
    on_data: OnData | None = None,
) -> Outcome:
    """Send the visitor's request to the origin and the origin's answer to the visitor.

    `strip` removes request fields (lower case), `add_headers` puts some in. `body` in bytes is sent with its length; an
    iterable with `body_length`, or chunked. `on_head(status, fields)` sees the final head before it is relayed and may
    return more fields for it; `on_data` sees the body bytes as the origin sent them.

    Until an answer has started nothing is written to the visitor but 1xx, and everything that goes wrong is raised:
    UpstreamError (its `sent` tells whether the origin may have seen the request) and what reading the visitor's body raises
    (Refused, ClientGone). Afterwards a failure drops the visitor's connection, so that the answer is seen to be
    truncated, and is told in `Outcome.error`. Raises ValueError for a request that cannot be written as one head.
    """
    streaming = body is Stream.FROM_VISITOR
    length: int | None
    chunked = False
    source: bytes | AsyncIterable[bytes] | None
    if isinstance(body, Stream):
        length, chunked = exchange.content_length, exchange.chunked
        source = exchange.chunks() if exchange.has_body else None
    elif body is None or isinstance(body, bytes):
        size = len(body) if body else 0
        length = size if size or exchange.content_length is not None or exchange.chunked else None
        source = body or None
    else:
        length, chunked, source = body_length, body_length is None, body
    websocket = exchange.upgrade is not None and exchange.upgrade.lower() == _WEBSOCKET and exchange.method == "GET"
    injecting = inject is not None and exchange.method == "GET" and not websocket
    keep_expect = streaming and exchange.expects_continue
    head = request_head(
        exchange.method,
        exchange.target,
        exchange.headers,
        version=exchange.version,
        forwarded=forwarded,
        add=add_headers,
        strip_names=strip | REQUEST_STRIP if injecting else strip,
        content_length=length if not chunked else None,
        chunked=chunked,
        websocket=websocket,
        keep_expect=keep_expect,
        identity=injecting,
    )
    answer = await upstream.send(
        exchange.method,
        head,
        source,
        chunked=chunked,
        length=length,
        on_inform=_relay_inform(exchange, keep_expect) if exchange.version != (1, 0) else None,
        upgrade=websocket,
    )
    outcome = Outcome(status=answer.status, sent=True, reused=answer.connection.reused)
    try:
        await _relay(exchange, answer, outcome, inject if injecting else None, response_add, on_head, on_data)
    finally:
        if answer.upload is not None:
            outcome.bytes_in += answer.upload.size
        elif isinstance(source, bytes):
            outcome.bytes_in += len(source)
        answer.release()
    return outcome


def _relay_inform(exchange: Exchange, keep_expect: bool) -> Inform:
    async def relay(head: Head) -> None:
        # A 100 that the visitor did not ask for (we read the body for him, or nobody asked) tells him nothing.
        if head.status != 100 or keep_expect:
            await exchange.inform(response_head(head.status, head.reason, head.headers, version=head.version))

    return relay


async def _relay(
    exchange: Exchange,
    answer: Answer,
    outcome: Outcome,
    inject: Injector | None,
    response_add: Fields,
    on_head: OnHead | None,
    on_data: OnData | None,
) -> None:
    head = answer.head
    status = head.status
    add = response_add
    if on_head is not None and (more := on_head(status, head.headers)):
        add = (*add, *more)
    if status == 101:
        await _tunnel(exchange, answer, outcome, add)
        return
    if inject is not None and not injectable(status, head.headers):
        inject = None
    whole: bytes | None = None
    if answer.whole and inject is not None:
        # The usual page is there in one piece: with its insertion it is still one piece of known length.
        data = answer.connection.take()
        if on_data is not None and data:
            on_data(data)
        outcome.bytes_out = len(data)
        whole = inject.feed(data) + inject.finish()
        outcome.injected = inject.count
    # Framing: as the origin's where the visitor can read it.
    length = len(whole) if whole is not None else head.length if inject is None and status != 204 else None
    chunked = length is None and not head.bodyless and exchange.version != (1, 0)
    close = (length is None and not head.bodyless and not chunked) or (
        answer.upload is not None and not answer.upload.complete
    )
    close = close or not exchange.keep_alive
    connection = b"close" if close else (b"keep-alive" if exchange.version == (1, 0) else None)
    strip: frozenset[bytes] = frozenset()
    if inject is not None:
        strip = LOST_FIELDS
        add = ((b"Cache-Control", cache_control(head.headers)), *add)
    out = response_head(
        status,
        head.reason,
        head.headers,
        version=head.version,
        content_length=length,
        chunked=chunked,
        connection=connection,
        add=add,
        strip_names=strip,
    )
    try:
        if whole is not None:
            await exchange.start(out + whole, close=close)
        elif answer.whole and not chunked and inject is None:
            # The usual small answer: head and body in one piece.
            data = answer.connection.take()
            if on_data is not None and data:
                on_data(data)
            outcome.bytes_out = len(data)
            await exchange.start(out + data, close=close)
        else:
            await exchange.start(out, chunked=chunked, close=close)
            await _relay_body(exchange, answer, outcome, inject, on_data)
        await exchange.finish()
    except (UpstreamError, Refused) as error:
        outcome.error = "the visitor's connection was lost" if exchange.gone else str(error)
        exchange.abort()
    except ClientGone:
        outcome.error = "the visitor's connection was lost"
        exchange.abort()
    finally:
        exchange.on_gone = None


async def _relay_body(
    exchange: Exchange, answer: Answer, outcome: Outcome, inject: Injector | None, on_data: OnData | None
) -> None:
    def visitor_left() -> None:
        # Without this a silent origin (server-sent events) would be kept company until its idle timeout.
        answer.connection.fail(OriginClosed("the visitor left while the answer was relayed", sent=True))

    exchange.on_gone = visitor_left
    while data := await answer.read():
        outcome.bytes_out += len(data)
        if on_data is not None:
            on_data(data)
        await exchange.write(data if inject is None else inject.feed(data))
    if inject is not None:
        await exchange.write(inject.finish())
        outcome.injected = inject.count


async def _tunnel(exchange: Exchange, answer: Answer, outcome: Outcome, add: Fields) -> None:
    head = answer.head
    outcome.upgraded = True
    out = response_head(
        101, head.reason, head.headers, version=head.version, connection=b"Upgrade", add=add, websocket=True
    )
    try:
        await exchange.start(out, close=True)
        reader, writer = exchange.tunnel()
        outcome.bytes_in, outcome.bytes_out = await tunnel.run(
            reader, writer, answer.connection, answer.settings.tunnel_timeout
        )
        await exchange.finish()
    except (UpstreamError, Refused) as error:
        outcome.error = str(error)
        exchange.abort()
    except ClientGone:
        outcome.error = "the visitor's connection was lost"
        exchange.abort()

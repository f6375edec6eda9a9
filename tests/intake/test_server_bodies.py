"""Request bodies through the public listener: asked for, refused, left unread, cut short."""

from __future__ import annotations

import asyncio
import socket
import struct

from gateway.intake.server import CONTINUE, BodyMalformed, BodyTooLarge, ClientGone, Exchange

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def hello(exchange: Exchange) -> None:
    await exchange.respond(200, b"hello")


async def echo(exchange: Exchange) -> None:
    body = b"".join([chunk async for chunk in exchange.chunks()])
    await exchange.respond(200, exchange.target + b"|" + body)


async def test_half_close_inside_the_body_is_no_complete_request(serve):
    ended = []

    async def handler(exchange):
        try:
            await exchange.read(100)
        except ClientGone:
            ended.append("gone")
            raise

    served = await serve(handler)
    assert (await served.talk(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")).startswith(
        b"HTTP/1.1 400 "
    )
    assert ended == ["gone"]
    assert served.refusals == [(400, "body_truncated")]


async def test_lost_client_inside_the_body(serve):
    outcome = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        received = []
        try:
            async for chunk in exchange.chunks():
                received.append(chunk)  # noqa: PERF401  # what came before the error is looked at
        except ClientGone:
            outcome.set_result(b"".join(received))
            raise

    served = await serve(handler)
    _, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")
    await writer.drain()
    while not served.listener.in_flight:
        await asyncio.sleep(0.01)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    assert await asyncio.wait_for(outcome, 5) == b"hi"


async def test_read_sends_continue_and_chunks_does_not(serve):
    async def handler(exchange):
        assert exchange.expects_continue
        if exchange.target == b"/chunks":
            await exchange.inform(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            await exchange.inform(CONTINUE)
            await echo(exchange)
        else:
            await exchange.respond(200, await exchange.read(10))

    served = await serve(handler)
    for target, before in ((b"/read", b""), (b"/chunks", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")):
        reader, writer = await served.open()
        writer.write(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n" % target)
        assert await asyncio.wait_for(reader.readexactly(len(before + CONTINUE)), 5) == before + CONTINUE
        writer.write(b"ok")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b"Connection: close" not in head
        writer.close()


async def test_final_answer_instead_of_continue_ends_the_connection(serve):
    served = await serve(hello)
    answer = await served.talk(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", eof=False
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in answer
    assert b"100 Continue" not in answer


async def test_rest_of_an_unread_body_is_not_read_as_a_request(serve):
    async def handler(exchange):
        await exchange.respond(200, exchange.target)

    served = await serve(handler)
    inner = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    reader, writer = await served.open()
    writer.write(b"POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(inner))
    await reader.readuntil(b"/first")
    writer.write(inner + GET.replace(b"/", b"/next", 1))
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.endswith(b"/next")
    writer.close()


async def test_complete_body_of_a_lost_client_can_still_be_read(serve):
    """A submission that arrived whole is kept, even if nobody waits for the thanks."""
    gone = asyncio.Event()
    outcome = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        exchange.on_gone = gone.set
        await gone.wait()
        outcome.set_result(await exchange.read(100))
        await exchange.respond(200, b"thanks")

    served = await serve(handler)
    _, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlead")
    await writer.drain()
    while not served.listener.in_flight:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    assert await asyncio.wait_for(outcome, 5) == b"lead"


async def test_early_answer_to_a_huge_body_reaches_a_client_that_sends_on(serve):
    served = await serve(hello)
    reader, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 3_000_000)
    assert (await asyncio.wait_for(reader.readuntil(b"hello"), 5)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_too_large_leaves_the_rest_readable(serve):
    async def handler(exchange):
        try:
            await exchange.read(1000)
        except BodyTooLarge as error:
            rest = [chunk async for chunk in exchange.chunks()]
            await exchange.respond(200, b"%d" % (len(error.received_so_far) + sum(map(len, rest))))

    served = await serve(handler)
    body = b"y" * 300_000
    plain = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
        len(body),
        body,
    )
    assert (await served.talk(plain)).endswith(b"\r\n\r\n300000")
    assert (await served.talk(chunked)).endswith(b"\r\n\r\n300000")
    assert served.listener.body_bytes == 0


async def test_escaped_refusals_are_answered(serve):
    async def handler(exchange):
        await exchange.read(10)

    served = await serve(handler)
    assert (await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901")).startswith(
        b"HTTP/1.1 413 "
    )
    assert (await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")).startswith(
        b"HTTP/1.1 400 "
    )
    assert served.refusals == [(413, "body_too_large"), (400, "chunk_size")]
    assert served.errors == []


async def test_malformed_chunks_reach_the_reader(serve):
    outcome = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        received = []
        try:
            async for chunk in exchange.chunks():
                received.append(chunk)  # noqa: PERF401  # what came before the error is looked at
        except BodyMalformed as error:
            outcome.set_result((b"".join(received), error.reason))
            raise

    served = await serve(handler)
    await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n0\r\n\r\n")
    assert outcome.result()[1] == "chunk_end"

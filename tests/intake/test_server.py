"""The public listener as its visitors and its handler see it, on raw sockets."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from gateway.intake.server import (
    CONTINUE,
    BodyMalformed,
    BodyTooLarge,
    ClientGone,
    Exchange,
    ExtensionsMissing,
    Limits,
    require_extensions,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def hello(exchange: Exchange) -> None:
    await exchange.respond(200, b"hello")


async def echo(exchange: Exchange) -> None:
    body = b"".join([chunk async for chunk in exchange.chunks()])
    await exchange.respond(200, exchange.target + b"|" + body)


async def test_answer_is_only_what_was_given(serve):
    async def handler(exchange):
        await exchange.respond(200, b"h\xe9", [(b"X-Caf\xe9", b"\xff\xfe")])

    served = await serve(handler)
    assert await served.talk(GET) == b"HTTP/1.1 200 OK\r\nX-Caf\xe9: \xff\xfe\r\nContent-Length: 2\r\n\r\nh\xe9"


async def test_request_arrives_raw(serve):
    seen = []

    async def handler(exchange):
        seen.append((exchange.method, exchange.target, exchange.version, exchange.headers, exchange.peer[0], exchange.tls))
        await exchange.respond(204, b"")

    served = await serve(handler)
    raw = b"PUT /a//../%2F?q=\xc3\xa9\xff&x={|} HTTP/1.1\r\nhOsT: a:1\r\nX-A: 1\r\nx-a:\t2 \r\nB: \xe9\r\nE:\r\n\r\n"
    assert (await served.talk(raw)).startswith(b"HTTP/1.1 204 No Content\r\n")
    headers = ((b"hOsT", b"a:1"), (b"X-A", b"1"), (b"x-a", b"2"), (b"B", b"\xe9"), (b"E", b""))
    assert seen == [("PUT", b"/a//../%2F?q=\xc3\xa9\xff&x={|}", (1, 1), headers, "127.0.0.1", False)]


async def test_header_joins_duplicates(serve):
    seen = []

    async def handler(exchange):
        seen.append((exchange.header(b"x-a"), exchange.header(b"cookie"), exchange.header(b"none")))
        await exchange.respond(200, b"")

    served = await serve(handler)
    await served.talk(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nCookie: a=1\r\nx-A: 2\r\ncookie: b=2\r\n\r\n")
    assert seen == [(b"1, 2", b"a=1; b=2", None)]


@pytest.mark.parametrize(
    ("request_head", "persists"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, ClOse\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n", False),
    ],
)
async def test_persistence(serve, request_head, persists):
    served = await serve(hello)
    reader, writer = await served.open()
    writer.write(request_head)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert await reader.readexactly(5) == b"hello"
    if persists:
        assert (b"Connection: keep-alive" in head) == (b"HTTP/1.0" in request_head)
        writer.write(GET)
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200")
    else:
        assert b"Connection: close\r\n" in head
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_pipelined_requests_are_answered_in_order(serve):
    async def handler(exchange):
        await asyncio.sleep(0.05 if exchange.target == b"/0" else 0)
        await echo(exchange)

    served = await serve(handler)
    heads = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d" % (i, i % 10)
        if i % 2
        else b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n%d\r\n0\r\nT: 1\r\n\r\n" % (i, i % 10)
        for i in range(50)
    )
    answer = await served.talk(heads)
    assert answer.count(b"HTTP/1.1 200 OK") == 50
    assert [answer.index(b"/%d|%d" % (i, i % 10)) for i in range(50)] == sorted(answer.index(b"/%d|%d" % (i, i % 10)) for i in range(50))


async def test_every_split_of_the_bytes_gives_the_same(serve):
    served = await serve(echo)
    raw = (
        b"\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;e=\"q\"\r\n0123456789\r\n0\r\n\r\n"
        b"\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwxyz"
    )
    expected = await served.talk(raw)
    assert b"/a|abc0123456789" in expected
    assert b"/b|wxyz" in expected
    reader, writer = await served.open()  # byte by byte
    for i in range(len(raw)):
        writer.write(raw[i : i + 1])
        await asyncio.sleep(0)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == expected
    writer.close()


async def test_half_closed_client_gets_a_late_answer(serve):
    async def handler(exchange):
        await asyncio.sleep(0.2)
        await echo(exchange)

    served = await serve(handler)
    assert (await served.talk(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")).endswith(b"/x|hi")


async def test_half_close_inside_the_body_is_no_complete_request(serve):
    ended = []

    async def handler(exchange):
        try:
            await exchange.read(100)
        except ClientGone:
            ended.append("gone")
            raise

    served = await serve(handler)
    assert (await served.talk(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")).startswith(b"HTTP/1.1 400 ")
    assert ended == ["gone"]
    assert served.refusals == [(400, "body_truncated")]


async def test_lost_client_ends_the_exchange_but_not_the_handler(serve):
    called = asyncio.Event()
    outcome = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        exchange.on_gone = called.set
        await called.wait()
        try:
            await exchange.respond(200, b"x")
        except ClientGone:
            outcome.set_result(exchange.gone)
            raise

    served = await serve(handler)
    _, writer = await served.open()
    writer.write(GET)
    await writer.drain()
    while not served.listener.in_flight:
        await asyncio.sleep(0.01)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()  # a reset
    assert await asyncio.wait_for(outcome, 5) is True
    await asyncio.sleep(0)
    assert served.listener.in_flight == 0
    assert served.refusals == []


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


async def test_bytes_behind_a_declined_upgrade_are_the_next_request(serve):
    served = await serve(echo)
    for upgrade in (b"websocket", b"h2c"):
        answer = await served.talk(b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n" % upgrade)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert b"/1|" in answer
        assert b"/2|" in answer


async def test_tunnel(serve):
    async def handler(exchange):
        assert exchange.upgrade == b"websocket"
        await exchange.start(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        reader, writer = exchange.tunnel()
        async for data in reader:
            await writer.write(data.upper())
        await writer.write(b"<end>")

    served = await serve(handler)
    reader, writer = await served.open()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: websocket\r\n\r\nGET / early")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    assert await reader.readexactly(11) == b"GET / EARLY"
    writer.write(b"\x00\xffmore\r\n\r\n")
    assert await reader.readexactly(10) == b"\x00\xffMORE\r\n\r\n"
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b"<end>"
    writer.close()


async def test_streamed_answers(serve):
    async def handler(exchange):
        if exchange.target == b"/chunked":
            await exchange.start(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunked=True)
        else:
            await exchange.start(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", close=True)
        for piece in (b"ab", b"", b"c" * 20):
            await exchange.write(piece)
        await exchange.finish()

    served = await serve(handler)
    answer = await served.talk(GET.replace(b"/ ", b"/chunked ", 1) + GET)
    assert answer == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n14\r\n" + b"c" * 20 + b"\r\n0\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab" + b"c" * 20
    )


async def test_no_chunks_for_1_0_and_no_body_for_head(serve):
    async def handler(exchange):
        if exchange.method == "HEAD":
            await exchange.respond(200, b"hello")
        else:
            await exchange.start(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunked=True)

    served = await serve(handler)
    assert (await served.talk(b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
    assert isinstance(served.errors[0], ValueError)
    assert (await served.talk(GET.replace(b"GET", b"HEAD"))).endswith(b"Content-Length: 5\r\n\r\n")


async def test_unfinished_answer_is_visibly_broken(serve):
    async def handler(exchange):
        await exchange.start(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunked=True)
        await exchange.write(b"part")
        await asyncio.sleep(0.05)
        if exchange.target == b"/raise":
            raise OSError("the origin broke off")
        exchange.abort()

    served = await serve(handler)
    for target in (b"/abort", b"/raise"):
        reader, writer = await served.open()
        writer.write(GET.replace(b"/", target, 1))
        received = b""
        try:
            while data := await asyncio.wait_for(reader.read(1000), 5):
                received += data
        except ConnectionResetError:
            pass
        assert not received.endswith(b"0\r\n\r\n")
        writer.close()
    assert [type(error) for error in served.errors] == [OSError]


async def test_handler_errors_are_answered_and_reported_once(serve):
    async def handler(exchange):
        if exchange.target == b"/silent":
            return
        raise KeyError("secret")

    served = await serve(handler)
    for target in (b"/silent", b"/raise"):
        answer = await served.talk(GET.replace(b"/", target, 1))
        assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"secret" not in answer
        assert b"Connection: close\r\n" in answer
    assert [type(error) for error in served.errors] == [RuntimeError, KeyError]
    assert served.listener.in_flight == 0


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
    answer = await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", eof=False)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in answer
    assert b"100 Continue" not in answer


async def test_rest_of_an_unread_body_is_not_read_as_a_request(serve):
    served = await serve(hello)
    inner = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    reader, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(inner))
    await reader.readuntil(b"hello")
    writer.write(inner + GET)
    writer.write_eof()
    assert (await asyncio.wait_for(reader.read(), 5)).count(b"HTTP/1.1 200") == 1
    writer.close()


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
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert (await served.talk(plain)).endswith(b"\r\n\r\n300000")
    assert (await served.talk(chunked)).endswith(b"\r\n\r\n300000")
    assert served.listener.body_bytes == 0


async def test_escaped_refusals_are_answered(serve):
    async def handler(exchange):
        await exchange.read(10)

    served = await serve(handler)
    assert (await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901")).startswith(b"HTTP/1.1 413 ")
    assert (await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")).startswith(b"HTTP/1.1 400 ")
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


def test_extensions_are_required(monkeypatch):
    require_extensions()
    from aiohttp import http, http_parser

    monkeypatch.setattr(http, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(ExtensionsMissing, match=r"parser.*AIOHTTP_NO_EXTENSIONS.*pip install"):
        require_extensions()


async def test_drain_lets_open_exchanges_end(serve):
    release = asyncio.Event()

    async def handler(exchange):
        await release.wait()
        await hello(exchange)

    served = await serve(handler, Limits())
    idle_reader, idle_writer = await served.open()
    reader, writer = await served.open()
    writer.write(GET)
    while not served.listener.in_flight:
        await asyncio.sleep(0.01)
    drained = asyncio.ensure_future(served.listener.drain(5))
    assert await asyncio.wait_for(idle_reader.read(), 5) == b""
    with pytest.raises(ConnectionRefusedError):
        await served.open()
    release.set()
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.endswith(b"hello")
    assert b"Connection: close\r\n" in answer
    assert await asyncio.wait_for(drained, 5) == 0
    for w in (writer, idle_writer):
        w.close()


async def test_drain_cuts_off_what_does_not_end(serve):
    cancelled = []

    async def handler(exchange):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(exchange.target)
            raise

    served = await serve(handler)
    writers = []
    for i in range(3):
        _, writer = await served.open()
        writer.write(GET.replace(b"/", b"/%d" % i, 1))
        writers.append(writer)
    while served.listener.in_flight < 3:
        await asyncio.sleep(0.01)
    assert await served.listener.drain(0.1) == 3
    assert sorted(cancelled) == [b"/0", b"/1", b"/2"]
    assert served.listener.in_flight == 0
    assert served.listener.connections == 0
    for writer in writers:
        writer.close()

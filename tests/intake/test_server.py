"""The public listener as its visitors and its handler see it, on raw sockets."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.intake.server import (
    ClientGone,
    Exchange,
    ExtensionsMissing,
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
        seen.append(
            (exchange.method, exchange.target, exchange.version, exchange.headers, exchange.peer[0], exchange.tls)
        )
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
        else b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n%d\r\n0\r\nT: 1\r\n\r\n"
        % (i, i % 10)
        for i in range(50)
    )
    answer = await served.talk(heads)
    assert answer.count(b"HTTP/1.1 200 OK") == 50
    assert [answer.index(b"/%d|%d" % (i, i % 10)) for i in range(50)] == sorted(
        answer.index(b"/%d|%d" % (i, i % 10)) for i in range(50)
    )


async def test_every_split_of_the_bytes_gives_the_same(serve):
    served = await serve(echo)
    raw = (
        b'\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;e="q"\r\n0123456789\r\n0\r\n\r\n'
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


async def test_bytes_behind_a_declined_upgrade_are_the_next_request(serve):
    served = await serve(echo)
    for upgrade in (b"websocket", b"h2c"):
        answer = await served.talk(
            b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
            % upgrade
        )
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
    writer.write(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: websocket\r\n\r\nGET / early"
    )
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


def test_extensions_are_required(monkeypatch):
    require_extensions()
    from aiohttp import http, http_parser

    monkeypatch.setattr(http, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(ExtensionsMissing, match=r"parser.*AIOHTTP_NO_EXTENSIONS.*pip install"):
        require_extensions()


async def test_tls(serve, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_mode = ssl.CERT_NONE

    async def handler(exchange):
        await exchange.respond(200, b"tls" if exchange.tls else b"plain")

    served = await serve(handler, ssl_context=server_side)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=client_side)
    writer.write(GET)
    assert (await asyncio.wait_for(reader.readuntil(b"tls"), 5)).startswith(b"HTTP/1.1 200 OK")
    writer.write(b"BAD\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400 ")
    writer.close()

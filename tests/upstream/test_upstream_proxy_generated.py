"""Generated requests and answers arrive as the written rules say, byte for byte."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.intake.server import Limits, Listener
from gateway.upstream.client import Upstream
from gateway.upstream.headers import Forwarded
from gateway.upstream.proxy import forward

TOKEN = "!#$%&'*+-.^`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SPECIAL = ("connection", "keep-alive", "proxy-", "te", "trailer", "transfer-encoding", "content-length", "upgrade", "expect", "host",
           "x-forwarded-", "forwarded", "x-real-ip", "x-lead-", "via", "content-encoding")  # fmt: skip
names = st.text(TOKEN, min_size=1, max_size=12).filter(lambda n: not n.lower().startswith(SPECIAL)).map(str.encode)
# visible bytes and obs-text, with white space inside but not around
values = st.lists(st.integers(0x21, 0xFF).filter(lambda b: b != 0x7F) | st.sampled_from([0x20, 0x09]), max_size=20).map(
    lambda b: bytes(b).strip(b" \t")
)
fields = st.lists(st.tuples(names, values), max_size=8)
queries = st.text(TOKEN.replace("#", "") + '%?/@:;=,[]{}"<>\\', max_size=30).map(lambda q: b"/p?" + q.encode())
bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=4)


def wire(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in headers)


def chunk(parts: list[bytes]) -> bytes:
    return b"".join(b"%x;e=1\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nX-Trailer: 1\r\n\r\n"


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"\r\nTransfer-Encoding: chunked\r\n" in head:
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        assert await reader.readline() == b"\r\n"
        return body
    if b"\r\nContent-Length: " in head:
        return await reader.readexactly(int(head.split(b"\r\nContent-Length: ", 1)[1].split(b"\r\n", 1)[0]))
    return b""


async def through(request: bytes, answer: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """(request head, body) as the origin got them and (answer head, body) as the visitor got them."""
    got: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        got.extend((head, await read_body(reader, head)))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    upstream = Upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    async def handle(exchange) -> None:
        await forward(exchange, upstream, forwarded=Forwarded("192.0.2.1", "https", None))

    listener = Listener(handle, Limits(), lambda status, reason: None, lambda address: True)
    await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.addresses[0][1])
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await read_body(reader, head)
        return got[0], got[1], head, body
    finally:
        writer.close()
        server.close()
        await listener.drain(0)
        await upstream.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(queries, fields, bodies, st.booleans(), fields, bodies, st.sampled_from(["length", "chunked", "close"]), values)
def test_anything_passes_as_it_is(target, sent, body, chunked, answered, answer_body, framing, reason):
    framed = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % len(b"".join(body))
    request = b"POST %b HTTP/1.1\r\nHost: h\r\n%b%b\r\n" % (target, wire(sent), framed) + (
        chunk(body) if chunked else b"".join(body)
    )
    whole = b"".join(answer_body)
    answer_framed = {
        "length": b"Content-Length: %d\r\n" % len(whole),
        "chunked": b"Transfer-Encoding: chunked\r\n",
        "close": b"",
    }[framing]
    answer = b"HTTP/1.1 288 %b\r\n%b%b\r\n" % (reason, answer_framed, wire(answered)) + (
        chunk(answer_body) if framing == "chunked" else whole
    )
    loop = asyncio.new_event_loop()
    try:
        head, arrived, out_head, out_body = loop.run_until_complete(through(request, answer))
    finally:
        loop.close()
    assert head == (
        b"POST %b HTTP/1.1\r\nHost: h\r\n%b%bVia: 1.1 leadgate\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\n"
        b"X-Forwarded-Proto: https\r\n\r\n" % (target, wire(sent), framed)
    )
    assert arrived == b"".join(body)
    late = b"Transfer-Encoding: chunked\r\n" if framing == "close" else b""
    assert out_head == b"HTTP/1.1 288 %b\r\n%b%b%bVia: 1.1 leadgate\r\n\r\n" % (
        reason,
        answer_framed,
        wire(answered),
        late,
    )
    assert out_body == whole

"""Bodies of every framing, both ways, and memory that stays bounded."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from gateway.upstream import connection as origin_side

VIA = b"Via: 1.1 leadgate\r\n"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def dechunk(data: bytes) -> bytes:
    out = b""
    while True:
        size, data = data.split(b"\r\n", 1)
        length = int(size, 16)
        out += data[:length]
        assert data[length : length + 2] == b"\r\n"
        data = data[length + 2 :]
        if not length:
            assert data == b""
            return out


async def test_chunked_request_is_chunked_again_without_extensions_and_trailers(rig, origin):
    seen = []
    made = await rig(origin(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX: y\r\n\r\n", seen))
    out = await made.talk(
        b"POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\ntransfer-Encoding: Chunked\r\nTrailer: X-T\r\nX-B: 2\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: secret\r\n\r\n"
    )
    # RFC 9110 §8.6: no Content-Length in a 204
    assert out == b"HTTP/1.1 204 No Content\r\nX: y\r\n" + VIA + b"\r\n"
    head, body = seen[0]
    assert b"\r\nX-A: 1\r\ntransfer-Encoding: chunked\r\nX-B: 2\r\n" in head
    assert b"railer" not in head
    assert b"secret" not in body
    assert dechunk(body) == b"abcde"


async def test_empty_length_is_kept_and_bodyless_stays_bodyless(rig, origin):
    seen = []
    made = await rig(origin(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen))
    await made.talk(
        b"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\n\r\n" + GET
    )
    heads = [head for head, _ in seen]
    assert b"\r\nContent-Length: 0\r\n" in heads[0]
    assert all(b"ength" not in head and b"ransfer" not in head for head in heads[1:])


async def test_chunked_answer_is_chunked_again(rig, origin):
    made = await rig(
        origin(
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTRANSFER-encoding: chunked\r\nTrailer: T\r\nX-B: 2\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n"
        )
    )
    out = await made.talk(GET + GET)
    head, _ = out.split(b"\r\n\r\n", 1)
    assert head + b"\r\n" == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTRANSFER-encoding: chunked\r\nX-B: 2\r\n" + VIA
    assert out.count(b"de\r\n0\r\n\r\n") == 2
    assert made.connections == 1


async def test_close_delimited_answer_is_chunked_for_http11(rig, origin):
    made = await rig(origin(b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nhello\x00world", close=True))
    out = await made.talk(GET + GET)
    first = b"HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n" + VIA + b"\r\n"
    assert out.startswith(first)
    assert out.count(first) == 2
    assert dechunk(out.rsplit(b"\r\n\r\n", 2)[-2].join([b"", b"\r\n\r\n"])) == b"hello\x00world"
    assert made.connections == 2


async def test_http10_origin(rig, origin):
    made = await rig(origin(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", close=True))
    out = await made.talk(GET)
    assert out == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.0 leadgate\r\n\r\nok"
    assert made.upstream.pool.idle == 0


async def test_http10_origin_with_keep_alive_is_used_again(rig, origin):
    made = await rig(origin(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"))
    assert (await made.talk(GET + GET)).count(b"ok") == 2
    assert made.connections == 1


async def test_http10_visitor_gets_no_chunks(rig, origin):
    seen = []
    made = await rig(
        origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", seen)
    )
    out = await made.talk(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
    assert out == b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + VIA + b"\r\nhello"
    assert seen[0][0].startswith(b"GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 leadgate\r\n")


async def test_http10_visitor_with_known_length_is_kept(rig, origin):
    made = await rig(origin(b"HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok"))
    out = await made.talk(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
    assert out == b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n" + VIA + b"\r\nok"


@pytest.mark.parametrize("framing", [b"Content-Length: 12345\r\n", b"Transfer-Encoding: chunked\r\n", b""])
async def test_head_answers_keep_their_length_and_leave_the_connection_usable(rig, framing):
    async def script(side):
        while (request := await side.request())[0]:
            if request[0].startswith(b"HEAD"):
                await side.send(b"HTTP/1.1 200 OK\r\n" + framing + b"ETag: x\r\n\r\n")
            else:
                await side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    made = await rig(script)
    out = await made.talk(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + GET + b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
    kept = framing if framing.startswith(b"Content") else b""
    one = (
        b"HTTP/1.1 200 OK\r\n"
        + kept
        + b"ETag: x\r\n"
        + VIA
        + b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
        + VIA
        + b"\r\nok"
    )
    assert out == one + one
    assert made.connections == 1


async def test_304_keeps_length_and_has_no_body(rig, origin):
    seen = []
    made = await rig(origin(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\nETag: x\r\n\r\n", seen))
    out = await made.talk((b"GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: x\r\n\r\n") * 2)
    assert out == (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\nETag: x\r\n" + VIA + b"\r\n") * 2
    assert made.connections == 1
    assert b"If-None-Match: x\r\n" in seen[0][0]


async def test_range_and_multipart_ranges_pass(rig, origin):
    body = b"--B\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--B--\r\n"
    seen = []
    answer = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=B\r\nContent-Length: %d\r\n"
        % len(body)
    )
    made = await rig(origin(answer + b"\r\n" + body, seen))
    out = await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0,2-2\r\n\r\n")
    assert out == answer + VIA + b"\r\n" + body
    assert b"Range: bytes=0-0,2-2\r\n" in seen[0][0]


async def test_events_are_not_buffered(rig):
    step = asyncio.Event()

    async def script(side):
        await side.request()
        await side.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            await side.send(b"data: %d\n\n" % number)
            await step.wait()  # the next event comes only once the visitor has this one
            step.clear()

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(GET)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    for number in range(3):
        assert await asyncio.wait_for(reader.readuntil(b"\n\n\r\n"), 10) == b"9\r\ndata: %d\n\n\r\n" % number
        step.set()
    assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
    writer.close()


async def test_a_visitor_who_leaves_frees_the_origin_at_once(rig):
    closed = asyncio.Event()

    async def script(side):
        await side.request()
        await side.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await side.reader.read()
        closed.set()

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(GET)
    await reader.readuntil(b"data: 1")
    # A mere end of his side (FIN) would be a half-close: its owner still waits for the answer.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await asyncio.wait_for(closed.wait(), 10)
    assert (await made.settled()).error == "the visitor's connection was lost"


async def test_large_download_to_a_slow_reader_in_bounded_memory(rig, monkeypatch):
    size = 24 * 1024 * 1024
    sent = 0
    peak = 0
    keep = origin_side.OriginConnection._keep_bytes

    def watching(self, data):
        nonlocal peak
        keep(self, data)
        peak = max(peak, self.buffered)

    monkeypatch.setattr(origin_side.OriginConnection, "_keep_bytes", watching)

    async def script(side):
        nonlocal sent
        await side.request()
        await side.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            await side.send(bytes(65536))
            sent += 65536

    made = await rig(script)
    reader, writer = await made.open()
    reader._limit = 65536  # the visitor's own buffer
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    stalled = -1
    while stalled != sent:  # until nothing moves any more: all buffers on the way are full
        stalled = sent
        await asyncio.sleep(0.2)
    assert sent < size
    got = 0
    while got < size:
        got += len(await reader.read(1 << 20))
    assert got == size
    assert peak < origin_side.HIGH_WATER + 512 * 1024
    writer.close()


async def test_large_upload_to_a_slow_origin_in_bounded_memory(rig):
    size = 64 * 1024 * 1024
    go = asyncio.Event()

    async def script(side):
        head = await side.head()
        assert b"Content-Length: %d\r\n" % size in head
        await go.wait()
        await side.reader.readexactly(size)
        await side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
    written = 0

    async def upload():
        nonlocal written
        while written < size:
            writer.write(bytes(65536))
            written += 65536
            await writer.drain()

    task = asyncio.create_task(upload())
    stalled = -1
    while stalled != written:
        stalled = written
        await asyncio.sleep(0.2)
    # What was taken stands in the kernel's and the test origin's buffers (up to 20 MiB), not in a growing queue of ours.
    assert written < size
    (sending,) = made.upstream.pool._open
    assert sending._transport.get_write_buffer_size() < 512 * 1024
    go.set()
    await task
    assert (await asyncio.wait_for(reader.readuntil(b"ok"), 20)).startswith(b"HTTP/1.1 200 OK")
    assert made.outcomes[0].bytes_in == size
    writer.close()


async def test_bytes_given_are_sent_with_their_length(rig, origin):
    """A form that was read, judged and is passed on: framing rebuilt, body byte for byte, Expect gone."""
    seen = []
    made = await rig(
        origin(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen), _body=lambda exchange: exchange.read(10**6)
    )
    body = bytes(range(256)) * 1000  # longer than one slice
    await made.talk(
        b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n%x\r\n"
        % len(body)
        + body
        + b"\r\n0\r\n\r\n"
    )
    head, received = seen[0]
    assert received == body
    assert b"xpect" not in head
    assert b"\r\nX-A: b\r\nContent-Length: 256000\r\nVia" in head
    assert made.outcomes[0].bytes_in == 256000


async def test_an_iterable_is_sent_chunked_or_with_the_length_given(rig, origin):
    async def parts():
        for part in (b"ab", b"", b"cde"):
            yield part

    seen = []
    made = await rig(origin(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen), _body=lambda exchange: parts())
    await made.talk(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    assert seen[0][1] == b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
    seen.clear()
    made = await rig(
        origin(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen), _body=lambda exchange: parts(), body_length=5
    )
    await made.talk(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    assert seen[0][1] == b"abcde"


async def test_an_iterable_longer_than_announced_never_reaches_the_next_request(rig, origin):
    async def parts():
        yield b"abc"
        yield b"GET /smuggled HTTP/1.1\r\n\r\n"

    seen = []

    async def script(side):
        seen.append(await side.reader.read())

    made = await rig(script, _body=lambda exchange: parts(), body_length=5)
    await made.talk(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    assert b"smuggled" not in seen[0]
    assert "longer than the announced" in str(made.errors[0])

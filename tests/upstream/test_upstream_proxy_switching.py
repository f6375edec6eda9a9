"""1xx answers, early final answers, WebSocket and half-closed connections."""

from __future__ import annotations

import asyncio

import pytest

VIA = b"Via: 1.1 leadgate\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_OUT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + VIA + b"\r\nok"
EXPECTING = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nconnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n"
)


async def test_the_origin_decides_about_100_continue(rig):
    asked = asyncio.Event()

    async def script(side):
        head = await side.head()
        assert b"\r\nExpect: 100-continue\r\n" in head
        await asked.wait()
        await side.send(b"HTTP/1.1 100 Go on\r\n\r\n")
        assert await side.reader.readexactly(3) == b"abc"
        await side.send(OK)
        assert (await side.head()).startswith(b"GET /next")
        await side.send(OK)

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(EXPECTING)
    asked.set()
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Go on\r\n" + VIA + b"\r\n"
    writer.write(b"abc")
    assert await asyncio.wait_for(reader.readexactly(len(OK_OUT)), 10) == OK_OUT
    writer.write(b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n")  # both connections live on
    assert await asyncio.wait_for(reader.readexactly(len(OK_OUT)), 10) == OK_OUT
    writer.close()
    assert made.problems == []
    assert made.connections == 1


async def test_a_refused_expectation_closes_instead_of_waiting_for_the_body(rig):
    async def script(side):
        await side.head()
        await side.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        assert await side.reader.read() == b""

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(EXPECTING)
    out = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert out == b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n" + VIA + b"\r\n"
    writer.close()
    assert (await made.settled()).bytes_in == 0
    assert made.upstream.pool.idle == 0


async def test_103_and_others_are_relayed_but_not_to_http10(rig, origin):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    made = await rig(origin(hints + OK))
    out = await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert out == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>\r\n" + VIA + b"\r\n"
        b"HTTP/1.1 102 Processing\r\n" + VIA + b"\r\n" + OK_OUT
    )  # fmt: skip
    out = await made.talk(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    assert out == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n" + VIA + b"\r\nok"


async def test_a_100_nobody_asked_for_is_not_relayed(rig, origin):
    made = await rig(origin(b"HTTP/1.1 100 Continue\r\n\r\n" + OK))
    assert await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") == OK_OUT


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_early_refusal_is_relayed_and_the_upload_stops(rig, framing):
    ended = asyncio.Event()

    async def script(side):
        await side.head()
        await side.reader.readuntil(b"abc" if framing.startswith(b"C") else b"abc\r\n")
        await side.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
        rest = await side.reader.read()  # ends: neither more of the body nor another request follows
        assert rest == b""
        ended.set()

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(
        b"POST / HTTP/1.1\r\nHost: h\r\n"
        + framing
        + b"\r\n"
        + (b"abc" if framing.startswith(b"C") else b"3\r\nabc\r\n")
    )
    out = await asyncio.wait_for(reader.readuntil(b"big"), 10)
    assert out == b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n" + VIA + b"\r\nbig"
    await asyncio.wait_for(ended.wait(), 10)
    assert made.problems == []
    assert (await made.settled()).status == 413
    writer.close()


async def test_after_an_early_refusal_not_a_byte_more_is_uploaded(rig):
    more = asyncio.Event()

    async def script(side):
        await side.head()
        await side.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 6\r\n\r\nbig")
        await more.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(side.reader.read(1), 0.3)
        await side.send(b"ger")

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"big"), 10)
    writer.write(b"x" * 1000)
    more.set()
    assert await asyncio.wait_for(reader.readexactly(3), 10) == b"ger"
    assert made.problems == []
    writer.close()


async def test_an_early_success_lets_the_upload_go_on(rig):
    """A conversation: the origin answers each part as it comes."""

    async def script(side):
        await side.head()
        await side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            size = int(await side.reader.readline(), 16)
            data = await side.reader.readexactly(size + 2)
            await side.send(b"%x\r\n%b" % (size, data.upper()))
        assert await side.reader.readexactly(5) == b"0\r\n\r\n"
        await side.send(b"0\r\n\r\n")

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    for word in (b"one", b"two", b"three"):
        writer.write(b"%x\r\n%b\r\n" % (len(word), word))
        assert await asyncio.wait_for(reader.readuntil(word.upper() + b"\r\n"), 10)
    writer.write(b"0\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10) == b"0\r\n\r\n"
    writer.close()
    assert made.problems == []


async def test_websocket_both_ways_with_bytes_right_behind_the_heads(rig):
    heads = []

    async def script(side):
        heads.append(await side.head())
        await side.send(SWITCH + b"\x81\x05hello")
        await side.send(await side.reader.readexactly(5))
        while data := await side.reader.read(100):
            await side.send(data[::-1])
        await side.send(b"bye")

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(UPGRADE + b"early")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n"
        + VIA
        + b"\r\n"
    )
    assert await asyncio.wait_for(reader.readexactly(12), 10) == b"\x81\x05helloearly"
    writer.write(b"abc")
    assert await asyncio.wait_for(reader.readexactly(3), 10) == b"cba"
    # half-close: our side ends, the origin still speaks
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b"bye"
    writer.close()
    assert heads[0].startswith(UPGRADE[:-2].replace(b"connection: keep-alive, Upgrade", b"connection: Upgrade"))
    outcome = await made.settled()
    assert (outcome.status, outcome.upgraded, outcome.bytes_in, outcome.bytes_out, outcome.error) == (
        101,
        True,
        8,
        18,
        None,
    )


async def test_a_tunnel_that_the_origin_ends_first_still_carries_the_visitors_bytes(rig):
    got = asyncio.Future()

    async def script(side):
        await side.head()
        await side.send(SWITCH + b"last")
        side.writer.write_eof()
        got.set_result(await side.reader.read())

    made = await rig(script)
    reader, writer = await made.open()
    writer.write(UPGRADE)
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"\r\n\r\nlast")  # up to the end of the origin's side
    writer.write(b"still here")
    writer.write_eof()
    assert await asyncio.wait_for(got, 10) == b"still here"
    writer.close()


async def test_a_refused_websocket_is_an_ordinary_answer(rig, origin):
    made = await rig(
        origin(b"HTTP/1.1 403 Forbidden\r\nUpgrade: foo\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno")
    )
    out = await made.talk(UPGRADE)
    assert out.endswith(b"Content-Length: 2\r\n" + VIA + b"\r\nno")
    assert b"pgrade" not in out


@pytest.mark.parametrize("upgrade", [b"h2c", b"TLS/1.0", b"websocket, h2c"])
async def test_other_upgrades_are_stripped(rig, origin, upgrade):
    seen = []
    made = await rig(origin(OK, seen))
    await made.talk(
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: x\r\n\r\n"
        % upgrade
    )
    assert b"pgrade" not in seen[0][0]
    assert b"HTTP2-Settings" not in seen[0][0]


async def test_a_switch_nobody_asked_for_is_broken(rig, origin):
    made = await rig(origin(SWITCH))
    assert b"BrokenAnswer" in await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")


async def test_a_half_closed_visitor_gets_the_answer(rig):
    async def script(side):
        await side.request()
        await asyncio.sleep(0.1)  # long after the visitor's FIN has arrived
        await side.send(OK)

    made = await rig(script)
    assert (await made.talk(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")).endswith(b"\r\n\r\nok")

"""Every bound of the listener: its breach gets its status, is counted once, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from gateway.intake.server import Exchange, Limits
from gateway.intake.server import address_key as key

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def hello(exchange: Exchange) -> None:
    await exchange.respond(200, b"hello")


async def size(exchange: Exchange) -> None:
    await exchange.respond(200, b"%d" % len(await exchange.read(10_000_000)))


async def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never happened"
        await asyncio.sleep(0.01)


def head(*fields: bytes, target: bytes = b"/") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (target, b"".join(f + b"\r\n" for f in fields))


@pytest.mark.parametrize(
    ("request_head", "status", "reason"),
    [
        (head(b"X: " + b"x" * 1100), 431, "header_field_bytes"),
        (head(*[b"X%d: %b" % (i, b"x" * 500) for i in range(5)]), 431, "header_bytes"),
        (head(*[b"X%d: %b" % (i, b"x" * 500) for i in range(5)])[:-2], 431, "header_bytes"),
        (head(*[b"X%d: x" % i for i in range(10)]), 431, "header_count"),
        (head(target=b"/" + b"x" * 500), 414, "target_bytes"),
        (head(target=b"/" + b"x" * 5000)[:3000], 414, "target_bytes"),
    ],
)
async def test_header_limits(serve, request_head, status, reason):
    served = await serve(hello, Limits(header_bytes=2000, header_field_bytes=1000, header_count=10, target_bytes=500))
    answer = await served.talk(request_head, eof=False)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert served.refusals == [(status, reason)]


async def test_just_within_the_header_limits(serve):
    served = await serve(hello, Limits(header_bytes=2000, header_field_bytes=1000, header_count=10, target_bytes=500))
    assert (await served.talk(head(b"X: " + b"x" * 999, target=b"/" + b"x" * 499))).startswith(b"HTTP/1.1 200")
    assert (await served.talk(head(*[b"X%d: x" % i for i in range(9)]))).startswith(b"HTTP/1.1 200")
    assert served.refusals == []


async def test_trickled_header(serve):
    served = await serve(hello, Limits(header_deadline_s=0.2))
    reader, writer = await served.open()
    answer = asyncio.ensure_future(reader.read())
    for byte in GET:
        if answer.done():
            break
        writer.write(bytes([byte]))
        await asyncio.sleep(0.03)
    assert (await asyncio.wait_for(answer, 5)).startswith(b"HTTP/1.1 408 ")
    assert served.refusals == [(408, "header_deadline")]
    writer.close()


async def test_idle_connections_are_closed_without_a_word(serve):
    served = await serve(hello, Limits(keep_alive_s=0.2))
    assert await served.talk(b"", eof=False) == b""
    assert (await served.talk(GET, eof=False)).endswith(b"hello")
    assert served.refusals == []


async def test_trickled_body(serve):
    served = await serve(size, Limits(body_grace_s=0.2, body_min_rate=1000))
    reader, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    answer = asyncio.ensure_future(reader.read())
    while not answer.done():
        writer.write(b"x")
        await asyncio.sleep(0.05)
    assert answer.result().startswith(b"HTTP/1.1 408 ")
    assert served.refusals == [(408, "body_rate")]
    writer.close()


async def test_body_that_never_ends(serve):
    served = await serve(size, Limits(body_deadline_s=0.3, body_min_rate=0))
    reader, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    answer = asyncio.ensure_future(reader.read())
    while not answer.done():
        writer.write(b"1\r\nx\r\n")
        await asyncio.sleep(0.05)
    assert answer.result().startswith(b"HTTP/1.1 408 ")
    assert served.refusals == [(408, "body_deadline")]
    writer.close()


async def test_waiting_for_continue_or_for_a_slow_handler_is_not_the_visitors_fault(serve):
    async def handler(exchange):
        await asyncio.sleep(1.5)  # longer than the grace and one look of the sweep
        await size(exchange)

    served = await serve(handler, Limits(body_grace_s=0.1, body_min_rate=1_000_000, body_buffer_bytes=1000))
    reader, writer = await served.open()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"12345")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200")
    writer.close()
    body = b"x" * 3_000_000  # more than the buffers hold: the visitor is held back, his clock stands still
    answer = await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert answer.endswith(b"3000000")
    assert served.refusals == []


async def test_body_is_read_only_as_fast_as_it_is_consumed(serve):
    go = asyncio.Event()

    async def handler(exchange):
        await go.wait()
        await size(exchange)

    served = await serve(handler, Limits(body_buffer_bytes=10_000))
    reader, writer = await served.open()
    body = b"x" * 8_000_000
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await until(lambda: served.listener.in_flight == 1)
    await asyncio.sleep(0.2)
    assert served.listener.body_bytes < 1_000_000  # the buffer and one read of the transport
    go.set()
    assert (await asyncio.wait_for(reader.readuntil(b"8000000"), 10)).startswith(b"HTTP/1.1 200")
    await until(lambda: served.listener.body_bytes == 0)
    writer.close()


async def test_form_that_finds_no_room(serve):
    hold = asyncio.Event()

    async def handler(exchange):
        await exchange.read(10_000_000)
        if exchange.target == b"/first":
            await hold.wait()
        await exchange.respond(200, b"ok")

    served = await serve(handler, Limits(body_bytes_in_flight=100_000, room_wait_s=0.2))
    request = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n" + b"x" * 80_000
    first = asyncio.ensure_future(served.talk(request % b"/first"))
    await until(lambda: served.listener.body_bytes == 80_000)
    answer = await served.talk(request % b"/second")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: " in answer
    assert served.refusals == [(503, "no_room")]
    third = asyncio.ensure_future(served.talk(request % b"/third"))
    await asyncio.sleep(0.05)
    hold.set()
    assert (await first).startswith(b"HTTP/1.1 200")
    assert (await third).startswith(b"HTTP/1.1 200")
    await until(lambda: served.listener.body_bytes == 0)


async def test_connections_per_address(serve):
    served = await serve(hello, Limits(connections_per_address=2))
    open_ones = [await served.open() for _ in range(2)]
    await until(lambda: served.listener.connections == 2)
    assert (await served.talk(GET)).startswith(b"HTTP/1.1 429 ")
    assert served.refusals == [(429, "connections_per_address")]
    for _, writer in open_ones:
        writer.close()
    await until(lambda: served.listener.connections == 0)
    _, writer = await served.open()
    assert (await served.talk(GET)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_trusted_proxies_are_not_counted_per_address(serve):
    served = await serve(hello, Limits(connections_per_address=2), trusted=lambda address: address == "127.0.0.1")
    open_ones = [await served.open() for _ in range(5)]
    assert (await served.talk(GET)).startswith(b"HTTP/1.1 200 ")
    for _, writer in open_ones:
        writer.close()


async def test_connections_altogether(serve):
    served = await serve(hello, Limits(connections=2))
    open_ones = [await served.open() for _ in range(2)]
    await until(lambda: served.listener.connections == 2)
    reader, writer = await served.open()
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 503 ")
    writer.close()
    assert served.refusals == [(503, "connections")]
    for _, writer in open_ones:
        writer.close()


def test_what_addresses_are_counted_under():
    assert key("192.0.2.1") == key("::ffff:192.0.2.1") != key("192.0.2.2")
    assert key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9") != key("2001:db8:1:3::1")
    assert key("fe80::1%eth0") == key("fe80::2")


async def test_requests_per_connection(serve):
    served = await serve(hello, Limits(requests_per_connection=3))
    answer = await served.talk(GET * 5)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"Connection: close\r\n") == 1
    assert answer.endswith(b"Connection: close\r\n\r\nhello")


async def test_reader_who_takes_nothing_is_cut_off(serve):
    ended = []

    async def handler(exchange):
        await exchange.start(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", close=True)
        try:
            for _ in range(1000):
                await exchange.write(b"x" * 100_000)
        finally:
            ended.append(exchange.gone)

    served = await serve(handler, Limits(send_stall_s=0.3))
    _, writer = await served.open()
    writer.transport.pause_reading()
    writer.write(GET)
    await until(lambda: ended)
    assert ended == [True]
    assert served.refusals == [(408, "send_stall")]
    writer.close()


async def test_idle_tunnel_is_closed(serve):
    async def handler(exchange):
        await exchange.start(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        reader, _ = exchange.tunnel()
        async for _ in reader:
            pass

    served = await serve(handler, Limits(tunnel_idle_s=0.3))
    reader, writer = await served.open()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    await until(lambda: served.refusals == [(408, "tunnel_idle")])
    writer.close()


async def test_pipeline_is_bounded(serve):
    go = asyncio.Event()
    count = 0

    async def handler(exchange):
        nonlocal count
        count += 1
        await go.wait()
        await exchange.respond(200, b"")

    served = await serve(handler)
    reader, writer = await served.open()
    total = 400_000
    writer.write(GET * total)
    await until(lambda: count == 1)
    await asyncio.sleep(0.2)
    assert writer.transport.get_write_buffer_size() > 1_000_000
    go.set()
    answers = 0
    while answers < 200:
        answers += (await asyncio.wait_for(reader.read(65536), 5)).count(b"HTTP/1.1 200 OK")
    assert served.refusals == []
    writer.transport.abort()


async def test_refusals_leave_no_traceback_and_no_task(serve, caplog):
    served = await serve(hello)
    for _ in range(20):
        assert (await served.talk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", eof=False)).startswith(
            b"HTTP/1.1 400 "
        )
    assert served.refusals == [(400, "tls_on_plain_port")] * 20
    assert caplog.records == []
    await until(lambda: served.listener.connections == 0)

"""Going down without cutting anybody off who can still be served."""

from __future__ import annotations

import asyncio

import pytest

from gateway.intake.server import Limits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_drain_lets_open_exchanges_end(serve):
    release = asyncio.Event()

    async def handler(exchange):
        await release.wait()
        await exchange.respond(200, b"hello")

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

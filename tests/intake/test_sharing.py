"""Several workers on one listening socket: each gets its part, and nobody who waits in the queue is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.intake.exchange import Exchange
from gateway.intake.server import Limits, Listener
from gateway.intake.sharing import Seats, Share

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def worker(name: bytes, limits: Limits = Limits()) -> Listener:  # noqa: B008  # frozen
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, name)

    return Listener(answer, limits, lambda status, reason: None, lambda address: True)


@pytest.fixture
async def public() -> AsyncIterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


async def visit(sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*sock.getsockname())


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Head and body (one letter) of an answer."""
    writer.write(GET)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    return head + await reader.readexactly(1)


def test_a_seat_that_has_more_than_its_part_lets_others_go_first() -> None:
    seats = Seats(3)
    assert seats.connections == []
    seats.take(0)
    assert seats.is_turn_of(0), "alone"
    seats.take(1)
    seats.add(0, 1)
    assert not seats.is_turn_of(0)
    assert seats.is_turn_of(1)
    seats.add(1, 16)
    seats.add(0, 17)
    assert seats.connections == [18, 16]
    assert seats.is_turn_of(0), "an eighth over the least is near enough"
    seats.add(0, 1)
    assert not seats.is_turn_of(0)
    seats.leave(1)
    seats.add(1, -1)
    assert seats.connections == [19]
    assert seats.is_turn_of(0), "who left is waited for no more"


async def test_connections_spread_over_the_workers(public: socket.socket) -> None:
    seats = Seats(2)
    workers = [worker(b"0"), worker(b"1")]
    for seat, listener in enumerate(workers):
        listener.join([public.dup()], Share(seats, seat))
    visits = [await visit(public) for _ in range(32)]
    answers = [await ask(*pair) for pair in visits]
    took = [sum(answer.endswith(name) for answer in answers) for name in (b"0", b"1")]
    assert min(took) >= 14
    assert seats.connections == took
    for _, writer in visits:
        writer.close()
    while seats.connections != [0, 0]:
        await asyncio.sleep(0.01)
    for listener in workers:
        await listener.drain(0)


async def test_a_stuck_worker_holds_nobody_up(public: socket.socket) -> None:
    seats = Seats(2)
    seats.take(1)  # has no connection and takes none
    listener = worker(b"0")
    listener.join([public.dup()], Share(seats, 0))
    visits = [await visit(public) for _ in range(20)]
    assert [(await ask(*pair))[-1:] for pair in visits] == [b"0"] * 20
    for _, writer in visits:
        writer.close()
    await listener.drain(0)


async def test_what_waits_in_the_queue_of_a_worker_that_leaves_is_served_by_another(public: socket.socket) -> None:
    seats = Seats(2)
    first, second = worker(b"0"), worker(b"1")
    first.join([public.dup()], Share(seats, 0))
    await first.drain(1)
    assert first.addresses == []
    reader, writer = await visit(public)
    writer.write(GET)
    await asyncio.sleep(0.05)
    second.join([public.dup()], Share(seats, 1))
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await second.drain(0)


async def test_idle_connections_are_kept_for_the_request_that_may_be_on_its_way(public: socket.socket) -> None:
    listener = worker(b"0")
    listener.join([public.dup()], Share(Seats(1), 0))
    fresh, used, silent = [await visit(public) for _ in range(3)]
    await ask(*used)
    while listener.connections < 3:
        await asyncio.sleep(0.01)
    drained = asyncio.create_task(listener.drain(30, idle_s=0.5))
    await asyncio.sleep(0.05)
    for pair in (fresh, used):
        answer = await ask(*pair)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in answer
        assert await pair[0].read() == b""
    assert await silent[0].read() == b""
    assert await drained == 0
    for _, writer in (fresh, used, silent):
        writer.close()


async def test_a_process_without_file_descriptors_tries_again(
    public: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = worker(b"0")
    listener.join([public.dup()], Share(Seats(1), 0))
    taker = listener._takers[0]
    real, tries = taker.sock, []

    class Refusing:
        def accept(self) -> tuple[socket.socket, object]:
            tries.append(1)
            if len(tries) == 1:
                raise OSError(24, "Too many open files")
            return real.accept()

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    taker.sock = Refusing()  # type: ignore[assignment]
    pair = await visit(public)
    assert (await ask(*pair)).startswith(b"HTTP/1.1 200 ")
    assert len(tries) >= 2
    pair[1].close()
    taker.sock = real
    await listener.drain(0)

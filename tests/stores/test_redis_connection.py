"""The connection against a server that answers as it is told to: late, never, too much, nonsense."""

from __future__ import annotations

import asyncio
import socket
import time

import hiredis
import pytest
import uvloop
from hot_states import until

from gateway.stores.redis import connection as redis_connection
from gateway.stores.redis.connection import Connection, open_connection
from gateway.stores.redis.errors import Failure
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.wire import packed


class Scripted:
    """Reads commands into `asked`; answers what the test writes."""

    def __init__(self) -> None:
        self.asked: list[list[bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        parser = hiredis.Reader()
        while data := await reader.read(65536):
            parser.feed(data)
            while (command := parser.gets()) is not False:
                self.asked.append(command)

    def answer(self, data: bytes) -> None:
        self.writers[-1].write(data)

    async def close(self) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()


@pytest.fixture
async def server():
    scripted = Scripted()
    await scripted.start()
    yield scripted
    await scripted.close()


@pytest.fixture
async def connect(server):
    made = []

    async def connected(deadline_s: float) -> Connection:
        settings = RedisSettings("single", (("127.0.0.1", server.port),))
        connection = await open_connection(settings, settings.nodes[0], None, None)
        assert isinstance(connection, Connection)
        connection.change_deadline(deadline_s)
        made.append(connection)
        await until(lambda: asyncio.sleep(0, server.writers), bool)
        return connection

    yield connected
    for connection in made:
        connection.on_lost = None
        connection.drop(Failure("away", "closed", ""))


PING = packed(b"PING")


async def test_answers_go_to_who_asked(server, connect):
    connection = await connect(60)
    asked = [connection.send(PING) for _ in range(3)]
    server.answer(b"$1\r\na\r\n$1\r\n")
    server.answer(b"b\r\n-OOM no\r\n")
    first, second, third = await asyncio.gather(*asked)
    assert (first, second) == (b"a", b"b")
    assert type(third) is hiredis.ReplyError


async def test_what_comes_late_is_thrown_away_in_its_turn(server, connect):
    connection = await connect(0.05)
    late = await connection.send(PING)
    assert late.kind == "late"
    assert late.reason == "redis: no answer within 50 ms"
    connection.change_deadline(60)
    in_time = connection.send(PING)
    await until(lambda: asyncio.sleep(0, server.asked), lambda asked: len(asked) == 2)
    server.answer(b"$4\r\nlate\r\n$7\r\nin time\r\n")
    assert await in_time == b"in time"
    connection.change_deadline(0.1)
    assert (await connection.send(PING)).kind == "late"
    assert connection.open


async def test_one_timer_for_all(server, connect):
    connection = await connect(0.05)
    asked = [connection.send(PING) for _ in range(100)]
    timer = connection._timer
    assert timer is not None
    assert {answer.kind for answer in await asyncio.gather(*asked)} == {"late"}
    assert connection.late == 100


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_an_answer_that_waits_in_the_socket_is_in_time(run):
    """This process slept over the deadline; Redis did not. uvloop calls timers before it reads."""

    async def sleepy():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings = RedisSettings("single", (listener.getsockname(),))
            asking = await open_connection(settings, settings.nodes[0], None, None)
            other = await open_connection(settings, settings.nodes[0], None, None)
            with listener.accept()[0] as answers, listener.accept()[0] as wakes:

                def stand_still(_):
                    answers.sendall(b"$1\r\na\r\n")
                    time.sleep(0.2)

                other.on_push = stand_still
                asking.change_deadline(0.05)
                asked = asking.send(PING)
                wakes.sendall(b"+wake up\r\n")
                answer = await asked
            for connection in (asking, other):
                connection.drop(Failure("away", "closed", ""))
        return answer

    assert run(sleepy()) == b"a"


async def test_a_server_that_never_answers_is_given_up(server, connect):
    connection = await connect(0.02)
    lost = asyncio.get_running_loop().create_future()
    connection.on_lost = lost.set_result
    connection.send(PING)
    assert (await asyncio.wait_for(lost, 20)).kind == "late"
    assert not connection.open
    assert (await connection.send(PING)).kind == "late"


async def test_the_queue_is_bounded(server, connect, monkeypatch):
    monkeypatch.setattr(redis_connection, "PENDING", 3)
    connection = await connect(60)
    waiting = [connection.send(PING) for _ in range(3)]
    refused = await connection.send(PING)
    assert refused.kind == "crowded"
    assert not any(future.done() for future in waiting)
    await until(lambda: asyncio.sleep(0, server.asked), lambda asked: len(asked) == 3)
    server.answer(b"+OK\r\n" * 3)
    assert await asyncio.gather(*waiting) == [b"OK"] * 3
    assert not connection.send(PING).done()
    connection.post(PING)


async def test_a_lost_connection_answers_everything_that_waits(server, connect):
    connection = await connect(60)
    waiting = [connection.send(PING) for _ in range(3)]
    await until(lambda: asyncio.sleep(0, server.asked), lambda asked: len(asked) == 3)
    server.writers[-1].transport.abort()
    assert {failure.kind for failure in await asyncio.gather(*waiting)} == {"away"}


async def test_nonsense_ends_the_connection(server, connect):
    connection = await connect(60)
    asked = connection.send(PING)
    server.answer(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert (await asked).reason == "redis: does not speak the Redis protocol"
    assert not connection.open


async def test_too_many_clients(server, connect):
    connection = await connect(60)
    server.answer(b"-ERR max number of clients reached\r\n")
    await until(lambda: asyncio.sleep(0, connection.open), lambda is_open: not is_open)
    assert "maxclients" in (await connection.send(PING)).remedy


async def test_a_log_in_that_is_never_answered_ends(server):
    settings = RedisSettings("single", (("127.0.0.1", server.port),), password="secretword", connect_s=0.1)
    failure = await open_connection(settings, settings.nodes[0], None, "secretword")
    assert isinstance(failure, Failure)
    assert failure.kind == "late"
    assert "secretword" not in repr(failure)

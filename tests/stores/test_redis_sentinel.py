"""Behind sentinels: the master is found, and found again."""

from __future__ import annotations

import asyncio

import pytest
from hot_states import followed, now_us, opened, refused, until
from servers import Sentinels

from gateway.stores.hot import Hit, Seal
from gateway.stores.redis import sentinel as redis_sentinel
from gateway.stores.redis.settings import RedisSettings

OPS = [Hit(b"a" * 24, b"8 bytes!"), Seal(b"C" * 24, b"first", 86_400)]


@pytest.fixture(params=[None, "secretword"])
def sentinels(request):
    with Sentinels(password=request.param) as all_of_them:
        yield all_of_them


async def test_a_killed_master_is_replaced_and_the_verdicts_say_so(sentinels):
    async with opened(sentinels, password=sentinels.password) as state:
        answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        assert answers.partial == {}
        followed(sentinels.master)
        sentinels.master.kill()
        await until(lambda: state.observe(OPS, now_us()), refused)
        answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        assert answers.results[1].count >= 2
        assert answers.results[1].value == b"first"
        assert set(answers.partial) == {0, 1}
        async with opened(sentinels, password=sentinels.password) as newcomer:
            assert set((await newcomer.observe(OPS, now_us())).partial) == {0, 1}


async def test_a_master_that_steps_back_is_left():
    with Sentinels() as sentinels:
        async with opened(sentinels) as state:
            await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
            await until(lambda: _asked(sentinels), lambda told: told)
            answers = await until(
                lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers) and answers.partial
            )
            assert set(answers.partial) == {0, 1}
            assert sentinels.replica.call("DBSIZE") == 4


async def _asked(sentinels):
    """A sentinel refuses while it does not think the replica good enough yet."""
    try:
        return sentinels.sentinels[0].call("SENTINEL", "FAILOVER", "mymaster")
    except Exception:
        return None


async def test_the_first_sentinel_may_be_dead():
    with Sentinels(sentinels=3) as sentinels:
        sentinels.sentinels[0].kill()
        async with opened(sentinels) as state:
            await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))


async def test_a_name_that_no_sentinel_knows():
    with Sentinels() as sentinels:
        async with opened(sentinels, master="another") as state:
            answers = await state.observe(OPS, now_us())
            assert refused(answers) == ["redis: the sentinels know no master 'another' (sentinel)"] * 2
            assert "correct `state`" in state.trouble


async def test_sentinels_with_users_of_their_own():
    with Sentinels() as sentinels:
        sentinel = sentinels.sentinels[0]
        rights = ("-@all", "+sentinel|get-master-addr-by-name", "+subscribe", "resetchannels", "&+switch-master")
        sentinel.call("ACL", "SETUSER", "watch", "on", ">secretword", *rights)
        async with opened(sentinels, sentinel_username="watch", sentinel_password="secretword") as state:
            await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        async with opened(sentinels, sentinel_username="watch", sentinel_password="otherword") as state:
            assert refused(await state.observe(OPS, now_us())) == ["redis: refuses the password (sentinel)"] * 2


async def test_sentinels_that_want_the_servers_password():
    with Sentinels(password="secretword") as sentinels:
        sentinels.sentinels[0].call("ACL", "SETUSER", "default", "resetpass", ">secretword")
        async with opened(sentinels, password="secretword") as state:
            await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))


async def test_whatever_a_sentinel_says_does_not_end_the_listening(monkeypatch):
    """It names a master whose port is no number: told each time, and heard again."""
    monkeypatch.setattr(redis_sentinel, "CHECK_S", 0.01)
    monkeypatch.setattr(redis_sentinel, "AGAIN_S", 0.01)
    heard, told = [], []

    async def answer(reader, writer):
        heard.append(1)
        while said := await reader.read(1000):
            asked = b"GET-MASTER" in said
            writer.write(b"*2\r\n$1\r\na\r\n$1\r\nx\r\n" if asked else b"*3\r\n$1\r\ns\r\n$1\r\nc\r\n:1\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    nodes = (server.sockets[0].getsockname()[:2],)
    sentinels = redis_sentinel.Sentinels(
        RedisSettings(mode="sentinel", nodes=nodes, master="mymaster"), lambda: None, told.append
    )
    sentinels.start()
    try:
        async with asyncio.timeout(10):
            while len(told) < 3:
                await asyncio.sleep(0.01)
    finally:
        await sentinels.close()
        server.close()
    assert {failure.kind for failure in told} == {"internal"}

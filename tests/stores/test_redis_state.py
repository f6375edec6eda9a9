"""Hot state on a real redis-server: how it comes in, what it keeps, and what it says when Redis is ill. What it counts is in test_hot_state.py."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

import pytest
from hot_states import now_us, opened, refused, settings_for, until
from servers import Redis

from detectors.observation import Count, Unavailable
from gateway.stores.hot import Hit, Look, Seal, Sealed
from gateway.stores.redis.state import RedisState

OPS = [Hit(b"a" * 24, b"8 bytes!"), Seal(b"C" * 24, b"first", 90 * 86_400), Look(b"S" * 24)]
RIGHTS = ["evalsha", "script|load", "info", "mget", "get", "set", "setrange", "time"]
"""What the user of a single server or of one behind sentinels needs; docs/operators/redis.md says the same."""


def acl(rights, password="secret word"):
    return (
        "on resetchannels -@all ~lg1:* " + " ".join(f"+{right}" for right in rights) + f" >{password.replace(' ', '')}"
    )


@pytest.fixture
def own_redis():
    """One that may be broken."""
    with Redis() as server:
        yield server


async def test_times_are_on_the_callers_clock(fresh_redis):
    async with opened(fresh_redis) as state:
        now = now_us()
        assert (await state.observe([Seal(b"s", b"v", 60)], now)).results == [Sealed(b"v", now, 1)]
        hour = 3600 * 1_000_000
        (sealed,) = (await state.observe([Look(b"s")], now - hour)).results
        assert abs(sealed.first_at - (now - hour)) < 60 * 1_000_000  # what passed meanwhile
        (sealed,) = (await state.observe([Look(b"s")], now + hour)).results
        assert abs(sealed.first_at - (now + hour)) < 60 * 1_000_000


async def test_clocks_that_differ_count_together(fresh_redis):
    async with opened(fresh_redis) as one, opened(fresh_redis) as other:
        await one.observe([Hit(b"k", b"m")], now_us() - 7200 * 1_000_000)
        (counts,) = (await other.observe([Hit(b"k", b"n")], now_us() + 7200 * 1_000_000)).results
        assert counts[3] == Count(2, 2)


async def test_one_call_for_one_observation(fresh_redis):
    async with opened(fresh_redis) as state:
        fresh_redis.call("CONFIG", "RESETSTAT")
        await state.observe(OPS, now_us())
        assert fresh_redis.call("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == 1
        assert state.tally.round_trips == 1


async def test_every_key_expires(fresh_redis):
    async with opened(fresh_redis) as state:
        for _ in range(3):
            await state.observe([*OPS, Hit(b"a" * 24, b"another!"), Hit(b"bare")], now_us())
    with fresh_redis.client() as client:
        lives = {key: client.pttl(key) for key in client.scan_iter()}
    assert len(lives) == 5  # three operations that write, the epoch, the probe
    assert all(left > 0 for left in lives.values())
    hit = next(left for key, left in lives.items() if b"haaaa" in key)
    seal = next(left for key, left in lives.items() if b"sCCCC" in key)
    assert 86_400_000 < hit <= 2 * 86_400_000
    assert 89 * 86_400_000 < seal <= 90 * 86_400_000 + 1


async def test_keys_hold_nothing_but_the_prefix_and_what_was_given(fresh_redis):
    async with opened(fresh_redis, prefix="elsewhere:") as state:
        await state.observe(OPS, now_us())
    with fresh_redis.client() as client:
        assert all(key.startswith(b"elsewhere:") for key in client.scan_iter())


async def test_a_forgotten_script_is_loaded_again(fresh_redis):
    async with opened(fresh_redis) as state:
        fresh_redis.call("SCRIPT", "FLUSH")
        together = await asyncio.gather(*(state.observe(OPS, now_us()) for _ in range(20)))
        assert [refused(answers) for answers in together] == [[]] * 20
        assert sorted(answers.results[1].count for answers in together) == list(range(1, 21))


async def test_a_server_without_anything_is_no_loss_and_a_flushed_one_is(own_redis):
    async with opened(own_redis) as state, opened(own_redis) as idle:
        assert (await state.observe(OPS, now_us())).partial == {}
        await idle.observe(OPS, now_us())
        own_redis.flush()
        answers = await state.observe(OPS, now_us())
        assert answers.results[1].count == 1
        assert set(answers.partial) == {0, 1, 2}
        assert "the shared state was lost or failed over at" in answers.partial[0]
        assert answers.partial[0].endswith("Z; counts and seals from before may be missing")
        assert (await idle.observe(OPS, now_us())).partial == answers.partial
        async with opened(own_redis) as newcomer:  # it did not see it happen, and its verdicts say so all the same
            assert (await newcomer.observe(OPS, now_us())).partial == answers.partial


async def test_who_hears_of_a_flush_last_says_so_too(own_redis):
    """A process that starts after the loss makes the new epoch without knowing of an old one."""
    async with opened(own_redis) as state:
        await state.observe(OPS, now_us())
        own_redis.flush()
        async with opened(own_redis) as newcomer:
            await newcomer.observe(OPS, now_us())
            assert len((await state.observe(OPS, now_us())).partial) == 3
            assert len((await newcomer.observe(OPS, now_us())).partial) == 3


async def test_killed_and_started_again(own_redis):
    async with opened(own_redis) as state:
        await state.observe(OPS, now_us())
        own_redis.kill()
        answers = await until(lambda: state.observe(OPS, now_us()), refused)
        assert all(reason.startswith("redis: ") for reason in refused(answers))
        assert not await state.probe()
        await until(lambda: state.observe(OPS, now_us()), lambda _: "refuses connections" in (state.trouble or ""))
        own_redis.start()
        answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        assert set(answers.partial) == {0, 1, 2}
        assert await state.probe()
        assert state.trouble is None
        assert state.tally.reconnects == 1
        assert state.tally.failures["away"] > 0


async def test_a_restart_that_kept_its_data_is_told_too():
    """What it had not written to its disk yet is gone, and nobody knows what that was."""
    with Redis(appendonly=True) as server:
        async with opened(server) as state:
            await state.observe(OPS, now_us())
            server.restart()
            answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
            assert answers.results[1].count >= 2
            assert set(answers.partial) == {0, 1, 2}


async def test_paused(own_redis):
    async with opened(own_redis, deadline_s=0.05, connect_s=0.5) as state:
        await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        own_redis.pause()
        answers = await state.observe(OPS, now_us())
        assert refused(answers) == ["redis: no answer within 50 ms"] * 3
        assert "slow" in state.trouble
        assert state.tally.failures["late"] == 1
        assert not await state.probe()
        own_redis.resume()
        await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        assert (await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))).partial == {}


async def test_full():
    with Redis(maxmemory="16mb") as server:
        async with opened(server) as state:
            await state.observe(OPS, now_us())
            server.fill()
            answers = await state.observe(OPS, now_us())
            assert refused(answers) == ["redis: full (maxmemory)"] * 3
            assert "raise maxmemory" in state.trouble
            assert not await state.probe()
            assert (await state.observe([Look(b"C" * 24)], now_us())).results[0].value == b"first"
            server.room()
            assert await state.probe()
            assert state.trouble is None
            assert refused(await state.observe(OPS, now_us())) == []


async def test_a_server_that_forgets_silently_is_trouble():
    with Redis(more=["--maxmemory-policy", "allkeys-lru"]) as server:
        async with opened(server) as state:
            assert "maxmemory-policy allkeys-lru" in state.trouble


async def test_still_loading():
    with Redis(appendonly=True) as server:
        with server.client() as client:
            for number in range(300):
                client.set(f"other-{number}", "x" * 200)
        async with opened(server) as state:
            await state.observe(OPS, now_us())
            server.call("BGREWRITEAOF")  # only while it reads a snapshot does it answer at all

            async def rewriting():
                told = server.call("INFO", "persistence")
                return told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"]

            await until(rewriting, lambda rewriting: not rewriting)
            server.stop()
            server.more = ("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
            server.spawn()
            await until(
                lambda: state.observe(OPS, now_us()),
                lambda answers: "redis: still loading its data" in refused(answers),
            )
            answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
            assert answers.results[1].count >= 2


async def test_a_replica_is_not_written_to(own_redis):
    with Redis() as replica:
        replica.call("REPLICAOF", "127.0.0.1", own_redis.port)
        async with opened(replica) as state:
            assert refused(await state.observe(OPS, now_us())) == ["redis: not the master any more"] * 3
            assert "read-only replica" in state.trouble
            replica.call("REPLICAOF", "NO", "ONE")
            await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))


async def test_a_master_that_becomes_a_replica_is_left(own_redis):
    with Redis() as other:
        async with opened(own_redis) as state:
            await state.observe(OPS, now_us())
            own_redis.call("REPLICAOF", "127.0.0.1", other.port)
            assert await until(lambda: state.observe(OPS, now_us()), refused)
            await until(lambda: state.observe(OPS, now_us()), lambda _: "read-only replica" in (state.trouble or ""))


async def test_tls():
    with Redis(tls=True) as server:
        async with opened(server) as state:
            assert refused(await state.observe(OPS, now_us())) == []
            assert state.trouble is None
        async with opened(server, ca_file=None) as state:
            assert refused(await state.observe(OPS, now_us())) == ["redis: certificate not trusted"] * 3
            assert "redis.ca" in state.trouble
        async with opened(server, ca_file="/nowhere/ca.pem") as state:
            assert refused(await state.observe(OPS, now_us())) == ["redis: no usable certificate authority"] * 3
        async with opened(server, tls=False) as state:
            assert len(refused(await state.observe(OPS, now_us()))) == 3


async def test_tls_towards_a_server_without(fresh_redis):
    async with opened(fresh_redis, tls=True) as state:
        assert len(refused(await state.observe(OPS, now_us()))) == 3
        assert state.trouble


async def test_an_acl_user_with_the_documented_rights():
    with Redis(acl={"gate": acl(RIGHTS)}) as server:
        async with opened(server, username="gate", password="secretword") as state:
            for _ in range(2):
                assert refused(await state.observe([*OPS, *OPS], now_us())) == []
            server.call("SCRIPT", "FLUSH")
            assert refused(await state.observe(OPS, now_us())) == []
            assert state.trouble is None


@pytest.mark.parametrize("right", RIGHTS)
async def test_each_documented_right_is_needed(right):
    with Redis(acl={"gate": acl(each for each in RIGHTS if each != right)}) as server:
        async with opened(server, username="gate", password="secretword") as state:
            await state.observe([*OPS, *OPS], now_us())
            answers = await state.observe([*OPS, *OPS], now_us())
            assert refused(answers) == ["redis: the user lacks a right"] * 6
            assert "docs/operators/redis.md" in state.trouble


@pytest.mark.parametrize(
    ("server_has", "we_say", "trouble"),
    [
        ("secretword", {}, "asks for a password"),
        ("secretword", {"password": "anotherword"}, "refuses the password"),
        ("secretword", {"username": "gate", "password": "anotherword"}, "refuses the password"),
        (None, {"password": "anotherword"}, "has no password"),
    ],
)
async def test_a_wrong_password_is_told_and_never_shown(server_has, we_say, trouble):
    with Redis(password=server_has) as server:
        async with opened(server, **we_say) as state:
            answers = await state.observe(OPS, now_us())
            assert len(refused(answers)) == 3
            assert trouble in state.trouble
            shown = repr((answers, state.trouble, settings_for(server, **we_say), state.tally.failures))
            assert "anotherword" not in shown
            assert "secretword" not in shown


async def test_a_password_of_the_default_user():
    with Redis(password="secretword") as server:
        async with opened(server, password="secretword") as state:
            assert refused(await state.observe(OPS, now_us())) == []


async def test_a_database_of_its_own(fresh_redis):
    async with opened(fresh_redis, db=3) as state:
        await state.observe(OPS, now_us())
    with fresh_redis.client() as client:
        assert client.dbsize() == 0
    async with opened(fresh_redis, db=100_000) as state:
        assert refused(await state.observe(OPS, now_us())) == ["redis: no such database"] * 3


async def test_a_key_of_somebody_else(fresh_redis):
    async with opened(fresh_redis) as state:
        with fresh_redis.client() as client:
            await state.observe([Hit(b"k")], now_us())
            key = next(key for key in client.scan_iter() if key.endswith(b"hk"))
            client.delete(key)
            client.rpush(key, "x")
            answers = await state.observe([Hit(b"k")], now_us())  # a list cannot be read, and is written over
            assert refused(answers) == []
            assert client.type(key) == b"string"


async def test_started_while_redis_is_away(own_redis):
    own_redis.stop()
    async with opened(own_redis) as state:
        assert len(refused(await state.observe(OPS, now_us()))) == 3
        own_redis.start()
        answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
        assert answers.partial == {}


async def test_not_started_is_unavailable_not_an_error(fresh_redis):
    state = RedisState(settings_for(fresh_redis))
    assert (await state.observe([Hit(b"k")], 1)).results == [Unavailable("redis: not started")]
    assert not await state.probe()
    await state.close()


async def test_a_caller_that_gives_up_does_not_disturb_the_others(fresh_redis):
    async with opened(fresh_redis) as state:
        tasks = [
            asyncio.create_task(state.observe([Seal(b"%d" % number, b"%d" % number, 60)], now_us()))
            for number in range(50)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks[1::2])
        assert [each.results[0].value for each in answers] == [b"%d" % number for number in range(1, 50, 2)]


WORKER = """
import asyncio, json, sys
from gateway.stores.hot import Hit, Seal
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState

async def main(port, visits, now):
    state = RedisState(RedisSettings("single", (("127.0.0.1", port),), deadline_s=10, connect_s=10), callers_clock=True)
    await state.start()
    seen = []
    for number in range(visits):
        ops = [Hit(b"everybody"), Hit(b"visitor %d" % number, b"%d" % (number % 7)), Seal(b"click %d" % number, b"", 600)]
        everybody, visitor, click = (await state.observe(ops, now)).results
        seen.append([everybody[0].count, visitor[3].count, click.count])
    await state.close()
    print(json.dumps(seen))

asyncio.run(main(*map(int, sys.argv[1:])))
"""


async def test_four_processes_count_as_one_and_seal_once(own_redis):
    visits, processes = 150, 4
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, str(own_redis.port), str(visits), str(1_760_011_200_000_000),
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]  # fmt: skip
    told = [json.loads((await process.communicate())[0]) for process in running]
    assert sorted(row[0] for rows in told for row in rows) == list(range(1, processes * visits + 1))
    for number in range(visits):
        assert sorted(rows[number][1] for rows in told) == [1, 2, 3, 4]
        assert Counter(rows[number][2] for rows in told) == Counter([1, 2, 3, 4])

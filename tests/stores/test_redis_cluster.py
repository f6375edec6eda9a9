"""Hot state on a real cluster: who serves what, slots that move, masters that die."""

from __future__ import annotations

import pytest
from hot_states import followed, now_us, opened, refused, until
from servers import RedisCluster

from detectors.observation import Unavailable
from gateway.stores.hot import Hit, Seal
from gateway.stores.redis.cluster import ranges
from gateway.stores.redis.wire import SLOTS, bucket_of

OPS = [Hit(b"addresss%016d" % number, b"8 bytes!") for number in range(24)]


@pytest.fixture
def fresh_cluster(redis_cluster):
    redis_cluster.flush()
    return redis_cluster


def served_by(cluster, node):
    """Places of OPS that this node serves."""
    return {place for place, op in enumerate(OPS) if cluster.node_of(b"{%02x}" % bucket_of(op.key)) is node}


async def test_slots_are_reckoned_as_the_cluster_does(fresh_cluster):
    with fresh_cluster.nodes[0].client() as client:
        assert [
            client.execute_command("CLUSTER", "KEYSLOT", f"lg1:{{{bucket:02x}}}hx") for bucket in range(256)
        ] == list(SLOTS)


async def test_every_operation_goes_to_its_node_in_one_wait(fresh_cluster):
    async with opened(fresh_cluster) as state:
        for node in fresh_cluster.nodes:
            node.call("CONFIG", "RESETSTAT")
        answers = await state.observe(OPS, now_us())
        assert refused(answers) == []
        calls = [
            node.call("INFO", "commandstats").get("cmdstat_evalsha", {}).get("calls", 0) for node in fresh_cluster.nodes
        ]
        assert sum(calls) == len({bucket_of(op.key) for op in OPS})
        assert min(calls) > 0
        assert await state.probe()
        assert state.trouble is None


async def test_a_values_keys_stand_together():
    value = b"h" * 16
    assert len({bucket_of(letter + b"scopexx" + value) for letter in (b"a", b"S", b"s")}) == 1
    assert len({bucket_of(op.key) for op in OPS}) > 12


def move(cluster, slot, source, target, *, finish):
    """Every key of the slot, as redis-cli --cluster reshard does."""
    ids = {node: text(node.call("CLUSTER", "MYID")) for node in cluster.nodes}
    target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    keys = source.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    if keys:
        source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    if finish:
        for node in (target, source, *cluster.nodes):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


def text(value):
    return value.decode() if isinstance(value, bytes) else value


async def test_a_slot_that_moved_is_found_and_its_counts_with_it(fresh_cluster):
    async with opened(fresh_cluster) as state:
        await state.observe(OPS, now_us())
        bucket = bucket_of(OPS[0].key)
        source = fresh_cluster.node_of(b"{%02x}" % bucket)
        target = next(node for node in fresh_cluster.nodes if node is not source)
        move(fresh_cluster, SLOTS[bucket], source, target, finish=True)
        try:
            answers = await state.observe(OPS, now_us())
            assert refused(answers) == []
            assert {counts[3].count for counts in answers.results} == {2}
            assert answers.partial == {}  # nothing was lost
            trips = state.tally.round_trips
            await state.observe(OPS, now_us())
            assert state.tally.round_trips - trips == len({bucket_of(op.key) for op in OPS})  # the map is right again
        finally:
            move(fresh_cluster, SLOTS[bucket], target, source, finish=True)


async def test_a_slot_that_is_just_being_moved_is_asked_for_where_its_keys_are(fresh_cluster):
    async with opened(fresh_cluster) as state:
        await state.observe(OPS, now_us())
        bucket = bucket_of(OPS[0].key)
        source = fresh_cluster.node_of(b"{%02x}" % bucket)
        target = next(node for node in fresh_cluster.nodes if node is not source)
        move(fresh_cluster, SLOTS[bucket], source, target, finish=False)
        try:
            answers = await state.observe(OPS[:1], now_us())
            assert refused(answers) == []
            assert answers.results[0][3].count == 2
            new = Hit(OPS[0].key[:7] + b"!" + OPS[0].key[8:])
            assert bucket_of(new.key) == bucket
            assert refused(await state.observe([new], now_us())) == ["redis: the slot is just being moved"]
        finally:
            move(fresh_cluster, SLOTS[bucket], source, target, finish=True)
            move(fresh_cluster, SLOTS[bucket], target, source, finish=True)


async def test_a_dead_master_costs_only_what_it_served():
    with RedisCluster(masters=3) as cluster:
        async with opened(cluster, deadline_s=2.0) as state:
            await state.observe(OPS, now_us())
            dead = cluster.nodes[1]
            gone = served_by(cluster, dead)
            assert 0 < len(gone) < len(OPS)
            dead.kill()

            def as_wanted(answers):
                missing = {place for place, each in enumerate(answers.results) if isinstance(each, Unavailable)}
                assert missing <= gone
                return missing == gone

            answers = await until(lambda: state.observe(OPS, now_us()), as_wanted)
            assert answers.partial == {}
            assert await state.probe()  # what is left takes writes
            assert state.trouble
            dead.start()
            answers = await until(lambda: state.observe(OPS, now_us()), lambda answers: not refused(answers))
            assert set(answers.partial) == gone  # it came back empty
            kept = set(range(len(OPS))) - gone
            anew = {
                answers.results[place][3].count for place in gone
            }  # 1, or more where a try before this one was answered in part
            assert max(anew) < min(answers.results[place][3].count for place in kept)


async def test_a_replica_that_takes_over_is_found_and_told():
    with RedisCluster(masters=3, replicas=1) as cluster:
        async with opened(cluster) as state:
            seals = [Seal(op.key, b"first", 86_400) for op in OPS]
            assert refused(await state.observe(seals, now_us())) == []
            dead = cluster.nodes[0]
            gone = served_by(cluster, dead)
            followed(dead, b"{%02x}barrier" % bucket_of(OPS[min(gone)].key))
            dead.kill()
            answers = await until(
                lambda: state.observe(seals, now_us()), lambda answers: not refused(answers) and answers.partial
            )
            assert set(answers.partial) == gone
            assert all(sealed.count > 1 and sealed.value == b"first" for sealed in answers.results)


@pytest.mark.parametrize("slots", ["+cluster|slots", "-cluster|slots"])
async def test_an_acl_user_with_the_documented_rights(fresh_cluster, slots):
    rights = ["+evalsha", "+script|load", "+info", "+mget", "+get", "+set", "+setrange", "+time", "+asking"]
    for node in fresh_cluster.nodes:
        node.call(
            "ACL", "SETUSER", "gate", "reset", "on", ">secretword", "~lg1:*", "resetchannels", "-@all", *rights, slots
        )
    async with opened(fresh_cluster, username="gate", password="secretword") as state:
        reasons = refused(await state.observe(OPS, now_us()))
        assert reasons == ([] if slots[0] == "+" else ["redis: the user lacks a right"] * len(OPS))


async def test_tls_and_a_password():
    with RedisCluster(masters=3, tls=True, password="secretword") as cluster:
        async with opened(cluster, tls=True, ca_file=cluster.nodes[0].ca, password="secretword") as state:
            assert refused(await state.observe(OPS, now_us())) == []


async def test_no_node_is_there():
    with RedisCluster(masters=3) as cluster:
        for node in cluster.nodes:
            node.kill()
        async with opened(cluster) as state:
            assert len(refused(await state.observe(OPS, now_us()))) == len(OPS)
            assert "refuses connections" in state.trouble
            assert not await state.probe()


async def test_a_server_that_is_no_cluster(fresh_redis):
    async with opened(fresh_redis, mode="cluster") as state:
        assert refused(await state.observe(OPS[:1], now_us())) == ["redis: this is no cluster"]
        assert "redis://" in state.trouble


async def test_a_cluster_that_was_said_to_be_one_server(fresh_cluster):
    async with opened(fresh_cluster.nodes[0]) as state:
        assert len(refused(await state.observe(OPS, now_us()))) == len(OPS)
        assert "redis+cluster://" in state.trouble


def test_a_node_without_a_name_stands_where_it_was_asked():
    reply = [[0, 5, [b"", 7000, b"id"], [b"10.0.0.2", 7001, b"id"]], [6, 16383, [b"?", 7002, b"id"]]]
    assert list(ranges(reply, ("10.0.0.1", 6379))) == [
        (0, 5, ("10.0.0.1", 7000), (("10.0.0.2", 7001),)),
        (6, 16383, ("10.0.0.1", 7002), ()),
    ]


@pytest.mark.parametrize("reply", [b"OK", [[0, 5]], [[b"x", 5, [b"h", 1]]], [5]])
def test_a_map_that_is_none_is_refused(reply):
    with pytest.raises((TypeError, ValueError)):
        list(ranges(reply, ("h", 1)))

"""Hot state: one suite for every backend. Counts are held against a plain model that keeps each bucket's events and members apart."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.observation import WINDOWS, Count
from gateway.stores.hot import BEATS_CAP, DISTINCT_CAP, FIELDS_CAP, Add, Beat, Beats, Hit, Look, Seal, Sealed, Sums
from gateway.stores.hot.memory import MemoryState
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState

SECOND = 1_000_000
NOON = 1_760_011_200 * SECOND  # on the edge of a bucket of every window but the day
DAY = 86_400 * SECOND


def redis_state(servers, mode):
    """Counts by the tests' clock; the deadline is that of a busy machine."""
    nodes = servers.addresses if mode == "cluster" else (("127.0.0.1", servers.port),)
    return RedisState(RedisSettings(mode, nodes, deadline_s=5, connect_s=5), callers_clock=True)


@pytest.fixture(params=["memory", "redis", "cluster"])
async def state(request):
    if request.param == "memory":
        yield MemoryState()
        return
    servers = request.getfixturevalue("redis_server" if request.param == "redis" else "redis_cluster")
    servers.flush()
    shared = redis_state(servers, "single" if request.param == "redis" else "cluster")
    await shared.start()
    yield shared
    await shared.close()


class Model:
    """Two buckets for each window, written down without any cleverness."""

    def __init__(self) -> None:
        self.counts: dict[tuple[bytes, int, int], int] = Counter()
        self.members: dict[tuple[bytes, int, int], set[bytes]] = defaultdict(set)

    def hit(self, key: bytes, member: bytes | None, now: int) -> tuple[Count, ...]:
        answer = []
        for window in WINDOWS:
            length = window * 1000
            bucket, into = divmod(now // 1000, length)
            self.counts[key, window, bucket] += 1
            if member is not None:
                self.members[key, window, bucket].add(member)
            before = self.counts[key, window, bucket - 1] * (length - into)
            count = self.counts[key, window, bucket] + (2 * before + length) // (2 * length)
            distinct = self.members[key, window, bucket] | self.members[key, window, bucket - 1]
            answer.append(Count(count, min(DISTINCT_CAP, len(distinct))))
        return tuple(answer)


async def test_the_event_itself_is_counted(state):
    assert (await state.observe([Hit(b"k", b"m")], NOON)).results == [(Count(1, 1),) * 4]


async def test_without_members_nothing_is_distinct(state):
    await state.observe([Hit(b"k"), Hit(b"k")], NOON)
    assert (await state.observe([Hit(b"k")], NOON)).results == [(Count(3, 0),) * 4]


async def test_the_bucket_before_counts_by_the_share_still_covered(state):
    for _ in range(10):
        await state.observe([Hit(b"k", b"m")], NOON)
    (counts,) = (
        await state.observe([Hit(b"k", b"m")], NOON + 75 * SECOND)
    ).results  # 45 of 60 seconds of the first bucket are covered
    assert counts[0] == Count(1 + 8, 1)  # 7.5 rounds up
    assert counts[1] == Count(11, 1)


@pytest.mark.parametrize("place", range(len(WINDOWS)))
async def test_half_an_event_rounds_up_in_every_window(state, place):
    window = WINDOWS[place] * SECOND
    edge = NOON - NOON % DAY + DAY
    await state.observe([Hit(b"k")], edge - SECOND)
    assert (await state.observe([Hit(b"k")], edge + window // 2)).results[0][place].count == 2
    await state.observe([Hit(b"l")], edge + DAY - SECOND)
    assert (await state.observe([Hit(b"l")], edge + DAY + window // 2 + 1000)).results[0][place].count == 1


async def test_a_member_that_looks_like_the_seam_of_two_others_is_another(state):
    """Marks lie side by side: eight bytes for the member, four for the minute."""
    minute = (NOON // 60 // SECOND).to_bytes(4, "big")
    await state.observe([Hit(b"k", b"wxyzABCD"), Hit(b"k", b"12345678")], NOON)
    seam, again = (await state.observe([Hit(b"k", b"ABCD" + minute), Hit(b"k", b"wxyzABCD")], NOON)).results
    assert seam[0] == Count(3, 3)
    assert again[0] == Count(4, 3)


async def test_distinct_members_are_exact_up_to_the_cap(state):
    for number in range(DISTINCT_CAP + 20):
        (counts,) = (await state.observe([Hit(b"k", b"member %d" % number)], NOON)).results
        assert counts == (Count(number + 1, min(number + 1, DISTINCT_CAP)),) * 4


async def test_members_leave_with_their_bucket(state):
    await state.observe([Hit(b"k", b"old")], NOON)
    (counts,) = (await state.observe([Hit(b"k", b"new")], NOON + 120 * SECOND)).results
    assert [count.distinct for count in counts] == [1, 2, 2, 2]


async def test_a_hit_without_member_does_not_keep_a_member_alive(state):
    await state.observe([Hit(b"k", b"a")], NOON)
    await state.observe([Hit(b"k", None)], NOON + 90 * SECOND)
    (counts,) = (await state.observe([Hit(b"k", b"a")], NOON + 110 * SECOND)).results
    (after,) = (await state.observe([Hit(b"k", None)], NOON + 170 * SECOND)).results
    assert counts[0].distinct == 1
    assert after[0].distinct == 1


STEPS = st.sampled_from(
    [0, 1, SECOND, 20 * SECOND, 59 * SECOND, 61 * SECOND, 10 * 60 * SECOND, 3599 * SECOND, DAY // 2, DAY, 3 * DAY]
)
MEMBERS = st.one_of(st.none(), st.integers(0, 90).map(lambda n: b"%d" % n))
HITS = st.lists(st.tuples(STEPS, st.sampled_from([b"a", b"b"]), MEMBERS), max_size=150)


@settings(max_examples=60, deadline=None)
@given(hits=HITS, start=st.integers(0, 3 * DAY))
async def test_equal_to_the_plain_model(hits, start):
    state, model, now = MemoryState(), Model(), start
    for step, key, member in hits:
        now += step
        assert (await state.observe([Hit(key, member)], now)).results == [model.hit(key, member, now)]


KEYS = st.sampled_from([b"a", b"b", b"c" * 24])
ADDED = st.lists(
    st.tuples(st.binary(min_size=1, max_size=30), st.integers(1, 2**32 - 1)), max_size=4, unique_by=lambda pair: pair[0]
).map(tuple)
OPS = st.lists(
    st.one_of(
        st.builds(Hit, KEYS, MEMBERS),
        st.builds(Hit, KEYS, st.just(b"8 bytes!")),
        st.builds(Seal, KEYS, st.binary(max_size=40), st.sampled_from([1, 60, 86_400, 90 * 86_400])),
        st.builds(Look, KEYS),
        st.builds(Beat, st.sampled_from([b"beat", b"other beat"])),
        st.builds(Add, st.sampled_from([b"sums", b"more sums"]), ADDED, st.sampled_from([60, 86_400])),
        st.builds(Sums, st.sampled_from([b"sums", b"more sums"])),
    ),
    max_size=8,
)
VISITS = st.lists(st.tuples(STEPS, OPS, st.booleans() | st.just(False)), max_size=60)


@pytest.mark.parametrize("mode", ["single", "cluster"])
def test_shared_and_in_process_answer_the_same(mode, request):
    servers = request.getfixturevalue("redis_server" if mode == "single" else "redis_cluster")

    @settings(max_examples=40 if mode == "single" else 15, deadline=None)
    @given(visits=VISITS, start=st.integers(0, 3 * DAY) | st.just(NOON))
    def same(visits, start):
        servers.flush()
        asyncio.run(compare(visits, start))

    async def compare(visits, start):
        local, shared, now = MemoryState(), redis_state(servers, mode), start
        await shared.start()
        for step, ops, dry in visits:
            now += step
            answers = await shared.observe(ops, now, dry=dry)
            assert list(answers.results) == (await local.observe(ops, now, dry=dry)).results
        await shared.close()

    same()


@pytest.mark.parametrize("members", [DISTINCT_CAP - 1, DISTINCT_CAP + 30])
async def test_crowds_over_days_count_the_same_everywhere(state, members):
    local, now = MemoryState(), NOON
    for number in range(1500):
        now += (number * 7919 % 97) * 1_234_567
        ops = [Hit(b"k", b"%d" % (number * 31 % members)), Hit(b"other", None if number % 3 else b"m")]
        assert (await state.observe(ops, now)).results == (await local.observe(ops, now)).results


async def test_a_dry_run_answers_as_if_and_changes_nothing(state):
    await state.observe([Hit(b"k", b"m"), Seal(b"s", b"v", 60)], NOON)
    ops = [Hit(b"k", b"n"), Hit(b"k", b"o"), Hit(b"new"), Seal(b"s", b"w", 60), Seal(b"t", b"x", 60), Look(b"t")]
    tried = (await state.observe(ops, NOON + SECOND, dry=True)).results
    assert tried == [
        (Count(2, 2),) * 4,
        (Count(3, 3),) * 4,
        (Count(1, 0),) * 4,
        Sealed(b"v", NOON, 2),
        Sealed(b"x", NOON + SECOND, 1),
        Sealed(b"x", NOON + SECOND, 1),
    ]
    assert (await state.observe(ops, NOON + SECOND, dry=True)).results == tried
    assert (await state.observe(ops, NOON + SECOND)).results == tried


async def test_nothing_asked_is_nothing_answered(state):
    assert list((await state.observe([], NOON)).results) == []


async def test_all_is_well(state):
    answers = await state.observe([Hit(b"k")], NOON)
    assert answers.partial == {}
    assert state.trouble is None


async def test_many_members_over_many_buckets_equal_the_plain_model(state):
    model, now = Model(), NOON
    for number in range(3000):
        now += (number * 7919 % 23) * SECOND
        member = b"%d" % (number * 31 % (40 + number % 60))
        assert (await state.observe([Hit(b"k", member)], now)).results == [model.hit(b"k", member, now)]


async def test_large_counts(state):
    for _ in range(500):
        (counts,) = (await state.observe([Hit(b"k", b"m")], NOON)).results
    assert counts == (Count(500, 1),) * 4


async def test_the_first_writer_wins(state):
    assert (await state.observe([Seal(b"click", b"one", 60)], NOON)).results == [Sealed(b"one", NOON, 1)]
    assert (await state.observe([Seal(b"click", b"two", 60)], NOON + 5)).results == [Sealed(b"one", NOON, 2)]
    assert (await state.observe([Look(b"click"), Look(b"none")], NOON + 6)).results == [Sealed(b"one", NOON, 2), None]


async def test_a_seal_ends_with_its_time(state):
    await state.observe([Seal(b"click", b"one", 60)], NOON)
    later = NOON + 60 * SECOND
    assert (await state.observe([Look(b"click")], later)).results == [None]
    assert (await state.observe([Seal(b"click", b"two", 60)], later)).results == [Sealed(b"two", later, 1)]


async def test_results_stand_in_the_order_of_the_operations(state):
    ops = [Hit(b"a"), Seal(b"a", b"v", 9), Hit(b"a"), Look(b"a")]
    assert (await state.observe(ops, NOON)).results == [
        (Count(1, 0),) * 4,
        Sealed(b"v", NOON, 1),
        (Count(2, 0),) * 4,
        Sealed(b"v", NOON, 1),
    ]


async def test_a_clock_that_falls_back_stands_still(state):
    await state.observe([Hit(b"k", b"m"), Seal(b"s", b"v", 60)], NOON)
    counts, sealed = (await state.observe([Hit(b"k", b"m"), Seal(b"s", b"w", 60)], NOON - 3600 * SECOND)).results
    assert counts == (Count(2, 1),) * 4
    assert sealed == Sealed(b"v", NOON, 2)


async def test_a_clock_that_falls_back_by_more_than_a_day_starts_afresh(state):
    await state.observe([Hit(b"k", b"m"), Seal(b"s", b"v", 10**6)], NOON + 400 * DAY)
    back = (await state.observe([Hit(b"k", b"m"), Look(b"s")], NOON)).results
    assert back == [(Count(1, 1),) * 4, None]


async def test_beats_measure_the_intervals_between_events(state):
    found = []
    for second in (0, 4, 10, 10):
        found += (await state.observe([Beat(b"b")], NOON + second * SECOND)).results
    assert found[:2] == [Beats(0, 0, 0, -1), Beats(1, 4000, 16 * 10**6, 4000)]
    assert found[2:] == [Beats(2, 10_000, 52 * 10**6, 6000), Beats(3, 10_000, 52 * 10**6, 0)]


async def test_a_pause_is_no_beat_and_a_day_later_all_begins_anew(state):
    await state.observe([Beat(b"b")], NOON)
    assert (await state.observe([Beat(b"b")], NOON + 1801 * SECOND)).results == [Beats(0, 0, 0, 1_801_000)]
    assert (await state.observe([Beat(b"b")], NOON + 1802 * SECOND)).results == [Beats(1, 1000, 10**6, 1000)]
    assert (await state.observe([Beat(b"b")], NOON + 1802 * SECOND + DAY)).results == [Beats(0, 0, 0, -1)]


async def test_beats_are_bounded(state):
    for number in range(BEATS_CAP + 20):
        (found,) = (await state.observe([Beat(b"b")], NOON + number * SECOND)).results
    assert found == Beats(BEATS_CAP, BEATS_CAP * 1000, BEATS_CAP * 10**6, 1000)


async def test_sums_add_up_by_field_until_their_time(state):
    ops = [Add(b"k", ((b"clicks", 2), (b"other", 5)), 60), Add(b"k", ((b"clicks", 1),), 60), Sums(b"k"), Sums(b"none")]
    assert (await state.observe(ops, NOON)).results == [None, None, {b"clicks": 3, b"other": 5}, {}]
    assert (await state.observe([Sums(b"k")], NOON + 61 * SECOND)).results == [{}]
    await state.observe([Add(b"k", ((b"clicks", 4),), 60)], NOON + 61 * SECOND)
    assert (await state.observe([Sums(b"k")], NOON + 62 * SECOND)).results == [{b"clicks": 4}]


async def test_a_dry_run_adds_nothing_and_beats_nothing(state):
    await state.observe([Add(b"k", ((b"clicks", 2),), 60), Beat(b"b")], NOON)
    ops = [Add(b"k", ((b"clicks", 1),), 60), Sums(b"k"), Beat(b"b")]
    tried = (await state.observe(ops, NOON + SECOND, dry=True)).results
    assert tried == [None, {b"clicks": 2}, Beats(1, 1000, 10**6, 1000)]
    assert (await state.observe([Sums(b"k"), Beat(b"b")], NOON + SECOND)).results == tried[1:]


async def test_a_key_takes_so_many_fields_and_no_more(state):
    for first in range(0, FIELDS_CAP + 100, 512):
        await state.observe([Add(b"k", tuple((b"%d" % (first + n), 1) for n in range(512)), 60)], NOON)
    await state.observe([Add(b"k", ((b"0", 1), (b"one more", 1)), 60)], NOON)
    (sums,) = (await state.observe([Sums(b"k")], NOON)).results
    assert len(sums) == FIELDS_CAP
    assert sums[b"0"] == 2 and b"one more" not in sums


class TestMemoryBounds:
    async def test_a_clock_that_falls_back_by_more_than_a_day_is_noted(self):
        state = MemoryState()
        await state.observe([Hit(b"k")], NOON + 400 * DAY)
        await state.observe([Hit(b"k")], NOON)
        assert state.sizes().resets == 1

    async def test_memory_is_bounded_and_eviction_counted(self):
        state = MemoryState(max_keys=90)
        for number in range(1000):
            await state.observe([Hit(b"%d" % number), Seal(b"%d" % number, b"v", 10**6)], NOON + number)
            sizes = state.sizes()
            assert sizes.keys <= 90
            assert sizes.seals <= 90
        assert sizes.keys + sizes.seals + sizes.evicted == 2000
        assert sizes.expired == 0

    async def test_what_keeps_coming_stays(self):
        state = MemoryState(max_keys=90)
        for number in range(2000):
            busy, sealed, _, _ = (
                await state.observe(
                    [Hit(b"busy"), Seal(b"busy", b"v", 10**6), Hit(b"%d" % number), Seal(b"%d" % number, b"v", 10**6)],
                    NOON + number,
                )
            ).results
        assert busy[3].count == 2000
        assert sealed == Sealed(b"v", NOON, 2000)

    async def test_what_is_looked_at_stays(self):
        state = MemoryState(max_keys=90)
        await state.observe([Seal(b"click", b"v", 10**6)], NOON)
        for number in range(500):
            (sealed, _) = (
                await state.observe([Look(b"click"), Seal(b"%d" % number, b"v", 10**6)], NOON + number)
            ).results
        assert sealed == Sealed(b"v", NOON, 1)

    async def test_what_went_after_its_time_is_not_called_evicted(self):
        state = MemoryState(max_keys=90)
        for number in range(60):
            await state.observe([Hit(b"old %d" % number), Seal(b"old %d" % number, b"v", 60)], NOON)
        for number in range(60):
            await state.observe([Hit(b"new %d" % number), Seal(b"new %d" % number, b"v", 60)], NOON + 3 * DAY + number)
        assert state.sizes().expired > 0
        assert state.sizes().evicted == 0

    async def test_the_garbage_collector_has_nothing_to_look_at(self):
        state = MemoryState()
        for number in range(1000):
            await state.observe([Hit(b"%d" % (number % 300), b"m"), Seal(b"%d" % number, b"v", 60)], NOON + number)
        assert not gc.is_tracked(state._rows.young)
        assert not gc.is_tracked(state._seals.young)

    async def test_a_call_that_brings_more_than_a_generation_holds_loses_nothing_uncounted(self):
        state = MemoryState(max_keys=9)
        for number in range(30):
            keys = [b"%d %d" % (number, place) for place in range(1 if number % 10 else 13)]
            await state.observe([op for key in keys for op in (Hit(key), Seal(key, b"v", 10**6))], NOON + number)
            assert state.sizes().keys <= 9 + 2 * 13
        sizes = state.sizes()
        assert sizes.keys + sizes.seals + sizes.evicted == 2 * (3 * 13 + 27)

    def test_no_room_at_all_is_refused(self):
        with pytest.raises(ValueError, match="max_keys"):
            MemoryState(max_keys=2)

"""The shared state with a stand-in: who answers, what is said of it, when the shared one is left alone and when it is used again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.observation import Count, Unavailable
from gateway.stores.hot import Answers, Hit, Look, Operation, Seal, Sealed
from gateway.stores.hot.guarded import KINDS, LOST, MEANWHILE, OTHER, Breaker, GuardedState
from gateway.stores.hot.memory import MemoryState

NOW = 1_760_011_200_000_000
OPS = (Hit(b"a", b"m"), Seal(b"s", b"v", 60), Look(b"t"))
LATE = "redis: no answer within 10 ms"
AWAY = "redis: connection refused"
QUICK = Breaker(first_s=0.002, last_s=0.004, probe_s=0.05)
NEVER = Breaker(first_s=60, last_s=60)


class Double:
    """A shared state that does as it is told.

    fails   answers an operation with the reason why not, or None: it is carried out
    raises  instead of answering
    well    what a probe finds; None: it never comes back
    """

    def __init__(self) -> None:
        self.state = MemoryState()
        self.fails: Callable[[Operation], str | None] = lambda _: None
        self.notes: dict[int, str] = {}
        self.raises: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.well: bool | Exception | None = False
        self.asked = self.probed = 0
        self.started = self.closed = False
        self.trouble: str | None = None

    async def start(self) -> None:
        self.started = True

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.raises is not None:
            raise self.raises
        why = [self.fails(op) for op in ops]
        done = iter(
            (await self.state.observe([op for op, no in zip(ops, why, strict=True) if not no], now, dry=dry)).results
        )
        return Answers([Unavailable(no) if no else next(done) for no in why], dict(self.notes))

    async def probe(self) -> bool:
        self.probed += 1
        if isinstance(self.well, Exception):
            raise self.well
        if self.well is None:
            await asyncio.sleep(3600)
        return bool(self.well)

    async def close(self) -> None:
        self.closed = True


class Local(MemoryState):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[tuple[Operation, ...], bool]] = []
        self.ended = False

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        self.asked.append((tuple(ops), dry))
        return await super().observe(ops, now, dry=dry)

    async def close(self) -> None:
        self.ended = True


class Guarded:
    """A guarded state with all that it tells, and a clock that stands."""

    def __init__(self, breaker: Breaker = NEVER, handover_s: float = 60) -> None:
        self.shared, self.local = Double(), Local()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.partial: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.time = 1000.0
        self.state = GuardedState(
            self.shared,
            self.local,
            on_event=lambda event, **fields: self.events.append((event, fields)),
            on_partial=lambda reason: self.partial.update([reason]),
            on_error=lambda reason: self.errors.update([reason]),
            clock=lambda: self.time,
            breaker=breaker,
            handover_s=handover_s,
        )

    async def observe(self, ops: Sequence[Operation] = OPS, *, dry: bool = False) -> Answers:
        return await self.state.observe(ops, NOW, dry=dry)

    def dies(self, reason: str = LATE) -> None:
        self.shared.fails = lambda _: reason

    def lives(self) -> None:
        self.shared.fails = lambda _: None
        self.shared.well = True

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(2000):
            if done():
                return
            await asyncio.sleep(0.002)
        raise AssertionError("it never came to that")


@pytest.fixture
async def guarded():
    made = []

    def make(breaker: Breaker = NEVER, handover_s: float = 60) -> Guarded:
        made.append(Guarded(breaker, handover_s))
        return made[-1]

    yield make
    for each in made:
        await each.state.close()
        assert each.shared.closed and each.local.ended
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hot state")]


OPERATIONS = st.lists(
    st.one_of(
        st.builds(Hit, st.sampled_from([b"a", b"b"]), st.sampled_from([None, b"m", b"n"])),
        st.builds(Seal, st.sampled_from([b"s", b"t"]), st.binary(max_size=3), st.just(60)),
        st.builds(Look, st.sampled_from([b"s", b"t"])),
    ),
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(rounds=st.lists(st.tuples(OPERATIONS, st.booleans()), max_size=12))
async def test_a_healthy_shared_state_is_all_there_is(rounds: list[tuple[list[Operation], bool]]) -> None:
    guarded, alone = Guarded(), MemoryState()
    for ops, dry in rounds:
        assert await guarded.observe(ops, dry=dry) == await alone.observe(ops, NOW, dry=dry)
    assert guarded.local.asked == []
    assert not (guarded.partial or guarded.errors or guarded.events or guarded.state.opened)


async def test_what_the_shared_state_cannot_answer_is_answered_here_and_said(guarded: Any) -> None:
    g = guarded()
    g.shared.fails = lambda op: AWAY if type(op) is Hit else None
    g.shared.notes = {1: "redis: another server took over"}
    answers = await g.observe((OPS[0], OPS[1], Hit(b"b"), OPS[2]))
    assert answers.results == [(Count(1, 1),) * 4, Sealed(b"v", NOW, 1), (Count(1, 0),) * 4, None]
    assert answers.partial == {
        0: f"{AWAY}; {MEANWHILE}",
        1: "redis: another server took over",
        2: f"{AWAY}; {MEANWHILE}",
    }
    assert g.local.asked == [((OPS[0], Hit(b"b")), False)]  # all that is missing in one call, and nothing else
    g.shared.notes = {}
    assert (await g.observe((OPS[0],))).results == [(Count(2, 1),) * 4]
    assert g.errors == {AWAY: 2}
    assert g.partial == {AWAY: 2, LOST: 1}
    assert g.state.answered_here == {AWAY: 2}


async def test_notes_of_the_shared_state_are_kept_and_counted(guarded: Any) -> None:
    g = guarded()
    g.shared.notes = {0: "redis: emptied", 2: "redis: emptied"}
    assert (await g.observe()).partial == {0: "redis: emptied", 2: "redis: emptied"}
    assert (g.partial, g.local.asked) == ({LOST: 1}, [])


async def test_after_five_failures_in_a_row_nobody_waits_for_it(guarded: Any) -> None:
    g = guarded()
    g.dies()
    for _ in range(5):
        assert not g.state.open
        await g.observe()
    assert g.state.open
    answers = await g.observe()
    assert (g.shared.asked, g.state.opened) == (5, 1)
    assert answers.partial == dict.fromkeys(range(3), f"{LATE}; {MEANWHILE}")
    assert answers.results[0] == (Count(6, 1),) * 4
    assert g.partial == {LATE: 6}
    assert g.errors == {LATE: 5}  # the sixth was not asked
    assert g.events == [("hot state lost", {"reason": LATE, "remedy": g.state.trouble})]


async def test_a_success_between_failures_keeps_it_in_use(guarded: Any) -> None:
    g = guarded()
    for _ in range(10):
        g.dies()
        for _ in range(4):
            await g.observe()
        g.lives()
        for _ in range(6):
            await g.observe()
    assert not g.state.open


async def test_one_that_fails_half_of_the_time_is_left_alone(guarded: Any) -> None:
    g = guarded()
    for number in range(49):
        assert not g.state.open
        g.dies() if number % 2 == 0 else g.lives()
        await g.observe()
    assert g.state.open


async def test_where_a_part_fails_the_rest_stays_in_use(guarded: Any) -> None:
    """One master of a cluster is dead: what it held is counted here, the others go on."""
    g = guarded()
    g.shared.fails = lambda op: AWAY if type(op) is Seal else None
    for number in range(200):
        answers = await g.observe()
        assert list(answers.partial) == [1]
        assert answers.results[0][0].count == number + 1
    assert not g.state.open and g.shared.asked == 200


async def test_many_that_fail_together_open_it_once(guarded: Any) -> None:
    g = guarded()
    g.dies()
    g.shared.gate = asyncio.Event()
    waiting = [asyncio.create_task(g.observe()) for _ in range(100)]
    await asyncio.sleep(0)
    g.shared.gate.set()
    answers = await asyncio.gather(*waiting)
    assert all(len(found.partial) == 3 for found in answers)
    assert (g.state.opened, len(g.events)) == (1, 1)


async def test_an_answer_that_was_on_its_way_does_not_close_it(guarded: Any) -> None:
    g = guarded()
    g.shared.gate = asyncio.Event()
    late = asyncio.create_task(g.observe())
    await asyncio.sleep(0)
    gate, g.shared.gate = g.shared.gate, None
    g.dies()
    for _ in range(5):
        await g.observe()
    g.lives()
    g.shared.well = False
    gate.set()
    await late
    assert g.state.open


async def test_a_shared_state_that_raises_costs_nobody_an_answer(guarded: Any) -> None:
    g = guarded()
    g.shared.raises = KeyError("203.0.113.5")
    answers = await g.observe()
    assert answers.partial == dict.fromkeys(range(3), f"shared state: KeyError; {MEANWHILE}")
    assert g.errors == {"shared state: KeyError": 1}


async def test_an_observation_of_nothing_says_nothing(guarded: Any) -> None:
    g = guarded()
    g.dies()
    for _ in range(9):
        assert (await g.observe(())) == Answers([])  # as the double answers
    assert not g.state.open
    for _ in range(5):
        await g.observe()
    assert g.state.open and (await g.observe(())) == Answers(())
    assert g.partial == {LATE: 5}


async def test_a_dry_run_is_dry_wherever_it_is_answered(guarded: Any) -> None:
    g = guarded()
    await g.observe(dry=True)
    g.dies()
    for _ in range(7):
        await g.observe(dry=True)
    g.lives()
    assert {dry for _, dry in g.local.asked} == {True}
    assert (await g.local.observe(OPS, NOW)).results[0] == (Count(1, 1),) * 4
    assert (await g.shared.observe(OPS, NOW)).results[0] == (Count(1, 1),) * 4


async def test_a_probe_that_finds_it_well_brings_it_back(guarded: Any) -> None:
    g = guarded(QUICK)
    g.dies()
    for _ in range(5):
        await g.observe()
    await g.until(lambda: g.shared.probed >= 3)
    assert g.state.open and g.shared.asked == 5
    g.time += 7.5
    g.lives()
    await g.until(lambda: not g.state.open)
    answers = await g.observe()
    assert (answers.partial, g.shared.asked) == ({}, 6)
    assert g.state.trouble is None
    assert g.events[-1] == ("hot state back", {"seconds": 7.5, "probes": g.state.probes})
    assert g.state.probes == g.shared.probed


@pytest.mark.parametrize(("well", "error"), [(None, "probe: no answer"), (OSError("10.1.2.3 gone"), "probe: OSError")])
async def test_a_probe_that_hangs_or_raises_is_followed_by_the_next(guarded: Any, well: Any, error: str) -> None:
    g = guarded(QUICK)
    g.dies()
    g.shared.well = well
    for _ in range(5):
        await g.observe()
    await g.until(lambda: g.errors[error] >= 2)
    g.lives()
    await g.until(lambda: not g.state.open)


async def test_pauses_between_probes_grow_and_stay_within_bounds(guarded: Any, monkeypatch: Any) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        if seconds >= 60:  # not the probe's
            await sleep(seconds)
        pauses.append(seconds)
        await sleep(0)

    g = guarded(Breaker())
    g.dies()
    for _ in range(5):
        await g.observe()
    monkeypatch.setattr("gateway.stores.hot.guarded.asyncio.sleep", noted)
    for _ in range(200):
        if len(pauses) >= 8:
            break
        await sleep(0)
    monkeypatch.undo()
    for pause, full in zip(pauses, [0.25, 0.5, 1, 2, 2, 2, 2, 2], strict=False):
        assert 0.75 * full <= pause <= full
    assert len(set(pauses[3:])) > 1  # not all processes at once


async def test_one_that_flaps_is_tried_less_and_less_until_it_has_settled(guarded: Any) -> None:
    g = guarded(QUICK)

    async def lost_and_found() -> float:
        g.dies()
        for _ in range(5):
            await g.observe()
        pause: float = g.state._pause
        g.lives()
        await g.until(lambda: not g.state.open)
        return pause

    assert [await lost_and_found() for _ in range(3)] == [0.002, 0.004, 0.004]
    g.time += QUICK.settled_s
    assert await lost_and_found() == 0.002


async def test_trouble_is_told_with_a_remedy(guarded: Any) -> None:
    g = guarded()
    assert g.state.trouble is None
    g.shared.trouble = "start the missing node"
    assert g.state.trouble == "start the missing node"
    g.dies(AWAY)
    for _ in range(5):
        await g.observe()
    assert g.state.trouble is not None
    assert AWAY in g.state.trouble and g.state.trouble.endswith("start the missing node")
    for known in (None, AWAY):
        g.shared.trouble = known
        assert g.state.trouble.endswith("Check that the server of `state` runs and can be reached from here")


async def test_reasons_are_counted_by_name_up_to_a_bound(guarded: Any) -> None:
    g = guarded()
    for number in range(KINDS + 20):
        g.shared.fails = lambda op, number=number: f"redis: {number}" if type(op) is Hit else None
        await g.observe()
    assert len(g.errors) == len(g.partial) == len(g.state.answered_here) == KINDS + 1
    assert g.errors[OTHER] == g.state.answered_here[OTHER] == 20


async def test_closing_ends_the_search_and_opens_nothing_any_more() -> None:
    g = Guarded(QUICK)
    await g.state.start()
    assert g.shared.started
    g.dies()
    for _ in range(5):
        await g.observe()
    await g.state.close()
    probed = g.shared.probed
    await asyncio.sleep(0.02)
    assert (g.shared.probed, g.shared.closed, g.local.ended) == (probed, True, True)
    other = Guarded(QUICK)
    await other.state.close()
    other.dies()
    for _ in range(60):
        await other.observe()
    assert not other.state.open


async def test_a_click_id_that_was_sealed_here_is_known_to_the_shared_state_afterwards(guarded: Any) -> None:
    g = guarded(QUICK, handover_s=0.002)
    g.dies()
    for number in range(7):  # before and after it is left alone
        await g.observe((Seal(b"click-%d" % number, b"first", 600), Hit(b"a")))
    await g.observe((Seal(b"dry", b"v", 600),), dry=True)
    g.lives()
    await g.until(lambda: g.state.handover.carried == 7)
    again = await g.observe([Seal(b"click-%d" % number, b"other", 600) for number in range(7)])
    assert again.results == [Sealed(b"first", NOW, 2)] * 7
    assert again.partial == {}
    assert (await g.observe((Look(b"dry"), Hit(b"a")))).results == [None, (Count(1, 0),) * 4]


async def test_of_a_part_that_fails_the_seals_are_brought_later_too(guarded: Any) -> None:
    g = guarded(handover_s=0.002)
    g.shared.fails = lambda op: AWAY if op.key == b"s" else None
    await g.observe()
    assert len(g.state.handover) == 1
    g.lives()
    await g.until(lambda: g.state.handover.carried == 1)
    assert (await g.observe()).results[1] == Sealed(b"v", NOW, 2)

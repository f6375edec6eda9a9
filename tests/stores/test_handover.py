"""What was sealed while the shared state was away is known to it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from detectors.observation import Unavailable
from gateway.stores.hot import Answers, Look, Operation, Seal, Sealed, handover
from gateway.stores.hot.handover import BATCH, Handover
from gateway.stores.hot.memory import MemoryState

NOW = 1_760_011_200_000_000


class Shared(MemoryState):
    """lost: operations by their key that are not carried out; away: none is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: Callable[[bytes], bool] = lambda _: False
        self.raises = self.away = False
        self.calls: list[int] = []

    async def observe(self, ops: Sequence[Operation], now: int, *, dry: bool = False) -> Answers:
        self.calls.append(len(ops))
        if self.raises:
            raise OSError("10.0.0.1")
        found = iter((await super().observe([op for op in ops if not self.lost(op.key)], now)).results)
        return Answers([Unavailable("redis: away") if self.lost(op.key) else next(found) for op in ops])

    async def bound(self, key: bytes) -> Sealed | None:
        (found,) = (await MemoryState.observe(self, [Look(key)], NOW)).results
        assert found is None or isinstance(found, Sealed)
        return found


class Carrier:
    def __init__(self) -> None:
        self.shared, self.errors = Shared(), list[str]()
        self.handover = Handover(self.shared, lambda: not self.shared.away, self.errors.append, 0.002)

    def add(self, *keys: bytes, value: bytes = b"v") -> None:
        for key in keys:
            self.handover.add(Seal(key, value, 600), value, NOW)

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(2000):
            if done():
                return
            await asyncio.sleep(0.002)
        raise AssertionError("it never came to that")


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    made = Carrier()
    yield made
    await made.handover.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "hot state handover"]


async def test_seals_are_brought_in_small_calls_once(carrier: Carrier) -> None:
    keys = [b"click %d" % number for number in range(3 * BATCH + 5)]
    carrier.add(*keys)
    carrier.add(*keys[:9], value=b"later")  # the first one here counts
    assert len(carrier.handover) == len(keys)
    await carrier.until(lambda: not len(carrier.handover))
    assert max(carrier.shared.calls) == BATCH
    assert carrier.handover.carried == len(keys)
    for key in keys:
        assert await carrier.shared.bound(key) == Sealed(b"v", NOW, 1)


async def test_what_is_bound_there_already_is_left_as_it_is(carrier: Carrier) -> None:
    """The one that was given up after its deadline may have been carried out all the same."""
    await carrier.shared.observe([Seal(b"click", b"first", 600)], NOW)
    carrier.add(b"click", b"other")
    await carrier.until(lambda: not len(carrier.handover))
    assert await carrier.shared.bound(b"click") == Sealed(b"first", NOW, 1)
    assert await carrier.shared.bound(b"other") == Sealed(b"v", NOW, 1)


async def test_the_value_bound_here_is_what_is_brought(carrier: Carrier) -> None:
    carrier.handover.add(Seal(b"click", b"mine", 600), b"first", NOW)
    await carrier.until(lambda: not len(carrier.handover))
    assert await carrier.shared.bound(b"click") == Sealed(b"first", NOW, 1)


async def test_nothing_is_asked_while_the_shared_state_is_left_alone(carrier: Carrier) -> None:
    carrier.shared.away = True
    carrier.add(b"click")
    await asyncio.sleep(0.02)
    assert carrier.shared.calls == []
    carrier.shared.away = False
    await carrier.until(lambda: carrier.handover.carried == 1)


async def test_what_fails_is_tried_again_and_does_not_stand_in_the_way(carrier: Carrier) -> None:
    carrier.shared.lost = lambda key: key.startswith(b"dead")
    carrier.add(*(b"dead %d" % number for number in range(BATCH)), b"living")
    await carrier.until(lambda: carrier.handover.carried == 1)
    assert await carrier.shared.bound(b"living") is not None
    assert len(carrier.handover) == BATCH
    carrier.shared.lost = lambda _: False
    await carrier.until(lambda: carrier.handover.carried == BATCH + 1)


async def test_an_error_is_counted_and_nothing_is_lost(carrier: Carrier) -> None:
    carrier.shared.raises = True
    carrier.add(b"click")
    await carrier.until(lambda: len(carrier.errors) >= 2)
    assert set(carrier.errors) == {"handover: OSError"}
    carrier.shared.raises = False
    await carrier.until(lambda: carrier.handover.carried == 1)


async def test_room_is_bounded_and_what_is_left_out_is_counted(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "MOST", 10)
    carrier.shared.away = True
    carrier.add(*(b"%d" % number for number in range(25)))
    assert (len(carrier.handover), carrier.handover.dropped) == (10, 15)


async def test_after_closing_nothing_is_taken(carrier: Carrier) -> None:
    await carrier.handover.close()
    carrier.add(b"click")
    assert len(carrier.handover) == 0

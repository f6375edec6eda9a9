"""How much goes over in one step: as much as the other store takes quickly."""

from __future__ import annotations

import pytest

from gateway.stores.carry.carried import Batch, CarriedLead
from gateway.stores.carry.carrying import Limits
from gateway.stores.errors import StoreCorrupt, StoreUnavailable, Unstorable
from gateway.stores.spool import draining
from gateway.stores.spool.draining import Moved, Mover


class Spool:
    path = "host-1.db"
    empty = False

    def __init__(self):
        self.asked, self.given = [], []

    async def loose(self, limit):
        return []

    async def batch(self, limits):
        if self.empty:
            return Batch()
        self.asked.append(limits.rows)
        lead = CarriedLead(
            "id", "acme", "quote", 0, "held", 0, "", "http", "", "origin", "", b"{}", 0, 0, "k", b"", b""
        )
        return Batch(leads=(lead,) * limits.rows)

    async def carried(self, batch):
        self.given.append(len(batch.leads))


class Primary:
    """Takes a hundredth of a second for each row, or refuses what is larger than `most`."""

    def __init__(self, clock, most=10_000):
        self.clock, self.most = clock, most

    async def absorb(self, batch):
        if len(batch.leads) > self.most:
            raise StoreUnavailable("no answer in time")
        self.clock.seconds += len(batch.leads) * 0.01


@pytest.fixture
def ticking(monkeypatch):
    class Ticking:
        seconds = 0.0

        def monotonic(self):
            return self.seconds

    clock = Ticking()
    monkeypatch.setattr(draining, "time", clock)
    return clock


async def test_steps_settle_at_what_does_not_hold_up_visitors(ticking):
    spool, mover = Spool(), Mover(Limits(rows=64))
    for _ in range(8):
        assert await mover.step(spool, Primary(ticking)) == Moved(leads=spool.asked[-1])
    assert spool.asked[:4] == [64, 32, 16, 8]
    assert set(spool.asked[3:]) == {8, 16}


async def test_what_was_refused_is_tried_in_smaller_steps_and_nothing_is_forgotten(ticking):
    spool, mover = Spool(), Mover(Limits(rows=16))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await mover.step(spool, Primary(ticking, most=2))
    assert await mover.step(spool, Primary(ticking, most=2)) == Moved(leads=2)
    assert spool.asked == [16, 8, 4, 2]
    assert spool.given == [2]


async def test_one_row_goes_however_long_it_takes(ticking):
    spool, mover = Spool(), Mover(Limits(rows=2))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await mover.step(spool, Primary(ticking, most=0))
    assert mover.rows == 1


async def test_an_empty_spool_says_nothing_of_what_a_step_may_hold(ticking):
    """Each round asks the own spool first: else one that others left behind would be tried in the same large steps for ever."""
    mover, empty = Mover(Limits(rows=16)), Spool()
    empty.empty = True
    for _ in range(4):
        assert await mover.step(empty, Primary(ticking)) is None
        with pytest.raises(StoreUnavailable):
            await mover.step(Spool(), Primary(ticking, most=0))
    assert mover.rows == 1


async def test_what_cannot_be_taken_is_found_and_all_before_it_goes(ticking):
    class Refusing(Primary):
        async def absorb(self, batch):
            if len(batch.leads) > 3:
                raise Unstorable("it cannot be stored: it is too long")
            await super().absorb(batch)

    spool, mover = Spool(), Mover(Limits(rows=16))
    assert [await mover.step(spool, Refusing(ticking)) for _ in range(3)] == [Moved(), Moved(), Moved()]
    assert await mover.step(spool, Refusing(ticking)) == Moved(leads=2)

    class Nothing(Primary):
        async def absorb(self, batch):
            raise Unstorable("it cannot be stored: it is too long")

    for _ in range(2):
        assert await mover.step(spool, Nothing(ticking)) == Moved()
    with pytest.raises(StoreCorrupt, match="too long"):
        await mover.step(spool, Nothing(ticking))

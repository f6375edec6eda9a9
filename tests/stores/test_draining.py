"""How much goes over in one step: as much as the other store takes quickly."""

from __future__ import annotations

import pytest

from gateway.stores import draining
from gateway.stores.carried import Batch, CarriedLead
from gateway.stores.carrying import Limits
from gateway.stores.draining import Moved, Mover
from gateway.stores.errors import StoreUnavailable


class Spool:
    def __init__(self):
        self.asked, self.given = [], []

    async def loose(self, limit):
        return []

    async def batch(self, limits):
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

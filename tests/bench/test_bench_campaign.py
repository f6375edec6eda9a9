"""A small simulated campaign: what must be found is, and nobody who only came is harmed."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench import campaign
from bench.campaign_world import DAY, MONDAY, USUAL, World, people

DAYS, VISITS = 3, 300


@pytest.fixture(scope="module")
def lines() -> dict[str, campaign.Line]:
    return asyncio.run(simulated())


async def simulated() -> dict[str, campaign.Line]:
    chosen = (
        "one network", "slow, 5,000 homes", "slow, whole browsers", "click-id replay", "television spot x30", "university and carrier",
        "sale at midnight", "readers in an app",
    )  # fmt: skip
    past, chance = World(), random.Random(7)
    await past.run([each for day in range(DAYS) for each in people(chance, day, VISITS)], 300.0)
    found, day = {}, float(MONDAY + DAYS * DAY)
    for name in chosen:
        world, chance = past.copied(), random.Random(name)
        world.board._on_event = world._tell
        crowd = [*people(chance, DAYS, VISITS), *campaign.ATTACKS[name](chance, day, VISITS / 3000, USUAL)]
        found[name] = campaign.line(name, await world.run(crowd, 60.0), world.events, day)
    return found


def test_nobody_is_harmed(lines: dict[str, campaign.Line]) -> None:
    assert {name: each.harmed for name, each in lines.items()} == dict.fromkeys(lines, 0)


def test_floods_are_told_and_crowds_of_people_are_not(lines: dict[str, campaign.Line]) -> None:
    assert "campaign roofs-north" in lines["one network"].floods
    assert "publisher news.example" in lines["slow, 5,000 homes"].floods
    for crowd in ("television spot x30", "university and carrier", "sale at midnight"):
        assert lines[crowd].floods == ()
    for crowd in ("television spot x30", "university and carrier", "sale at midnight", "readers in an app"):
        assert lines[crowd].people_counted == 0  # an app's readers, who go on so much less, may be told as a flood


def test_what_is_found(lines: dict[str, campaign.Line]) -> None:
    one, slow, replay = lines["one network"], lines["slow, 5,000 homes"], lines["click-id replay"]
    assert one.found is not None and one.found > 0.5 and one.first is not None and one.first < 30
    assert slow.found is not None and slow.found > 0.3 and slow.first is not None and slow.first < 120
    assert replay.found is not None and replay.found > 0.5
    whole = lines["slow, whole browsers"]
    assert whole.found is not None and whole.found > 0.5
    assert (
        whole.people_counted < 0.1 * whole.found * whole.events
    )  # of the clicks that are counted nine in ten are the flood's


def test_the_table_names_all(lines: dict[str, campaign.Line]) -> None:
    shown = campaign.table(list(lines.values()))
    assert all(name in shown for name in lines)

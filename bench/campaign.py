"""Simulated campaigns under attack: what is found, how soon, and who is harmed.

    python bench/campaign.py [--days 4] [--visits 3000] [--seed 1] [--only NAME] [--json FILE]

Several quiet days of people, then one more on which each attack happens in a world of its own with the same past. Attackers have what real ones
have: homes' addresses, browsers' complete heads, the campaign's own parameters, click ids that look right, names that exist. What stands here are shares
and simulated minutes, no processor times. Assumptions about people are constants of bench/campaign_world.py.

found     of the attack's page views or forms: flagged (held for a look or declined) or counted as invalid traffic
marked    of them: something found counts against them, which by itself harms nobody
first     simulated minutes from the attack's start to its first found page view or form, or to the log's "campaign flooded"
harmed    people of the whole day whose page view was flagged or whose form was held
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import visitors
from bench.campaign_world import (
    CAMPAIGNS,
    DAY,
    FARM,
    HOUR,
    MONDAY,
    OFFICE,
    PHONES,
    SMALL_ISP,
    UNIVERSITY,
    Outcome,
    Step,
    Visitor,
    World,
    click_id,
    home,
    made_up_lead,
    people,
    person,
)

LANDING, PARTS = Step(0, "landing"), Step(1, "parts")
QUIET_EVERY_S, BUSY_EVERY_S = 120.0, 10.0
"""How often the background works, in simulated seconds; a serving process does every second."""

Attack = Callable[[random.Random, float, float], list[Visitor]]
"""(chance, when the day begins, how many times a small attack) → the attack's visitors."""


def one_network(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """Sixty machines in one block of an access provider click through the afternoon; they fetch the page and nothing else."""
    machines = [(f"{SMALL_ISP}{10 + number}", chance.randrange(visitors.SETS)) for number in range(60)]
    return [
        Visitor(day + 14 * HOUR + chance.uniform(0, 2 * HOUR), *chance.choice(machines), CAMPAIGNS[1], (LANDING,), "one network", click_id(chance))
        for _ in range(int(3000 * size))
    ]  # fmt: skip


def _slow(chance: random.Random, day: float, size: float, name: str, steps: tuple[Step, ...]) -> list[Visitor]:
    machines = [(home(chance), chance.randrange(visitors.SETS)) for _ in range(int(5000 * size))]
    return [
        Visitor(day + chance.uniform(1, 23) * HOUR, *machine, CAMPAIGNS[3], steps, name, click_id(chance))
        for machine in machines
        for _ in range(4)
    ]


def slow(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """Programs behind 5,000 homes, four clicks each within the day, that fetch the page and nothing else."""
    return _slow(chance, day, size, "slow, 5,000 homes", (LANDING,))


def slow_browsers(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """The same with whole browsers, which fetch all of the page and go no further."""
    return _slow(chance, day, size, "slow, whole browsers", (LANDING, PARTS))


def replay(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """Three hundred recorded clicks of earlier days, each played again from some of 800 homes."""
    recorded = [click_id(chance) for _ in range(int(300 * size))]
    first = [
        Visitor(
            day - chance.uniform(3, 20) * HOUR, home(chance), chance.randrange(visitors.SETS), CAMPAIGNS[1], (LANDING, PARTS), gclid=each
        )
        for each in recorded
    ]  # fmt: skip
    machines = [(home(chance), chance.randrange(visitors.SETS)) for _ in range(int(800 * size))]
    return first + [
        Visitor(
            day + chance.uniform(9, 18) * HOUR,
            *chance.choice(machines),
            CAMPAIGNS[1],
            (LANDING,),
            "click-id replay",
            each,
        )
        for each in recorded
        for _ in range(10)
    ]


def stuffing(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """Made-up leads with names that exist, from 200 homes: the page is fetched for its token, the form follows at a person's pace."""
    machines = [(home(chance), chance.randrange(visitors.SETS)) for _ in range(int(200 * size))]
    return [
        Visitor(
            day + chance.uniform(9, 21) * HOUR, *chance.choice(machines), {}, (LANDING, Step(chance.uniform(12, 40), "lead")),
            "lead stuffing", lead=made_up_lead(chance),
        )
        for _ in range(int(600 * size))
    ]  # fmt: skip


def farm(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """People in one room with twenty-five phones, who fill in one form by hand for pay, six hundred times."""
    phones = [chance.randrange(visitors.SETS) for _ in range(25)]
    return [
        Visitor(
            day + chance.uniform(10, 16) * HOUR, FARM, chance.choice(phones), CAMPAIGNS[3],
            (LANDING, PARTS, Step(chance.uniform(40, 120), "lead")), "form farm", click_id(chance), lead=made_up_lead(chance),
        )
        for _ in range(int(600 * size))
    ]  # fmt: skip


def competitor(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """Three people in a competitor's office click on the ads all day, eighty times."""
    browsers = [chance.randrange(visitors.SETS) for _ in range(3)]
    return [
        Visitor(day + chance.uniform(9, 17) * HOUR, OFFICE, chance.choice(browsers), CAMPAIGNS[1], (LANDING, PARTS), "competitor's office", click_id(chance))
        for _ in range(80)
    ]  # fmt: skip


def spot(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """A television spot: within forty minutes thirty times the people that come else; half of them search for the name, half type the address. Nobody
    attacks; fewer of them go on to a second page than else."""
    usual = 3000 * size * 9 / 150 * 40 / 60
    crowd = []
    for _ in range(int(30 * usual)):
        visitor = person(chance, day + 20.25 * HOUR + min(chance.expovariate(1 / 600), 2400), by_ad=0.5)
        if visitor.campaign:
            visitor.campaign = CAMPAIGNS[0]
        if chance.random() < 0.3:
            visitor.steps = tuple([step for step in visitor.steps if step.does in ("landing", "parts")])
        crowd.append(visitor)
    return crowd


def shared_addresses(chance: random.Random, day: float, size: float) -> list[Visitor]:
    """A university of four hundred browsers behind one address, and phones behind eight addresses of a carrier, all at full load. Nobody attacks."""
    students = [chance.randrange(visitors.SETS) for _ in range(400)]
    crowd = [
        person(chance, day + chance.uniform(8, 20) * HOUR, UNIVERSITY, browser=chance.choice(students))
        for _ in range(int(2000 * size))
    ]
    phones = [chance.uniform(7, 23) * HOUR for _ in range(int(8000 * size))]
    crowd += [person(chance, day + at, f"{PHONES[0][0]}.9.{chance.randrange(1, 9)}") for at in phones]
    return crowd


ATTACKS: dict[str, Attack] = {
    "one network": one_network,
    "slow, 5,000 homes": slow,
    "slow, whole browsers": slow_browsers,
    "click-id replay": replay,
    "lead stuffing": stuffing,
    "form farm": farm,
    "competitor's office": competitor,
    "television spot x30": spot,
    "university and carrier": shared_addresses,
}


class Line(NamedTuple):
    """One attack. Shares are of the attack's events, None where nobody attacks; first: minutes, None where nothing was found."""

    attack: str
    events: int
    found: float | None
    marked: float | None
    first: float | None
    people: int
    harmed: int
    people_marked: int
    floods: tuple[str, ...]
    signals: tuple[tuple[str, int], ...]
    harmed_by: tuple[tuple[str, int], ...] = ()


def line(
    name: str, outcomes: Sequence[Outcome], events: Sequence[tuple[float, str, dict[str, object]]], day: float
) -> Line:
    bad = [each for each in outcomes if each.attack]
    good = [each for each in outcomes if not each.attack and each.at >= day]
    found = [each for each in bad if each.flagged or each.invalid]
    floods = [(at, str(fields["part"])) for at, event, fields in events if event == "campaign flooded" and at >= day]
    begin = min((each.at for each in bad), default=day)
    firsts = [each.at for each in found] + ([at for at, _ in floods] if bad else [])
    harmed = [each for each in good if each.flagged]
    return Line(
        name,
        len(bad),
        len(found) / len(bad) if bad else None,
        sum(each.marked for each in bad) / len(bad) if bad else None,
        (min(firsts) - begin) / 60 if firsts else None,
        len(good),
        len(harmed),
        sum(each.marked for each in good),
        tuple(sorted({part for _, part in floods})),
        tuple(Counter(signal for each in bad for signal in each.signals).most_common(6)),
        tuple(Counter(signal for each in harmed for signal in each.signals).most_common(6)),
    )


async def simulate(days: int, visits: int, seed: int, only: str | None = None) -> list[Line]:
    chance = random.Random(seed)
    past = World()
    await past.run([each for day in range(days) for each in people(chance, day, visits)], QUIET_EVERY_S)
    day = float(MONDAY + days * DAY)
    lines = []
    for name, attack in ATTACKS.items():
        if only is not None and name != only:
            continue
        world, chance = past.copied(), random.Random(f"{seed} {name}")
        world.board._on_event = world._tell
        crowd = [*people(chance, days, visits), *attack(chance, day, visits / 3000)]
        lines.append(line(name, await world.run(crowd, BUSY_EVERY_S), world.events, day))
    return lines


def table(lines: Sequence[Line]) -> str:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    rows = [f"{'':24} {'events':>7} {'found':>8} {'marked':>8} {'first':>9} {'people':>7} {'harmed':>7} {'marked':>7}"]
    for each in lines:
        first = "-" if each.first is None else f"{each.first:.0f} min"
        rows.append(
            f"{each.attack:24} {each.events:7} {share(each.found):>8} {share(each.marked):>8} {first:>9} {each.people:7} {each.harmed:7} "
            f"{each.people_marked:7}"
        )
        if each.floods:
            rows.append(f"{'':6}floods: {', '.join(each.floods)}")
        if each.signals:
            rows.append(f"{'':6}signals: {', '.join(f'{name} {number}' for name, number in each.signals)}")
        if each.harmed_by:
            rows.append(f"{'':6}people harmed by: {', '.join(f'{name} {number}' for name, number in each.harmed_by)}")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=4, help="quiet days before the attack (at least 3)")
    parser.add_argument("--visits", type=int, default=3000, help="people a day; attacks grow with it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=ATTACKS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    lines = asyncio.run(simulate(given.days, given.visits, given.seed, given.only))
    print(table(lines))
    if given.json:
        given.json.write_text(json.dumps([each._asdict() for each in lines], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Simulated campaigns under attack: what is found, how soon, and who is harmed.

    python bench/campaign.py [--days 4] [--visits 3000] [--seed 1] [--only NAME] [--habits NAME] [--json FILE]

Several quiet days of people, then one more on which each attack happens in a world of its own with the same past. Attackers have what real ones
have: homes' addresses, browsers' complete heads, the campaign's own parameters, click ids that look right, names that exist. What stands here are shares
and simulated minutes, no processor times. Assumptions about people are constants of bench/campaign_world.py.

found     of the attack's page views or forms: flagged (held for a look or declined) or counted as invalid traffic
marked    of them: something found counts against them, which by itself harms nobody
first     simulated minutes from the attack's start to its first found page view or form, or to the log's "campaign flooded"
leads     the same as found, of its forms alone
harmed    people of the whole day whose page view was flagged or whose form was held
counted   people whose page view was let in and counted as invalid traffic
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.campaign_attacks import ATTACKS
from bench.campaign_world import DAY, HABITS, MONDAY, Outcome, World, people
from detectors.observation import Kind

QUIET_EVERY_S, BUSY_EVERY_S = 120.0, 10.0
"""How often the background works, in simulated seconds; a serving process does every second."""


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
    people_counted: int
    leads_found: float | None
    floods: tuple[str, ...]
    signals: tuple[tuple[str, int], ...]
    harmed_by: tuple[tuple[str, int], ...] = ()


def line(
    name: str, outcomes: Sequence[Outcome], events: Sequence[tuple[float, str, dict[str, object]]], day: float
) -> Line:
    bad = [each for each in outcomes if each.attack]
    leads = [each for each in bad if each.kind is Kind.SUBMISSION]
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
        sum(each.invalid and not each.flagged for each in good),
        sum(each.flagged for each in leads) / len(leads) if leads else None,
        tuple(sorted({part for _, part in floods})),
        tuple(Counter(signal for each in bad for signal in each.signals).most_common(6)),
        tuple(Counter(signal for each in harmed for signal in each.signals).most_common(6)),
    )


async def simulate(days: int, visits: int, seed: int, only: str | None = None, habits: str = "usual") -> list[Line]:
    chance = random.Random(seed)
    shares = HABITS[habits]
    past = World(shares)
    await past.run([each for day in range(days) for each in people(chance, day, visits, shares)], QUIET_EVERY_S)
    day = float(MONDAY + days * DAY)
    lines = []
    for name, attack in ATTACKS.items():
        if only is not None and name not in only.split(";"):
            continue
        world, chance = past.copied(), random.Random(f"{seed} {name}")
        world.board._on_event = world._tell
        crowd = [*people(chance, days, visits, shares), *attack(chance, day, visits / 3000, shares)]
        lines.append(line(name, await world.run(crowd, BUSY_EVERY_S), world.events, day))
    return lines


def table(lines: Sequence[Line]) -> str:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    rows = [
        f"{'':24} {'events':>7} {'found':>8} {'leads':>8} {'marked':>8} {'first':>9} {'people':>7} {'harmed':>7} {'counted':>7} "
        f"{'marked':>7}"
    ]
    for each in lines:
        first = "-" if each.first is None else f"{each.first:.0f} min"
        rows.append(
            f"{each.attack:24} {each.events:7} {share(each.found):>8} {share(each.leads_found):>8} {share(each.marked):>8} {first:>9} "
            f"{each.people:7} {each.harmed:7} {each.people_counted:7} {each.people_marked:7}"
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
    parser.add_argument("--only", help="names of attacks, with ; between them")
    parser.add_argument("--habits", choices=HABITS, default="usual", help="what people do in this world")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    lines = asyncio.run(simulate(given.days, given.visits, given.seed, given.only, given.habits))
    print(table(lines))
    if given.json:
        given.json.write_text(json.dumps([each._asdict() for each in lines], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

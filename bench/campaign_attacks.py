"""What happens on the day of bench/campaign.py: attacks, and crowds in which nobody attacks.

Attackers have what real ones have: homes' addresses, browsers' complete heads, the campaign's own parameters, click ids that look right, names that
exist. Their numbers are constants of the functions below.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bench import visitors
from bench.campaign_world import (
    ABROAD,
    CAMPAIGNS,
    COMPANY,
    DAY,
    FARM,
    FIRM,
    HOUR,
    OFFICE,
    PHONES,
    SCHOOL,
    SMALL_ISP,
    UNIVERSITY,
    Habits,
    Step,
    Visitor,
    click_id,
    home,
    made_up_lead,
    person,
)

LANDING, PARTS = Step(0, "landing"), Step(1, "parts")
Attack = Callable[[random.Random, float, float, Habits], list[Visitor]]
"""(chance, when the day begins, how many times a small attack, what people do) → the attack's visitors."""


def one_network(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Sixty machines in one block of an access provider click through the afternoon; they fetch the page and nothing else."""
    machines = [(f"{SMALL_ISP}{10 + number}", chance.randrange(visitors.SETS)) for number in range(60)]
    return [
        Visitor(day + 14 * HOUR + chance.uniform(0, 2 * HOUR), *chance.choice(machines), CAMPAIGNS[1], (LANDING,), "one network", click_id(chance))
        for _ in range(int(3000 * size))
    ]  # fmt: skip


def _slow(
    chance: random.Random,
    day: float,
    size: float,
    name: str,
    steps: tuple[Step, ...],
    homes: int = 5000,
    each: int = 4,
    reads: float = 0,
) -> list[Visitor]:
    machines = [(home(chance), chance.randrange(visitors.SETS)) for _ in range(int(homes * size))]
    return [
        Visitor(
            day + chance.uniform(1, 23) * HOUR, *machine, CAMPAIGNS[3],
            (*steps, Step(chance.uniform(5, 60), "page")) if chance.random() < reads else steps, name, click_id(chance),
        )
        for machine in machines
        for _ in range(each)
    ]  # fmt: skip


def slow(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Programs behind 5,000 homes, four clicks each within the day, that fetch the page and nothing else."""
    return _slow(chance, day, size, "slow, 5,000 homes", (LANDING,))


def slow_browsers(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """The same with whole browsers, which fetch all of the page and go no further."""
    return _slow(chance, day, size, "slow, whole browsers", (LANDING, PARTS))


def slow_small(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Whole browsers of 1,000 homes, two clicks each: a tenth as many."""
    return _slow(chance, day, size, "slow, few whole browsers", (LANDING, PARTS), homes=1000, each=2)


def slow_readers(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Whole browsers of 5,000 homes, one in eight of whose clicks goes on to a second page."""
    return _slow(chance, day, size, "slow, some read on", (LANDING, PARTS), reads=0.125)


def replay(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
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


def stuffing(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Made-up leads with names that exist, from 200 homes: the page is fetched for its token, the form follows at a person's pace."""
    machines = [(home(chance), chance.randrange(visitors.SETS)) for _ in range(int(200 * size))]
    return [
        Visitor(
            day + chance.uniform(9, 21) * HOUR, *chance.choice(machines), {}, (LANDING, Step(chance.uniform(12, 40), "lead")),
            "lead stuffing", lead=made_up_lead(chance),
        )
        for _ in range(int(600 * size))
    ]  # fmt: skip


def stuffing_homes(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """The same from 600 homes, one lead from each, a minute or more after the page."""
    return [
        Visitor(
            day + chance.uniform(9, 21) * HOUR, home(chance), chance.randrange(visitors.SETS), {}, (LANDING, Step(chance.uniform(70, 200), "lead")),
            "stuffing, a lead a home", lead=made_up_lead(chance),
        )
        for _ in range(int(600 * size))
    ]  # fmt: skip


def stuffing_browsers(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """The same by whole browsers, which fetch all of the page."""
    return [
        Visitor(
            day + chance.uniform(9, 21) * HOUR, home(chance), chance.randrange(visitors.SETS), {},
            (LANDING, PARTS, Step(chance.uniform(70, 200), "lead")), "stuffing, whole browsers", lead=made_up_lead(chance),
        )
        for _ in range(int(600 * size))
    ]  # fmt: skip


def farm(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """People in one room with twenty-five phones, who fill in one form by hand for pay, six hundred times."""
    phones = [chance.randrange(visitors.SETS) for _ in range(25)]
    return [
        Visitor(
            day + chance.uniform(10, 16) * HOUR, FARM, chance.choice(phones), CAMPAIGNS[3],
            (LANDING, PARTS, Step(chance.uniform(40, 120), "lead")), "form farm", click_id(chance), lead=made_up_lead(chance),
        )
        for _ in range(int(600 * size))
    ]  # fmt: skip


def competitor(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Three people in a competitor's office click on the ads all day, eighty times."""
    browsers = [chance.randrange(visitors.SETS) for _ in range(3)]
    return [
        Visitor(day + chance.uniform(9, 17) * HOUR, OFFICE, chance.choice(browsers), CAMPAIGNS[1], (LANDING, PARTS), "competitor's office", click_id(chance))
        for _ in range(80)
    ]  # fmt: skip


def spot(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A television spot: within forty minutes thirty times the people that come else; half of them search for the name, half type the address. Nobody
    attacks; fewer of them go on to a second page than else."""
    usual = 3000 * size * 9 / 150 * 40 / 60
    crowd = []
    for _ in range(int(30 * usual)):
        visitor = person(
            chance, day + 20.25 * HOUR + min(chance.expovariate(1 / 600), 2400), habits=habits._replace(by_ad=0.5)
        )
        if visitor.campaign:
            visitor.campaign = CAMPAIGNS[0]
        if chance.random() < 0.3:
            visitor.steps = tuple([step for step in visitor.steps if step.does in ("landing", "parts")])
        crowd.append(visitor)
    return crowd


def shared_addresses(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A university of four hundred browsers behind one address, and phones behind eight addresses of a carrier, all at full load. Nobody attacks."""
    students = [chance.randrange(visitors.SETS) for _ in range(400)]
    crowd = [
        person(chance, day + chance.uniform(8, 20) * HOUR, UNIVERSITY, habits, chance.choice(students))
        for _ in range(int(2000 * size))
    ]
    phones = [chance.uniform(7, 23) * HOUR for _ in range(int(8000 * size))]
    crowd += [person(chance, day + at, f"{PHONES[0][0]}.9.{chance.randrange(1, 9)}", habits) for at in phones]
    return crowd


def newsletter(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A newsletter to customers in a neighbouring country: two thousand within three hours, by the address of a campaign that is known. Half know the
    site, a third of them have it in the cache."""
    known = habits._replace(fetch=0.83 * habits.fetch, by_ad=1.0)
    crowd = []
    for _ in range(int(2000 * size)):
        address = f"{ABROAD}{chance.randrange(256)}.{chance.randrange(1, 255)}"
        visitor = person(chance, day + 10 * HOUR + min(chance.expovariate(1 / HOUR), 3 * HOUR), address, known)
        visitor.campaign, visitor.gclid = CAMPAIGNS[0], ""
        crowd.append(visitor)
    return crowd


def school(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Three classes at a school's like machines, behind one address: each pupil searches, clicks on the ad and sends the form, within a lesson."""
    machines = [chance.randrange(visitors.SETS) for _ in range(2)]
    return [
        Visitor(
            day + lesson * HOUR + chance.uniform(0, 2400), SCHOOL, chance.choice(machines), CAMPAIGNS[1],
            (LANDING, PARTS, Step(chance.uniform(60, 400), "lead")), gclid=click_id(chance),
        )
        for lesson in (9, 10, 11)
        for _ in range(28)
    ]  # fmt: skip


def sale(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A sale that begins at midnight: fifteen hundred people within an hour and a half, by one ad; four times as many of them as usual send the form."""
    eager = habits._replace(form=4 * habits.form, by_ad=1.0)
    crowd = [
        person(chance, day + min(chance.expovariate(1 / 1500), 1.5 * HOUR), habits=eager)
        for _ in range(int(1500 * size))
    ]
    for each in crowd:
        each.campaign = CAMPAIGNS[1]
    return crowd


def to_the_form(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A new advertisement that leads right to the form: a thousand people in a day, of whom one in four sends it and nobody needs a second page."""
    eager = habits._replace(second=0.02, form=0.25, by_ad=1.0)
    crowd = [person(chance, day + chance.uniform(8, 22) * HOUR, habits=eager) for _ in range(int(1000 * size))]
    for each in crowd:
        each.campaign = CAMPAIGNS[2]
    return crowd


def in_app(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A publisher puts the ad into its app: four thousand readers in one app's browser on phones, of whom two in five of those who usually do go on."""
    browsers = [chance.randrange(visitors.SETS) for _ in range(6)]
    readers = habits._replace(second=0.4 * habits.second, form=0.3 * habits.form, by_ad=1.0, phones=0.8)
    crowd = [
        person(chance, day + chance.uniform(7, 23) * HOUR, "", readers, chance.choice(browsers))
        for _ in range(int(4000 * size))
    ]
    for each in crowd:
        each.campaign = CAMPAIGNS[3]
    return crowd


def deadline(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """A company's staff sends one form on the last day, from like machines behind one address; a third has the page in the cache."""
    machines = [chance.randrange(visitors.SETS) for _ in range(4)]
    return [
        Visitor(
            day + chance.uniform(9, 12) * HOUR, COMPANY, chance.choice(machines), {},
            (LANDING, *((PARTS,) if (fetched := chance.random() < 0.67) else ()), Step(30 + chance.lognormvariate(*habits.writing), "lead")),
            known_s=0.0 if fetched else DAY,
        )
        for _ in range(150)
    ]  # fmt: skip


def firm(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """Twenty people of a builder's office look for roofs and click on the same ads, once or twice each in a day, from like machines."""
    machines = [chance.randrange(visitors.SETS) for _ in range(3)]
    crowd = [
        person(chance, day + chance.uniform(8, 17) * HOUR, FIRM, habits._replace(by_ad=1.0), chance.choice(machines))
        for _ in range(30)
    ]
    for each in crowd:
        each.campaign = CAMPAIGNS[1]
    return crowd


def spot_and_flood(chance: random.Random, day: float, size: float, habits: Habits) -> list[Visitor]:
    """The television spot on the day of the slow flood by whole browsers, both on one campaign's publisher."""
    crowd = spot(chance, day, size, habits)
    for each in crowd:
        if each.campaign:
            each.campaign = CAMPAIGNS[3]
    return crowd + slow_browsers(chance, day, size, habits)


ATTACKS: dict[str, Attack] = {
    "one network": one_network,
    "slow, 5,000 homes": slow,
    "slow, whole browsers": slow_browsers,
    "slow, few whole browsers": slow_small,
    "slow, some read on": slow_readers,
    "click-id replay": replay,
    "lead stuffing": stuffing,
    "stuffing, a lead a home": stuffing_homes,
    "stuffing, whole browsers": stuffing_browsers,
    "form farm": farm,
    "competitor's office": competitor,
    "flood and spot": spot_and_flood,
    "television spot x30": spot,
    "university and carrier": shared_addresses,
    "newsletter abroad": newsletter,
    "school class": school,
    "sale at midnight": sale,
    "ad to the form": to_the_form,
    "readers in an app": in_app,
    "deadline in a company": deadline,
    "builder's office": firm,
}

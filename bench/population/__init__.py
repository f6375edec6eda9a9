"""People who send forms: made-up ones, as different as people are, by a fixed seed. Every one is a person; whoever is held is held by mistake.

Each comes once to the page and once to the form. Counts, sessions and tokens are those of ordinary days: most come alone, carriers and campuses send
hundreds of people through one address.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.population.browsers import HOST, heads
from bench.population.contacts import UNIVERSITIES, company, email, message, phone
from bench.population.names import Name, locales, name, typed
from bench.population.places import Place, Places
from detectors.behaviour import Journey, MailDomain, Similar
from detectors.observation import (
    WINDOWS,
    Click,
    Client,
    Count,
    Duplicate,
    Kind,
    Lead,
    Observation,
    Page,
    RenderToken,
    Request,
    Session,
    Velocity,
)

CROWDED = frozenset({"mobile", "mixed", "education", "relay", "government", "proxy"})
"""Networks that put many people behind one address."""

QUICK = 0.02
"""Share of people whose browser fills in the form, so that they send it within three seconds."""

AT = 1_790_000_000_000_000


class Person(NamedTuple):
    """expected, languages: what the site that they write to says of its form and visitors."""

    name: Name
    network: str
    country: str
    browser: str
    landing: Observation
    post: Observation
    expected: tuple[str, ...]
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Lists:
    """What real lists add to the made-up: addresses, user agents of people, domains of universities."""

    addresses: Sequence[str] = ()
    agents: Sequence[str] = ()
    universities: Sequence[str] = UNIVERSITIES


def people(count: int, seed: int, lists: Lists | None = None, pool: int = 400) -> Iterator[Person]:
    """`count` people, locale after locale. pool: networks of each kind that they are spread over."""
    lists = lists or Lists()
    chance = random.Random(seed)
    places, known = Places(chance, lists.addresses, pool), locales()
    for number in range(count):
        yield _person(name(known[number % len(known)], chance), chance, places, lists)


def _person(who: Name, chance: random.Random, places: Places, lists: Lists) -> Person:
    place = places.draw(who.country)
    browser = heads(who, chance, lists.agents)
    address = email(who, chance, lists.universities)
    roles = {**typed(who, chance), "email": address}
    if (number := phone(who, chance)) is not None:
        roles["phone"] = number
    if chance.random() < 0.2:
        roles["company"] = company(who, chance)
    if (text := message(who, chance)) is not None:
        roles["message"] = text
    pages, age = chance.choice((1, 1, 1, 2, 2, 3, 5, 9)), int(chance.lognormvariate(4.3, 1.2))
    if chance.random() < QUICK:
        age = chance.choice((1, 2, 3))
    kind = chance.choice(("cookie", "derived"))
    at_home = chance.random()
    return Person(
        name=who,
        network=place.network.kind or "unknown",
        country=place.network.country or "unknown",
        browser=browser.family,
        landing=_landing(
            place,
            Request("GET", "/offer", browser.landing, "1.1", "https", browser.complete, browser.complete),
            kind,
            chance,
        ),
        post=_post(
            place,
            Request("POST", "/lead", browser.post, "1.1", "https", browser.complete, browser.complete),
            kind,
            pages,
            age,
            roles,
            chance,
        ),
        expected=(who.country,) if at_home < 0.45 else (),
        languages=(who.language,) if at_home < 0.30 else (),
    )


def _landing(place: Place, request: Request, kind: str, chance: random.Random) -> Observation:
    click = None
    if chance.random() < 0.6:
        again = chance.random() < 0.06  # a reload, or back from another page
        platform, parameter, length = chance.choice(
            (("google", "gclid", 91), ("meta", "fbclid", 182), ("microsoft", "msclkid", 32))
        )
        click = Click(
            platform,
            parameter,
            "ab12",
            length,
            2 if again else 1,
            240 if again else 0,
            True if again else None,
            True if again else None,
        )
    seen = chance.choice((1, 1, 1, 2, 3))
    return Observation(
        Kind.LANDING,
        "acme",
        AT,
        Page(HOST, "/offer"),
        Client(place.address, 50_000),
        request,
        place.network,
        _velocity(place.network.kind, chance, seen, rate=4),
        session=Session(kind, "0a1b", 40 * (seen - 1), seen, 0),
        click=click,
        journey=Journey(assets=-1, beats=0, networks=1 if kind == "cookie" else 0),
    )


def _post(
    place: Place, request: Request, kind: str, pages: int, age: int, roles: dict[str, str], chance: random.Random
) -> Observation:
    lead = Lead("quote", tuple(roles.items()), {role: (value,) for role, value in roles.items()})
    how = chance.random()
    twice = how < 0.015  # a double click on the button
    token = RenderToken(
        "valid", 1000 * max(2, min(age, 3600)), 2 if twice else 1, *((True, True, True) if twice else ())
    )
    if 0.02 < how < 0.03:
        token = RenderToken("expired", 86_400_000, 1)  # a tab that was left open
    elif 0.03 < how < 0.04:
        token = RenderToken("missing")  # a page from somebody's cache
    known = chance.random() < 0.05
    words = len(roles.get("message", "").split())
    domain = roles["email"].partition("@")[2].lower()
    return Observation(
        Kind.SUBMISSION,
        "acme",
        AT,
        Page(HOST, "/lead"),
        Client(place.address, 50_000),
        request,
        place.network,
        _velocity(place.network.kind, chance, 1 + twice, rate=1),
        session=Session(kind, "0a1b", age, pages, 1 + twice),
        lead=lead,
        token=token,
        duplicate=Duplicate(1 + twice, 2 if known or twice else 1, 9 if known else 0),
        mail=MailDomain(True, (f"mx.{domain}",)),
        similar=Similar(1, 1, words, 40, 0, 500_000) if words >= 8 else None,
        journey=Journey(assets=-1, beats=0, networks=1 if kind == "cookie" else 0, dwell_ms=1000 * min(age, 3600)),
    )


def _velocity(kind: str, chance: random.Random, own: int, rate: int) -> Velocity:
    """Counters by dimension. `own`: events of this person; `rate`: how many more page views there are than posts."""
    crowd = 0
    if kind in CROWDED and chance.random() < 0.5:
        crowd = rate * chance.choice((3, 10, 30, 80))  # others behind the address within an hour
    elif kind in ("business", "hosting") and chance.random() < 0.2:
        crowd = rate * 3
    near, alone = crowd + rate * chance.choice((0, 0, 1, 4)), _row(own, 0)
    return Velocity(
        {
            "address": _row(own, crowd),
            "prefix": _row(own, near),
            "network": _row(own, 40 * rate),
            "browser": _row(own, 12 * rate),
            "session": alone,
        }
    )


def _row(own: int, others: int) -> tuple[Count, Count, Count, Count]:
    """`others` people within an hour besides; members are counted up to 64."""
    found = []
    for window in WINDOWS:
        more = others * window // 3600 if window < 86_400 else others * 10
        found.append(Count(own + more, min(64, 1 + more * 9 // 10)))
    return found[0], found[1], found[2], found[3]

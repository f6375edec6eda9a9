"""A few thousand made-up people pass all detectors and rules: nobody is declined, hardly anybody held, whatever their script, language or network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from bench.grounds.judge import Judge
from bench.people import AIM_ALL, BY, Found, judged, report
from bench.population import CROWDED, Person, people
from bench.population.names import locales
from detectors.observation import Lead, Velocity

COUNT, SEED = 1_600, 7
HELD = int(COUNT * AIM_ALL / 2)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.shipped()


@pytest.fixture(scope="module")
def everybody() -> list[Person]:
    return list(people(COUNT, SEED, pool=60))


@pytest.fixture(scope="module")
def found(judge: Judge, everybody: list[Person]) -> Found:
    return judged(judge, everybody)


def test_nobody_is_declined_and_hardly_anybody_held(found: Found) -> None:
    assert found.people == COUNT
    assert found.declined == 0, "\n".join(report("people", found))
    assert found.held <= HELD, "\n".join(report("people", found))


@pytest.mark.parametrize("by", BY)
def test_nobody_is_held_for_what_he_is(found: Found, by: str) -> None:
    for name, (held, size) in found.groups[by].items():
        assert held <= max(2, 0.01 * size), (by, name, held, size)


def test_where_the_law_forbids_it_name_language_and_country_weigh_nothing(
    judge: Judge, everybody: list[Person]
) -> None:
    blind = replace(judge, blind=True)
    off = blind.rules.policy(everybody[0].post.kind, origin_blind=True).off
    assert "phone.country" in off
    some = everybody[:600]
    for person in some:
        for obs in (person.landing, person.post):
            assert not {reason.signal for reason in blind.verdict(obs)[1].reasons} & off
    assert judged(blind, some).held <= judged(judge, some).held


def test_the_population_is_as_different_as_people_are(everybody: list[Person]) -> None:
    assert {person.name.locale for person in everybody} == set(locales())
    assert len(locales()) >= 90
    assert len({person.name.script for person in everybody}) >= 18
    assert len({person.name.country for person in everybody}) >= 70
    kinds = {person.network for person in everybody}
    assert kinds >= {
        "consumer",
        "mobile",
        "business",
        "education",
        "relay",
        "vpn",
        "tor",
        "hosting",
        "government",
        "unknown",
    }
    assert len({person.browser for person in everybody}) >= 8
    crowds = [person for person in everybody if person.network in CROWDED and _most(person) >= 60]
    assert crowds
    leads = [person.post.lead for person in everybody]
    assert all(isinstance(lead, Lead) and "email" in lead.roles for lead in leads)
    assert sum(isinstance(lead, Lead) and "phone" in lead.roles for lead in leads) > 0.7 * COUNT


def _most(person: Person) -> int:
    assert isinstance(person.post.velocity, Velocity)
    return max(count.distinct for count in person.post.velocity.counts["address"])


def test_the_same_seed_makes_the_same_people() -> None:
    assert _told(people(30, 3, pool=20)) == _told(people(30, 3, pool=20))
    assert _told(people(30, 3, pool=20)) != _told(people(30, 4, pool=20))


def _told(who: Iterator[Person]) -> list[bytes]:
    return [msgspec.json.encode(person.post) for person in who]


def test_a_hold_is_counted_where_it_belongs_with_its_cause(judge: Judge, everybody: list[Person]) -> None:
    person = next(person for person in everybody if person.network == "consumer")
    lead = person.post.lead
    assert isinstance(lead, Lead)
    roles = {**lead.roles, "email": ("somebody@mailinator.com",)}
    stained = person._replace(
        post=msgspec.structs.replace(person.post, lead=msgspec.structs.replace(lead, roles=roles))
    )
    found = judged(judge, [stained, person])
    assert (found.people, found.held, found.declined) == (2, 1, 0)
    assert found.groups["kind of network"]["consumer"] == [1, 2]
    assert any("email.disposable" in cause for cause in found.causes)
    assert any("email.disposable" in line for line in report("two people", found))

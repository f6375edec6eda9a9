"""How many people are held or declined by mistake, by script, language, country, kind of network and browser, and by which signals.

    python -m bench.people [--count 60000] [--seed 1]

A made-up population (bench/population) goes through all detectors and rules, without sockets and without a learned model, as a page view and as a form.
Each is judged by an ordinary site, and by one whose sector (credit, housing, jobs, insurance) takes no note of names, languages and countries. Lists
under LEADGATE_TEST_DATA make it more varied where they are there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from bench.grounds import data
from bench.grounds.judge import Judge
from bench.population import Lists, Person, people
from bench.table import Absent, Share
from detectors.observation import Observation
from detectors.reference import FormSettings, SiteSettings
from rules.verdict import Decision, Verdict

AIM_ALL, AIM_EACH = 0.005, 0.01
LEAST = 200
"""People of a kind from which on its share is told; of fewer it says too little."""

BY: dict[str, Callable[[Person], str]] = {
    "script": lambda person: person.name.script,
    "language": lambda person: person.name.language,
    "country of the person": lambda person: person.name.country,
    "country of the network": lambda person: person.country,
    "kind of network": lambda person: person.network,
    "browser": lambda person: person.browser,
}


@dataclass
class Found:
    """Counts of people: all, held (page view or form), declined, and held by group; `causes` of holds by signals that counted."""

    people: int = 0
    held: int = 0
    declined: int = 0
    weighed: int = 0
    groups: dict[str, dict[str, list[int]]] = field(
        default_factory=lambda: {by: defaultdict(lambda: [0, 0]) for by in BY}
    )
    causes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    examples: dict[tuple[str, ...], str] = field(default_factory=dict)

    def add(self, person: Person, verdicts: Iterable[Verdict]) -> None:
        self.people += 1
        held = declined = weighed = False
        for verdict in verdicts:
            weighed |= any(reason.counted > 0 for reason in verdict.reasons)
            if verdict.decision is Decision.ACCEPT:
                continue
            held, declined = True, declined or verdict.decision is Decision.REJECT
            causes = tuple(sorted({reason.signal for reason in verdict.reasons if reason.counted > 0}))
            self.causes[causes] += 1
            self.examples.setdefault(causes, f"{person.name.locale}, {person.network}, {person.browser}")
        self.held += held
        self.declined += declined
        self.weighed += weighed
        for by, of in BY.items():
            row = self.groups[by][of(person)]
            row[0] += held
            row[1] += 1

    def worst(self, by: str) -> list[tuple[str, Share]]:
        """Groups of LEAST and more, the most often held first."""
        rows = [(name, Share(held, size)) for name, (held, size) in self.groups[by].items() if size >= LEAST]
        return sorted(rows, key=lambda row: (-row[1].value, row[0]))


def judged(judge: Judge, who: Iterable[Person]) -> Found:
    found = Found()
    for person in who:
        form, site = FormSettings(expected_countries=person.expected), SiteSettings(languages=person.languages)
        mine = replace(judge, reference=judge.reference.with_site(site).with_form(form))
        found.add(person, [verdict(mine, person.landing), verdict(mine, person.post)])
    return found


def verdict(judge: Judge, obs: Observation) -> Verdict:
    return judge.verdict(obs)[1]


def lists() -> tuple[Lists, list[str]]:
    """What real lists there are, and what is missing."""
    addresses: list[str] = []
    agents: list[str] = []
    universities: list[str] = []
    missing = []
    try:
        addresses = [row["ip"] for row in data.table("ip-asn/ip_asn_samples.csv")]
    except Absent as absent:
        missing.append(str(absent))
    try:
        agents = [json.loads(line)["userAgent"] for line in data.lines("user-agents/browser_profiles.jsonl.gz")]
    except Absent as absent:
        missing.append(str(absent))
    try:
        universities = [line.strip() for line in data.lines("email/university_domains.txt")]
    except Absent as absent:
        missing.append(str(absent))
    return Lists(addresses, agents, universities or Lists().universities), missing


def report(title: str, found: Found) -> list[str]:
    told = [
        f"\n{title}: {found.people:,} people",
        f"  declined {found.declined}; held {Share(found.held, found.people)} {found.held}; "
        f"with anything that weighs against them {Share(found.weighed, found.people)}",
    ]
    for by in BY:
        rows = found.worst(by)
        over = sum(share.value > AIM_EACH for _, share in rows)
        told.append(f"  by {by}: {len(rows)} groups of {LEAST} and more, {over} above {AIM_EACH:.0%}")
        told += [f"    {name:<28} {share} {share.hits} of {share.size}" for name, share in rows[:4]]
    told.append("  held by")
    told += [
        f"    {count:>5}  {' + '.join(names)}   ({found.examples[names]})"
        for names, count in found.causes.most_common(15)
    ]
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description="People who are held by mistake")
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    real, missing = lists()
    for what in missing:
        print(f"without: {what}")
    judge = Judge.shipped()
    everybody = list(people(asked.count, asked.seed, real))
    for title, blind in (("an ordinary site", False), ("a site of credit, housing, jobs or insurance", True)):
        print("\n".join(report(title, judged(replace(judge, blind=blind), everybody))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

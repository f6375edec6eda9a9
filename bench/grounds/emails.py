"""Throw-away mail domains against those of universities, free providers and forwarding services; syntax; role accounts.

Peers: disposable-email-domains and is-burner-email. Both are among our lists, so each finds by construction what it holds. What generalises is shown by
lists that are aged: domains listed after a day are taken out of them, and the same domains are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from disposable_email_domains import blocklist
from faker import Faker
from faker.config import AVAILABLE_LOCALES
from is_burner_email import is_burner

from bench.grounds import data
from bench.grounds.judge import Judge, post
from bench.table import Ground, Row, Scorer
from detectors import email_domains
from detectors.data_files import load
from detectors.email_domains import EmailDomains
from detectors.observation import Kind, Observation

AGED = "2025-01-01"
"""Domains listed from this day on are looked for by lists that end with it."""

NAMES = 2_000
FIRMS = 20
"""Made-up domains of firms for each locale of Faker; they stand beside the good domains where lists are aged and names have to tell."""


def rows(judge: Judge) -> list[Row]:
    dated = data.table("email/disposable_dated.csv")
    good = [
        line.strip().lower()
        for name in ("university_domains", "free_providers", "alias_forwarders")
        for line in data.lines(f"email/{name}.txt")
    ]
    found: list[Row] = []
    ours = judge.scorers(_at, ("email",), Kind.SUBMISSION)
    for years in (("2018",), ("2019", "2020", "2021"), ("2022", "2023", "2024"), ("2025",)):
        bad = [row["domain"] for row in dated if row["first_listed"][:4] in years]
        name = f"throw-away domains listed {years[0]}" + (f" to {years[-1]}" if len(years) > 1 else "")
        found += Ground(
            name, bad, good, (*ours, *_peers(frozenset())), "by construction: both lists are in ours"
        ).rows()
    good += _firms()
    late = [row["domain"] for row in dated if row["first_listed"] >= AGED]
    gone = frozenset(late)
    for name, merged_too in (("the curated list", False), ("both lists", True)):
        judged = judge.with_reference(domains=_aged(gone, merged_too))
        scorers = (*judged.scorers(_at, ("email",), Kind.SUBMISSION), *_peers(gone, merged_too))
        title = f"throw-away domains listed after {AGED}, not yet in {name}"
        found += Ground(title, late, good, scorers, "without DNS: mail hosts are not looked at").rows()
    return found + _syntax(judge) + _roles(judge)


def _firms() -> list[str]:
    found = []
    for locale in sorted(set(AVAILABLE_LOCALES) - {"fr_QC"}):  # an old name of fr_CA
        fake = Faker(locale)
        fake.seed_instance(7)
        found += [fake.domain_name() for _ in range(FIRMS)]
    return found


def _at(domain: str) -> Observation:
    return post((), {"email": f"maria.keller@{domain}"})


def _aged(gone: frozenset[str], merged_too: bool) -> EmailDomains:
    """The shipped lists without `gone`."""
    lists, _ = load("email_lists.yaml")
    reviewed, _ = load("email_exceptions.yaml")
    words, _ = load("email_names.yaml")
    merged: Iterable[str] = email_domains._merged_list()
    if merged_too:
        merged = (name for name in merged if name not in gone)
    return EmailDomains.build(frozenset(blocklist) - gone, merged, lists, reviewed, words)


def _peers(gone: frozenset[str], merged_too: bool = True) -> tuple[Scorer, ...]:
    """Aged alike."""
    curated = frozenset(blocklist) - gone
    burner: Callable[[object], float] = lambda domain: float(is_burner(f"x@{domain}"))  # noqa: E731
    if gone and merged_too:
        burner = lambda domain: float(domain not in gone and is_burner(f"x@{domain}"))  # noqa: E731
    return (
        Scorer("disposable-email-domains", lambda domain: float(domain in curated), peer=True),
        Scorer("is-burner-email", burner, peer=True),
    )


def _syntax(judge: Judge) -> list[Row]:
    """Addresses that the isemail tests call no address against those they call good. Control characters are written as U+2400 and following."""
    cases = json.loads(data.path("email/isemail_tests.json").read_text())
    controls = {0x2400 + code: code for code in range(32)}
    bad = [
        case["address"].translate(controls) for case in cases if case["category"] == "ISEMAIL_ERR" and case["address"]
    ]
    good = [
        case["address"].translate(controls)
        for case in cases
        if case["category"] in ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN")
    ]
    scorers = (
        judge.shows(lambda address: post((), {"email": str(address)}), "email.syntax"),
        *judge.scorers(lambda address: post((), {"email": address}), ("email",), Kind.SUBMISSION),
    )
    return Ground("e-mail syntax, isemail", bad, good, scorers, "a few oddities of mail servers on either side").rows()


def _roles(judge: Judge) -> list[Row]:
    """Recognised only: a role account weighs nothing."""
    fake = Faker(["de_DE", "en_US", "es_ES", "fr_FR", "it_IT", "pl_PL", "tr_TR"])
    fake.seed_instance(4)
    good = [f"{fake.first_name()}.{fake.last_name()}" for _ in range(NAMES)]
    bad = [name for name in data.lines("email/role_accounts.txt") if any(letter.isalpha() for letter in name)]

    def observe(local: object) -> Observation:
        return post((), {"email": f"{local}@keller-dach.de".replace(" ", "")})

    scorer = judge.shows(observe, "email.role")
    return Ground(
        "role accounts recognised", bad, good, (scorer,), "weighs nothing; the list holds rare and foreign words"
    ).rows()

"""Labelled records as rows for the fit: how strongly each signal speaks in each, what the rules add besides, and how much a row counts.

A signal's part in the sum is weight x strength unless a composite changed it; what a composite wrote (replaced, added) is an offset that no weight
changes. Where a group's cap held its sum, all of the group is scaled by what was left, so that the row is as the pack counts it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from detectors.observation import Client, Lead
from gateway.learning.generations import Judges
from gateway.learning.recorded import Item
from rules.verdict import Verdict

DAY_US = 86_400_000_000
SAME_CONTACT = 3.0
"""What all rows of one contact, or of one network within a day, count together at most: the fourth form of the same sender tells nothing new."""
FLOOD = 10
"""So many bad rows of one day with the very same findings count whole; further ones as the square root of their number, since a flood is one event."""
MOST_STANDS_FOR = 20.0
"""The most that one hold-out stands for: the share of 0.05 and above is taken as it is."""


class Row(msgspec.Struct):
    """bad: by its labels; sure: 0 to 1, how sure they are; strengths by signal, thousandths as they count in the sum; offset: log-odds that no weight
    changes; stands_for: how many of its kind it represents; day, contact: rows that are not independent; score: as the rules have it now, log-odds."""

    id: str
    bad: bool
    sure: float
    strengths: dict[str, float]
    offset: float
    day: int
    contact: str
    score: float
    stands_for: float = 1.0
    weight: float = 1.0


class Hits(msgspec.Struct):
    """How often a signal was found, over all labelled records: raw counts."""

    bad: int = 0
    good: int = 0


class Evidence(msgspec.Struct):
    """rows for the fit; hits by signal over all labelled records; bad, good: labelled records; decided: of these, those that a list, a rejecting or an
    allowing signal decided, from which weights cannot be learned; erased: those that cannot be judged again; elsewhere: of sites
    that are gone; unreadable: written by another version, or damaged."""

    rows: list[Row] = msgspec.field(default_factory=list)
    hits: dict[str, Hits] = msgspec.field(default_factory=lambda: defaultdict(Hits))
    bad: int = 0
    good: int = 0
    decided: int = 0
    erased: int = 0
    elsewhere: int = 0
    unreadable: int = 0

    def add(self, item: Item, judges: Judges, share: float | None) -> None:
        """share: with which the record was held out, None where it was not."""
        side = item.side
        if side is None:
            return
        if item.erased:
            self.erased += 1
            return
        found = judges.judge(item.record, item.observation)
        if found is None:
            self.elsewhere += 1
            return
        verdict, by = found
        self.bad += side.bad
        self.good += not side.bad
        for signal in {reason.signal for reason in verdict.reasons}:
            hits = self.hits[signal]
            hits.bad += side.bad
            hits.good += not side.bad
        if not verdict.decided_by.startswith(("threshold ", "undecided: confidence")) or any(
            r.decisive for r in verdict.reasons
        ):
            self.decided += 1
            return
        strengths, offset = parts(verdict, by.ruleset.packs[by.policy.pack].prior)
        row = Row(
            item.record.id, side.bad, side.weight, strengths, offset, item.record.occurred_at // DAY_US, contact_of(item),
            verdict.score / 1000,
        )  # fmt: skip
        if share:
            row.stands_for = min(1 / share, MOST_STANDS_FOR)
        self.rows.append(row)


def parts(verdict: Verdict, prior: int) -> tuple[dict[str, float], float]:
    """(strength of each signal that its weight multiplies, offset in log-odds without the prior's part in it being lost)."""
    capped = {g.group: g.counted / g.total for g in verdict.groups if g.total and g.counted != g.total}
    strengths: dict[str, float] = {}
    offset = prior / 1000
    for reason in verdict.reasons:
        scale = capped.get(reason.group, 1.0)
        if reason.changed_by is None:
            strengths[reason.signal] = reason.strength / 1000 * scale
        else:
            offset += reason.counted / 1000 * scale
    return strengths, offset


def contact_of(item: Item) -> str:
    """Rows of one contact, or without one of one network, are one story. A hash: nothing personal leaves the record."""
    obs = item.observation
    found = ""
    if isinstance(obs.lead, Lead):
        found = next((value.strip().lower() for value in obs.lead.values("email")), "")
        found = found or next(("".join(filter(str.isdigit, value)) for value in obs.lead.values("phone")), "")
    if not found and isinstance(obs.client, Client):
        address = obs.client.address
        found = ":".join(address.split(":")[:3]) if ":" in address else address.rpartition(".")[0]
        found += f" {item.record.occurred_at // DAY_US}"
    return hashlib.sha256((found or item.record.id).encode()).hexdigest()[:16]


def weigh(rows: list[Row]) -> None:
    """Give each row what it counts: how sure its labels are, times what it stands for, less for what is not independent. On the whole rows count as
    many as they are once dependence is taken off, so that what hold-outs stand for shifts weight between rows and adds none."""
    contacts = Counter(row.contact for row in rows)
    floods = Counter(_finding(row) for row in rows if row.bad)
    for row in rows:
        count = contacts[row.contact]
        row.weight = row.sure * min(1.0, SAME_CONTACT / count)
        flood = floods[_finding(row)] if row.bad else 0
        if flood > FLOOD:
            row.weight *= (FLOOD + (flood - FLOOD) ** 0.5) / flood
    total = sum(row.weight for row in rows)
    standing = sum(row.weight * row.stands_for for row in rows)
    for row in rows:
        row.weight *= row.stands_for * total / standing


def _finding(row: Row) -> tuple[int, tuple[str, ...]]:
    return row.day, tuple(sorted(row.strengths))


def s_o(hits: Hits, bad: int, good: int) -> float | None:
    """The S/O ratio of spam filters: share of the bad that have the signal, over that share plus the same of the good. 1: only bad traffic has it, 0:
    only good, 0.5: it says nothing. None without hits."""
    of_bad = hits.bad / bad if bad else 0.0
    of_good = hits.good / good if good else 0.0
    return of_bad / (of_bad + of_good) if of_bad + of_good else None


def effective(rows: Iterable[Row]) -> Mapping[bool, float]:
    """Labels that count on each side."""
    found = {True: 0.0, False: 0.0}
    for row in rows:
        found[row.bad] += row.weight
    return found

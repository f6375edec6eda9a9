"""The verdict and everything that explains it. No floats: log-odds are integers in thousandths ("millis")."""

from __future__ import annotations

from enum import StrEnum

import msgspec

PARTIAL = "partial: "
"""How the reason of a fact begins that was known in part."""


class Decision(StrEnum):
    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class Ivt(StrEnum):
    VALID = "valid"
    GIVT = "givt"  # general invalid traffic: routine means find it (data centres, declared crawlers)
    SIVT = "sivt"  # sophisticated: bots posing as people, hijacked devices, manipulated behaviour
    UNDECIDED = "undecided"  # could not be decided; never counted as fraud or as saving


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One signal's part in the verdict.

    weight     the pack's weight in millis of log-odds, positive speaks for invalid
    strength   0..1000, thousandths
    counted    what it added after composites and before the group's cap, in millis; 0 where a composite removed it
    source     who set the weight: "email.yaml:12" for a shipped pack, "local/…:4" for an operator's file
    changed_by name of the composite that removed, replaced or added it, or None
    text       what it means, in words a marketer understands, evidence filled in
    """

    signal: str
    group: str
    text: str
    evidence: tuple[str, ...]
    strength: int
    weight: int
    counted: int
    source: str
    decisive: bool = False
    ivt: str = "none"
    category: str | None = None
    changed_by: str | None = None


class GroupSum(msgspec.Struct, frozen=True, gc=False):
    """A group's sum before and after its cap, in millis; `cap` None where the group has none."""

    group: str
    total: int
    cap: int | None
    counted: int


class Applied(msgspec.Struct, frozen=True, gc=False):
    """A composite rule that matched: what it removed, replaced or added, where it stands ("lead-form.yaml:31"), and why it exists, in words."""

    name: str
    source: str
    effects: tuple[str, ...]
    text: str = ""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What was decided and why.

    decision    accept, review or reject
    quality     0-100, 100 best; a score, not a probability
    confidence  0-100, share of the expected facts that were available in whole
    score       sum of log-odds in millis, prior included
    decided_by  what settled it: "threshold review_below 50", "decisive form.honeypot", "allow list office", "deny list …", "undecided: …"
    unavailable facts that could not be had, as (fact, reason); those known in part with "partial: " before the reason
    nearest     the smallest change that would have altered the decision, in words
    """

    decision: Decision
    quality: int
    confidence: int
    ivt: Ivt
    category: str | None
    score: int
    decided_by: str
    reasons: tuple[Reason, ...]
    groups: tuple[GroupSum, ...]
    composites: tuple[Applied, ...]
    unavailable: tuple[tuple[str, str], ...]
    nearest: str

"""The order in which a verdict is reached, and the class of traffic that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detectors.observation import Kind, Observation, Unavailable
from rules.bands import IVT_FLOOR_ACCEPTED, IVT_FLOOR_REVIEWED
from rules.lists import ListHit
from rules.pack import Pack
from rules.score import Part, Policy, Sum, tally
from rules.verdict import PARTIAL, Applied, Decision, Ivt

Pairs = tuple[tuple[str, str], ...]
NAMES = (
    "client",
    "network",
    "velocity",
    "session",
    "click",
    "reverse",
    "lead",
    "token",
    "duplicate",
    "mail",
    "similar",
    "journey",
    "campaign",
)


class Settled(msgspec.Struct, frozen=True, gc=False):
    """A decision with everything that led to it. (A Struct for its speed: one is made for every request.)

    triggers  signals that the composites which hold are on; None where none was evaluated, so that sums alone tell what would be without a finding
    by_score  what the threshold alone says
    opener    the signal that the pack lets in at once, facts  the decisive ones; each only as found, whatever decided in the end
    missing   facts that could not be had, or in part only; broken  composites without an answer
    """

    parts: list[Part]
    sums: Sum
    composites: tuple[Applied, ...]
    triggers: frozenset[str] | None
    broken: Pairs
    missing: Pairs
    confidence: int
    by_score: Decision
    opener: Part | None
    facts: tuple[Part, ...]
    unread: bool
    decision: Decision
    decided_by: str
    ivt: Ivt
    category: str | None


def settle(
    parts: list[Part],
    composites: tuple[Applied, ...],
    triggers: frozenset[str] | None,
    broken: Pairs,
    pack: Pack,
    obs: Observation,
    policy: Policy,
    list_hit: ListHit | None,
) -> Settled:
    """The first that applies: operator's allow list, a signal that the pack allows (a verified crawler), operator's deny list, a decisive signal, a
    form that could not be read, the threshold. Nothing but a deny list or a decisive signal rejects.
    """
    sums = tally(parts, pack)
    confidence, missing = known_share(obs)
    opener = next((p for p in parts if p.weight.id in pack.allow and p.changed_by is None), None) if parts else None
    facts = tuple(part for part in parts if part.decisive) if parts else ()
    unread = is_unread(obs)
    by_score = Decision.REVIEW if sums.score >= policy.review_at else Decision.ACCEPT

    ivt: Ivt | None = None
    category: str | None = None
    if list_hit is not None and list_hit.allow:
        decision, decided_by = Decision.ACCEPT, str(list_hit)
    elif opener is not None:
        decision, decided_by = Decision.ACCEPT, f"allowed {opener.weight.id}"
        ivt = Ivt.GIVT if opener.weight.ivt == "none" else Ivt(opener.weight.ivt)
        category = opener.weight.category or "known crawler"
    elif list_hit is not None:
        decision, decided_by = Decision.REJECT, str(list_hit)
    elif facts:
        decision, decided_by = Decision.REJECT, "decisive " + ", ".join(part.weight.id for part in facts)
    elif unread:
        decision, decided_by, ivt = Decision.REVIEW, "undecided: the form could not be read", Ivt.UNDECIDED
    elif confidence < policy.undecided_below:
        decision, ivt = by_score, Ivt.UNDECIDED
        decided_by = f"undecided: confidence {confidence} below {policy.undecided_below}"
    else:
        decision, decided_by = by_score, f"threshold review_below {policy.review_below}"
    if ivt is None:
        ivt, category = traffic_class(decision, parts, sums, pack) if parts else (Ivt.VALID, None)
    return Settled(
        parts,
        sums,
        composites,
        triggers,
        broken,
        missing,
        confidence,
        by_score,
        opener,
        facts,
        unread,
        decision,
        decided_by,
        ivt,
        category,
    )


def is_unread(obs: Observation) -> bool:
    """Is this a form of which nobody knows what it says?"""
    return obs.kind is Kind.SUBMISSION and (obs.lead is None or type(obs.lead) is Unavailable)


def known_share(obs: Observation) -> tuple[int, Pairs]:
    """Confidence, 0-100, and what was missing. Expected are client, request, network and velocity, a submission's lead, and each other fact that
    applies; each counts the same. A request without a single header is missing where the source never told the headers. A fact that is known
    in part counts as missing too ("partial: …"): what it says against a visitor holds, but that it says nothing is no longer a reason for trust,
    and confidence tells how much of the silence can be relied on.
    """
    facts = (
        obs.client,
        obs.network,
        obs.velocity,
        obs.session,
        obs.click,
        obs.reverse,
        obs.lead,
        obs.token,
        obs.duplicate,
        obs.mail,
        obs.similar,
        obs.journey,
        obs.campaign,
    )
    expected = 1 + len(facts)  # the request too
    missing: list[tuple[str, str]] = []
    for fact in facts:
        if fact is None:
            expected -= 1
        elif type(fact) is Unavailable:
            missing = [
                (name, fact.reason) for name, fact in zip(NAMES, facts, strict=True) if isinstance(fact, Unavailable)
            ]
    if not obs.request.complete and not obs.request.headers:
        missing.append(("request", "no headers are known"))
    if obs.lead is None and obs.kind is Kind.SUBMISSION:
        missing.append(("lead", "no form fields are known"))
        expected += 1
    if obs.partial:
        gone = {name for name, _ in missing}
        missing += [(name, f"{PARTIAL}{why}") for name, why in obs.partial if name not in gone]
    return (round(100 * (expected - len(missing)) / expected), tuple(missing)) if missing else (100, ())


def traffic_class(decision: Decision, parts: Sequence[Part], sums: Sum, pack: Pack) -> tuple[Ivt, str | None]:
    """General or sophisticated invalid traffic, valid or undecided, and the category; lists decide what is done, never what traffic is.

    A decisive signal of a class settles it. Otherwise what counted for each class is added up, after composites and caps. It makes the class
    where it reaches the floor (high where the visitor was accepted, medium where not) and the sum above the prior does too, so that
    trust counts. The larger of the two wins, at a tie the general one, the smaller claim. Below the floor accepted traffic is valid;
    what was held with some sign of a class is undecided; what was held for other reasons (a throw-away mailbox) is valid traffic.
    """
    capped = {g.group: g.counted / g.total for g in sums.groups if g.total > g.counted > 0}
    weights = {"givt": 0.0, "sivt": 0.0}
    strongest: dict[str, Part] = {}
    for part in parts:
        ivt = part.weight.ivt
        if ivt not in weights or part.counted <= 0:
            continue
        weights[ivt] += part.counted * capped.get(part.weight.group, 1.0)
        if ivt not in strongest or part.counted > strongest[ivt].counted:
            strongest[ivt] = part
    if not strongest:
        return Ivt.VALID, None
    larger = "sivt" if weights["sivt"] > weights["givt"] else "givt"
    deciding = next((part for part in parts if part.decisive and part.weight.ivt in weights), None)
    if deciding is not None and decision is Decision.REJECT:
        return Ivt(deciding.weight.ivt), deciding.weight.category
    floor = IVT_FLOOR_ACCEPTED if decision is Decision.ACCEPT else IVT_FLOOR_REVIEWED
    if min(sum(weights.values()), sums.score - pack.prior) >= floor:
        return Ivt(larger), strongest[larger].weight.category
    return (Ivt.VALID if decision is not Decision.REVIEW else Ivt.UNDECIDED), None

"""The smallest change that would have altered an outcome: tried, not guessed, and said in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from detectors.observation import Kind
from detectors.signal import Signal
from rules.bands import BANDS, in_words
from rules.decide import Settled
from rules.lists import ListHit
from rules.pack import Pack
from rules.score import Policy, quality, score_without
from rules.verdict import Decision

SUBJECT = {Kind.LANDING: "visitor", Kind.SUBMISSION: "lead"}
OUTCOME = {
    (Kind.LANDING, Decision.REVIEW): "flagged for review",
    (Kind.SUBMISSION, Decision.REVIEW): "held for review",
    (Kind.LANDING, Decision.ACCEPT): "accepted",
    (Kind.SUBMISSION, Decision.ACCEPT): "accepted",
    (Kind.LANDING, Decision.REJECT): "rejected",
    (Kind.SUBMISSION, Decision.REJECT): "rejected",
}

MOST_TRIED = 12

Again = Callable[[Sequence[Signal], ListHit | None], Settled]
"""Settles the same observation with other signals or another list hit."""


def nearest_change(
    settled: Settled,
    signals: Sequence[Signal],
    policy: Policy,
    pack: Pack,
    list_hit: ListHit | None,
    again: Again,
) -> str:
    """What would have altered this outcome. The common case, accepted by threshold, costs a cache look-up."""
    kind = policy.kind
    if list_hit is not None and (list_hit.allow or settled.opener is None):
        return _changed(kind, f"Without the {list_hit}", again(signals, None))
    if settled.opener is not None:
        return _changed(
            kind, f"Without {settled.opener.weight.id}", again(_less(signals, settled.opener.weight.id), list_hit)
        )
    if settled.facts:
        made = [part.changed_by for part in settled.facts if part.changed_by]
        if made:
            return f"Without the rule {made[0]} the {SUBJECT[kind]} would not have been rejected by it; so would an allow-list entry"
        ids = [part.weight.id for part in settled.facts]
        return _changed(kind, f"Without {' and '.join(ids)}", again(_less(signals, *ids), list_hit))
    if settled.unread:
        return f"Had the form been readable, the {SUBJECT[kind]} would have been judged by its content"
    if settled.by_score is Decision.REVIEW:
        return _without_something(settled, signals, policy, pack, again)
    return _accepted(kind, policy.review_at - settled.sums.score, policy.review_below)


@lru_cache(maxsize=4096)
def _accepted(kind: Kind, margin: int, below: int) -> str:
    """`margin` millis were left to the threshold."""
    if below <= 0:
        return "No threshold is set: only a decisive finding or a deny-list entry would have changed this"
    more = f"Findings worth {max(margin, 100) / 1000:.1f} more against it"
    if margin <= BANDS["high"] + 200:
        more += f" (about one {in_words(margin)} one)"
    return f"{more} would take quality below {below}, and the {SUBJECT[kind]} would be {OUTCOME[kind, Decision.REVIEW]}"


def _less(signals: Sequence[Signal], *ids: str) -> list[Signal]:
    return [signal for signal in signals if signal.id not in ids]


def _changed(kind: Kind, condition: str, other: Settled) -> str:
    return _said(kind, condition, other.sums.score, other.decision)


def _said(kind: Kind, condition: str, score: int, decision: Decision) -> str:
    return f"{condition} quality would be {quality(score)} and the {SUBJECT[kind]} would be {OUTCOME[kind, decision]}"


def _without_something(settled: Settled, signals: Sequence[Signal], policy: Policy, pack: Pack, again: Again) -> str:
    """The smallest finding whose absence would have led to accept, else the smallest such group. Where no composite was evaluated sums tell; otherwise
    an absent finding may silence a rule, so what sums or rules make a candidate is settled anew, `MOST_TRIED` at most."""
    kind = policy.kind
    left, triggers = MOST_TRIED, settled.triggers
    for part in sorted(settled.parts, key=lambda part: part.counted):
        signal = part.weight.id
        score = score_without(part, settled.sums, pack)
        accepted = score < policy.review_at
        if triggers is not None and (accepted or signal in triggers):
            if left == 0:
                break
            left -= 1
            other = again(_less(signals, signal), None)
            score, accepted = other.sums.score, other.decision is Decision.ACCEPT
        if accepted:
            return _said(kind, f"Without {signal} ({part.counted / 1000:.1f})", score, Decision.ACCEPT)
    for group in sorted(settled.sums.groups, key=lambda group: group.counted)[:MOST_TRIED]:
        if triggers or settled.sums.score - group.counted < policy.review_at:
            other = again([s for s in signals if s.id.partition(".")[0] != group.group], None)
            if other.decision is Decision.ACCEPT:
                return _changed(kind, f"No single finding decided this. Without all of the group {group.group}", other)
    return (
        f"No single finding and no single group decided this. With an allow-list entry the {SUBJECT[kind]} would be "
        + OUTCOME[kind, Decision.ACCEPT]
    )

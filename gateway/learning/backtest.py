"""Changed rules, thresholds or settings tried on recorded traffic, and how exactly the recorded verdicts can be reproduced."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.evidence.record import Record
from gateway.learning.comparison import Comparison
from gateway.learning.generations import Judges, Past
from gateway.learning.recorded import Item, Span, recorded, sides
from gateway.stores.records import Store
from rules.verdict import Verdict

INEXACT_SHOWN = 10


class Reproduction(msgspec.Struct):
    """Does judging again by the rules of the time give what was recorded?

    exact      same decision, score, decision's reason and findings
    same       same decision, though the score or a finding differs: detectors or their lists changed since
    different  another decision
    unknown    the generation cannot be made again
    """

    exact: int = 0
    same: int = 0
    different: int = 0
    unknown: int = 0
    examples: list[str] = msgspec.field(default_factory=list)

    def as_json(self, unusable: dict[str, str]) -> dict[str, object]:
        tried = self.exact + self.same + self.different
        return {
            "tried": tried,
            "exact_share": round(self.exact / tried, 6) if tried else None,
            "exact": self.exact,
            "same_decision": self.same,
            "different": self.different,
            "not_tried": self.unknown,
            "examples": self.examples,
            "generations_not_restored": unusable,
        }


class Result(msgspec.Struct):
    """read: records; erased: of these, with personal values gone, not judged; elsewhere: of sites that the settings no longer have;
    unreadable: written by another version, or damaged."""

    comparison: Comparison
    reproduction: Reproduction
    read: int = 0
    erased: int = 0
    elsewhere: int = 0
    unreadable: int = 0
    unusable: dict[str, str] = msgspec.field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        counts: dict[str, object] = {
            "records": self.read,
            "erased": self.erased,
            "other_sites": self.elsewhere,
            "unreadable": self.unreadable,
        }
        return counts | self.comparison.as_json() | {"reproduction": self.reproduction.as_json(self.unusable)}


async def backtest(
    store: Store,
    span: Span,
    old: Judges,
    new: Judges,
    past: Past | None,
    *,
    most: int | None = None,
    seen: Callable[[Record], None] = lambda _: None,
) -> Result:
    """Judge each record by `old` and by `new`, and where `past` is given by the rules of its time. Raises StoreUnavailable.

    seen  told of each record that was read
    """
    result = Result(Comparison(), Reproduction())
    labelled = await sides(store, span)
    async for item in recorded(store, span, labelled, most):
        result.read += 1
        if item is None:
            result.unreadable += 1
            continue
        seen(item.record)
        if item.erased:
            result.erased += 1
            continue
        if past is not None:
            await _reproduce(item, past, result.reproduction)
        before, after = old.judge(item.record, item.observation), new.judge(item.record, item.observation)
        if before is None or after is None:
            result.elsewhere += 1
            continue
        result.comparison.add(item, before[0], after[0])
    if past is not None:
        result.unusable = dict(past.unusable)
    return result


async def _reproduce(item: Item, past: Past, counts: Reproduction) -> None:
    judges = await past.judges(item.record.generation)
    again = None if judges is None else judges.judge(item.record, item.observation)
    if again is None:
        counts.unknown += 1
        return
    was, is_ = item.record.verdict, again[0]
    if essence(was) == essence(is_):
        counts.exact += 1
        return
    if was.decision is is_.decision:
        counts.same += 1
    else:
        counts.different += 1
    if len(counts.examples) < INEXACT_SHOWN:
        counts.examples.append(item.record.id)


def essence(verdict: Verdict) -> tuple[object, ...]:
    """What must be equal: all but words, where a weight is written, and the order of findings, since recorded maps come back sorted."""
    reasons = sorted(
        (r.signal, r.evidence, r.strength, r.weight, r.counted, r.changed_by or "") for r in verdict.reasons
    )
    return (
        verdict.decision, verdict.quality, verdict.score, verdict.ivt, verdict.category, verdict.decided_by, verdict.confidence, reasons,
    )  # fmt: skip

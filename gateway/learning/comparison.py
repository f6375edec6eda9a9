"""Two ways to judge the same records, compared: counts, and a few examples of each change."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import msgspec

from gateway.learning.recorded import Item
from rules.verdict import Decision, Verdict

EXAMPLES = 5
"""Of each change of verdict."""
SHOWN = 50
"""Signals, campaigns and forms that are told, those with most changes first."""
MOST_NAMES = 5_000
"""Campaigns and forms that are counted apart; what comes after these is counted together, since anybody can invent a campaign."""
OTHERS = "(others)"


class Change(msgspec.Struct, frozen=True):
    """An example. why: (signal, what it counted before, and after, in thousandths of log-odds), where they differ."""

    id: str
    at: str
    site: str
    form: str | None
    before: str
    after: str
    quality_before: int
    quality_after: int
    decided_before: str
    decided_after: str
    why: tuple[tuple[str, int, int], ...]
    label: str | None


class Accuracy:
    """Flagged (reviewed or rejected) among labelled records, weighted as their labels are sure."""

    def __init__(self) -> None:
        self.bad = self.good = self.bad_flagged = self.good_flagged = 0.0

    def add(self, item: Item, verdict: Verdict) -> None:
        if item.side is None:
            return
        flagged = verdict.decision is not Decision.ACCEPT
        if item.side.bad:
            self.bad += item.side.weight
            self.bad_flagged += item.side.weight * flagged
        else:
            self.good += item.side.weight
            self.good_flagged += item.side.weight * flagged

    def as_json(self) -> dict[str, float | None]:
        flagged = self.bad_flagged + self.good_flagged
        return {
            "precision": round(self.bad_flagged / flagged, 4) if flagged else None,
            "recall": round(self.bad_flagged / self.bad, 4) if self.bad else None,
            "good_flagged": round(self.good_flagged / self.good, 4) if self.good else None,
            "bad": round(self.bad, 1),
            "good": round(self.good, 1),
        }


class Comparison:
    """Adds up; holds counts and a bounded number of examples, never records."""

    def __init__(self) -> None:
        self.matrix: Counter[tuple[str, str]] = Counter()
        self.signals: dict[str, list[int]] = {}
        self.campaigns: dict[str, Counter[str]] = {}
        self.forms: dict[str, Counter[str]] = {}
        self.before, self.after = Accuracy(), Accuracy()
        self.examples: dict[tuple[str, str], list[Change]] = {}

    @property
    def judged(self) -> int:
        return sum(self.matrix.values())

    @property
    def changed(self) -> int:
        return sum(count for (old, new), count in self.matrix.items() if old != new)

    def add(self, item: Item, old: Verdict, new: Verdict) -> None:
        was, is_ = old.decision.value, new.decision.value
        self.matrix[was, is_] += 1
        self.before.add(item, old)
        self.after.add(item, new)
        moved = was != is_
        why = differences(old, new)
        for signal in {each.signal for each in (*old.reasons, *new.reasons)}:
            row = self.signals.setdefault(signal, [0, 0, 0])
            row[0] += 1
            row[1] += any(name == signal for name, _, _ in why)
            row[2] += moved
        change = f"{was} → {is_}" if moved else "same"
        campaign = (item.record.facts.page.campaign or {}).get("utm_campaign")
        if campaign:
            counted(self.campaigns, campaign, change)
        if item.record.form:
            counted(self.forms, f"{item.record.site}/{item.record.form}", change)
        examples = self.examples.setdefault((was, is_), []) if moved else []
        if moved and len(examples) < EXAMPLES:
            record = item.record
            examples.append(
                Change(
                    record.id, _when(record.occurred_at), record.site, record.form, was, is_, old.quality, new.quality,
                    old.decided_by, new.decided_by, why, None if item.side is None else item.side.label.value,
                )
            )  # fmt: skip

    def as_json(self) -> dict[str, object]:
        shown = sorted(self.signals.items(), key=lambda pair: (-pair[1][1], -pair[1][2], pair[0]))
        return {
            "judged": self.judged,
            "changed": self.changed,
            "verdicts": [{"from": old, "to": new, "count": count} for (old, new), count in sorted(self.matrix.items())],
            "signals": [
                {"signal": name, "records": row[0], "counted_differently": row[1], "verdicts_changed": row[2]}
                for name, row in shown[:SHOWN]
                if row[1] or row[2]
            ],
            "campaigns": _changes(self.campaigns, "campaign"),
            "forms": _changes(self.forms, "form"),
            "labelled": {"before": self.before.as_json(), "after": self.after.as_json()},
            "examples": [msgspec.to_builtins(each) for found in self.examples.values() for each in found],
        }


def differences(old: Verdict, new: Verdict) -> tuple[tuple[str, int, int], ...]:
    """Signals that count otherwise: (id, before, after), the largest difference first."""
    before, after = ({each.signal: each.counted for each in verdict.reasons if each.counted} for verdict in (old, new))
    found = [(name, before.get(name, 0), after.get(name, 0)) for name in before | after]
    return tuple(
        sorted((each for each in found if each[1] != each[2]), key=lambda each: (-abs(each[2] - each[1]), each[0]))
    )


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def counted(counts: dict[str, Counter[str]], name: str, change: str, most: int = MOST_NAMES) -> None:
    """Anybody writes a campaign's name into a link: what a terminal would obey does not get there, and so many names are counted apart."""
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    name = name if name in counts or len(counts) < most else OTHERS
    counts.setdefault(name, Counter())[change] += 1


def _changes(counts: dict[str, Counter[str]], what: str) -> list[dict[str, object]]:
    """Those with changes, most first."""
    rows = [
        {what: name, "records": count.total(), "changes": {k: v for k, v in sorted(count.items()) if k != "same"}}
        for name, count in counts.items()
        if count.total() > count["same"]
    ]
    return sorted(rows, key=lambda row: -sum(row["changes"].values()))[:SHOWN]  # type: ignore[attr-defined]

"""`learn`: from labels to a report and a directory of rules to try. Changes nothing that is in force."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from gateway.evidence.record import Record
from gateway.labels.holdouts import EVENT as HOLDOUT
from gateway.labels.holdouts import MILLION
from gateway.learning.backtest import Result, backtest
from gateway.learning.evidence import Evidence, s_o
from gateway.learning.fit import Fit, fit
from gateway.learning.generations import Judges
from gateway.learning.recorded import Span, item_of, sides
from gateway.stores.records import Store
from rules import loader

AT_ONCE = 50
"""Records read at the same time."""


class SignalRow(msgspec.Struct, frozen=True):
    """hits: labelled records with the signal; s_o: see `evidence.s_o`; old, new: log-odds; note: why it cannot change, "" where it can."""

    signal: str
    bad_hits: int
    good_hits: int
    s_o: float | None
    old: float
    new: float
    note: str


class Learned(msgspec.Struct, frozen=True):
    evidence: Evidence
    fit: Fit
    signals: tuple[SignalRow, ...]
    held_out: int

    @property
    def changed(self) -> dict[str, float]:
        return self.fit.new

    def as_json(self) -> dict[str, object]:
        e = self.evidence
        return {
            "labels": {"bad": e.bad, "good": e.good, "decided_otherwise": e.decided, "erased": e.erased, "other_sites": e.elsewhere,
                       "unreadable": e.unreadable, "held_out": self.held_out},
            "counting": {"bad": round(self.fit.labels_bad, 1), "good": round(self.fit.labels_good, 1)},
            "changed": bool(self.fit.new),
            "reason": self.fit.reason,
            "spread": self.fit.spread,
            "better_by_standard_errors": None if self.fit.better_by is None else round(self.fit.better_by, 2),
            "calibration": {
                name: None if found is None else msgspec.to_builtins(found)
                for name, found in (("as_scored", self.fit.as_scored), ("before", self.fit.before), ("after", self.fit.after))
            },
            "signals": [msgspec.to_builtins(row) for row in self.signals],
        }  # fmt: skip


async def evidence_of(
    store: Store, span: Span, judges: Judges, seen: Callable[[int, int], None] = lambda *_: None
) -> tuple[Evidence, int]:
    """Every labelled record, judged by the rules in force. (evidence, how many were held out.) seen: told (read, of how many)."""
    labelled = await sides(store, span)
    shares = await _shares(store, span)
    found, held_out = Evidence(), 0
    ids = list(labelled)
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        for entry in await asyncio.gather(*(store.get_record(record_id) for record_id in part)):
            if entry is None:
                continue
            item = item_of(entry, labelled[entry.id])
            if item is None:
                found.unreadable += 1
                continue
            if span.site is not None and item.record.site != span.site:
                continue
            held_out += entry.id in shares
            found.add(item, judges, shares.get(entry.id))
        seen(start + len(part), len(ids))
    return found, held_out


async def _shares(store: Store, span: Span) -> dict[str, float]:
    shares: dict[str, float] = {}
    cursor: str | None = None
    while True:
        page = await store.noted((HOLDOUT,), span.since, span.until, 1000, cursor)
        for event in page.items:
            share = event.data.get("share")
            if isinstance(share, int) and share > 0:
                shares[event.record] = share / MILLION
        cursor = page.next_cursor
        if cursor is None:
            return shares


def learn(evidence: Evidence, judges: Judges, held_out: int = 0) -> Learned:
    """Raises nothing: too few labels are a result."""
    known = judges.ruleset.weights
    weights = {name: weight.millis / 1000 for name, weight in known.items()}
    shipped = {name: weight.millis / 1000 for name, weight in loader.load().weights.items()}
    allowed = {name for pack in judges.ruleset.packs.values() for name in pack.allow}
    fixed = {name for name, weight in known.items() if weight.decisive} | allowed
    found = fit(evidence.rows, weights, shipped, fixed)
    rows = []
    for name in sorted(evidence.hits):
        hits, old = evidence.hits[name], weights.get(name, 0.0)
        ratio = s_o(hits, evidence.bad, evidence.good)
        note = ""
        if name in allowed:
            note = "opens the door by itself: never changed"
        elif name in fixed:
            note = "rejects by itself: never changed"
        elif not old:
            note = "is shown and not counted"
        rows.append(
            SignalRow(
                name,
                hits.bad,
                hits.good,
                None if ratio is None else round(ratio, 3),
                old,
                found.new.get(name, old),
                note,
            )
        )
    rows.sort(key=lambda row: (-abs(row.new - row.old), -(row.bad_hits + row.good_hits), row.signal))
    return Learned(evidence, found, tuple(rows), held_out)


class NotWritable(ValueError):
    """The directory has something in it already."""


def write(learned: Learned, judges: Judges, rules: Path | None, out: Path) -> list[Path]:
    """Local rules with the new weights, whole, in a directory of their own: what is in force stays as it is. The files that were written.

    rules  the local rules in force. Raises NotWritable, OSError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotWritable(f"{out} has something in it; name a new directory with --out")
    if rules is not None and out.resolve().is_relative_to(rules.resolve()):
        raise NotWritable(f"{out} lies within the rules in force; name a directory beside them with --out")
    if rules is not None and rules.is_dir():
        shutil.copytree(rules, out, dirs_exist_ok=True)
    (out / "weights").mkdir(parents=True, exist_ok=True)
    yaml = YAML()
    yaml.width = 160
    written = []
    groups: dict[str, dict[str, float]] = {}
    for name, value in learned.changed.items():
        groups.setdefault(judges.ruleset.weights[name].group, {})[name] = value
    for group, values in sorted(groups.items()):
        path = out / "weights" / f"{group}.yaml"
        top = yaml.load(path.read_text("utf-8")) if path.exists() else None
        if top is None:
            top = CommentedMap({"group": group, "signals": CommentedMap()})
            day = datetime.now(UTC).date().isoformat()
            counts = f"{learned.evidence.bad} bad and {learned.evidence.good} good labels"
            top.yaml_set_start_comment(f"Learned on {day} from {counts}. Try it first: leadgate backtest {out}")
        for name, value in sorted(values.items()):
            entry = top["signals"].setdefault(name, CommentedMap())
            entry.pop("band", None)
            old = judges.ruleset.weights[name].millis / 1000
            entry["weight"] = value
            entry.yaml_add_eol_comment(f"was {old:g}", "weight")
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(top, file)
        written.append(path)
    return written


async def effect(
    store: Store,
    span: Span,
    judges: Judges,
    changed: Judges,
    most: int,
    seen: Callable[[Record], None] = lambda _: None,
) -> Result:
    """Which verdicts of recorded traffic would have been others."""
    return await backtest(store, span, judges, changed, None, most=most, seen=seen)

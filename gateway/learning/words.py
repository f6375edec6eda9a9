"""Results of `backtest` and `learn` as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.learning.backtest import Result
from gateway.learning.fit import Calibration
from gateway.learning.learn import Learned

_DECISIONS = ("accept", "review", "reject")
SIGNALS_SHOWN = 40


def of_backtest(result: Result) -> Iterator[str]:
    found = result.comparison
    yield f"{result.read:,} records; {found.judged:,} judged again, {found.changed:,} with another verdict ({_share(found.changed, found.judged)})."
    if result.erased:
        yield f"{result.erased:,} were left out: personal values are erased, so that they cannot be judged as they were."
    if result.elsewhere:
        yield f"{result.elsewhere:,} were left out: the settings no longer have their site."
    if result.unreadable:
        yield f"{result.unreadable:,} were left out: they cannot be read by this version (leadgate db check tells whether they are damaged)."
    yield from _reproduction(result)
    if not found.judged:
        return
    yield ""
    yield "before \\ after " + "".join(f"{name:>10}" for name in _DECISIONS)
    for old in _DECISIONS:
        yield f"{old:<15}" + "".join(f"{found.matrix[old, new]:>10,}" for new in _DECISIONS)
    shown: dict[str, Any] = found.as_json()
    yield from _table("Signals", shown["signals"], ("signal", "records", "counted_differently", "verdicts_changed"))
    for title, key, name in (("Campaigns", "campaigns", "campaign"), ("Forms", "forms", "form")):
        if shown[key]:
            yield ""
            yield title
        for row in shown[key]:
            changes = ", ".join(f"{count} {change}" for change, count in row["changes"].items())
            yield f"  {row[name]}: {row['records']:,} records, {changes}"
    if found.before.bad or found.before.good:
        yield ""
        yield f"Labelled records: {found.before.bad:g} bad, {found.before.good:g} good (unsure labels count in part)"
        for name, shares in (("before", found.before.as_json()), ("after", found.after.as_json())):
            precision, recall, harmed = (_percent(shares[key]) for key in ("precision", "recall", "good_flagged"))
            yield f"  {name:<7} precision {precision}, recall {recall}, good ones flagged {harmed}"
        if found.after.good_flagged > found.before.good_flagged:
            yield "  More good ones are flagged than before: is that worth it? A threshold (review_below) can take it back."
    if any(found.examples.values()):
        yield ""
        yield "Examples"
    for examples in found.examples.values():
        for each in examples:
            where = f", form {each.form}" if each.form else ""
            label = f", labelled {each.label}" if each.label else ""
            yield f"  {each.id}  {each.site}{where}{label}"
            yield f"    {each.before} (quality {each.quality_before}) → {each.after} (quality {each.quality_after}), by {each.decided_after}"
            for signal, before, after in each.why[:6]:
                yield f"    {signal}: {before / 1000:+.2f} → {after / 1000:+.2f}"


def _reproduction(result: Result) -> Iterator[str]:
    found = result.reproduction
    tried = found.exact + found.same + found.different
    if tried:
        yield (
            f"By the rules of their time {_share(found.exact, tried)} of {tried:,} records get exactly the recorded verdict, "
            f"{found.same:,} the same decision only, {found.different:,} another one."
        )
        if found.same or found.different:
            yield f"  Detectors or their lists have changed since; for example {', '.join(found.examples[:3])}"
    if found.unknown:
        yield f"  The rules of {found.unknown:,} records could not be made again."


def of_learned(learned: Learned) -> Iterator[str]:
    e, f = learned.evidence, learned.fit
    yield f"{e.bad} bad and {e.good} good labels on judged records; {f.labels_bad:.0f} and {f.labels_good:.0f} count once dependence is taken off."
    left_out = [
        (e.decided, "decided by a list or a single fact"),
        (e.erased, "erased"),
        (e.elsewhere, "of sites no longer there"),
        (e.unreadable, "not readable by this version"),
    ]
    told = [f"{count} {why}" for count, why in left_out if count]
    if told:
        yield "Left out: " + ", ".join(told) + "."
    yield (
        "Only records that somebody looked at have labels, so all numbers are of these, not of all traffic."
        + (
            f" {learned.held_out} hold-outs count as 1/share."
            if learned.held_out
            else " Hold-outs (forms: holdout:) would correct that."
        )
    )
    if f.before is not None and f.after is not None and f.as_scored is not None:
        yield ""
        yield "Calibration on days that were left out          Brier     ECE   log loss"
        for name, each in (
            ("quality as it is told today", f.as_scored),
            ("present weights", f.before),
            ("new weights", f.after),
        ):
            yield f"  {name:<42} {each.brier:>8.4f} {each.ece:>7.4f} {each.log_loss:>10.4f}"
        yield from _reliability(f.before, f.after)
    yield ""
    yield f"{'signal':<34}{'bad':>7}{'good':>7}{'S/O':>7}{'old':>8}{'new':>8}"
    for row in learned.signals[:SIGNALS_SHOWN]:
        ratio = "–" if row.s_o is None else f"{row.s_o:.2f}"
        mark = "  changed" if row.new != row.old else (f"  {row.note}" if row.note else "")
        yield f"{row.signal:<34}{row.bad_hits:>7}{row.good_hits:>7}{ratio:>7}{row.old:>8.2f}{row.new:>8.2f}{mark}"
    if len(learned.signals) > SIGNALS_SHOWN:
        yield f"and {len(learned.signals) - SIGNALS_SHOWN} more; --json has them all"
    yield ""
    if f.reason:
        yield f"{f.reason[:1].upper()}{f.reason[1:]}."


def _reliability(before: Calibration, after: Calibration) -> Iterator[str]:
    yield ""
    yield "  predicted bad     labels  present: predicted, actual     labels  new: predicted, actual"
    for old, new in zip(before.bins, after.bins, strict=True):
        if old.count or new.count:
            cells = [
                f"{each.count:>8.0f}  "
                + (
                    f"{each.predicted:>8.1%} {each.actual:>8.1%}"
                    if each.predicted is not None and each.actual is not None
                    else " " * 17
                )
                for each in (old, new)
            ]
            yield f"  {old.low:>4.0%} to {old.high:>4.0%} " + "          ".join(cells)


def _table(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"{title:<34}" + "".join(f"{name.replace('_', ' '):>22}" for name in columns[1:])
    for row in rows:
        yield f"  {row[columns[0]]:<32}" + "".join(f"{row[name]:>22,}" for name in columns[1:])


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "–"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"

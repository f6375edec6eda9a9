"""The pages of docs/reference that describe signals: an overview, and a page for each group with all that is known of each of its signals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import detectors
from rules import loader
from rules.bands import BANDS
from rules.pack import Composite, Pack
from rules.ruleset import Ruleset
from rules.weights import Weight

CORPUS = Path(__file__).parent.parent / "tests" / "corpus"

IVT_WORDS = {"none": "none", "givt": "general invalid traffic", "sivt": "sophisticated invalid traffic"}

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def pages(rules: Ruleset, note: str, table: Table) -> dict[str, str]:
    """File name in docs/reference → its text."""
    groups: dict[str, list[Weight]] = {}
    for weight in rules.weights.values():
        groups.setdefault(weight.group, []).append(weight)
    written = {"signals.md": overview(rules, groups, note, table)}
    emitted, cases = emitters(rules), corpus()
    for name, found in groups.items():
        parts = [
            f"# Signals: {name}\n",
            note,
            f"{comment(name)} Group {limit(rules, name)}. All groups: [Signals](../signals.md).\n",
        ]
        for weight in found:
            parts += list(section(weight, emitted[weight.id], cases))
        written[f"signals/{name}.md"] = "\n".join(parts).rstrip("\n") + "\n"
    return written


def overview(rules: Ruleset, groups: dict[str, list[Weight]], note: str, table: Table) -> str:
    emitted = emitters(rules)
    parts = [
        "# Signals\n",
        note,
        "A signal is one finding of a detector. It adds its weight, times its strength (0 to 1), to the sum that quality is made of;",
        "a group adds no more than its cap. [Rules](rules.md) says how the sum becomes a verdict and how to change any of this.\n",
        "- **weight**: the band and what it adds at full strength. `none` is shown and counts nothing. Only `decisive` can reject.",
        "- **class**: the class of invalid traffic it speaks for: `givt` general, `sivt` sophisticated, `none` neither.",
        "- **category**: the category of invalid traffic, in the words of the Trustworthy Accountability Group.",
        "- **text**: what reports say; `{0}`, `{1}` are the evidence that was found.",
        "- **from**: the detector in `detectors/`, or the composite rule that adds it.\n",
        f"There are {len(rules.weights)} signals in {len(groups)} groups. The name of a group leads to its page, which says of each signal why it tells",
        "something, what its evidence is, which real people cause it, and which visitors of the test corpus show it.\n",
    ]
    for name, found in groups.items():
        parts += [f"## [{name}](signals/{name}.md)\n", f"{comment(name)} Group {limit(rules, name)}.\n"]
        rows = [
            (
                f"`{weight.id}`",
                amount(weight.millis, weight.band),
                weight.ivt,
                weight.category or "",
                weight.text,
                ", ".join(emitted[weight.id]),
            )
            for weight in found
        ]
        parts += [table(("signal", "weight", "class", "category", "text", "from"), rows), ""]
    parts += [
        "## Composite rules\n",
        "Rules over several findings, shipped in `rules/packs/`. They know what a single finding cannot.\n",
    ]
    for pack in rules.packs.values():
        parts += [
            f"### {pack.name}\n",
            *policy(pack),
            "",
            table(("name", "why", "looks at", "then"), list(map(row, pack.composites))),
            "",
        ]
    return "\n".join(parts)


def section(weight: Weight, emitted: Sequence[str], cases: dict[str, tuple[list[str], list[str]]]) -> Iterator[str]:
    """All that is known of one signal."""
    yield f"## {weight.id}\n"
    yield f"> {weight.text}\n"
    yield f"{weight.why}\n"
    yield f"- **Evidence**: {weight.evidence}"
    yield f"- **Real people who cause it**: {weight.innocent}"
    yield f"- **Weight**: {amount(weight.millis, weight.band)}"
    kind = IVT_WORDS[weight.ivt] + (f", {weight.category}" if weight.category else "")
    yield f"- **Class of invalid traffic**: {kind}"
    if weight.sensitive:
        yield f"- **Rests on**: {weight.sensitive}; off where a site's `sector` is credit, housing, jobs or insurance"
    yield f"- **From**: {', '.join(emitted)}"
    fires, silent = cases.get(weight.id, ([], []))
    yield f"- **Visitors of the corpus who show it**: {', '.join(f'`{name}`' for name in fires)}"
    yield f"- **Who must not show it**: {', '.join(f'`{name}`' for name in silent)}\n"


@cache
def corpus() -> dict[str, tuple[list[str], list[str]]]:
    """Signal → cases that must show it, and cases that must not, by name; at most six of each. A person who stands
    beside a case must not show what it is about; a whole group that must not be there counts for
    a signal where no case names that itself."""
    yaml = YAML(typ="safe")
    expected: dict[str, dict[str, Any]] = {
        path.parent.name: yaml.load(path) for path in sorted(CORPUS.glob("*/expected.yaml"))
    }
    found: dict[str, tuple[list[str], list[str]]] = {}
    for signal in loader.load().weights:
        fires = [name for name, case in expected.items() if signal in case.get("signals", {})]
        named = [name for name, case in expected.items() if signal in case.get("absent", ())]
        group = [name for name, case in expected.items() if f"{signal.partition('.')[0]}." in case.get("absent", ())]
        innocent = [f"{name}/innocent" for name in fires if (CORPUS / name / "innocent.yaml").is_file()]
        found[signal] = fires[:6], (innocent + (named or group))[:6]
    return found


def limit(rules: Ruleset, group: str) -> str:
    landing, form = (rules.packs[name].caps.get(group) for name in ("landing-page", "lead-form"))
    if landing is None and form is None:
        return "no cap"
    if landing != form:
        return f"cap {amount(landing or 0)} on page views, {amount(form or 0)} on forms"
    return f"cap {amount(landing or 0)}"


def amount(millis: int, band: str | None = None) -> str:
    """In words and numbers: "high (2.5)"; a weight outside the bands is its number."""
    name = band or next((name for name, value in BANDS.items() if value == millis), None)
    return f"{millis / 1000:g}" if name is None else f"{name} ({millis / 1000:g})"


def comment(group: str) -> str:
    """The sentence or two at the head of a weights file."""
    text = (loader.BUILTIN / "weights" / f"{group}.yaml").read_text("utf-8")
    lines = text.splitlines()
    said = [
        line.removeprefix("#").strip()
        for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith("#"))]
    ]
    return " ".join(said)


def policy(pack: Pack) -> Iterator[str]:
    yield f"Judges: {'page views' if pack.kind == 'landing' else 'form posts'}. Prior {pack.prior / 1000:g}."
    yield f"Review below quality {pack.review_below}; undecided below confidence {pack.undecided_below}."
    if pack.allow:
        yield "Always accepted: " + ", ".join(f"`{name}`" for name in sorted(pack.allow)) + "."


def row(composite: Composite) -> tuple[str, str, str, str]:
    effects = [f"remove `{name}`" for name in composite.remove]
    effects += [f"`{name}` becomes {amount(value)}" for name, value in composite.replace]
    effects += [f"add `{name}`, {amount(value)}" for name, value in composite.add]
    return composite.name, composite.text, ", ".join(f"`{name}`" for name in composite.on), "; ".join(effects)


def emitters(rules: Ruleset) -> dict[str, list[str]]:
    """Signal → where it comes from: detectors that name it, or put its id together from their own group, and composites that add it."""
    places = {
        detect.__module__.removeprefix("detectors."): Path(sys.modules[detect.__module__].__file__ or "")
        for detect in detectors.DETECTORS
    }
    texts = {name: path.read_text("utf-8") for name, path in places.items()}
    found: dict[str, list[str]] = {}
    for signal, weight in rules.weights.items():
        named = [name for name, text in texts.items() if f'"{signal}"' in text]
        if not named and weight.group in texts:
            named = [weight.group]
        named += [
            f"composite {c.name}" for pack in rules.packs.values() for c in pack.composites if signal in dict(c.add)
        ]
        found[signal] = [name if name.startswith("composite") else f"`{name}.py`" for name in dict.fromkeys(named)]
    return found

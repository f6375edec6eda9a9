"""What each signal weighs, how it is classed and what it is called: the files `weights/<group>.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ruamel.yaml.nodes import Node

from rules.bands import BANDS, CATEGORIES, IVT_CLASSES, MAX_WEIGHT
from rules.document import Document
from rules.problems import suggest

_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_HOLE = re.compile(r"\{(\d)\}")
UNKNOWN_EVIDENCE = "unknown"
SENSITIVE = ("name", "language", "geography")
"""What a finding may rest on that stands for where a person comes from. Decisions on credit, housing, jobs and insurance must not: there such
findings are switched off."""
_PROSE = ("why", "evidence", "innocent")


@dataclass(frozen=True, slots=True)
class Weight:
    """One signal as the rules know it. `millis` of log-odds at full strength, `source` "file:line" of whoever set it, `holes` how many pieces of
    evidence the text asks for.

    why, evidence, innocent  for the reference: why it tells something, what its evidence strings are, which real people cause it
    sensitive                one of SENSITIVE, or None
    """

    id: str
    group: str
    millis: int
    band: str | None
    ivt: str
    category: str | None
    text: str
    source: str
    holes: int = 0
    why: str = ""
    evidence: str = ""
    innocent: str = ""
    sensitive: str | None = None

    @property
    def decisive(self) -> bool:
        return self.band == "decisive"

    def fill(self, evidence: Sequence[str]) -> str:
        """The text with evidence in its places; evidence that was not given reads as "unknown"."""
        if not self.holes:
            return self.text
        if len(evidence) < self.holes:
            evidence = (*evidence, *[UNKNOWN_EVIDENCE] * (self.holes - len(evidence)))
        return self.text.format(*evidence)  # the loader lets through {0} to {9}, no other brace


def unweighted(signal: str) -> Weight:
    """For a signal that no file knows: shown, never counted."""
    text = f"{signal} was found, but the rules do not know it"
    return Weight(
        signal,
        signal.partition(".")[0],
        0,
        "none",
        "none",
        None,
        text.replace("{", "").replace("}", ""),
        "no weights file",
    )


@dataclass(slots=True)
class Draft:
    """A signal while files are merged: each value with the place it came from."""

    id: str
    group: str
    doc: Document
    node: Node
    values: dict[str, tuple[str, str]] = field(default_factory=dict)
    """field → (value as text, "file:line")"""
    wrong: set[str] = field(default_factory=set)
    """fields whose value was refused: reported there, not as missing too"""


@dataclass(slots=True)
class GroupDraft:
    name: str
    cap: int | None = None
    source: str = ""


def amount(doc: Document, node: Node, what: str) -> int | None:
    """Millis from a band's name or a number of log-odds; None and a problem where it is neither."""
    if doc.is_number(node):
        value = doc.number(node, what, -MAX_WEIGHT / 1000, MAX_WEIGHT / 1000)
        return None if value is None else round(value * 1000)
    band = doc.choice(node, "band", BANDS)
    return None if band is None else BANDS[band]


def read_group(
    doc: Document, stem: str, groups: dict[str, GroupDraft], drafts: dict[str, Draft], *, shipped: bool
) -> None:
    """Merge one weights file into `groups` and `drafts`. A local file overrides single values of a signal; what it leaves out stays."""
    if doc.root is None:
        return
    top = doc.fields(doc.root, "a weights file", ("group", "cap", "text", "signals"), ("group", "signals"))
    if "group" in top and (name := doc.string(top["group"], "group")) not in (None, stem):
        doc.problem(top["group"], f"group {name} stands in {stem}.yaml", f"Write group: {stem}, or rename the file.")
    group = groups.setdefault(stem, GroupDraft(stem))
    if "cap" in top and (cap := amount(doc, top["cap"], "cap")) is not None:
        if cap <= 0:
            doc.problem(top["cap"], "a cap must be above 0", "Leave it out for none.")
        group.cap, group.source = cap, doc.source(top["cap"])
    if "signals" not in top:
        return
    for signal, key, node in doc.items(top["signals"], "signals"):
        if not _ID.fullmatch(signal) or not signal.startswith(stem + "."):
            doc.problem(key, f"{signal} is no signal id of group {stem}", f'Ids read "{stem}.something", lower case.')
            continue
        values = doc.fields(
            node, f"signal {signal}", ("band", "weight", "ivt", "category", "text", "sensitive", *_PROSE)
        )
        if "band" in values and "weight" in values:
            doc.problem(values["weight"], f"{signal} has both band and weight", "Keep one of them.")
        if not shipped and signal not in drafts and "text" not in values:
            what = f"{signal} is no known signal"
            doc.problem(key, what, suggest(signal, drafts, "A new signal needs band, ivt and text."))
            continue
        draft = drafts.setdefault(signal, Draft(signal, stem, doc, key))
        for name, value in values.items():
            _merge(doc, draft, name, value)


def _merge(doc: Document, draft: Draft, name: str, node: Node) -> None:
    value: str | None
    if name == "band":
        value = doc.choice(node, "band", BANDS)
    elif name == "weight":
        number = doc.number(node, "weight", -MAX_WEIGHT / 1000, MAX_WEIGHT / 1000)
        value = None if number is None else str(round(number * 1000))
    elif name == "ivt":
        value = doc.choice(node, "ivt class", IVT_CLASSES)
    elif name == "category":
        value = doc.choice(node, "category", CATEGORIES)
    elif name == "sensitive":
        value = doc.choice(node, "sensitive", SENSITIVE)
    elif name in _PROSE:
        value = doc.string(node, name)
    else:
        value = doc.string(node, "text")
        if value is not None:
            _check_text(doc, node, value)
    if value is not None:
        if name in ("band", "weight"):
            draft.values.pop("band", None)
            draft.values.pop("weight", None)
        draft.values[name] = (value, doc.source(node))
    else:
        draft.wrong.add(name)


def _check_text(doc: Document, node: Node, text: str) -> None:
    holes = {int(found) for found in _HOLE.findall(text)}
    if re.search(r"[{}]", _HOLE.sub("", text)):
        doc.problem(
            node, "the text has a brace that is no placeholder", "Placeholders are {0} to {9}; leave other braces out."
        )
    elif holes and holes != set(range(max(holes) + 1)):
        missing = min(set(range(max(holes) + 1)) - holes)
        doc.problem(
            node,
            f"the text uses {{{max(holes)}}} but not {{{missing}}}",
            "Number placeholders from {0} on, none left out.",
        )


def build(draft: Draft) -> Weight | None:
    """The finished weight, or None and problems for what is missing."""
    values = draft.values
    given = values.keys() | draft.wrong
    lacking = []
    if "band" not in given and "weight" not in given:
        lacking.append(("a band", f"Add band: one of {', '.join(BANDS)}."))
    if "ivt" not in given:
        lacking.append(("ivt", "Add ivt: none, givt or sivt."))
    if "text" not in given:
        lacking.append(("text", "Add a text that a marketer understands."))
    for name, remedy in lacking:
        draft.doc.problem(draft.node, f"{draft.id} lacks {name}", remedy)
    if lacking or draft.wrong:
        return None
    band, source = values.get("band", (None, ""))
    millis = 0 if band is None else BANDS[band]
    if band is None:
        number, source = values["weight"]
        millis = int(number)
    text = values["text"][0]

    def told(name: str) -> str | None:
        return values[name][0] if name in values else None

    return Weight(
        draft.id,
        draft.group,
        millis,
        band,
        values["ivt"][0],
        told("category"),
        text,
        source,
        len(set(_HOLE.findall(text))),
        told("why") or "",
        told("evidence") or "",
        told("innocent") or "",
        told("sensitive"),
    )

"""Packs: what one kind of page is judged by: prior, thresholds, caps, which signals open the door, and the composite rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from ruamel.yaml.nodes import MappingNode, Node

from detectors.observation import Kind
from rules.document import Document
from rules.expression import Expression, ExpressionError
from rules.problems import suggest
from rules.weights import GroupDraft, Weight, amount

MAX_COMPOSITES = 500


@dataclass(frozen=True, slots=True)
class Composite:
    """A rule over several signals and facts. Ids with a final `.*` are already spelled out; amounts in millis.

    Evaluated only where a signal in `on` was reported. It always sees what the detectors reported, never what another composite made of it.
    """

    name: str
    source: str
    text: str
    on: tuple[str, ...]
    when: Expression
    remove: tuple[str, ...]
    replace: tuple[tuple[str, int], ...]
    add: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """`prior` in millis; `caps` in millis by group, only groups that have one; `allow` ids of signals that accept at once."""

    name: str
    kind: Kind
    prior: int
    review_below: int
    undecided_below: int
    allow: frozenset[str]
    caps: dict[str, int]
    composites: tuple[Composite, ...]


@dataclass(slots=True)
class PackDraft:
    name: str
    shipped: bool
    doc: Document
    kind: Kind | None = None
    prior: int | None = None
    thresholds: dict[str, int] = field(default_factory=dict)
    allow: list[tuple[Document, Node, str]] = field(default_factory=list)
    caps: list[tuple[Document, Node, str, int]] = field(default_factory=list)
    composites: dict[str, tuple[Document, Node]] = field(default_factory=dict)


FIELDS = ("pack", "kind", "text", "prior", "thresholds", "allow", "caps", "composites", "disable")


def read_pack(doc: Document, stem: str, drafts: dict[str, PackDraft], *, shipped: bool) -> None:
    """Merge one pack file into `drafts`. A local file overrides single values, replaces composites by name and appends others."""
    if doc.root is None:
        return
    new = stem not in drafts
    top = doc.fields(doc.root, "a pack", FIELDS, ("pack", "kind", "prior", "thresholds") if new else ("pack",))
    if "pack" in top and (name := doc.string(top["pack"], "pack")) not in (None, stem):
        doc.problem(top["pack"], f"pack {name} stands in {stem}.yaml", f"Write pack: {stem}, or rename the file.")
    draft = drafts.setdefault(stem, PackDraft(stem, shipped, doc))
    if "kind" in top and (kind := doc.choice(top["kind"], "kind", [str(k) for k in Kind])) is not None:
        if draft.kind is not None and draft.kind != kind:
            doc.problem(
                top["kind"],
                f"the shipped pack {stem} is for a {draft.kind}",
                "Leave kind out, or name the pack otherwise.",
            )
        draft.kind = Kind(kind)
    if "prior" in top and (prior := doc.number(top["prior"], "prior", -8, 0)) is not None:
        draft.prior = round(prior * 1000)
    if "thresholds" in top:
        names = ("review_below", "undecided_below")
        for name, node in doc.fields(top["thresholds"], "thresholds", names, names if new else ()).items():
            if (value := doc.number(node, name, 0, 100)) is not None:
                draft.thresholds[name] = round(value)
    if "allow" in top:
        draft.allow = [(doc, node, signal) for signal, node in doc.strings(top["allow"], "allow")]
    if "caps" in top:
        for group, key, node in doc.items(top["caps"], "caps"):
            if (cap := amount(doc, node, "cap")) is not None:
                if cap <= 0:
                    doc.problem(node, "a cap must be above 0", "Give a band or a number above 0.")
                draft.caps.append((doc, key, group, cap))
    _read_composites(doc, top, draft)


def _read_composites(doc: Document, top: dict[str, Node], draft: PackDraft) -> None:
    seen: dict[str, int] = {}
    for node in doc.sequence(top["composites"], "composites") if "composites" in top else ():
        entry = next((v for k, v in node.value if k.value == "name"), None) if isinstance(node, MappingNode) else None
        if entry is None:
            doc.problem(node, "a composite lacks a name", "Add name: and what it is about.")
        elif (name := doc.string(entry, "name")) is not None:
            if name in seen:
                doc.problem(
                    entry, f"composite {name} stands twice (first in line {seen[name]})", "Rename or remove one."
                )
            seen[name] = entry.start_mark.line + 1
            draft.composites[name] = (doc, node)
    for name, node in doc.strings(top["disable"], "disable") if "disable" in top else ():
        if name not in draft.composites:
            doc.problem(
                node, f"{name} is no composite of pack {draft.name}", suggest(name, draft.composites, "Remove it.")
            )
        elif name in seen:
            doc.problem(node, f"{name} is defined and disabled in the same file", "Remove one of the two.")
        draft.composites.pop(name, None)
    if len(draft.composites) > MAX_COMPOSITES:
        doc.problem(
            top["composites"], f"pack {draft.name} has more than {MAX_COMPOSITES} composites", "Merge some of them."
        )


def build(draft: PackDraft, weights: dict[str, Weight], groups: dict[str, GroupDraft]) -> Pack | None:
    """The finished pack, or None and problems."""
    for doc, node, signal in draft.allow:
        if signal not in weights:
            doc.problem(node, f"{signal} is no known signal", suggest(signal, weights, "Remove it."))
    caps = {name: group.cap for name, group in groups.items() if group.cap is not None}
    for doc, node, group, cap in draft.caps:
        if group not in groups:
            doc.problem(
                node, f"{group} is no group of signals", suggest(group, groups, f"Known: {', '.join(sorted(groups))}.")
            )
        caps[group] = cap
    made = [_composite(doc, node, name, weights) for name, (doc, node) in draft.composites.items()]
    if draft.kind is None or draft.prior is None or len(draft.thresholds) < 2:
        return None
    return Pack(
        name=draft.name,
        kind=draft.kind,
        prior=draft.prior,
        review_below=draft.thresholds["review_below"],
        undecided_below=draft.thresholds["undecided_below"],
        allow=frozenset(signal for _, _, signal in draft.allow),
        caps=caps,
        composites=tuple(composite for composite in made if composite is not None),
    )


def _signals(doc: Document, entries: list[tuple[str, Node]], known: dict[str, Weight]) -> tuple[str, ...]:
    """Ids with a final `.*` spelled out; unknown ones are problems."""
    found: dict[str, None] = {}
    for text, node in entries:
        wild = text.endswith(".*")
        matching = [signal for signal in known if (signal.startswith(text[:-1]) if wild else signal == text)]
        if not matching:
            doc.problem(node, f"{text} is no known signal", suggest(text, known, "See the reference of signals."))
        found |= dict.fromkeys(matching)
    return tuple(found)


def _amounts(doc: Document, node: Node, what: str, known: dict[str, Weight]) -> tuple[tuple[str, int], ...]:
    entries = list(doc.items(node, what))
    _signals(doc, [(signal, key) for signal, key, _ in entries], known)
    pairs = []
    for signal, key, value in entries:
        if signal.endswith(".*"):
            doc.problem(key, f"{what} needs single signals, not {signal}", "Name each signal with its band.")
        elif (millis := amount(doc, value, "band")) is not None and signal in known:
            pairs.append((signal, millis))
            if what == "add" and known[signal].holes:
                doc.problem(
                    key, f"{signal} cannot be added: its text has placeholders", "Add a signal whose text stands alone."
                )
    return tuple(pairs)


def _composite(doc: Document, node: Node, name: str, known: dict[str, Weight]) -> Composite | None:
    before = len(doc.problems)
    values = doc.fields(node, f"composite {name}", ("name", "text", "on", "when", "then"), ("on", "when", "then"))
    on = _signals(doc, doc.strings(values["on"], "on"), known) if "on" in values else ()
    if "on" in values and not on and len(doc.problems) == before:
        doc.problem(
            values["on"], f"composite {name} is on no signal", "Name the signals that make it worth evaluating."
        )
    then = doc.fields(values["then"], "then", ("remove", "replace", "add")) if "then" in values else {}
    if "then" in values and not then and len(doc.problems) == before:
        doc.problem(values["then"], f"composite {name} does nothing", "Give remove, replace or add.")
    remove = _signals(doc, doc.strings(then["remove"], "remove"), known) if "remove" in then else ()
    replace = _amounts(doc, then["replace"], "replace", known) if "replace" in then else ()
    add = _amounts(doc, then["add"], "add", known) if "add" in then else ()
    text = doc.string(values["text"], "text") if "text" in values else ""
    when = _condition(doc, values["when"], known) if "when" in values else None
    if when is None or len(doc.problems) > before:
        return None
    return Composite(name, doc.source(node), " ".join((text or "").split()), on, when, remove, replace, add)


def _condition(doc: Document, node: Node, known: dict[str, Weight]) -> Expression | None:
    text = doc.string(node, "when")
    if text is None:
        return None
    try:
        return Expression(text, known)
    except ExpressionError as error:
        for offset, what, remedy in error.found:
            doc.problem_at(_place(doc, node, text, offset), f"in the condition: {what}", remedy)
    return None


def _place(doc: Document, node: Node, text: str, offset: int) -> int:
    """Where character `offset` of a scalar's value stands in the file. YAML folds lines and indents, but keeps the order of all that is not
    white space, so both are walked side by side."""
    at: int = node.start_mark.index
    source = doc.text
    if source[at] in "|>":
        at = source.find("\n", at) + 1
    elif source[at] in "\"'":
        at += 1
    for here, char in enumerate(text):
        if here >= offset and not char.isspace():
            break
        if char.isspace():
            continue
        at = source.find(char, at) + 1
        if at == 0:
            return int(node.start_mark.index)
    while at < len(source) and source[at].isspace():
        at += 1
    return at

"""Reads the shipped packs and the operator's own files over them. Shipped files are never edited.

A local directory mirrors the shipped one: `landing-page.yaml`, `lead-form.yaml`, `weights/<group>.yaml`. What a local file says replaces that
one value; what it leaves out stays; composites are replaced by name or appended; `disable: [name]` takes one out.
"""

from __future__ import annotations

from pathlib import Path

from rules import pack as packs
from rules import weights
from rules.document import Document
from rules.pack import Pack, PackDraft
from rules.problems import Problem, RulesError
from rules.ruleset import Ruleset
from rules.weights import Draft, GroupDraft

__all__ = ["BUILTIN", "Problem", "RulesError", "Ruleset", "load"]

BUILTIN = Path(__file__).parent / "packs"


def load(packs_dir: Path | None = None, local_dir: Path | None = None) -> Ruleset:
    """The rules in force. `packs_dir` holds the shipped files (the built-in ones by default), `local_dir` the operator's.

    Raises RulesError with every problem of every file.
    """
    problems: list[Problem] = []
    groups: dict[str, GroupDraft] = {}
    drafts: dict[str, Draft] = {}
    pack_drafts: dict[str, PackDraft] = {}
    documents: list[Document] = []
    for directory, shipped in ((packs_dir or BUILTIN, True), (local_dir, False)):
        if directory is None:
            continue
        if not directory.is_dir():
            problems.append(
                Problem(str(directory), 0, 0, "there is no such directory", "Create it, or correct the setting.")
            )
            continue
        prefix = "" if shipped else "local/"
        weight_files = _documents(directory / "weights", prefix + ("" if shipped else "weights/"), problems)
        pack_files = _documents(directory, prefix, problems)
        documents += [*weight_files.values(), *pack_files.values()]
        for stem, document in weight_files.items():
            weights.read_group(document, stem, groups, drafts, shipped=shipped)
        for stem, document in pack_files.items():
            packs.read_pack(document, stem, pack_drafts, shipped=shipped)
    known = {draft.id: weight for draft in drafts.values() if (weight := weights.build(draft)) is not None}
    built: dict[str, Pack] = {}
    unbuilt = {signal: draft for signal, draft in drafts.items() if signal not in known}
    for name, draft in pack_drafts.items():
        # A signal whose definition is wrong is reported there, not again wherever it is named.
        made = packs.build(draft, {**known, **{signal: weights.unweighted(signal) for signal in unbuilt}}, groups)
        if made is not None:
            built[name] = made
    problems += [problem for document in documents for problem in document.problems]
    if problems:
        raise RulesError(problems)
    return Ruleset(known, built)


def _documents(directory: Path, prefix: str, problems: list[Problem]) -> dict[str, Document]:
    """YAML files of a directory by stem, in the order of their names."""
    found: dict[str, Document] = {}
    if not directory.is_dir():
        return found
    for path in sorted(directory.iterdir()):
        name = prefix + path.name
        if path.suffix == ".yml":
            problems.append(Problem(name, 0, 0, "the name ends in .yml", "Rename it to end in .yaml."))
        if path.suffix != ".yaml":
            continue
        document = read(path, name, problems)
        if document is not None:
            found[path.stem] = document
    return found


def read(path: Path, name: str, problems: list[Problem]) -> Document | None:
    """One file, called `name` in messages; None where it cannot be read, which `problems` then say."""
    try:
        return Document(name, path.read_text("utf-8"), [])
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(Problem(name, line, 1, "this line is not UTF-8", "Save the file as UTF-8."))
    except OSError as error:
        problems.append(Problem(name, 0, 0, f"cannot be read: {error.strerror}", "Check its permissions."))
    return None

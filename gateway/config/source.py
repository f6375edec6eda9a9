"""A YAML text as plain data, with the place of every value. Hostile or broken text ends in problems, never in an exception or a long wait."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from gateway.config.problems import Loc, Problem, Severity, path_text, printable
from rules.yaml_errors import explain

MAX_BYTES = 1024 * 1024  # YAML is read at about 300 kB a second; nobody writes a megabyte of settings by hand
MAX_VALUES = 100_000  # values once aliases are expanded, so that a few lines cannot stand for billions
MAX_DEPTH = 24  # the model is eight deep

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the text: line and column from 1, and how many characters stand there on that line."""

    line: int
    column: int
    width: int


@dataclass
class Source:
    """The text of one file and where its values stand.

    name    how messages call the file
    data    mappings, lists, text, numbers, booleans and None; None if the text could not be read at all
    values  span of the value at a place in the tree; keys: span of its key
    hidden  lines that hold secrets: the column from which they must not be shown
    broken  places whose values could not be read: they are None, or the bare text of a tagged value
    """

    name: str
    text: str = ""
    data: Any = None
    values: dict[Loc, Span] = field(default_factory=dict)
    keys: dict[Loc, Span] = field(default_factory=dict)
    hidden: dict[int, int] = field(default_factory=dict)
    broken: set[Loc] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def problem(
        self, loc: Loc, what: str, remedy: str, *, at_key: bool = False, severity: Severity = "error"
    ) -> Problem:
        """A problem at a place of the tree, or at the nearest place above it that is in the file."""
        near = loc
        while near and near not in self.values:
            near = near[:-1]
        span = (self.keys.get(near) if at_key else None) or self.values.get(near) or Span(1, 1, 1)
        return self.at(span, what, remedy, loc=loc, severity=severity)

    def at(self, span: Span, what: str, remedy: str, *, loc: Loc = (), severity: Severity = "error") -> Problem:
        row = self.lines[span.line - 1] if 0 < span.line <= len(self.lines) else ""
        if span.line in self.hidden:
            row = row[: self.hidden[span.line] - 1] + "********"
        excerpt = "".join(c if c.isprintable() else " " for c in row)
        return Problem(
            self.name,
            span.line,
            span.column,
            printable(path_text(loc)),
            printable(what),
            printable(remedy),
            severity,
            excerpt,
            min(span.width, max(1, len(excerpt) - span.column + 1)),
        )


def whole(name: str, what: str, remedy: str) -> Problem:
    """A problem of the file as a whole, without a line."""
    return Problem(name, 0, 0, "", what, remedy)


def decode(name: str, raw: bytes) -> Source:
    """The text of the bytes; `problems` is not empty if they are no text."""
    source = Source(name)
    if len(raw) > MAX_BYTES:
        source.problems.append(
            whole(
                name,
                f"the file has {len(raw):,} bytes; more than {MAX_BYTES:,} are not read",
                "check that this is the right file; long lists of rules go under rules.directory",
            )
        )
        return source
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        source.problems.append(whole(name, "the file is saved as UTF-16", "save it as UTF-8"))
        return source
    try:
        source.text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        source.text = raw.decode("latin-1")
        source.lines = source.text.split("\n")
        span = Span(before.count("\n") + 1, len(before) - before.rfind("\n"), 1)
        source.problems.append(source.at(span, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8"))
        return source
    source.lines = re.split("\r\n|\r|\n", source.text)
    if bad := _CONTROL.search(source.text):
        before = source.text[: bad.start()]
        span = Span(len(re.split("\r\n|\r|\n", before)), bad.start() - max(before.rfind("\n"), before.rfind("\r")), 1)
        source.problems.append(
            source.at(span, f"the character U+{ord(bad[0]):04X} is not allowed in YAML", "take it out")
        )
    return source


def read_yaml(name: str, raw: bytes) -> Source:
    """The data of a YAML file and every problem of its form."""
    source = decode(name, raw)
    if source.problems:
        return source
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ReusedAnchorWarning
            )  # an anchor given anew is allowed: the later one counts
            root = yaml.compose(source.text)
    except MaxDepthExceededError as error:
        source.problems.append(
            source.at(
                _mark(error), f"values are nested more than {MAX_DEPTH} deep", "check the brackets and the indentation"
            )
        )
    except MarkedYAMLError as error:
        source.problems += (
            _tabs(source) or _directives(source) or [source.at(_mark(error), *explain(error, source.lines))]
        )
    except (YAMLError, ValueError) as error:  # ValueError: a bad %YAML directive or escape
        source.problems.append(
            whole(
                name, f"this is not YAML: {printable(str(error), 120)}", "correct it or start anew with: leadgate init"
            )
        )
    else:
        if root is None:
            source.problems.append(whole(name, "the file holds no settings", "write a first one with: leadgate init"))
        else:
            source.data = _Builder(source).build(root, ())
    return source


def _mark(error: MarkedYAMLError) -> Span:
    mark = error.problem_mark or error.context_mark
    return Span(mark.line + 1, mark.column + 1, 1) if mark else Span(1, 1, 1)


def _tabs(source: Source) -> list[Problem]:
    """Lines indented with tabs, the most frequent reason why a file cannot be read at all; at most ten of them."""
    found = [(number, row) for number, row in enumerate(source.lines, 1) if "\t" in row[: len(row) - len(row.lstrip())]]
    return [
        source.at(
            Span(number, row.index("\t") + 1, 1), "the line is indented with a tab", "use spaces, two for each level"
        )
        for number, row in found[:10]
    ]


def _directives(source: Source) -> list[Problem]:
    """Lines that begin with %, which YAML takes for an instruction to itself."""
    return [
        source.at(Span(number, 1, len(row)), "a line that begins with % has a meaning of its own", "take it out")
        for number, row in enumerate(source.lines, 1)
        if row.startswith("%")
    ][:10]


class _Builder:
    """Turns the node graph into data, expanding aliases within bounds."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.left = MAX_VALUES
        self.open: set[int] = set()

    def build(self, node: Node, loc: Loc) -> Any:
        span = self._span(node)
        self.source.values.setdefault(loc, span)
        self.left -= 1
        if id(node) in self.open:
            self._unreadable(span, "an alias (*) stands inside the value it names", "write the values out", loc)
            return None
        if self.left < 0:
            if self.left == -1:  # told once, not for every value that is left out
                self._report(span, "an alias (*) stands for too many values", "write the values out", loc)
            self.source.broken.add(loc)
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, span, loc)
        self.open.add(id(node))
        try:
            if not str(node.tag).startswith(_TAG):
                self._unreadable(span, f"the tag {node.tag} is not known here", "take it out", loc)
            if isinstance(node, MappingNode):
                return self._mapping(node, loc)
            return [self.build(item, (*loc, number)) for number, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in node.value:
            span = self._span(key)
            if not isinstance(key, ScalarNode) or key.tag == f"{_TAG}null" or not key.value:
                self._report(span, "this is not the name of a setting", "write name: value", loc)
                continue
            if key.tag == f"{_TAG}merge":
                self._report(span, "merging with << is not supported", "write the settings out", loc)
                continue
            name = str(key.value)
            place = (*loc, name)
            if name in built:
                first = self.source.keys[place].line
                self._report(span, f'"{name}" stands twice, first in line {first}', "keep one of them", place)
                continue
            self.source.keys.setdefault(place, span)
            built[name] = self.build(value, place)
        return built

    def _scalar(self, node: ScalarNode, span: Span, loc: Loc) -> Any:
        tag, text = str(node.tag), str(node.value)
        if not tag.startswith(_TAG):
            self._unreadable(
                span,
                f"the tag {tag} is not known here",
                "take it out; secrets come from the environment or a file (…_env, …_file)",
                loc,
            )
            return text
        kind = tag.removeprefix(_TAG)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return text.lower() == "true"
            if kind == "int":
                return int(text.replace("_", ""), 10 if text.lstrip("+-0").isdigit() else 0) if len(text) < 30 else text
            if kind == "float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            return text
        return text

    def _span(self, node: Node) -> Span:
        start, end = node.start_mark, node.end_mark
        line = self.source.lines[start.line] if start.line < len(self.source.lines) else ""
        last = end.column if end is not None and end.line == start.line else len(line.rstrip())
        return Span(start.line + 1, start.column + 1, max(1, last - start.column))

    def _unreadable(self, span: Span, what: str, remedy: str, loc: Loc) -> None:
        self.source.broken.add(loc)
        self._report(span, what, remedy, loc)

    def _report(self, span: Span, what: str, remedy: str, loc: Loc) -> None:
        self.source.problems.append(self.source.at(span, what, remedy, loc=loc))

"""A YAML file whose every value knows where it stands, read key by key so that all problems are found in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rules.problems import Problem, suggest
from rules.yaml_errors import explain

MAX_FILE_CHARS = 1_000_000
NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
STRING_TAG = "tag:yaml.org,2002:str"


class Document:
    """One file. `name` is how it is called in messages and sources: "email.yaml", "local/weights/email.yaml"."""

    def __init__(self, name: str, text: str, problems: list[Problem]) -> None:
        self.name = name
        self.text = text
        self.lines = text.splitlines()
        self.problems = problems
        self.root = self._compose()

    def _compose(self) -> Node | None:
        if len(self.text) > MAX_FILE_CHARS:
            self._add(1, 1, f"the file has more than {MAX_FILE_CHARS:,} characters", "Split it.")
            return None
        try:
            root: Node | None = YAML(typ="safe", pure=True).compose(self.text)
        except MarkedYAMLError as error:
            mark = error.problem_mark
            what, remedy = explain(error, self.lines)
            self._add(
                mark.line + 1 if mark else 0,
                mark.column + 1 if mark else 0,
                what,
                f"{remedy[0].upper()}{remedy[1:]}.",
            )
            return None
        except YAMLError as error:
            self._add(1, 1, f"this is not YAML: {' '.join(str(error).split())}", "Save the file as plain UTF-8 text.")
            return None
        except RecursionError:
            self._add(1, 1, "values are nested too deeply", "Rules files need no more than a few levels.")
            return None
        return root

    def _add(self, line: int, column: int, what: str, remedy: str) -> None:
        excerpt = ""
        if 0 < line <= len(self.lines):
            row = self.lines[line - 1][:160]
            excerpt = f"{row}\n{' ' * min(column - 1, len(row))}^"
        self.problems.append(Problem(self.name, line, column, what, remedy, excerpt))

    def problem(self, node: Node, what: str, remedy: str) -> None:
        self._add(node.start_mark.line + 1, node.start_mark.column + 1, what, remedy)

    def problem_at(self, offset: int, what: str, remedy: str) -> None:
        """A problem at a character offset of the file's text."""
        line = self.text.count("\n", 0, offset) + 1
        self._add(line, offset - self.text.rfind("\n", 0, offset), what, remedy)

    def source(self, node: Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def items(self, node: Node, what: str) -> Iterator[tuple[str, ScalarNode, Node]]:
        """(key, key's node, value's node) of a mapping; keys that are no strings or stand twice are problems and left out."""
        if not isinstance(node, MappingNode):
            self.problem(node, f"{what} must be a mapping of names to values", 'Write it as "name: value" lines.')
            return
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag != STRING_TAG:
                self.problem(key, f"a name in {what} must be plain text", "Put it in quotes.")
            elif key.value in seen:
                self.problem(key, f"{key.value} stands twice (first in line {seen[key.value]})", "Keep one of them.")
            else:
                seen[key.value] = key.start_mark.line + 1
                yield key.value, key, value

    def fields(self, node: Node, what: str, allowed: Iterable[str], required: Iterable[str] = ()) -> dict[str, Node]:
        """The values of a mapping with known keys; unknown and missing ones are problems."""
        allowed = tuple(allowed)
        found: dict[str, Node] = {}
        for name, key, value in self.items(node, what):
            if name in allowed:
                found[name] = value
            else:
                self.problem(
                    key, f"{name} is not known in {what}", suggest(name, allowed, f"Known: {', '.join(allowed)}.")
                )
        if isinstance(node, MappingNode):
            for name in required:
                if name not in found:
                    self.problem(node, f"{what} lacks {name}", f"Add {name}.")
        return found

    def string(self, node: Node, what: str) -> str | None:
        """A non-empty text, or None and a problem."""
        if isinstance(node, ScalarNode) and node.tag == STRING_TAG and node.value.strip():
            return str(node.value)
        self.problem(node, f"{what} must be text", "Write a text, in quotes if it looks like a number.")
        return None

    def choice(self, node: Node, what: str, known: Iterable[str]) -> str | None:
        known = tuple(known)
        value = self.string(node, what)
        if value is not None and value not in known:
            self.problem(node, f"{value} is no {what}", suggest(value, known, f"Known: {', '.join(known)}."))
            return None
        return value

    def number(self, node: Node, what: str, low: float, high: float) -> float | None:
        """A number within [low, high], or None and a problem."""
        if isinstance(node, ScalarNode) and node.tag in NUMBER_TAGS:
            try:
                value = float(node.value)
            except ValueError:
                value = math.nan  # hexadecimal, sexagesimal and other spellings that a reader would not expect here
            if low <= value <= high:
                return value
        self.problem(node, f"{what} must be a number from {low:g} to {high:g}", "Correct the number.")
        return None

    def is_number(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and node.tag in NUMBER_TAGS

    def strings(self, node: Node, what: str) -> list[tuple[str, Node]]:
        """The texts of a list, each with its node."""
        if not isinstance(node, SequenceNode):
            self.problem(node, f"{what} must be a list", "Write it as [one, two].")
            return []
        return [(text, item) for item in node.value if (text := self.string(item, f"an entry of {what}")) is not None]

    def sequence(self, node: Node, what: str) -> list[Node]:
        if not isinstance(node, SequenceNode):
            self.problem(node, f"{what} must be a list", 'Write each entry on a line of its own behind "- ".')
            return []
        return list(node.value)

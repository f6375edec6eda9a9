"""What is wrong in leadgate.yaml: every problem names its place, what was found and the remedy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Loc = tuple[str | int, ...]
Severity = Literal["error", "warning"]


def path_text(loc: Loc) -> str:
    """A place in the tree as people write it: `sites[0].forms[1].path`; the whole file is ""."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def printable(text: str, limit: int = 400) -> str:
    """The text on one line without control characters, which a hostile file could use to write to the terminal."""
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct.

    file      as the caller named it, or "environment"
    line      from 1; 0 where there is no line (a file that cannot be read, a variable)
    column    from 1, in characters; 0 likewise
    path      place in the tree, `sites[0].forms[1].path`, or ""
    what      what was found, without a full stop
    remedy    what to do about it, without a full stop
    severity  "error" keeps the configuration from being used, "warning" does not
    excerpt   the line of the file, secrets blotted out, or ""
    width     characters to underline in it
    """

    file: str
    line: int
    column: int
    path: str
    what: str
    remedy: str
    severity: Severity = "error"
    excerpt: str = ""
    width: int = 1

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.place}: {self.severity}: {path}{self.what}; {self.remedy}"


class ConfigError(ValueError):
    """The configuration cannot be used. `problems` holds every error and warning in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda found: (found.line, found.column)))
        super().__init__("\n".join(map(str, self.problems)))


def render(problems: Iterable[Problem], *, width: int = 100) -> str:
    """Problems for a terminal: the line of the file, a mark below the place, what is wrong, what to do. No colours.

    width  columns to wrap the explanation at; lines of the file are cut to it
    """
    blocks = []
    for problem in problems:
        head = f"{problem.place}: {problem.severity}" + (f" at {problem.path}" if problem.path else "")
        rows = [head]
        if problem.excerpt:
            gutter = f"{problem.line:>5} | "
            room = max(width - len(gutter), 40)
            # A long line is shown from a little before the place, so that the mark can be seen.
            start = max(0, problem.column - room // 2) if problem.column > room - 10 else 0
            rows.append(gutter + problem.excerpt[start : start + room])
            at = problem.column - 1 - start
            rows.append(" " * 5 + " | " + " " * at + "^" * max(1, min(problem.width, room - at)))
        rows += textwrap.wrap(problem.what, width, initial_indent="  ", subsequent_indent="  ")
        rows += textwrap.wrap(problem.remedy, width, initial_indent="  → ", subsequent_indent="    ")
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks) + "\n" if blocks else ""

"""What is wrong in a rules file: every problem names its place and the remedy, and all of them are reported in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to correct. `line` and `column` count from 1; 0 where there is none (a file that cannot be read).

    excerpt  the line in question and a caret below the place, or ""
    """

    file: str
    line: int
    column: int
    what: str
    remedy: str
    excerpt: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.what}. {self.remedy}"
        return text if not self.excerpt else text + "\n" + "\n".join(f"    {row}" for row in self.excerpt.split("\n"))


class RulesError(ValueError):
    """The rules cannot be used. `problems` are in the order of files and lines; the text holds all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' * (count != 1)} in the rules\n" + "\n".join(map(str, self.problems)))


def suggest(word: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy for an unknown word: the nearest known one, or else `otherwise`."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else otherwise

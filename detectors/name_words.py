"""What people type where a name is asked for: runs along the keyboard, placeholders, links. Patterns of data/name_words.yaml, ready to search."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Self

from detectors.data_files import load

LONGEST = 240
"""Characters of a field that are looked at."""

RUN = 5
"""Keys in a row that are a run by themselves; shorter ones are listed."""
INSIDE = 6
"""Keys in a row that are a run inside a longer word."""

_VOWELS = frozenset("aeiouаеиоуыэюяєії")
_PARTS = re.compile(r"[^\W\d_]+")
_CHUNKS = re.compile(r"(.{2,3}?)\1+")
_BETWEEN = re.compile(r"[\s.,_-]+")
_MARKUP = re.compile(r"<\s*[a-z/!]|\[/?(?:url|link|img|b)\b|\{\{|\$\{|javascript:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class NameWords:
    """rows: keyboards' rows. runs: all that is typed along one of them, forwards or backwards. link: what a web address in a name looks like."""

    rows: tuple[frozenset[str], ...]
    runs: frozenset[str]
    short_runs: frozenset[str]
    placeholders: frozenset[str]
    examples: frozenset[str]
    link: re.Pattern[str]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        return cls.build(*load("name_words.yaml"))

    @classmethod
    def build(cls, lists: Mapping[str, Any], content_hash: str = "") -> Self:
        endings = "|".join(lists["link_endings"])
        return cls(
            rows=tuple(map(frozenset, lists["rows"])),
            runs=frozenset(run for row in lists["rows"] for way in (row, row[::-1]) for run in _stretches(way)),
            short_runs=frozenset(lists["short_runs"]),
            placeholders=frozenset(lists["placeholders"]),
            examples=frozenset(lists["examples"]),
            link=re.compile(rf"https?:|\bwww\.|[a-z0-9-]{{3,}}\.(?:{endings})(?:[/?:#]|\s|$)", re.IGNORECASE),
            content_hash=content_hash,
        )

    def keyboard(self, text: str) -> tuple[str, float] | None:
        """(what a hand did, how surely) where a word of `text` is a play on the keyboard."""
        for word in _PARTS.findall(plain(text)):
            if len(word) < 4:
                continue
            if len(set(word)) == 1:
                return "one key held or struck again and again", 0.8
            if word in self.short_runs or (len(word) >= RUN and word in self.runs):
                return f"a run of {len(word)} keys", 1.0 if len(word) > RUN else 0.8
            if any(word[at : at + INSIDE] in self.runs for at in range(len(word) - INSIDE + 1)):
                return f"a run of {INSIDE} keys", 1.0
            chunk = _CHUNKS.fullmatch(word)
            if chunk is not None and self._played(chunk.group(1), len(word) // len(chunk.group(1))):
                return "the same keys of one row again and again", 1.0
        return None

    def _played(self, chunk: str, times: int) -> bool:
        if len(chunk) == 3 and chunk in self.runs:  # asdasd
            return True
        speakable = set(chunk) & _VOWELS and set(chunk) - _VOWELS  # Yeyeye
        return times >= 3 and not speakable and any(row.issuperset(chunk) for row in self.rows)

    def placeholder(self, text: str) -> str:
        """Why nobody is meant, or ""."""
        found = _BETWEEN.sub(" ", plain(text)).strip()
        if found in self.examples:
            return "a name that manuals use"
        split = found.split(" ")
        return "a word that stands for a name" if found and all(word in self.placeholders for word in split) else ""

    def no_name(self, text: str) -> tuple[str, float] | None:
        """(why `text` is no name at all, how surely), or None."""
        text = text[:LONGEST]
        if text.replace(" ", "").isalpha():  # no sign of a link, and no digit
            return ("more words than a name has", 0.5) if len(text.split()) > MOST_WORDS else None
        if _MARKUP.search(text):
            return "markup", 1.0
        if self.link.search(text):
            return "a web address", 1.0
        if not any(character.isalpha() for character in text):
            return "no letter", 0.5
        if len(text.split()) > MOST_WORDS:
            return "more words than a name has", 0.5
        if any(not word.isalpha() and _switches(word) >= SWITCHES for word in text.split()):
            return "digits between letters", 0.7
        return None


MOST_WORDS = 12
"""Words of a name: long Arabic, Spanish and noble names have up to ten."""
SWITCHES = 3
"""Changes between letters and digits inside a word: "k3j9q" has four, "Maria2" one, "2Pac" one."""


def _stretches(row: str) -> Iterator[str]:
    """Every stretch of at least three keys."""
    for start in range(len(row)):
        for end in range(start + 3, len(row) + 1):
            yield row[start:end]


def _switches(word: str) -> int:
    kinds = ["d" if character.isdecimal() else "l" for character in word if character.isalnum()]
    return sum(a != b for a, b in pairwise(kinds))


def plain(text: str) -> str:
    """Composed, in lower case, cut."""
    return unicodedata.normalize("NFC", text[:LONGEST]).casefold()

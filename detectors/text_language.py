"""Which language a text is in, as far as scripts and the commonest words tell; said only where it is clear."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from detectors.free_text import runs_of_letters

LEAST_HITS = 3
"""Distinct common words of a language that a text must have before it is taken to be in it."""
ENOUGH = 800
"""Characters from the start that are looked at."""

MOSTLY = 0.6
"""Share of the letters from which on a text is in one script."""


class Language(NamedTuple):
    """code    ISO 639-1, or "" where only the script is known
    script   of most letters, or "" where none has most
    shares   share of words that are among a language's commonest, by language of the script
    words    how many there are; of scripts without spaces half the letters
    """

    code: str
    script: str
    shares: Mapping[str, float]
    words: int


@dataclass(frozen=True, slots=True)
class Languages:
    """scripts: script → its languages; words: language → its commonest words. known: see data/text_limits.yaml."""

    scripts: Mapping[str, frozenset[str]]
    words: Mapping[str, frozenset[str]]
    known: float
    _ranges: tuple[tuple[int, int, str], ...]
    _of_word: Mapping[str, tuple[str, ...]]

    @classmethod
    def build(cls, table: Mapping[str, Any], known: float) -> Languages:
        """From a mapping shaped like data/text_languages.yaml."""
        ranges = [
            (int(str(first), 16), int(str(last), 16), script)
            for script, rows in table["ranges"].items()
            for first, last in rows
        ]
        words = {code: frozenset(words.split()) for code, words in table["words"].items()}
        of_word: dict[str, tuple[str, ...]] = {}
        for code, common in words.items():
            for word in common:
                of_word[word] = (*of_word.get(word, ()), code)
        scripts = {script: frozenset(codes) for script, codes in table["scripts"].items()}
        return cls(scripts, words, known, tuple(sorted(ranges)), of_word)

    @property
    def codes(self) -> frozenset[str]:
        """Every language whose script is known (ISO 639-1)."""
        return frozenset().union(*self.scripts.values())

    def script_of(self, text: str) -> tuple[str, int]:
        """The script of most letters, or "", and how many letters there are."""
        ascii_letters = runs_of_letters(text.encode("ascii", "ignore").decode())
        counted = Counter(Latin=sum(map(len, ascii_letters)))
        for letter, number in Counter([letter for letter in text if letter > "\x7f"]).items():
            if letter.isalpha():
                counted[self._of(ord(letter))] += number
        total = counted.total()
        if counted["Kana"] and counted["Kana"] + counted["Han"] > MOSTLY * total:
            return "Kana", total
        script, most = counted.most_common(1)[0] if counted else ("", 0)
        return (script if most > MOSTLY * total else ""), total

    def _of(self, point: int) -> str:
        at = bisect_right(self._ranges, point, key=_first) - 1
        return self._ranges[at][2] if at >= 0 and point <= self._ranges[at][1] else ""

    def tell(self, text: str) -> Language:
        text = text[:ENOUGH]
        script, letters = self.script_of(text)
        if script in _UNSPACED:
            return Language(*self._only(script), {}, letters // 2)
        words = [
            word for word in runs_of_letters(text.casefold()) if len(word) > 1
        ]  # single letters are initials as often as words
        candidates = sorted(code for code in self.scripts.get(script, ()) if code in self.words)
        if not candidates or not words:
            return Language(*self._only(script), {}, len(words))
        hits = Counter(chain.from_iterable([self._of_word.get(word, ()) for word in words]))
        shares = {code: hits[code] / len(words) for code in candidates}
        best = max(shares, key=lambda code: shares[code])
        known = shares[best] >= self.known and len(self.words[best].intersection(words)) >= LEAST_HITS
        return Language(best if known else "", script, shares, len(words))

    def _only(self, script: str) -> tuple[str, str]:
        codes = self.scripts.get(script, frozenset())
        return next(iter(codes)) if len(codes) == 1 else "", script


def _first(row: tuple[int, int, str]) -> int:
    return row[0]


_UNSPACED = frozenset({"Han", "Kana", "Thai", "Lao", "Khmer", "Myanmar"})


def foreign(found: Language, site: frozenset[str], languages: Languages, ahead: float) -> str:
    """What a text is in where it is clearly none of the site's languages: a language's code or a script's name; else "". English never is."""
    if not found.script:
        return ""
    at_home = site | {"en"}
    if not languages.scripts.get(found.script, frozenset()) & at_home:
        return found.code or found.script
    if not found.code or found.code in at_home:
        return ""
    own = max((found.shares.get(code, 0.0) for code in at_home), default=0.0)
    # a site's language without a profile cannot be told from its neighbours
    if any(code not in languages.words for code in at_home & languages.scripts[found.script]):
        return ""
    return found.code if found.shares[found.code] >= ahead * own else ""

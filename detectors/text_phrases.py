"""Phrases of unwanted pitches, found in one linear pass over a text made plain, and a weighted vocabulary of promotion."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import re2

_NOT_A_WORD = re.compile(r"[^\w%$€\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e30-\u0e4e]+|_")
_COMMON = ".,!?:;-'’\"()/"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_DIGIT = re.compile(r"\d")
_ASCII = {point: chr(point).lower() if chr(point).isalnum() or chr(point) in "%$" else " " for point in range(128)}
ENOUGH = 150
"""Words from the start that the vocabulary looks at: it was fitted on short texts."""

_MEMORY = 32 << 20  # of the compiled set


class Found(NamedTuple):
    """A phrase of ours in a text. pitch: said by who offers something; else a topic, which customers name as well."""

    phrase: str
    category: str
    pitch: bool


def plain(text: str) -> str:
    """The text in small letters, words between single spaces, nothing else but %, $ and €; a space at either end."""
    if text.isascii():
        text = text.translate(_ASCII)
    else:
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()
        for mark in _COMMON:  # leaves few words to the pattern, which is the dear part
            text = text.replace(mark, " ")
        text = " ".join([word if word.isalnum() else _NOT_A_WORD.sub(" ", word) for word in text.split()])
    return " " + " ".join(text.split()) + " "


class Phrases:
    """Immutable. table: data/text_phrases.yaml."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._all = tuple(
            Found(phrase, category, kind == "pitch")
            for category, kinds in table["categories"].items()
            for kind in ("pitch", "topic")
            for phrase in kinds[kind]
        )
        options = re2.Options()
        options.max_mem = _MEMORY
        self._set = re2.Set.SearchSet(options)
        for found in self._all:
            self._set.Add(_pattern(found.phrase))
        self._set.Compile()

    def __len__(self) -> int:
        return len(self._all)

    def find(self, made_plain: str) -> list[Found]:
        """Each phrase once, whatever the number of times, in the order of the table."""
        return [self._all[place] for place in sorted(self._set.Match(made_plain) or ())]


def _pattern(phrase: str) -> str:
    words = plain(phrase.rstrip("*")).strip()
    if _UNSPACED.search(words):
        return str(re2.escape(words))
    return f" {re2.escape(words)}{'[^ ]*' if phrase.endswith('*') else ''} "


def terms(made_plain: str) -> set[str]:
    """What the vocabulary knows a text by: its words and pairs of neighbouring words, without any digits, and how long it is ("#0" to "#4")."""
    words = [word for word in made_plain.split(None, ENOUGH)[:ENOUGH] if word.isalpha() or not _DIGIT.search(word)]
    pairs = {f"{one} {two}" for one, two in pairwise(words)}
    return {*words, *pairs, f"#{min(4, len(words) // 8)}"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How much each word or pair of neighbouring words speaks for promotion: a linear model, in thousandths of log-odds.

    words  term → weight, of a text with one term only: the sum is divided by the root of how many a text has
    base   the sum where none is known
    link   what a link adds, whatever their number
    """

    words: Mapping[str, int]
    base: int
    link: int

    @classmethod
    def build(cls, table: Mapping[str, Any]) -> Vocabulary:
        """From a mapping shaped like data/text_vocabulary.yaml."""
        return cls(dict(table["words"]), int(table["base"]), int(table["link"]))

    def score(self, made_plain: str, linked: bool) -> tuple[int, list[str]]:
        """The sum for a text whose links were taken out, and up to three of the words that add most."""
        found = terms(made_plain)
        known = [(self.words[term], term) for term in self.words.keys() & found]
        total = self.base + round(sum(weight for weight, _ in known) / math.sqrt(len(found))) + self.link * linked
        top = sorted((-weight, term) for weight, term in known if weight > 0 and term[0] != "#")
        return total, [term for _, term in top[:3]]

"""Which kind of program does a user agent declare itself to be? All patterns in two linear-time sets, answers
remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple, Self

import re2
from crawlerdetect.providers.crawlers import data as listed_patterns
from crawlerdetect.providers.exclusions import data as browser_words

from detectors.data_files import load

MAX_LENGTH = 512
"""Characters of a user agent that are read. Real ones stay below; the cost of matching grows with the length."""

CACHE_SIZE = 8192
"""User agents remembered: 2 us instead of 10 for each of the few thousand that make up nearly all traffic. About 4 MB
when full."""

_EVIDENCE_LENGTH = 40
_CLASSES = ("scanner", "http_library", "headless", "monitor", "crawler")


class Declared(NamedTuple):
    """`kind`: scanner, http_library, headless, monitor, crawler, unusual (no shape of a browser), empty or browser.

    token: the words that say so ("HeadlessChrome"), at most 40 characters, never the whole user agent.
    """

    kind: str
    token: str


class Agents:
    """Immutable; `declared(user_agent)` is a pure function whose last answers are remembered."""

    def __init__(self, table: dict[str, list[str]], table_hash: str) -> None:
        unused = set(table["unused"])
        self._own = [(kind, pattern) for kind in _CLASSES for pattern in table[kind]]
        self._own += [("person", pattern) for pattern in table["person"]]
        self._own_set = _compile_set(pattern for _, pattern in self._own)
        self._listed = [p for p in listed_patterns if p not in unused] + table["generic"]
        self._listed_set = _compile_set(self._listed)
        # crawlerdetect's patterns are meant for what remains when the words of every browser are taken out ("cubot" is
        # a make of phone); taking them out costs 100 us, so only where something matched at all
        self._browser_words = re2.compile("|".join(f"(?:{word})" for word in browser_words), _options())
        self.content_hash = hashlib.sha256(
            f"{table_hash} crawlerdetect {version('crawlerdetect')}".encode()
        ).hexdigest()
        self.declared: Callable[[str], Declared] = lru_cache(maxsize=CACHE_SIZE)(self._declared)

    @classmethod
    @cache
    def builtin(cls) -> Self:
        return cls(*load("agents.yaml"))

    def _declared(self, user_agent: str) -> Declared:
        text = user_agent[:MAX_LENGTH].strip()
        if not text:
            return Declared("empty", "")
        found = [self._own[place] for place in self._own_set.Match(text) or ()]
        for kind in _CLASSES[:-1]:
            named = [pattern for name, pattern in found if name == kind]
            if named:
                return Declared(kind, _token(named, text))
        named = [pattern for name, pattern in found if name == "crawler"] + self._listed_in(text)
        if named:
            return Declared("crawler", _token(named, text))
        if not found:
            return Declared("unusual", text.split("/", 1)[0].split(" ", 1)[0][:_EVIDENCE_LENGTH])
        return Declared("browser", "")

    def _listed_in(self, text: str) -> list[str]:
        if not self._listed_set.Match(text):
            return []
        rest = self._browser_words.sub("", text)
        return [self._listed[place] for place in self._listed_set.Match(rest) or ()]


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 64 << 20  # room for the states of 1,700 patterns; the default falls back to slow matching
    return options


def _compile_set(patterns: Iterable[str]) -> Any:
    matcher = re2.Set.SearchSet(_options())
    for pattern in patterns:
        matcher.Add(pattern)
    matcher.Compile()
    return matcher


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> Any:
    return re2.compile(pattern, _options())


def _token(patterns: Iterable[str], text: str) -> str:
    """The longest name among what the patterns found; a web address only where there is nothing else."""
    tokens = [found.group(0).strip(" ;()/+") for pattern in patterns if (found := _pattern(pattern).search(text))]
    return max(tokens, key=lambda token: ("://" not in token and not token.startswith("http"), len(token)), default="")[
        :_EVIDENCE_LENGTH
    ]

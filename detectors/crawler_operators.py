"""Operators of crawlers that can be verified, and the two ways to verify them: published ranges and reverse DNS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, lru_cache
from typing import Any, Self

from detectors.data_files import load

_MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: see data/crawlers.yaml. `dns` empty: only ranges can confirm it."""

    name: str
    agents: tuple[str, ...]
    ranges: frozenset[str] = frozenset()
    dns: tuple[str, ...] = ()
    ads: bool = False
    exclusive: bool = False

    def confirms(self, host: str) -> bool:
        """Is `host` (lower case, no final dot) a name that the operator documents for its crawlers?"""
        return any(_host_pattern(pattern).match(host) for pattern in self.dns)


@cache
def _host_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(translate("*" + pattern if pattern[0] == "." else pattern))


class Crawlers:
    """Immutable table of operators."""

    def __init__(self, operators: Sequence[Operator], content_hash: str) -> None:
        self.operators = tuple(operators)
        self.content_hash = content_hash
        self._words = {word.lower(): operator for operator in self.operators for word in operator.agents}
        self._pattern = re.compile("|".join(re.escape(word) for word in sorted(self._words, key=len, reverse=True)))
        self._owners = {label: o for o in self.operators if o.exclusive for label in o.ranges}
        self.claimed = lru_cache(maxsize=8192)(self._claimed)
        """`claimed(user_agent) -> Operator | None`: who the user agent says it is. Remembers the last 8,192."""

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """The shipped operators."""
        rows, content_hash = load("crawlers.yaml")
        return cls([_operator(row) for row in rows], content_hash)

    def _claimed(self, user_agent: str) -> Operator | None:
        found = self._pattern.search(user_agent[:_MAX_LENGTH].lower())
        return self._words[found.group(0)] if found else None

    def owner(self, labels: Sequence[str]) -> Operator | None:
        """The operator that alone sends from a range with one of these labels, or None."""
        for label in labels:
            operator = self._owners.get(label)
            if operator is not None:
                return operator
        return None


def _operator(row: Mapping[str, Any]) -> Operator:
    return Operator(
        name=row["name"],
        agents=tuple(row["agents"]),
        ranges=frozenset(row.get("ranges", ())),
        dns=tuple(row.get("dns", ())),
        ads=row.get("ads", False),
        exclusive=row.get("exclusive", False),
    )


def claims(user_agent: str) -> Operator | None:
    """Which verifiable operator does this user agent claim to be?

    The facts layer asks this to decide whether a reverse look-up is worth it: where the network's labels hold none of
    `operator.ranges` and `operator.dns` is not empty.
    """
    return Crawlers.builtin().claimed(user_agent)


def needs_reverse(user_agent: str, labels: Sequence[str]) -> bool:
    """Is forward-confirmed reverse DNS the only way left to confirm what this user agent claims?"""
    operator = claims(user_agent)
    return operator is not None and bool(operator.dns) and operator.ranges.isdisjoint(labels)

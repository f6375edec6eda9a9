"""How often parts of a lead may come again: the table of data/repeat_limits.yaml, and whose text a repeated text is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

from detectors.behaviour import Similar
from detectors.data_files import load
from detectors.observation import (
    WINDOWS,
)

FULL_AT = 4.0
"""Strength of a crossing is full at so many times its limit."""

LEAST = 0.25
"""Strength of one member more than allowed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` distinct members are ordinary; `top` is the largest strength (0..1) of more."""

    most: int
    top: float

    def strength(self, distinct: int) -> float:
        """0 where it is ordinary."""
        if distinct <= self.most:
            return 0.0
        return min(self.top, max(LEAST, math.log(distinct / self.most) / math.log(FULL_AT)))


@dataclass(frozen=True, slots=True)
class SimilarLimits:
    """When a repeated text tells something; what each is, the table says. Shares in thousandths, times in seconds."""

    seen: int
    networks: int
    seen_together: int
    together: float
    full_seen: int
    short_words: int
    own_share: int
    settled_s: int
    new_s: int
    faint: float
    standing: float

    def strength(self, similar: Similar, *, partial: bool = False) -> float:
        """How strongly the text speaks for copying; 0 where it does not. partial: it may be older and more usual than it looks."""
        if similar.seen < self.seen:
            return 0.0
        spread = similar.networks >= self.networks
        if not spread and similar.seen < self.seen_together:
            return 0.0
        strength = 0.3 + 0.7 * math.log(similar.seen / self.seen) / math.log(self.full_seen / self.seen)
        strength = min(1.0, strength) * min(1.0, similar.words / self.short_words) * self.foreign(similar)
        if partial:
            strength *= self.standing
        return strength if spread else min(self.together, strength)

    def foreign(self, similar: Similar) -> float:
        """1 where a repeated text is not the form's own, 0 where it is, in between where it may be.

        Most leads of a form have its own text, from its first day on. One that is new on a form known for long may be a flood or a new page.
        """
        old = similar.known_s >= self.new_s
        if similar.form and similar.seen * 1000 < self.own_share * similar.form:
            return self.standing if old else 1.0
        return self.faint if similar.form_known_s >= self.settled_s and not old else 0.0


@dataclass(frozen=True, slots=True)
class RepeatLimits:
    """crossings: dimension → a Limit for each of WINDOWS, None where it has none. content_hash: SHA-256 (hexadecimal)."""

    crossings: Mapping[str, tuple[Limit | None, ...]]
    similar: SimilarLimits
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """The shipped table."""
        table, digest = load("repeat_limits.yaml")
        crossings = {
            name: tuple(Limit(**windows[window]) if window in windows else None for window in WINDOWS)
            for name, windows in table["crossings"].items()
        }
        return cls(crossings, SimilarLimits(**table["similar"]), digest)

"""What the isolation forest looks at: one number for each feature, read from the observation alone.

No feature holds or is made of a personal value, and none tells a person's name, language, country or hour of day: a model of what is usual must not
learn that a foreigner is unusual. Lengths and shares of a message count in one direction only, so that a script with short words is never unusual.

A feature whose fact is Unavailable, known in part or not told by the source is NaN; the model puts the median of the traffic it learned from in its
place, so that what is not known counts neither for nor against.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log1p
from typing import Literal

SCHEMA = 1
"""Version of the feature sets. Raised with any change of a feature's meaning or place: models of another version are refused."""

Suspicious = Literal["high", "low"]
Scale = Literal["log", "plain"]
Unit = Literal["events", "times", "seconds", "share", "characters", "yes or no", "number"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One number.

    name        stable: models name their features by it
    meaning     what it is, for people
    unit        of the value
    most        its largest value, the least is 0; larger ones count as this one
    missing     when it is not known (and so the median stands in)
    suspicious  which side speaks for a program; values on the other side of the usual median count as the median
    scale       "log": the forest is grown on log(1 + value); "plain": on the value itself
    say         the finding in words, with {0} for the value
    """

    name: str
    meaning: str
    unit: Unit
    most: float
    missing: str
    suspicious: Suspicious
    scale: Scale
    say: str

    def grown_on(self, value: float) -> float:
        """The value in the scale that the forest is grown in."""
        value = min(value, self.most)
        return log1p(value) if self.scale == "log" else value

    def back(self, value: float) -> float:
        """The inverse of `grown_on`."""
        return expm1(value) if self.scale == "log" else value

    def amount(self, value: float) -> str:
        """The value as people read it: "14", "2.5", "30 %", "9 minutes", "yes"."""
        if self.unit == "yes or no":
            return "yes" if value >= 0.5 else "no"
        if self.unit == "share":
            return f"{round(100 * value)} %"
        return duration(value) if self.unit == "seconds" else number(value)


def number(value: float) -> str:
    return f"{round(value)}" if value >= 10 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def duration(seconds: float) -> str:
    """In the largest unit of which there are at least two: "90 seconds", "3 hours"."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {name}"
    return f"{number(seconds)} seconds"


COUNTERS_AWAY = "the counters could not be read or are known in part"


def events(name: str, meaning: str, say: str) -> Feature:
    """How many observations a counter holds."""
    return Feature(name, meaning, "events", 100_000, COUNTERS_AWAY, "high", "log", say)


def members(name: str, meaning: str, say: str) -> Feature:
    """How many distinct members a counter holds."""
    return Feature(name, meaning, "number", 64, COUNTERS_AWAY, "high", "log", say)

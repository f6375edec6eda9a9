"""The words packs use for weights, and the one place where they become numbers.

A weight is a change of log-odds: ln of how many times more often a finding is met with invalid traffic than with people. Each step of the scale
doubles it, so two findings of one band weigh about as much as one of the next: hint 1.35 times as often, low 2, medium 4, high 12. With the
shipped prior (-3: about one visitor in twenty is not what it seems) a hint or a low finding alone never holds anybody, one high finding holds
a lead, and a landing page needs a high finding and something beside it. `decisive` outweighs every cap and every trust; only it can reject.

These are starting points from judgement, not measured: `quality` is a score until weights have been fitted on labels.
"""

from __future__ import annotations

BANDS: dict[str, int] = {
    "none": 0,  # informative: shown, never counted
    "hint": 300,
    "low": 700,
    "medium": 1_400,
    "high": 2_500,
    "decisive": 8_000,  # something no real visitor produces
    "trust-hint": -300,
    "trust-low": -700,
    "trust-medium": -1_400,
}
"""Millis of log-odds by band; positive speaks for invalid traffic, negative for a person. There is no high trust: whatever can be shown, a
bot can learn to show."""

MAX_WEIGHT = 5_000
"""An explicit `weight:` lies within ±5.0; more is a decision, and decisions are spelled `decisive`."""

IVT_CLASSES = ("none", "givt", "sivt")

CATEGORIES = (
    "data center",
    "known crawler",
    "irregular pattern",
    "automated browsing",
    "false representation",
    "misleading user interface",
    "manipulated behaviour",
    "undisclosed incentive",
    "undisclosed",
)
"""Names of invalid-traffic categories as the Trustworthy Accountability Group words them."""

IVT_FLOOR_ACCEPTED = BANDS["high"]
"""An accepted visitor counts as invalid traffic only where findings of a class add up to this much."""

IVT_FLOOR_REVIEWED = BANDS["medium"]
"""The same where the score led to review: the doubt is already established, a medium finding names its kind."""


def in_words(millis: int) -> str:
    """Size of a log-odds change as the nearest band's name, for people: 1300 → "medium"."""
    size = abs(millis)
    names = ("hint", "low", "medium", "high")
    return min(names, key=lambda name: abs(BANDS[name] - size))

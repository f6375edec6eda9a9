"""Writes docs/reference/features.md from the tables of features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detectors.anomaly.feature_sets import FEATURES, NAMES
from detectors.anomaly.features import SCHEMA, Feature
from detectors.observation import Kind

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

_TITLES = {Kind.LANDING: "Page views", Kind.SUBMISSION: "Form posts"}
_SIDE = {"high": "more", "low": "less"}


def page(note: str, table: Table) -> str:
    parts = [
        "# Features of the anomaly model\n",
        note,
        "What the isolation forest of each site looks at, one number each ([what it is for](../operators/model.md)). All are read from the observation",
        "alone, so that a record is enough to compute them again. None holds a personal value, and none tells a name, a language, a country or the hour",
        "of day: what is rare at a site must not be suspicious because of where somebody comes from.\n",
        "- **unit, range**: as people read the value; what lies above the range counts as its end.",
        "- **suspicious**: the side that may be unusual. On the other side a value counts as the site's median: nobody is unusual for being slow or thorough.",
        "- **not known when**: the median of what the model learned from stands in, so that what is not known counts neither for nor against.",
        f"- Version of the feature sets: {SCHEMA}. Models of another version are refused and trained anew.\n",
    ]
    for kind, features in FEATURES.items():
        parts += [f"## {_TITLES[kind]}\n", f"{len(NAMES[kind])} features, in the order of the model's inputs.\n"]
        head = ("feature", "meaning", "unit", "range", "suspicious", "not known when")
        parts += [table(head, [row(feature) for feature in features]), ""]
    return "\n".join(parts)


def row(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.meaning,
        feature.unit,
        f"0 to {feature.most:,.0f}",
        _SIDE[feature.suspicious],
        feature.missing,
    )

"""Rules made again from the content that a generation stores, so that a record can be judged by the rules it was judged by."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from detectors.observation import Kind
from rules.expression import Expression, ExpressionError
from rules.pack import Composite, Pack
from rules.ruleset import Ruleset
from rules.weights import Weight

_SOURCE = "recorded"
_HOLE = re.compile(r"\{(\d)\}")


class NotRestorable(ValueError):
    """The content is of another version, or what it says is no longer understood."""


class _Weight(msgspec.Struct):
    millis: int
    band: str | None
    ivt: str
    category: str | None
    text: str
    sensitive: str | None = None


class _Composite(msgspec.Struct):
    name: str
    text: str
    on: tuple[str, ...]
    when: str
    remove: tuple[str, ...]
    replace: tuple[tuple[str, int], ...]
    add: tuple[tuple[str, int], ...]


class _Pack(msgspec.Struct):
    kind: Kind
    prior: int
    review_below: int
    undecided_below: int
    allow: tuple[str, ...]
    caps: dict[str, int]
    composites: tuple[_Composite, ...]


class _Content(msgspec.Struct):
    schema: int
    weights: dict[str, _Weight]
    packs: dict[str, _Pack]


def restored(content: Any) -> Ruleset:
    """content: what `Ruleset.content()` holds, decoded. Raises NotRestorable."""
    try:
        found = msgspec.convert(content, _Content, strict=False)
    except msgspec.ValidationError as error:
        raise NotRestorable(f"the stored rules cannot be read: {error}") from error
    if found.schema != 1:
        raise NotRestorable(f"the stored rules are of schema {found.schema}")
    weights = {
        name: Weight(
            name, name.partition(".")[0], w.millis, w.band, w.ivt, w.category, w.text, _SOURCE,
            len(set(_HOLE.findall(w.text))), sensitive=w.sensitive,
        )
        for name, w in found.weights.items()
    }  # fmt: skip
    try:
        packs = {name: _pack(name, pack, weights) for name, pack in found.packs.items()}
    except ExpressionError as error:
        raise NotRestorable(f"a stored condition is no longer understood: {error}") from error
    return Ruleset(weights, packs)


def _pack(name: str, pack: _Pack, weights: dict[str, Weight]) -> Pack:
    composites = tuple(
        Composite(c.name, _SOURCE, c.text, c.on, Expression(c.when, weights), c.remove, c.replace, c.add)
        for c in pack.composites
    )
    return Pack(
        name,
        pack.kind,
        pack.prior,
        pack.review_below,
        pack.undecided_below,
        frozenset(pack.allow),
        pack.caps,
        composites,
    )

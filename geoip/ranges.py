"""Labelled address ranges, flattened so that one binary search answers "which labels does this address carry".

Ranges of different sources overlap freely (a crawler's range lies inside a cloud's). They are cut into segments that
do not overlap, each holding the tuple of all labels that cover it; an address then costs one bisect whatever the
number of sources.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, Self

_Number = Callable[[Iterable[str]], int]

V4_BITS = 32
V6_BITS = 128


class LabelledRange(NamedTuple):
    """Addresses `first`..`last` (inclusive, as integers of `bits` bits: 32 or 128) that carry `label` ("kind:name")."""

    bits: int
    first: int
    last: int
    label: str


class Ranges:
    """Immutable: address integer → labels. Labels of one address stand in the order of `order` (kinds), then by
    name."""

    def __init__(self, ranges: Iterable[LabelledRange], order: Sequence[str] = ()) -> None:
        rank = {kind: place for place, kind in enumerate(order)}
        by_bits: dict[int, list[LabelledRange]] = {V4_BITS: [], V6_BITS: []}
        for entry in ranges:
            by_bits[entry.bits].append(entry)
        self._sets: list[tuple[str, ...]] = [()]
        known: dict[tuple[str, ...], int] = {(): 0}

        def number(active: Iterable[str]) -> int:
            labels = tuple(sorted(active, key=lambda label: (rank.get(label.partition(":")[0], len(rank)), label)))
            if labels not in known:
                known[labels] = len(self._sets)
                self._sets.append(labels)
            return known[labels]

        starts4, self._ids4 = _flatten(by_bits[V4_BITS], number)
        self._starts4 = array("L", starts4)  # machine words: a list of int objects would cost five times the memory
        self._starts6, self._ids6 = _flatten(by_bits[V6_BITS], number)

    def find(self, value: int, bits: int) -> tuple[str, ...]:
        """Labels of the address `value` (an integer of `bits` bits, 32 or 128); empty where no range holds it."""
        if bits == V4_BITS:
            return self._sets[self._ids4[bisect_right(self._starts4, value) - 1]]
        return self._sets[self._ids6[bisect_right(self._starts6, value) - 1]]

    def __len__(self) -> int:
        """Number of segments, gaps included."""
        return len(self._starts4) + len(self._starts6)

    @cached_property
    def content_hash(self) -> str:
        digest = hashlib.sha256()
        for starts, ids in ((self._starts4, self._ids4), (self._starts6, self._ids6)):
            for start, labels in zip(starts, ids, strict=True):
                digest.update(f"{start:x} {' '.join(self._sets[labels])}\n".encode())
        return digest.hexdigest()

    @classmethod
    def empty(cls) -> Self:
        return cls(())


def _flatten(ranges: Sequence[LabelledRange], number: _Number) -> tuple[list[int], array[int]]:
    """Segment starts and the label set of each; the first segment starts at 0, so that every address has one."""
    edges: list[tuple[int, int, str]] = []
    for _, first, last, label in ranges:
        edges.append((first, 1, label))
        edges.append((last + 1, -1, label))
    edges.sort()
    starts, ids = [0], array("H", [0])
    active: Counter[str] = Counter()
    for place, (at, change, label) in enumerate(edges):
        active[label] += change
        if not active[label]:
            del active[label]
        if place + 1 < len(edges) and edges[place + 1][0] == at:
            continue  # more begins or ends here
        labels = number(active)
        if starts[-1] == at:
            ids[-1] = labels
        elif labels != ids[-1]:
            starts.append(at)
            ids.append(labels)
    return starts, ids

"""Counting what is too various to count all of: bounded, and honest about it."""

from __future__ import annotations

import msgspec

from rules.verdict import Decision, Ivt, Verdict


class Classes(msgspec.Struct, gc=False):
    """Page views by class of traffic and by decision."""

    views: int = 0
    givt: int = 0
    sivt: int = 0
    undecided: int = 0
    review: int = 0
    reject: int = 0

    def add(self, verdict: Verdict) -> None:
        self.views += 1
        ivt, decision = verdict.ivt, verdict.decision
        if ivt is Ivt.GIVT:
            self.givt += 1
        elif ivt is Ivt.SIVT:
            self.sivt += 1
        elif ivt is Ivt.UNDECIDED:
            self.undecided += 1
        if decision is Decision.REVIEW:
            self.review += 1
        elif decision is Decision.REJECT:
            self.reject += 1

    def merge(self, other: Classes) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def valid(self) -> int:
        return self.views - self.givt - self.sivt - self.undecided

    @property
    def accept(self) -> int:
        return self.views - self.review - self.reject

    @property
    def invalid(self) -> int:
        return self.givt + self.sivt

    @property
    def net_of_givt(self) -> int:
        return self.views - self.givt

    @property
    def net_of_all(self) -> int:
        return self.views - self.givt - self.sivt


class Tops:
    """Counts by name, for at most `limit` names: beyond that the rarer half is forgotten, and `cut` says so. What is frequent stays exact
    enough: a name can lose no more than it had when it was rare."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._found: dict[str, Classes] = {}
        self.cut = False

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, name: str) -> Classes:
        found = self._found.get(name)
        if found is None:
            if len(self._found) >= self._limit:
                self._forget()
            found = self._found[name] = Classes()
        return found

    def _forget(self) -> None:
        kept = sorted(self._found.items(), key=lambda item: -item[1].views)[: self._limit // 2]
        self._found, self.cut = dict(kept), True

    def most(self, count: int, *, invalid: bool = False) -> list[tuple[str, Classes]]:
        """The most frequent names, by page views or by invalid page views (those without any left out); equals by name."""
        rows = [(name, c) for name, c in self._found.items() if c.invalid or not invalid]
        rows.sort(key=lambda row: (-(row[1].invalid if invalid else row[1].views), row[0]))
        return rows[:count]


class Counts:
    """The same for plain numbers."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._found: dict[str, int] = {}

    def add(self, name: str, by: int = 1) -> None:
        found = self._found
        if name not in found and len(found) >= self._limit:
            self._found = found = dict(sorted(found.items(), key=lambda item: -item[1])[: self._limit // 2])
        found[name] = found.get(name, 0) + by

    def most(self, count: int | None = None) -> list[tuple[str, int]]:
        return sorted(self._found.items(), key=lambda item: (-item[1], item[0]))[:count]

    def total(self) -> int:
        return sum(self._found.values())

"""Do a request's headers stand in an order, and are they spelled, as the browser it claims to be sends them?

There is no one order of a browser: it depends on whether a page is opened, reached through a redirect (as ad clicks
are), or a form is posted. The table is recorded from real browsers; see data/header_orders.yaml.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple, Self

from detectors.data_files import load

_OLDEST = {"chromium": 110, "firefox": 115}
"""First version that is held to the table. Older ones ordered some headers differently, and people still run them."""

_OLDEST_SCRIPT = {"chromium": 140, "firefox": 115}
"""The same for requests of scripts: until then Chrome sent their headers in an order that changed from version to version and from page to page."""

_SPELLED = frozenset(
    {"host", "connection", "user-agent", "accept-encoding", "referer", "upgrade-insecure-requests"}
    | {"sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"}
    | {"sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user"}
)
"""Headers whose spelling is compared: those that a page's script cannot spell itself."""


class Misplaced(NamedTuple):
    """`name` stands behind `after`, which no recorded order of the browser has; lower case."""

    name: str
    after: str


class Findings(NamedTuple):
    """`misplaced`: the first header out of order; `misspelled`: the first in a spelling the browser never uses
    ("Sec-Ch-Ua")."""

    misplaced: Misplaced | None
    misspelled: str | None


class HeaderOrders:
    """Immutable; answers are pure functions of names, the last ones remembered."""

    def __init__(self, table: Mapping[str, Any], content_hash: str) -> None:
        self.content_hash = content_hash
        self._sequences: dict[tuple[str, str], list[dict[str, int]]] = {
            (family, situation): [{name: place for place, name in enumerate(order)} for order in rows[situation]]
            for family, rows in table.items()
            for situation in ("get", "post", "script")
        }
        self._spelling = {family: frozenset(rows["names"]) for family, rows in table.items()}
        self.check = lru_cache(maxsize=4096)(self._check)
        """`check(family, situation, names) -> Findings`, see `_check`; remembers the last 4,096."""

    @classmethod
    @cache
    def builtin(cls) -> Self:
        (recorded, first), (older, second) = load("header_orders.yaml"), load("header_orders_older.yaml")
        table = {family: dict(rows) for family, rows in recorded.items()}
        for family, rows in older.items():
            for situation, sequences in rows.items():
                table[family][situation] = [*table[family][situation], *sequences]
        return cls(table, hashlib.sha256(f"{first}\n{second}".encode()).hexdigest())

    def knows(self, family: str, major: int, situation: str = "get") -> bool:
        """Is this version of the browser held to the table where it opens a page (get), posts a form (post), or a script asks (script)?"""
        oldest = _OLDEST_SCRIPT if situation == "script" else _OLDEST
        return family in self._spelling and major >= oldest[family]

    def _check(self, family: str, situation: str, names: tuple[str, ...]) -> Findings:
        """situation: get (a page is opened), post (a form is posted as a page), script. names: in received order and
        spelling.

        Headers that the table does not know may stand anywhere. What is misplaced is said of the recorded order that
        fits longest.
        """
        known = self._spelling[family]
        misspelled = next((name for name in names if name not in known and name.lower() in _SPELLED), None)
        lower = [name.lower() for name in names]
        best: tuple[int, Misplaced] | None = None
        for sequence in self._sequences[family, situation]:
            wrong = _first_wrong(sequence, lower)
            if wrong is None:
                return Findings(None, misspelled)
            if best is None or wrong[0] > best[0]:
                best = wrong
        return Findings(best[1] if best else None, misspelled)


def _first_wrong(sequence: Mapping[str, int], names: Sequence[str]) -> tuple[int, Misplaced] | None:
    last, last_name = -1, ""
    for place, name in enumerate(names):
        expected = sequence.get(name)
        if expected is None:
            continue
        if expected < last:
            return place, Misplaced(name, last_name)
        last, last_name = expected, name
    return None

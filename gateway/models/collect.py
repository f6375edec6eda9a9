"""Reads what a model is made from out of the store: features of accepted records, newest first, page by page; and of what people labelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.feature_sets import NAMES
from detectors.anomaly.reading import Values, vector
from detectors.observation import Kind, Observation
from gateway.evidence.record import decode, observation_of
from gateway.model import Label
from gateway.stores.labels import StoredLabel, in_effect
from gateway.stores.records import RecordFilter, Store, StoredEntry

PAGE = 500
MOST_LABELLED = 5_000
"""Labelled records of each side that are looked up one by one."""
LEAST_KNOWN = 0.6
"""Records of which fewer of the features are known, because their personal groups were erased, teach nothing."""

BAD = frozenset({Label.BOT, Label.JUNK})
GOOD = frozenset({Label.PERSON, Label.MQL, Label.SQL, Label.CUSTOMER})

Rows = NDArray[np.float32]
Told = Callable[[int], None]


class Collected(NamedTuple):
    """rows: n by features, NaN where not known; at: UTC microseconds; read: records looked at; accepted: those that could be learned from."""

    rows: Rows
    at: NDArray[np.int64]
    bad: Rows
    good: Rows
    read: int


class Labelled(NamedTuple):
    """Ids of records that people called bad, and good."""

    bad: frozenset[str]
    good: frozenset[str]


async def labelled(store: Store, since: int | None = None) -> Labelled:
    """What the labels in effect say; a record with labels of both sides is on neither, and not learned from."""
    bad, good = set[str](), set[str]()
    cursor: str | None = None
    begun: list[StoredLabel] = []  # labels of the record that the page before ended with
    while True:
        page = await store.labels(since=since, cursor=cursor)
        cursor = page.next_cursor
        for record, labels in groupby([*begun, *page.items], key=lambda label: label.record):
            begun = list(labels)
            if cursor is not None and page.items and record == page.items[-1].record:
                break
            said = {label.label for label in in_effect(begun)}
            for side, names in ((bad, BAD), (good, GOOD)):
                if said & names:
                    side.add(record)
            begun = []
        if cursor is None:
            break
    both = bad & good
    return Labelled(frozenset(bad - both), frozenset(good - both))


async def collect(
    store: Store, site: str, kind: Kind, newest: int, labels: Labelled, told: Told = lambda done: None
) -> Collected:
    """told: how many records were read so far."""
    rows: list[Values] = []
    at: list[int] = []
    read = 0
    async for observation, record_id in accepted(store, site, kind):
        read += 1
        if read % PAGE == 0:
            told(read)
        values = None if record_id in labels.bad else vector(observation)
        if values is not None and known(values) >= LEAST_KNOWN * len(values):
            rows.append(values)
            at.append(observation.at)
        if len(rows) >= newest:
            break
    told(read)
    bad, good = [await _of(store, site, kind, ids) for ids in (labels.bad, labels.good)]
    width = len(NAMES[kind])
    return Collected(_array(rows, width), np.array(at, np.int64), _array(bad, width), _array(good, width), read)


class _Accepted:
    """The accepted, valid, live records of a site and kind, newest first."""

    def __init__(self, store: Store, site: str, kind: Kind) -> None:
        self._store = store
        self._where = RecordFilter(kind=kind.value, verdict="accept", ivt="valid", site=site, source="live")
        self._cursor: str | None = None
        self._items: list[StoredEntry] = []
        self._done = False

    def __aiter__(self) -> _Accepted:
        return self

    async def __anext__(self) -> tuple[Observation, str]:
        while True:
            while not self._items:
                if self._done:
                    raise StopAsyncIteration
                page = await self._store.records(self._where, PAGE, self._cursor)
                self._items = list(reversed(page.items))
                self._cursor, self._done = page.next_cursor, page.next_cursor is None
            entry = self._items.pop()
            observation = observed(entry)
            if observation is not None:
                return observation, entry.id


def accepted(store: Store, site: str, kind: Kind) -> _Accepted:
    return _Accepted(store, site, kind)


def observed(entry: StoredEntry) -> Observation | None:
    """None for a record of another version, which cannot be read."""
    try:
        return observation_of(decode(entry.body), entry.personal)
    except (msgspec.MsgspecError, ValueError):
        return None


def known(values: Iterable[float]) -> int:
    return sum(value == value for value in values)


async def _of(store: Store, site: str, kind: Kind, ids: frozenset[str]) -> list[Values]:
    """Features of these records, the newest of them."""
    found: list[Values] = []
    for record_id in sorted(ids, reverse=True)[:MOST_LABELLED]:
        entry = await store.get_record(record_id)
        observation = None if entry is None or entry.type != "record" else observed(entry)
        if observation is not None and (observation.site, observation.kind) == (site, kind):
            found.append(vector(observation))
    return found


def _array(rows: list[Values], width: int) -> Rows:
    return np.array(rows, np.float32).reshape(len(rows), width)

"""Recorded observations with what is known of them, page by page, newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec

from detectors.observation import Observation
from gateway.evidence.record import Record, decode, observation_of
from gateway.labels.sides import Side, side_of
from gateway.stores.labels import StoredLabel
from gateway.stores.records import RecordFilter, Store, StoredEntry

PAGE = 200
"""Records held at once: about 4 kB each, decoded 20."""

MOST_LABELS = 2_000_000
"""Records with a label that are remembered, about 200 bytes each; beyond it the newest keep theirs."""


class Item(msgspec.Struct, frozen=True):
    """A record as it was judged. erased: a group of its personal values is gone, so that it cannot be judged again as it was."""

    record: Record
    observation: Observation
    erased: bool
    side: Side | None
    entry: StoredEntry


class Span(msgspec.Struct, frozen=True):
    """Which records. Times are UTC microseconds, since inclusive, until exclusive."""

    since: int | None = None
    until: int | None = None
    site: str | None = None

    def filter(self) -> RecordFilter:
        return RecordFilter(site=self.site, since=self.since, until=self.until)


async def sides(store: Store, span: Span, seen: Callable[[int], None] = lambda _: None) -> dict[str, Side]:
    """What the labels of each record say together, by record. seen: told how many labels were read."""
    found: dict[str, Side] = {}
    open_: list[StoredLabel] = []

    def close() -> None:
        side = side_of(open_)
        if open_ and side is not None:
            if len(found) >= MOST_LABELS:  # they come oldest first
                del found[next(iter(found))]
            found[open_[0].record] = side
        open_.clear()

    cursor: str | None = None
    while True:
        page = await store.labels(span.since, span.until, cursor)
        for label in page.items:
            if open_ and open_[0].record != label.record:
                close()
            open_.append(label)
        seen(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            close()
            return found


async def recorded(
    store: Store, span: Span, labelled: dict[str, Side], most: int | None = None
) -> AsyncIterator[Item | None]:
    """most: how many at most. None for one that cannot be read."""
    cursor: str | None = None
    given = 0
    while True:
        page = await store.records(span.filter(), PAGE, cursor)
        for entry in page.items:
            if most is not None and given >= most:
                return
            given += 1
            yield item_of(entry, labelled.get(entry.id))
        cursor = page.next_cursor
        if cursor is None:
            return


def item_of(entry: StoredEntry, side: Side | None) -> Item | None:
    """None for a record of another version, or a damaged one: it must not keep the others from being read."""
    try:
        record = decode(entry.body)
        erased = any(group not in entry.personal for group in record.digests)
        return Item(record, observation_of(record, entry.personal), erased, side, entry)
    except (msgspec.MsgspecError, ValueError):
        return None

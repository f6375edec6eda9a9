"""Labels as the store takes them in and gives them out: what a person or a CRM says a record was.

A label is an event of its record. A later one of the same source replaces the earlier in effect; the history stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.model import Label
from gateway.stores.records import StoredEvent

EVENT = "label"
OPERATOR_SOURCE = "review"
"""The source of labels that people give by hand, whether by command, console or API."""


class NewLabel(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written; no personal values.

    by        who says so: the name of a user, of a token, of a file
    source    where it comes from ("review", "csv", a configured CRM's name): one of each counts
    at        when it was so, UTC microseconds; the later of two counts
    value     of a customer, as decimal text ("1299.00"), in `currency` (ISO 4217)
    note      a few words; nothing personal
    ref       names the message it came in, so that it is not taken twice
    """

    label: Label
    by: str
    source: str
    at: int
    value: str | None = None
    currency: str | None = None
    note: str | None = None
    ref: str | None = None

    def data(self) -> dict[str, object]:
        """As the event holds it."""
        found = msgspec.to_builtins(self)
        assert isinstance(found, dict)
        return found


class StoredLabel(msgspec.Struct, frozen=True):
    """A label of a record; told_at: when the store learned of it, id: the event's."""

    record: str
    label: Label
    by: str
    source: str
    at: int
    told_at: int
    id: str
    value: str | None = None
    currency: str | None = None
    note: str | None = None
    ref: str | None = None


class LabelPage(msgspec.Struct, frozen=True):
    """In the order of the records' ids, which is that of their times; a record's labels stand together, oldest told
    first. A page may hold fewer than asked for, even none, and still a cursor to go on from; None on the last page.
    """

    items: tuple[StoredLabel, ...]
    next_cursor: str | None


class EventPage(msgspec.Struct, frozen=True):
    """The same for events of any name."""

    items: tuple[StoredEvent, ...]
    next_cursor: str | None


def label_of(event: StoredEvent) -> StoredLabel | None:
    """The label an event tells; None where it tells none, or one of a later version's list."""
    if event.event != EVENT:
        return None
    try:
        new = msgspec.convert(event.data, NewLabel)
    except msgspec.ValidationError:
        return None
    return StoredLabel(event.record, told_at=event.at, id=event.id, **msgspec.structs.asdict(new))


def labels_in(events: Iterable[StoredEvent]) -> tuple[StoredLabel, ...]:
    return tuple(label for event in events if (label := label_of(event)) is not None)


def in_effect(labels: Iterable[StoredLabel]) -> tuple[StoredLabel, ...]:
    """Of one record's labels, the latest of each source; by source name."""
    latest: dict[str, StoredLabel] = {}
    for label in sorted(labels, key=lambda each: (each.at, each.told_at, each.id)):
        latest[label.source] = label
    return tuple(latest[source] for source in sorted(latest))


def already(earlier: Sequence[Mapping[str, object]], new: NewLabel) -> bool:
    """Does what was told before (events' data, oldest first) say the same already? The same message, the same
    statement of the same time, or what is in effect anyway."""
    same = [told for told in earlier if told.get("source") == new.source]
    if new.ref is not None and any(told.get("ref") == new.ref for told in same):
        return True
    said = (new.label.value, new.value, new.currency)
    if any(_said(told) == said and told.get("at") == new.at for told in same):
        return True
    latest = max(same, key=_at, default=None)  # of equal times the first: then nothing is lost by saying it again
    return latest is not None and _said(latest) == said and _at(latest) <= new.at


def _said(told: Mapping[str, object]) -> tuple[object, object, object]:
    return told.get("label"), told.get("value"), told.get("currency")


def _at(told: Mapping[str, object]) -> int:
    at = told.get("at")
    return at if isinstance(at, int) else 0

"""Verification: are these entries what was written, all of them, in order?

Each writer's entries form one chain: every entry holds its number (seq) and the hash of the one before. Whoever
changes, removes or reorders an entry breaks
the chain at that place. What a chain alone cannot show is that its *last* entries were cut off, or that it was
rewritten as a whole by somebody who can
write to the store: for that, compare with a head (seq and hash) that was noted elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gateway.stores.canonical import SCHEMA, canonical, digest, salted_digest
from gateway.stores.records import FIRST_PREV, StoredEntry


class Head(msgspec.Struct, frozen=True):
    """How far a writer's chain was followed: from which seq to which, and the hash there."""

    first: int
    last: int
    hash: str


class Break(msgspec.Struct, frozen=True):
    """The first place that does not hold. `seq` and `id` are those the entry claims, where it has any; `why` is for
    people.
    """

    position: int
    writer: str
    seq: int
    id: str
    why: str


class ChainReport(msgspec.Struct, frozen=True):
    """checked: entries looked at, the broken one included; heads: by writer, as far as it holds; broken: None when
    all holds.
    """

    checked: int
    heads: dict[str, Head]
    broken: Break | None

    @property
    def ok(self) -> bool:
        return self.broken is None


class _Links(msgspec.Struct):
    """What every entry's canonical form has."""

    id: str
    prev_hash: str
    schema: int
    seq: int
    type: str
    writer: str
    digests: dict[str, str] = {}


_DECODER = msgspec.json.Decoder(_Links)


def verify(
    entries: Iterable[StoredEntry], *, from_start: bool = True, heads: Mapping[str, tuple[int, str]] | None = None
) -> ChainReport:
    """Follow the chains of `entries` (each writer's in order; writers may be mixed) and stop at the first place that
    does not hold.

    from_start  the first entry of each writer must be its seq 1; False for a part of a chain
    heads       seq and hash of writers' entries noted elsewhere: each must be found
    """
    checked = 0
    reached: dict[str, Head] = {}
    wanted = dict(heads or {})
    for entry in entries:
        checked += 1
        why = _wrong(entry, reached.get(entry.writer), from_start)
        head = wanted.get(entry.writer)
        if why is None and head is not None and head[0] == entry.seq:
            if head[1] != entry.hash:
                why = "its hash is not the one that was noted elsewhere: the chain was rewritten"
            else:
                del wanted[entry.writer]
        if why is not None:
            return ChainReport(checked, reached, Break(checked, entry.writer, entry.seq, entry.id, why))
        before = reached.get(entry.writer)
        reached[entry.writer] = Head(before.first if before else entry.seq, entry.seq, entry.hash)
    for writer, (seq, _) in wanted.items():
        why = f"the chain ends before its entry {seq}, which was noted elsewhere: entries were removed from its end"
        return ChainReport(checked, reached, Break(checked, writer, seq, "", why))
    return ChainReport(checked, reached, None)


def _wrong(entry: StoredEntry, before: Head | None, from_start: bool) -> str | None:
    """Why the entry does not hold, or None."""
    if digest(entry.body) != entry.hash:
        return "its content was changed: it does not match its hash"
    try:
        links = _DECODER.decode(entry.body)
        form = canonical(msgspec.json.decode(entry.body))
    except (msgspec.MsgspecError, ValueError):
        return "its content is no record or event"
    if form != entry.body:
        return "its content is not in canonical form"
    if links.schema != SCHEMA:
        return f"its schema is {links.schema}, this program knows {SCHEMA}"
    if (links.writer, links.seq, links.id, links.type) != (entry.writer, entry.seq, entry.id, entry.type):
        return "its columns do not say what its content says"
    return _out_of_line(links, before, from_start) or _wrong_personal(entry, links)


def _out_of_line(links: _Links, before: Head | None, from_start: bool) -> str | None:
    if before is None:
        if links.seq == 1 and links.prev_hash != FIRST_PREV:
            return "it claims to be the first entry and names one before it"
        if from_start and links.seq != 1:
            return f"the chain begins with entry {links.seq}: the {links.seq - 1} before it were removed"
        return None
    if links.seq == before.last:
        return f"the number {links.seq} is there twice"
    if links.seq < before.last:
        return f"it stands behind entry {before.last}: the order was changed"
    if links.seq > before.last + 1:
        return f"entries {before.last + 1} to {links.seq - 1} before it were removed, or the order was changed"
    if links.prev_hash != before.hash:
        return f"it was not written behind the entry {before.last} that stands there: that entry was replaced"
    return None


def _wrong_personal(entry: StoredEntry, links: _Links) -> str | None:
    for name, group in entry.personal.items():
        promised = links.digests.get(name)
        if promised is None:
            return f"it comes with personal values ({name}) that it knows nothing of"
        if salted_digest(group.salt, group.value) != promised:
            return f"its personal values ({name}) were changed"
    return None

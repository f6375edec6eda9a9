"""Where a report's numbers come from, said in the report itself."""

from __future__ import annotations

import msgspec


class Provenance(msgspec.Struct, frozen=True):
    """What stands at the head and the end of a report.

    title       for people: "access.log" or "Live traffic"
    facts       (label, value): lines read, files, generation, store
    notes       what a reader must know before he believes the numbers, most important first
    not_views   (what, how many): what was seen and is no page view
    unreadable  (why, how many)
    examples    (file, line number, why) of the first that could not be read
    credit      whom to name for the data that addresses were looked up in, "Name (https://…), Name (https://…)"
    made_at     when the report was made, for people
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    not_views: tuple[tuple[str, int], ...] = ()
    unreadable: tuple[tuple[str, int], ...] = ()
    examples: tuple[tuple[str, int, str], ...] = ()
    credit: str = ""
    made_at: str = ""

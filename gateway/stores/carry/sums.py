"""Are two stores the same in what one of them holds? Each side tells it in lines that it makes by itself; equal lines give equal sums.

What the second store holds besides (it may have been in use already) is left out.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from gateway.stores.records import PERSONAL_GROUPS

PAGE = 1000


class Side(Protocol):
    """One store. Each method gives a line for each row that is there, in the order of its key; the key is the line up to its first space."""

    async def entries(self, writer: str, after: int, until: int) -> list[str]:
        """Links of a chain, `after` exclusive, `until` inclusive: seq, id, hash, SHA-256 of the body."""

    async def leads(self, ids: Sequence[str]) -> list[str]:
        """id, state, SHA-256 of the sealed head and of each sealed piece (-: erased)."""

    async def personal(self, ids: Sequence[str]) -> list[str]:
        """id/group, SHA-256 of salt, look-up hashes and value."""

    async def jobs(self, leads: Sequence[str]) -> list[str]:
        """lead/time of the request, by, outcome."""


class Whole(Side, Protocol):
    """The side that says what is to be there."""

    async def chains(self) -> dict[str, tuple[int, int]]:
        """The first and the last number of each writer's chain here."""

    async def lead_ids(self, after: str, limit: int) -> list[str]: ...

    async def entry_ids(self, writer: str, after: int, until: int) -> list[str]: ...


class Part(msgspec.Struct, frozen=True):
    """One kind of rows. here, there: how many, of those that are here; sum_here, sum_there: SHA-256 over the lines; first: key of the first difference."""

    name: str
    here: int
    there: int
    sum_here: str
    sum_there: str
    first: str | None = None

    @property
    def same(self) -> bool:
        return self.sum_here == self.sum_there and self.here == self.there


class _Summing:
    def __init__(self, name: str) -> None:
        self._name = name
        self._here, self._there = hashlib.sha256(), hashlib.sha256()
        self._rows_here = self._rows_there = 0
        self._first: str | None = None

    def add(self, here: Sequence[str], there: Sequence[str]) -> None:
        for state, lines in ((self._here, here), (self._there, there)):
            state.update("".join(line + "\n" for line in lines).encode())
        self._rows_here += len(here)
        self._rows_there += len(there)
        if self._first is None and here != there:
            odd = sorted(set(here) ^ set(there))
            self._first = odd[0].partition(" ")[0] if odd else "the order"

    def part(self) -> Part:
        sums = self._here.hexdigest(), self._there.hexdigest()
        return Part(self._name, self._rows_here, self._rows_there, *sums, self._first)


async def compare(here: Whole, there: Side, on_row: Callable[[int], None] = lambda rows: None) -> tuple[Part, ...]:
    """Everything that `here` holds, against what `there` says of it. on_row: told how many rows were looked at since the last time."""
    parts = []
    personal = _Summing("personal values")
    for writer, (first, last) in sorted((await here.chains()).items()):
        chain = _Summing(f"chain {writer}")
        for after in range(first - 1, last, PAGE):
            until = min(after + PAGE, last)
            chain.add(await here.entries(writer, after, until), await there.entries(writer, after, until))
            ids = await here.entry_ids(writer, after, until)
            personal.add(await here.personal(ids), await there.personal(ids))
            on_row(until - after)
        parts.append(chain.part())
    leads, jobs = _Summing("leads"), _Summing("releases")
    after_id = ""
    while ids := await here.lead_ids(after_id, PAGE):
        leads.add(await here.leads(ids), await there.leads(ids))
        jobs.add(await here.jobs(ids), await there.jobs(ids))
        on_row(len(ids))
        after_id = ids[-1]
    return (*parts, personal.part(), leads.part(), jobs.part())


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class SqliteSide:
    """read: runs a function on a connection of the store."""

    def __init__(
        self,
        read: Callable[[Callable[[sqlite3.Connection], list[tuple[object, ...]]]], Awaitable[list[tuple[object, ...]]]],
    ) -> None:
        self._read = read

    async def _rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        return await self._read(lambda connection: connection.execute(statement, values).fetchall())

    async def _of(self, statement: str, ids: Iterable[str]) -> list[tuple[object, ...]]:
        return await self._rows(statement, msgspec.json.encode(list(ids)).decode())

    async def chains(self) -> dict[str, tuple[int, int]]:
        rows = await self._rows("SELECT writer, min(seq), max(seq) FROM entries GROUP BY writer")
        return {str(writer): (int(str(first)), int(str(last))) for writer, first, last in rows}

    async def lead_ids(self, after: str, limit: int) -> list[str]:
        rows = await self._rows("SELECT id FROM leads WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        return [str(found) for (found,) in rows]

    async def entry_ids(self, writer: str, after: int, until: int) -> list[str]:
        statement = "SELECT id FROM entries WHERE writer = ? AND seq > ? AND seq <= ? AND type = 'record' ORDER BY id"
        return [str(found) for (found,) in await self._rows(statement, writer, after, until)]

    async def entries(self, writer: str, after: int, until: int) -> list[str]:
        statement = "SELECT seq, id, hash, CAST(body AS BLOB) FROM entries WHERE writer = ? AND seq > ? AND seq <= ? ORDER BY seq"
        rows = await self._rows(statement, writer, after, until)
        return [f"{seq} {found} {digest} {_hex(body)}" for seq, found, digest, body in rows]  # type: ignore[arg-type]

    async def leads(self, ids: Sequence[str]) -> list[str]:
        pieces = {}
        for each in ids:  # one lead at a time: bodies are large
            rows = await self._rows("SELECT CAST(data AS BLOB) FROM lead_chunks WHERE lead = ? ORDER BY no", each)
            pieces[each] = ",".join(_hex(data) for (data,) in rows)  # type: ignore[arg-type]
        statement = (
            "SELECT id, state, CAST(head AS BLOB) FROM leads WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        return [
            f"{found} {state} {'-' if head is None else _hex(head)} {pieces[str(found)]}"  # type: ignore[arg-type]
            for found, state, head in await self._of(statement, ids)
        ]

    async def personal(self, ids: Sequence[str]) -> list[str]:
        lines = []
        for group in PERSONAL_GROUPS:
            statement = (
                f"SELECT e.id, CAST(p.salt AS BLOB), CAST(p.tokens AS BLOB), CAST(p.value AS BLOB) FROM personal_{group} AS p "  # noqa: S608
                "JOIN entries AS e ON e.n = p.n WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id"
            )
            rows = await self._of(statement, ids)
            lines += [f"{found}/{group} {_hex(salt + tokens + value)}" for found, salt, tokens, value in rows]  # type: ignore[operator]
        return lines

    async def jobs(self, leads: Sequence[str]) -> list[str]:
        statement = (
            "SELECT lead, requested_at, by, ifnull(outcome, 'open') FROM outbox WHERE lead IN (SELECT value FROM json_each(?)) "
            "ORDER BY lead, requested_at"
        )
        return [f"{lead}/{at} {by} {outcome}" for lead, at, by, outcome in await self._of(statement, leads)]

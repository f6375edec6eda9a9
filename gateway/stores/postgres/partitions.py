"""Partitions by day. A day's records are dropped at once, and a page over the newest ones looks at a day or two.

A UUIDv7 begins with its time, so that the tables that are asked by id are cut by id: a look-up touches one partition,
and the id alone is unique. The two tables that lists are made from are cut by time. Days long ago and far ahead, as a
wrong clock makes them, share one partition at each end, so that nothing can make partitions without bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from gateway.stores.postgres.connect import Connection, roll_back
from gateway.stores.postgres.errors import FAILURES, state_of

BY_ID = ("entries", "events", "personal_network", "personal_browser", "personal_person")
BY_TIME = ("records", "blind")
TABLES = (*BY_ID, *BY_TIME)

DAY_US = 86_400_000_000
FIRST = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp()) // 86_400
LAST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) // 86_400
"""Days with a partition of their own: from FIRST on, before LAST."""

AHEAD = 2
"""Days made before they come: a gateway that starts at midnight has them, and one night's trouble costs nothing."""

_LOCK_MS, _TRIES, _PAUSE_S = 500, 20, 0.1


def day_of(at: int) -> int | None:
    """The day (since 1970) of a time in microseconds; None where it shares a partition."""
    day = at // DAY_US
    return day if FIRST <= day < LAST else None


def day_of_id(raw: bytes) -> int | None:
    """The day in a UUIDv7."""
    return day_of(int.from_bytes(raw[:6], "big") * 1000)


def _id_bound(day: int) -> str:
    text = f"{day * 86_400_000:012x}"
    return f"'{text[:8]}-{text[8:]}-0000-0000-000000000000'"


def _bound(table: str, day: int) -> str:
    return _id_bound(day) if table in BY_ID else str(day * DAY_US)


def edges() -> tuple[str, ...]:
    """The partitions at both ends."""
    made = []
    for table in TABLES:
        first, last = _bound(table, FIRST), _bound(table, LAST)
        made += [
            f"CREATE TABLE {table}_before PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ({first})",
            f"CREATE TABLE {table}_after PARTITION OF {table} FOR VALUES FROM ({last}) TO (MAXVALUE)",
        ]
    return tuple(made)


def _name(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y%m%d")


def _statements(day: int) -> str:
    """Made aside, then attached: that holds up neither writers nor readers, as making it in place would."""
    return ";".join(
        f"CREATE TABLE {table}_{_name(day)} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION);"
        f"ALTER TABLE {table} ATTACH PARTITION {table}_{_name(day)} "
        f"FOR VALUES FROM ({_bound(table, day)}) TO ({_bound(table, day + 1)})"
        for table in TABLES
    )


class Partitions:
    """Which days are there, as far as this process knows."""

    def __init__(self) -> None:
        self._known: set[int | None] = {None}

    def missing(self, days: Iterable[int | None]) -> frozenset[int]:
        return frozenset(day for day in set(days) - self._known if day is not None)

    def forget(self) -> bool:
        """Somebody took one away. Was anything known?"""
        known, self._known = self._known, {None}
        return len(known) > 1

    async def make(self, connection: Connection, days: Iterable[int]) -> None:
        """Make sure of these days. Several gateways may do so at once. Raises FAILURES."""
        for day in sorted(self.missing(days)):
            for attempt in range(1, _TRIES + 1):
                try:
                    await _make(connection, day)
                    self._known.add(day)
                    break
                except FAILURES as error:
                    if connection.is_closed() or state_of(error) not in ("55P03", "40P01") or attempt == _TRIES:
                        raise
                    await asyncio.sleep(_PAUSE_S)


async def _make(connection: Connection, day: int) -> None:
    await connection.execute(f"BEGIN; SET LOCAL lock_timeout = {_LOCK_MS}")
    try:
        there = f"SELECT to_regclass('{TABLES[-1]}_{_name(day)}') IS NOT NULL"
        if not await connection.fetchval(there):
            # One maker at a time; whoever waited finds it made.
            await connection.execute("LOCK TABLE schema_version IN SHARE UPDATE EXCLUSIVE MODE")
            if not await connection.fetchval(there):
                await connection.execute(_statements(day))
        await connection.execute("COMMIT")
    except BaseException as error:
        await roll_back(connection, error)
        raise

"""What PostgreSQL says of the rows of another store: see gateway.stores.carry.sums. Sums of bodies are made by the server."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.stores.postgres.connect import Connection
from gateway.stores.records import PERSONAL_GROUPS


class PostgresSide:
    """On a connection of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def entries(self, writer: str, after: int, until: int) -> list[str]:
        rows = await self._connection.fetch(
            "SELECT e.seq, e.id, encode(e.hash, 'hex'), encode(sha256(e.body), 'hex') FROM entries AS e JOIN writers AS w ON w.id = e.writer "
            "WHERE w.name = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq",
            writer,
            after,
            until,
        )
        return [f"{seq} {found} {digest} {body}" for seq, found, digest, body in rows]

    async def leads(self, ids: Sequence[str]) -> list[str]:
        rows = await self._connection.fetch(
            "SELECT l.id, l.state, coalesce(encode(sha256(l.head), 'hex'), '-'), coalesce((SELECT string_agg(encode(sha256(c.data), 'hex'), ',' "
            "ORDER BY c.no) FROM lead_chunks AS c WHERE c.lead = l.id), '') FROM leads AS l WHERE l.id = ANY($1::text[]::uuid[]) ORDER BY l.id",
            list(ids),
        )
        return [f"{found} {state} {head} {pieces}" for found, state, head, pieces in rows]

    async def personal(self, ids: Sequence[str]) -> list[str]:
        lines = []
        for group in PERSONAL_GROUPS:
            rows = await self._connection.fetch(
                f"SELECT id, encode(sha256(salt || tokens || value), 'hex') FROM personal_{group} "  # noqa: S608 - constants
                "WHERE id = ANY($1::text[]::uuid[]) ORDER BY id",
                list(ids),
            )
            lines += [f"{found}/{group} {digest}" for found, digest in rows]
        return lines

    async def jobs(self, leads: Sequence[str]) -> list[str]:
        rows = await self._connection.fetch(
            "SELECT lead, requested_at, by, coalesce(outcome, 'open') FROM outbox WHERE lead = ANY($1::text[]::uuid[]) ORDER BY lead, requested_at",
            list(leads),
        )
        return [f"{lead}/{at} {by} {outcome}" for lead, at, by, outcome in rows]

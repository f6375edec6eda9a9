"""Releases waiting to be sent, shared by many gateways, as changes within a transaction.

A release is sent at most once for each time a person asks: where a worker took it and never said what became of it,
the origin may have it, so the job is closed as "delivery unknown" and the lead stays held. Workers take jobs past each
other's locks (SKIP LOCKED), so that none waits and no job is taken twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.model import LeadState
from gateway.stores.errors import IllegalTransition, UnknownLead
from gateway.stores.leads import ReleaseJob
from gateway.stores.operations import EventEntry
from gateway.stores.postgres.commit import Call, Transaction

MakeEvent = Callable[[str, str, Mapping[str, object]], EventEntry]
"""(record id, event, data) -> an event, now."""

UNKNOWN = "delivery unknown"
_RELEASABLE = (LeadState.HELD, LeadState.REJECTED, LeadState.REFUSED)
_AT_ONCE = 100
"""Jobs that are closed in one transaction, so that it stays short."""


def enqueue(lead_id: str, by: str, now: int, event: MakeEvent) -> Call:
    async def call(transaction: Transaction) -> None:
        state = (await transaction.states([lead_id])).get(lead_id)
        if state is None:
            raise UnknownLead(lead_id)
        if state not in _RELEASABLE:
            raise IllegalTransition(lead_id, state.value, "released", ())
        status = await transaction.connection.execute(
            "INSERT INTO outbox (lead, by, requested_at, due_at) VALUES ($1, $2, $3, $3) "
            "ON CONFLICT (lead) WHERE outcome IS NULL DO NOTHING",
            lead_id,
            by,
            now,
        )
        if status == "INSERT 0 1":
            asked = event(lead_id, "release.requested", {"by": by})
            await transaction.settle(lead_id, LeadState.HELD, "release requested", now, asked)

    return call


def claim(now: int, lease_us: int, event: MakeEvent) -> Call:
    async def call(transaction: Transaction) -> ReleaseJob | None:
        await expire(transaction, now, event)
        row = await transaction.connection.fetchrow(
            "UPDATE outbox SET leased_until = $2, leased_by = $3, attempt = attempt + 1 WHERE id = (SELECT id FROM outbox "
            "WHERE outcome IS NULL AND leased_until IS NULL AND due_at <= $1 ORDER BY due_at, id LIMIT 1 "
            "FOR UPDATE SKIP LOCKED) RETURNING id, lead, by, attempt",
            now,
            now + lease_us,
            transaction.head.id,
        )
        return None if row is None else ReleaseJob(row[0], str(row[1]), row[2], row[3], now + lease_us)

    return call


async def expire(transaction: Transaction, now: int, event: MakeEvent, *, own_leases: bool = False) -> None:
    """Close jobs whose lease ran out (at start: all that this writer took before, since that worker is gone)."""
    rows = await transaction.connection.fetch(
        "UPDATE outbox SET outcome = 'unknown' WHERE id IN (SELECT id FROM outbox WHERE outcome IS NULL AND "
        "(leased_until <= $1 OR ($2 AND leased_by = $3)) ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED) "
        "RETURNING lead",
        now,
        own_leases,
        transaction.head.id,
        _AT_ONCE,
    )
    leads = sorted(str(row["lead"]) for row in rows)
    if not leads:
        return
    states = await transaction.states(leads)
    for lead_id in leads:
        if states.get(lead_id) is LeadState.HELD:
            await transaction.settle(lead_id, LeadState.HELD, UNKNOWN, now, event(lead_id, "release.unknown", {}))


def result(
    job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None, now: int, event: MakeEvent
) -> Call:
    async def call(transaction: Transaction) -> None:
        connection = transaction.connection
        open_still = await connection.fetchval(
            "SELECT 1 FROM outbox WHERE id = $1 AND outcome IS NULL AND attempt = $2 FOR UPDATE", job.id, job.attempt
        )
        told = {"attempt": job.attempt, "status": status, "detail": detail}
        if delivered:  # a late answer counts, even where the job was closed meanwhile
            sent = event(job.lead_id, "release.delivered", told)
            await transaction.settle(job.lead_id, LeadState.DELIVERED, "", now, sent)
        elif open_still is not None:
            failed = event(job.lead_id, "release.failed", told)
            await transaction.settle(job.lead_id, LeadState.HELD, detail, now, failed)
        if not delivered and retry_at is not None and open_still is not None:
            await connection.execute(
                "UPDATE outbox SET leased_until = NULL, leased_by = NULL, due_at = $1 WHERE id = $2", retry_at, job.id
            )
        else:
            await connection.execute(
                "UPDATE outbox SET outcome = $1 WHERE id = $2 AND (outcome IS NULL OR $3)",
                "delivered" if delivered else "failed",
                job.id,
                delivered,
            )

    return call

"""Releases waiting to be sent, as changes within a transaction.

A release is sent at most once for each time a person asks: where a worker took it and never said what became of it,
the origin may have it, so the job
is closed as "delivery unknown" and the lead stays held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.model import LeadState
from gateway.stores.errors import IllegalTransition, UnknownLead
from gateway.stores.leads import ReleaseJob
from gateway.stores.operations import EventEntry
from gateway.stores.sqlite.commit import Call, Transaction

MakeEvent = Callable[[str, str, Mapping[str, object]], EventEntry]
"""(record id, event, data) -> an event, now."""

UNKNOWN = "delivery unknown"
_RELEASABLE = (LeadState.HELD, LeadState.REJECTED, LeadState.REFUSED)


def enqueue(lead_id: str, by: str, now: int, event: MakeEvent) -> Call:
    def call(transaction: Transaction) -> None:
        state = transaction.states([lead_id]).get(lead_id)
        if state is None:
            raise UnknownLead(lead_id)
        if state not in _RELEASABLE:
            raise IllegalTransition(lead_id, state.value, "released", ())
        cursor = transaction.connection.execute(
            "INSERT INTO outbox (lead, by, requested_at, due_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (lead_id, by, now, now),
        )
        if cursor.rowcount:
            asked = event(lead_id, "release.requested", {"by": by})
            transaction.settle(lead_id, LeadState.HELD, "release requested", now, asked)

    return call


def claim(now: int, lease_us: int, event: MakeEvent) -> Call:
    def call(transaction: Transaction) -> ReleaseJob | None:
        expire(transaction, now, event)
        row = transaction.connection.execute(
            "SELECT id, lead, by, attempt + 1 FROM outbox WHERE outcome IS NULL AND leased_until IS NULL AND due_at <= ? "
            "ORDER BY due_at, id LIMIT 1",
            (now,),
        ).fetchone()
        if row is None:
            return None
        job_id, lead_id, by, attempt = row
        job = ReleaseJob(job_id, lead_id, by, attempt, now + lease_us)
        transaction.connection.execute(
            "UPDATE outbox SET leased_until = ?, attempt = ? WHERE id = ?", (job.leased_until, job.attempt, job.id)
        )
        return job

    return call


def expire(transaction: Transaction, now: int, event: MakeEvent, *, all_leases: bool = False) -> None:
    """Close jobs whose lease ran out (at start: all leased jobs, since their worker is gone)."""
    rows = transaction.connection.execute(
        "SELECT id, lead FROM outbox WHERE outcome IS NULL AND (leased_until <= ? OR (? AND leased_until IS NOT NULL))",
        (now, all_leases),
    ).fetchall()
    for job_id, lead_id in rows:
        transaction.connection.execute("UPDATE outbox SET outcome = 'unknown' WHERE id = ?", (job_id,))
        if transaction.states([lead_id]).get(lead_id) is LeadState.HELD:
            transaction.settle(lead_id, LeadState.HELD, UNKNOWN, now, event(lead_id, "release.unknown", {}))


def result(
    job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None, now: int, event: MakeEvent
) -> Call:
    def call(transaction: Transaction) -> None:
        connection = transaction.connection
        open_still = connection.execute(
            "SELECT 1 FROM outbox WHERE id = ? AND outcome IS NULL AND attempt = ?", (job.id, job.attempt)
        ).fetchone()
        told = {"attempt": job.attempt, "status": status, "detail": detail}
        if delivered:  # a late answer counts, even where the job was closed meanwhile
            transaction.settle(job.lead_id, LeadState.DELIVERED, "", now, event(job.lead_id, "release.delivered", told))
        elif open_still is not None:
            transaction.settle(job.lead_id, LeadState.HELD, detail, now, event(job.lead_id, "release.failed", told))
        if not delivered and retry_at is not None and open_still is not None:
            connection.execute("UPDATE outbox SET leased_until = NULL, due_at = ? WHERE id = ?", (retry_at, job.id))
        else:
            connection.execute(
                "UPDATE outbox SET outcome = ? WHERE id = ? AND (outcome IS NULL OR ?)",
                ("delivered" if delivered else "failed", job.id, delivered),
            )

    return call

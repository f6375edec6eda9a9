"""What a CRM says became of leads: a signed JSON message, taken in only when it is durable.

A message is one object or a list of at most MAX_ITEMS: `{"lead_id" or "email", "outcome", "value", "currency", "at"}`. The same message twice is
taken once: its id stands in every label it made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from uuid import UUID

import msgspec

from gateway.config.outcomes import OutcomeSource
from gateway.labels.signatures import Unsigned, verify
from gateway.labels.statement import BadLabel, contact_terms, moment, statement
from gateway.log import seldom
from gateway.metrics import Metrics
from gateway.model import Label
from gateway.stores.errors import UnknownRecord
from gateway.stores.labels import NewLabel, labels_in
from gateway.stores.records import Store

MAX_BYTES = 256 * 1024
MAX_ITEMS = 500
"""A batch of CRMs is 100 or 200; more is split by the sender."""

SAME_ADDRESS = 10
"""Leads of one address, the newest, among which the one is looked for that a message has labelled before."""

PER_SECOND, BURST = 20.0, 100.0
"""Messages of a source that one process takes: each may hold MAX_ITEMS, and each costs a commit."""


class Answer(msgspec.Struct, frozen=True):
    """What the sender is told: status, and a JSON object; a problem (RFC 9457) where status is no 2xx."""

    status: int
    body: dict[str, object]
    retry_after: int | None = None


class _Item(msgspec.Struct):
    outcome: str
    lead_id: str | None = None
    email: str | None = None
    value: str | int | float | None = None
    currency: str | None = None
    at: str | int | None = None


class _Bucket:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._left, self._at = clock, BURST, clock()

    def take(self) -> bool:
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Outcomes:
    """Takes messages in; one for the process. The settings come with each call."""

    def __init__(
        self, store: Store, environ: Mapping[str, str], metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._environ, self._metrics, self._clock = store, environ, metrics, clock
        self._buckets: dict[str, _Bucket] = {}

    async def take(self, source: OutcomeSource, fields: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        """Raises StoreUnavailable: then nothing is promised, and the sender tries again."""
        try:
            message, signed_at = verify([self._environ.get(name, "") for name in source.secret_env], fields, body)
        except Unsigned as error:
            self._metrics.count("leadgate_outcomes", source.source, "unsigned")
            seldom("outcome refused", source.source, source=source.source, reason=str(error))
            return problem(401, "Not authorized", "The message is not signed as it must be.")
        # Only what is signed counts: nobody else can use up what a sender may send.
        if not self._buckets.setdefault(source.source, _Bucket(self._clock)).take():
            self._metrics.count("leadgate_outcomes", source.source, "throttled")
            wait = f"Send at most {PER_SECOND:g} messages a second; put several outcomes in one."
            return problem(429, "Too many messages", wait, 5)
        try:
            items = _items(body)
        except (msgspec.MsgspecError, RecursionError) as error:
            self._metrics.count("leadgate_outcomes", source.source, "malformed")
            why = error if isinstance(error, msgspec.MsgspecError) else "it is nested too deeply"
            return problem(400, "Not understood", f"The body is a JSON object, or a list of them: {why}.")
        if len(items) > MAX_ITEMS:
            self._metrics.count("leadgate_outcomes", source.source, "malformed")
            return problem(413, "Too many outcomes", f"A message holds at most {MAX_ITEMS}; send the rest in others.")
        told, errors = self._understood(source, items, message, signed_at)
        if errors:
            self._metrics.count("leadgate_outcomes", source.source, "malformed")
            refused = problem(400, "Not understood", "Nothing of this message was taken; see errors.")
            refused.body["errors"] = errors[:100]
            return refused
        return Answer(200, dict(await self._keep(source, items, told)))

    def _understood(
        self, source: OutcomeSource, items: list[_Item], message: str, signed_at: int
    ) -> tuple[list[NewLabel | None], list[dict[str, str]]]:
        """A label for each item, None where its stage means nothing to us; and what is wrong."""
        told: list[NewLabel | None] = []
        errors: list[dict[str, str]] = []
        for number, item in enumerate(items):
            label = source.label_of(item.outcome)
            if not item.lead_id and not contact_terms(item.email, None):
                errors.append({"field": f"[{number}]", "detail": "lead_id or email says whom it is about"})
            if label is None:
                told.append(None)
                continue
            sold = label == Label.CUSTOMER  # other stages may carry what is hoped for
            try:
                at = _time(item.at, signed_at)
                ref = hashlib.sha256(f"{message}\n{number}".encode()).hexdigest()[:32]
                told.append(
                    statement(
                        label,
                        by="outcomes",
                        source=source.source,
                        at=at,
                        value=item.value if sold else None,
                        currency=item.currency if sold else None,
                        ref=ref,
                    )
                )
            except BadLabel as error:
                errors += [{"field": f"[{number}].{field}", "detail": what} for field, what in error.problems]
            except (ValueError, OverflowError):
                errors.append(
                    {"field": f"[{number}].at", "detail": "write 2026-11-22T09:30:00Z, or seconds since 1970"}
                )
        return told, errors

    async def _keep(self, source: OutcomeSource, items: list[_Item], told: list[NewLabel | None]) -> dict[str, int]:
        counts = dict.fromkeys(("taken", "known", "unknown_lead", "unmapped"), 0)
        for item, label in zip(items, told, strict=True):
            if label is None:
                result = "unmapped"
            elif (record := await self._whose(item, label)) is None:
                result = "unknown_lead"
            else:
                try:
                    result = "taken" if await self._store.label(record, label) else "known"
                except UnknownRecord:
                    result = "unknown_lead"
            counts[result] += 1
            self._metrics.count("leadgate_outcomes", source.source, result)
        if counts["unmapped"]:
            seldom("outcome unmapped", source.source, source=source.source, items=counts["unmapped"])
        return counts

    async def _whose(self, item: _Item, label: NewLabel) -> str | None:
        """An id first; else the lead that this very message labelled before, else the newest one with this address."""
        if item.lead_id:
            try:
                return str(UUID(item.lead_id))
            except ValueError:
                return None
        for term in contact_terms(item.email, None):
            found = await self._store.find(term, SAME_ADDRESS)
            for record in found if len(found) > 1 else ():  # sent again, after somebody wrote once more
                told = labels_in(await self._store.events(record))
                if any((each.source, each.ref) == (label.source, label.ref) for each in told):
                    return record
            if found:
                return found[0]
        return None


def _items(body: bytes) -> list[_Item]:
    if body.lstrip()[:1] == b"[":
        return msgspec.json.decode(body, type=list[_Item])
    return [msgspec.json.decode(body, type=_Item)]


def _time(at: str | int | None, signed_at: int) -> int:
    """Raises ValueError, OverflowError."""
    if at is None:
        return signed_at * 1_000_000
    return at * 1_000_000 if isinstance(at, int) else moment(at)


def problem(status: int, title: str, detail: str, retry_after: int | None = None) -> Answer:
    return Answer(status, {"type": "about:blank", "title": title, "status": status, "detail": detail}, retry_after)

"""Records and leads as JSON, the same for the API and for `--json` on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from detectors.behaviour import Company
from gateway.evidence.record import Record, decode
from gateway.feeds.reading import credit
from gateway.stores.labels import in_effect, labels_in
from gateway.stores.leads import Conservation, StoredLead
from gateway.stores.records import Personal, StoredEntry, StoredEvent
from geoip.network import Network
from rules.explain import Explanation, explain, headline

Json = dict[str, Any]


def when(microseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-11-22T09:30:00.250Z."""
    moment = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_summary(entry: StoredEntry) -> Json:
    """One line of a list: what was decided and the strongest reasons, nothing personal."""
    record = decode(entry.body)
    verdict = record.verdict
    network = record.facts.network if isinstance(record.facts.network, Network) else Network()
    against = sorted((r for r in verdict.reasons if r.counted > 0), key=lambda r: -r.counted)
    return {
        "id": record.id,
        "kind": record.kind,
        "site": record.site,
        "form": record.form,
        "occurred_at": when(record.occurred_at),
        "path": record.facts.page.path,
        "campaign": record.facts.page.campaign,
        "verdict": verdict.decision,
        "quality": verdict.quality,
        "confidence": verdict.confidence,
        "ivt": verdict.ivt,
        "category": verdict.category,
        "headline": headline(verdict, record.kind, record.mode),
        "reasons": [{"signal": r.signal, "text": r.text, "counted": r.counted / 1000} for r in against],
        "country": network.country,
        "asn": network.asn,
        "organisation": network.organisation,
        "source": record.source,
    }


def explanation_of(record: Record) -> Explanation:
    network = record.facts.network if isinstance(record.facts.network, Network) else None
    company = record.facts.company if isinstance(record.facts.company, Company) else None
    return explain(
        record.verdict, record.kind, generation=record.generation, mode=record.mode, network=network, company=company
    )


def data_of(content: bytes | None) -> Json | None:
    """What a generation looked addresses up in, with the day of the data and whom to name; None where it does not say."""
    told = msgspec.json.decode(content).get("networks") if content is not None else None
    return told | {"credit": credit(told)} if isinstance(told, dict) else None


def record_detail(
    entry: StoredEntry, events: Sequence[StoredEvent], lead: StoredLead | None, generation: bytes | None = None
) -> Json:
    """Everything about one record: facts and what could not be had, signals with evidence and weight, what decided, and its place in the chain.

    generation: the content of the generation it was judged by, as stored.
    Weights and scores are log-odds in thousandths ("millis"), as recorded.
    """
    record = decode(entry.body)
    whole: Json = msgspec.to_builtins(record)
    explanation = explanation_of(record)
    return {
        "id": record.id,
        "kind": record.kind,
        "site": record.site,
        "form": record.form,
        "route": record.route,
        "mode": record.mode,
        "source": record.source,
        "occurred_at": when(record.occurred_at),
        "recorded_at": when(record.recorded_at),
        "answered": whole["answered"],
        "verdict": record.verdict.decision,
        "quality": record.verdict.quality,
        "confidence": record.verdict.confidence,
        "ivt": record.verdict.ivt,
        "category": record.verdict.category,
        "decided_by": record.verdict.decided_by,
        "score": record.verdict.score,
        "reasons": whole["verdict"]["reasons"],
        "groups": whole["verdict"]["groups"],
        "composites": whole["verdict"]["composites"],
        "unavailable": [{"fact": fact, "reason": reason} for fact, reason in record.verdict.unavailable],
        "nearest_change": record.verdict.nearest,
        "signals": whole["signals"],
        "facts": whole["facts"],
        "generation": record.generation,
        "networks": data_of(generation),
        "explanation": {
            "headline": explanation.headline,
            "sections": [{"key": s.key, "title": s.title, "lines": list(s.lines)} for s in explanation.sections],
        },
        "personal": personal(entry.personal, record.digests),
        "events": [event(e) for e in events],
        "labels": labels(events),
        "lead": None if lead is None else lead_summary(lead),
        "chain": {"writer": entry.writer, "seq": entry.seq, "prev_hash": record.prev_hash, "hash": entry.hash},
    }


def personal(groups: Mapping[str, Personal], digests: Mapping[str, str]) -> Json:
    """The personal groups that a record names: the values, or null where they were erased."""
    return {name: msgspec.json.decode(groups[name].value) if name in groups else None for name in digests}


def event(found: StoredEvent) -> Json:
    return {"id": found.id, "at": when(found.at), "event": found.event, "data": found.data}


def labels(events: Sequence[StoredEvent]) -> list[Json]:
    """The labels that count: the latest of each source."""
    return [
        {
            "label": found.label,
            "source": found.source,
            "by": found.by,
            "at": when(found.at),
            "value": found.value,
            "currency": found.currency,
            "note": found.note,
        }
        for found in in_effect(labels_in(events))
    ]


def label_lines(events: Sequence[StoredEvent]) -> list[str]:
    """The same for people: "customer 1299.00 EUR (crm, 2026-11-22)"."""
    lines = []
    for found in in_effect(labels_in(events)):
        value = f" {found.value} {found.currency}" if found.value else ""
        lines.append(f"{found.label}{value} ({found.source}, {found.by}, {when(found.at)[:10]})")
    return lines


def lead_summary(lead: StoredLead) -> Json:
    return {
        "id": lead.id,
        "site": lead.site,
        "form": lead.form,
        "received_at": when(lead.received_at),
        "state": lead.state,
        "state_since": when(lead.state_at),
        "note": lead.note,
        "length": lead.length,
        "content_type": lead.content_type,
        "releasing": lead.releasing,
    }


def conservation(found: Conservation) -> Json:
    return {
        "received": found.received,
        "states": found.by_state,
        "unjournaled": found.unjournaled,
        "holds": found.holds,
    }

"""The part of the OpenAPI document about records: a line of the list, and one record with all that explains it."""

from __future__ import annotations

from typing import Any

from gateway.console.openapi_labels import LABELS

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_MAYBE: Json = {"type": ["string", "null"]}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_TIME: Json = {"type": "string", "format": "date-time"}
_PERCENT: Json = {"type": "integer", "minimum": 0, "maximum": 100}
_MILLIS: Json = {"type": "integer", "description": "Log-odds in thousandths; positive speaks against the visitor."}
_STRENGTH: Json = {"type": "integer", "minimum": 0, "maximum": 1000, "description": "Thousandths."}


def _object(description: str, **properties: Json) -> Json:
    return {"type": "object", "description": description, "properties": properties}


def _list(description: str, **properties: Json) -> Json:
    return {"type": "array", "description": description, "items": {"type": "object", "properties": properties}}


_BOTH: Json = {
    "id": _TEXT,
    "kind": {"type": "string", "enum": ["landing", "submission"]},
    "site": _TEXT,
    "form": _MAYBE | {"description": "Name of the form; null for a page view."},
    "occurred_at": _TIME | {"description": "When the request came."},
    "source": {"type": "string", "enum": ["live", "replay"]},
    "verdict": {"type": "string", "enum": ["accept", "review", "reject"]},
    "quality": _PERCENT | {"description": "100 is best; a score, not a probability."},
    "confidence": _PERCENT | {"description": "Share of the expected facts that could be had."},
    "ivt": {"type": "string", "enum": ["valid", "givt", "sivt", "undecided"], "description": "Class of traffic."},
    "category": _MAYBE | {"description": "Kind of invalid traffic."},
}

SUMMARY: Json = _BOTH | {
    "path": _TEXT | {"description": "Path of the page, without query."},
    "campaign": {"type": "object", "additionalProperties": _TEXT, "description": "Campaign parameters of the address."},
    "headline": _TEXT | {"description": "The verdict in one sentence."},
    "reasons": _list(
        "What spoke against it, strongest first.",
        signal=_TEXT,
        text=_TEXT,
        counted={"type": "number", "description": "Log-odds it added; here as a decimal number."},
    ),
    "country": _MAYBE | {"description": "Two letters, where a database tells it."},
    "asn": {"type": ["integer", "null"]},
    "organisation": _MAYBE | {"description": "Who announces the visitor's network."},
}

RECORD: Json = _BOTH | {
    "route": _MAYBE | {"description": "The landing page's path in the settings, or the form's name."},
    "mode": {"type": "string", "enum": ["monitor", "tag", "enforce"], "description": "The site's mode then."},
    "recorded_at": _TIME,
    "answered": {
        "type": ["object", "null"],
        "description": "What the visitor got; null for forms, whose events tell it, and for replays.",
        "properties": {
            "status": {"type": "integer", "description": "0: not known."},
            "by": {"type": "string", "enum": ["origin", "gateway", "auth", "assess"]},
        },
    },
    "decided_by": _TEXT | {"description": "The threshold, signal or list that settled it."},
    "score": _MILLIS,
    "reasons": _list(
        "Every signal and what became of it.",
        signal=_TEXT,
        group=_TEXT,
        text=_TEXT,
        evidence=_TEXTS,
        strength=_STRENGTH,
        weight=_MILLIS,
        counted=_MILLIS | {"description": "What it added, in thousandths, before the cap of its group."},
        source=_TEXT | {"description": "Who set the weight: file and line."},
        decisive={"type": "boolean"},
        ivt=_TEXT,
        category=_MAYBE,
        changed_by=_MAYBE | {"description": "The composite rule that removed, replaced or added it."},
    ),
    "groups": _list(
        "Sums of signals that belong together, before and after the cap.",
        group=_TEXT,
        total=_MILLIS,
        cap={"type": ["integer", "null"]},
        counted=_MILLIS,
    ),
    "composites": _list("Composite rules that matched.", name=_TEXT, source=_TEXT, effects=_TEXTS, text=_TEXT),
    "unavailable": _list("What could not be had, and why.", fact=_TEXT, reason=_TEXT),
    "nearest_change": _TEXT | {"description": "The smallest change that would have altered the verdict."},
    "signals": _list("As recorded.", id=_TEXT, evidence=_TEXTS, strength=_STRENGTH),
    "facts": {
        "type": "object",
        "description": "All facts but the personal ones, as docs/reference/records.md has them.",
    },
    "generation": _TEXT | {"description": "What it was judged by: settings, rules, lists, models."},
    "networks": {
        "type": ["object", "null"],
        "description": "What addresses were looked up in then, with the day of the data; null where that is not kept.",
        "properties": {
            "credit": _TEXT | {"description": "Whom to name where countries or organisations are shown."},
            "databases": _list("Databases.", name=_TEXT, type=_TEXT, date=_TEXT, attribution=_TEXT),
            "feeds": {"type": "array", "items": {"type": "object"}},
        },
    },
    "explanation": _object(
        "The verdict for people.",
        headline=_TEXT,
        sections=_list("In order.", key=_TEXT, title=_TEXT, lines=_TEXTS),
    ),
    "personal": {
        "type": "object",
        "description": "Groups of personal values (network, browser, person); null where a group was erased.",
        "additionalProperties": {"type": ["object", "null"]},
    },
    "events": _list("What became of it later.", id=_TEXT, at=_TIME, event=_TEXT, data={"type": "object"}),
    "labels": LABELS,
    "lead": {"anyOf": [{"$ref": "#/components/schemas/Lead"}, {"type": "null"}]},
    "chain": _object(
        "Its place among the records of its writer.", writer=_TEXT, seq={"type": "integer"}, prev_hash=_TEXT, hash=_TEXT
    ),
}
EVENTS: Json = RECORD["events"]

"""The part of the OpenAPI document about labels and what they teach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.model import Label

Json = dict[str, Any]

_NUMBER: Json = {"type": ["number", "null"]}
LABEL: Json = {"type": "string", "enum": [label.value for label in Label]}
LABELS: Json = {
    "type": "array",
    "description": "The latest label of each source.",
    "items": {
        "type": "object",
        "properties": {
            "label": LABEL,
            "source": {"type": "string"},
            "by": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
            "value": {"type": ["string", "null"]},
            "currency": {"type": ["string", "null"]},
            "note": {"type": ["string", "null"]},
        },
    },
}


def paths(operation: Callable[..., Json], answer: Callable[[str, str], Json], record: Json, times: list[Json]) -> Json:
    body = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewLabel"}}},
    }
    found: Json = {
        f"/api/v1/{what}/{{id}}/label": {
            "post": operation(
                f"Say what {said} was; the same twice is once",
                name,
                answer("Durable; the labels that count now.", "Labelled"),
                parameters=[record],
                requestBody=body,
            )
        }
        for what, said, name in (("leads", "a lead", "labelLead"), ("records", "a record", "labelRecord"))
    }
    return found | {
        "/api/v1/reports/false-positives": {
            "get": operation(
                "How often holding is wrong, measured on hold-outs",
                "getFalsePositives",
                answer("The estimate, with its interval.", "FalsePositives"),
                parameters=times,
            )
        }
    }


_ESTIMATE: Json = {
    "held_out": {"type": "integer", "description": "Forwarded although they would have been held."},
    "followed": {"type": "integer", "description": "Of these, with a label."},
    "good": {"type": "integer", "description": "Of these, people."},
    "rate": _NUMBER | {"description": "good / followed; null where nothing is followed."},
    "low": _NUMBER | {"description": "95 % Wilson interval of the rate."},
    "high": _NUMBER,
    "stand_for": {"type": "number", "description": "Would-be holds that the hold-outs stand for."},
    "good_lost": _NUMBER | {"description": "Good leads among those that were held (Horvitz-Thompson)."},
    "good_lost_low": _NUMBER,
    "good_lost_high": _NUMBER,
}
SCHEMAS: Json = {
    "NewLabel": {
        "type": "object",
        "required": ["label"],
        "additionalProperties": False,
        "properties": {
            "label": LABEL,
            "by": {"type": "string", "maxLength": 100},
            "value": {"type": ["string", "number"], "description": "Of a customer, like 1299.00."},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "note": {"type": "string", "maxLength": 200, "description": "Nothing personal: it can never be erased."},
            "at": {"type": "string", "description": "When it was so. Left out: now."},
        },
    },
    "Labelled": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "added": {"type": "boolean", "description": "false: this was said before."},
            "labels": LABELS,
        },
    },
    "FalsePositives": {
        "type": "object",
        "properties": _ESTIMATE
        | {
            "forms": {
                "type": "array",
                "items": {"type": "object", "properties": {"form": {"type": "string"}} | _ESTIMATE},
            }
        },
    },
}

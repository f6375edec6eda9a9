"""The OpenAPI description of the two endpoints that decide for others: forward-auth and assess."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.console.assess_body import MAX_BODY, MAX_HEADERS, MAX_ITEMS, MAX_KEY, MAX_URL
from gateway.intake.pointer import MAX_EVENTS

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_MAYBE: Json = {"type": ["string", "null"]}
_PERCENT: Json = {"type": "integer", "minimum": 0, "maximum": 100}
_PAIRS: Json = {
    "type": "array",
    "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
}

_QUESTION: Json = {
    "type": "object",
    "description": "One request to judge. What is left out counts neither for nor against the visitor.",
    "required": ["ip"],
    "additionalProperties": False,
    "properties": {
        "ip": {"type": "string", "description": "The visitor's address."},
        "site": {
            "type": "string",
            "description": "Name of the site; else the one that the host in `url` or `headers` belongs to, or the only one.",
        },
        "form": {
            "type": "string",
            "description": "Name of the form; else the one that `url` leads to, or the site's only one.",
        },
        "kind": {
            "type": "string",
            "enum": ["landing", "submission"],
            "description": "Left out: a submission where there is a form or fields, else a landing.",
        },
        "method": {"type": "string", "maxLength": 20},
        "url": {
            "type": "string",
            "maxLength": MAX_URL,
            "description": "Whole, or path and query; click id and campaign are read from it as they stand.",
        },
        "headers": _PAIRS
        | {
            "maxItems": MAX_HEADERS,
            "description": "The request's headers as [name, value], duplicates kept. With `Host` among them they are taken for all "
            "there were, so that a missing one can speak against the visitor; without it they are taken for a selection.",
        },
        "fields": {
            "anyOf": [{"type": "object"}, _PAIRS],
            "description": "The form's fields: an object (nested as in a JSON form), or [name, value] in the order received.",
        },
        "session": {
            "type": "string",
            "maxLength": 512,
            "description": "An id of your own for the visitor's session, or the value of the cookie `_lg_s`. Kept as a keyed hash.",
        },
        "beacon": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "pointer": {
                    "type": "array",
                    "maxItems": MAX_EVENTS,
                    "items": {
                        "type": "array",
                        "prefixItems": [
                            {"type": "number"},
                            {"enum": ["move", "down", "up"]},
                            {"type": "number"},
                            {"type": "number"},
                        ],
                        "minItems": 4,
                        "maxItems": 4,
                    },
                    "description": "Events of the pointer as [milliseconds, kind, x, y] in the order of their time, x and y in CSS pixels. A few "
                    "numbers are made of them and kept; the path is not.",
                }
            },
            "description": "What a script of yours saw in the visitor's browser.",
        },
        "idempotency_key": {
            "type": "string",
            "maxLength": MAX_KEY,
            "description": "The same key for the same site within 24 hours gives the same answer and makes one record; with another body it is "
            "refused (409).",
        },
        "dry_run": {"type": "boolean", "description": "Judge as if: nothing is counted and nothing recorded."},
    },
}

_ASSESSMENT: Json = {
    "type": "object",
    "description": "The verdict and all that explains it.",
    "properties": {
        "id": {"type": "string", "description": "Id of the record."},
        "kind": {"type": "string", "enum": ["landing", "submission"]},
        "site": _TEXT,
        "form": _MAYBE,
        "mode": {
            "type": "string",
            "enum": ["monitor", "tag", "enforce"],
            "description": "The site's; acting is yours.",
        },
        "verdict": {"type": "string", "enum": ["accept", "review", "reject"]},
        "quality": _PERCENT | {"description": "100 is best; a score, not a probability."},
        "confidence": _PERCENT | {"description": "Share of the expected facts that could be had."},
        "ivt": {"type": "string", "enum": ["valid", "givt", "sivt", "undecided"]},
        "category": _MAYBE,
        "decided_by": {"type": "string", "description": "The threshold, signal or list that settled it."},
        "reasons": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "signal": _TEXT,
                    "text": _TEXT,
                    "evidence": {"type": "array", "items": _TEXT},
                    "counted": {
                        "type": "number",
                        "description": "Log-odds it added; positive speaks against the visitor.",
                    },
                    "decisive": {"type": "boolean"},
                },
            },
        },
        "unavailable": {
            "type": "array",
            "description": "What could not be had, and why.",
            "items": {"type": "object", "properties": {"fact": _TEXT, "reason": _TEXT}},
        },
        "nearest_change": {"type": "string", "description": "The smallest change that would have altered the verdict."},
        "generation": _TEXT,
        "headers": {
            "type": "object",
            "additionalProperties": _TEXT,
            "description": "The X-Lead-* headers that the gateway would have added for the origin; none in `monitor`.",
        },
        "dry_run": {"type": "boolean"},
    },
}

SCHEMAS: Json = {
    "Question": _QUESTION,
    "Assessment": _ASSESSMENT,
    "Batch": {
        "type": "object",
        "required": ["items"],
        "additionalProperties": False,
        "properties": {
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_ITEMS,
                "items": {"$ref": "#/components/schemas/Question"},
            }
        },
    },
    "Assessments": {
        "type": "object",
        "description": "One answer for each item, in order: an assessment, or the problem with that item.",
        "properties": {
            "items": {
                "type": "array",
                "items": {
                    "anyOf": [{"$ref": "#/components/schemas/Assessment"}, {"$ref": "#/components/schemas/Problem"}]
                },
            }
        },
    },
}


def _header(name: str, description: str) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": _TEXT}


def paths(operation: Callable[..., Json], answer: Callable[[str, str], Json]) -> Json:
    """The two paths, built with the document's own helpers."""
    either = [{"$ref": "#/components/schemas/Question"}, {"$ref": "#/components/schemas/Batch"}]
    both = answer("The verdict, or one answer for each item of a batch.", "Assessment")
    both["content"]["application/json"]["schema"] = {
        "anyOf": [{"$ref": "#/components/schemas/Assessment"}, {"$ref": "#/components/schemas/Assessments"}]
    }
    auth = operation(
        "May this page view pass? For the authorisation request of a proxy",
        "authorize",
        {
            "description": "It may pass: also where nothing could be decided, and for what is no landing page. With the X-Lead-* headers in `tag` "
            "and `enforce`, and Set-Cookie where the site's sessions are kept in a cookie and one begins."
        },
        status="204",
        parameters=[
            _header("X-Forwarded-Method", "The visitor's method (Traefik, Caddy)."),
            _header("X-Forwarded-Uri", "The visitor's path and query."),
            _header("X-Forwarded-Host", "The visitor's Host; else Host itself counts."),
            _header("X-Forwarded-Proto", "http or https."),
            _header(
                "X-Forwarded-For",
                "The client is the rightmost address that is none of `trusted_proxies`; else X-Real-IP.",
            ),
            _header("X-Original-URI", "Counts where there is no X-Forwarded-Uri; or X-Original-URL (nginx)."),
            _header("X-Leadgate-Token", "The token, where a proxy cannot write Authorization for this request alone."),
        ],
        description="Page views only: proxies send no body with this request, so form routes are proxied through Leadgate or call "
        "assess. Any method. The visitor's path may also stand behind this one (`/api/v1/auth/offer?x=1`, Envoy); it then counts before "
        "every header, and a yes is 200 instead of 204.",
    )
    auth["responses"]["403"] = {
        "description": "Declined, in `enforce` only: our page for the visitor.",
        "content": {"text/html": {"schema": _TEXT}},
    }
    return {
        "/api/v1/auth": {"get": auth},
        "/api/v1/assess": {
            "post": operation(
                "What is this visitor? For servers that keep their own forms; one question or a batch",
                "assess",
                both,
                description=f"A body of at most {MAX_BODY} bytes. The same facts, records and headers as on the public listener; no lead is stored.",
                requestBody={"required": True, "content": {"application/json": {"schema": {"anyOf": either}}}},
            )
        },
    }

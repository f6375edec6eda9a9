"""The OpenAPI 3.1 document of the admin API."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from gateway.console import openapi_campaigns as campaigns
from gateway.console import openapi_deciding as deciding
from gateway.console import openapi_labels as labels
from gateway.console import openapi_records as records
from gateway.model import Label

Json = dict[str, Any]

_ID: Json = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Id of the record and lead (UUIDv7).",
    "schema": {"type": "string"},
}


def _query(name: str, description: str, enum: tuple[str, ...] = ()) -> Json:
    schema: Json = {"type": "string", "enum": list(enum)} if enum else {"type": "string"}
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PAGING = [
    {
        "name": "limit",
        "in": "query",
        "description": "Items on a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    },
    _query("cursor", "`next_cursor` of the page before."),
    _query("since", "Not before this time (RFC 3339 or a date; UTC where no zone is given)."),
    _query("until", "Before this time."),
]
_STATES = ("pending", "held", "delivered", "rejected", "refused", "expired", "erased")


def _answer(description: str, schema: str) -> Json:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _operation(
    summary: str, name: str, ok: Json, *, status: str = "200", parameters: list[Json] | None = None, **more: Any
) -> Json:
    problem = {
        "description": "What is wrong, and the remedy.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    return {
        "summary": summary,
        "operationId": name,
        "parameters": parameters or [],
        "responses": {status: ok, "default": problem},
        **more,
    }


def _object(description: str, **properties: Json) -> Json:
    return {"type": "object", "description": description, "properties": properties}


_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
_MAYBE: Json = {"type": ["string", "null"]}


def _page(schema: str) -> Json:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}
    return {
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {"items": items, "next_cursor": _MAYBE},
    }


_LEAD: Json = {
    "id": _TEXT,
    "site": _TEXT,
    "form": _TEXT,
    "received_at": {"type": "string", "format": "date-time"},
    "state": {"type": "string", "enum": list(_STATES)},
    "state_since": {"type": "string", "format": "date-time"},
    "note": _TEXT | {"description": "What is special about the state, for example why the origin did not take it."},
    "length": _NUMBER | {"description": "Bytes of the body."},
    "content_type": _TEXT,
    "releasing": {"type": "boolean", "description": "A person released it and it is on its way."},
}


@cache
def document() -> Json:
    filters = [
        _query("kind", "Page views or form posts.", ("landing", "submission")),
        _query("verdict", "What was decided.", ("accept", "review", "reject")),
        _query("ivt", "Class of traffic.", ("valid", "givt", "sivt", "undecided")),
        _query("site", "Name of the site."),
        _query("source", "Live traffic or a replayed log.", ("live", "replay")),
        _query("q", "A part of path, campaign, signal id, country or organisation, or exactly an IP address."),
    ]
    by = {
        "required": False,
        "content": {
            "application/json": {
                "schema": _object("Who asks; kept in the lead's history.", by=_TEXT | {"maxLength": 100})
            }
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Leadgate admin API",
            "version": version("leadgate"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": {
            "/api/v1/records": {
                "get": _operation(
                    "Judged page views and form posts, newest first",
                    "listRecords",
                    _answer("A page.", "RecordPage"),
                    parameters=filters + _PAGING,
                )
            },
            "/api/v1/records/{id}": {
                "get": _operation(
                    "One record with its full explanation",
                    "getRecord",
                    _answer("The record.", "Record"),
                    parameters=[_ID],
                )
            },
            "/api/v1/leads": {
                "get": _operation(
                    "Stored submissions, newest first",
                    "listLeads",
                    _answer("A page.", "LeadPage"),
                    parameters=[
                        _query("state", "Where the lead stands.", _STATES),
                        _query("site", "Name of the site."),
                        _query("form", "Name of the form."),
                        _query("label", "With this label in effect.", tuple(Label)),
                        *_PAGING,
                    ],
                )
            },
            "/api/v1/leads/{id}": {
                "get": _operation(
                    "One lead, its history and its record",
                    "getLead",
                    _answer("The lead.", "LeadDetail"),
                    parameters=[_ID],
                )
            },
            "/api/v1/leads/{id}/release": {
                "post": _operation(
                    "Send a held lead to the origin, byte for byte",
                    "releaseLead",
                    _answer("Queued; the lead is delivered when the origin takes it.", "Lead"),
                    status="202",
                    parameters=[_ID],
                    requestBody=by,
                )
            },
            "/api/v1/leads/{id}/reject": {
                "post": _operation(
                    "Reject a held lead; it is kept",
                    "rejectLead",
                    _answer("The lead.", "Lead"),
                    parameters=[_ID],
                    requestBody=by,
                )
            },
            "/api/v1/conservation": {
                "get": _operation(
                    "Is every submission accounted for?", "getConservation", _answer("The counts.", "Conservation")
                )
            },
            **deciding.paths(_operation, _answer),
            **labels.paths(_operation, _answer, _ID, _PAGING[2:]),
            **campaigns.paths(_operation, _answer),
            "/api/v1/openapi.json": {
                "get": _operation("This description", "getDescription", {"description": "OpenAPI 3.1."})
            },
            "/healthz": {
                "get": _operation("Is the process alive?", "getHealth", {"description": "It is."}, security=[])
            },
            "/readyz": {
                "get": _operation(
                    "Should requests be sent here? 503 where not; open on loopback",
                    "getReadiness",
                    _answer("They should.", "Readiness"),
                    security=[],
                )
            },
            "/metrics": {
                "get": _operation(
                    "Counters for Prometheus; open on loopback",
                    "getMetrics",
                    {"description": "Prometheus text format.", "content": {"text/plain": {"schema": _TEXT}}},
                    security=[],
                )
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "RecordSummary": _object("One line of the list; nothing personal.", **records.SUMMARY),
                "RecordPage": _page("RecordSummary"),
                "Record": _object(
                    "Facts, signals, weights and what decided. Scores are log-odds in thousandths.", **records.RECORD
                ),
                "Lead": _object("A stored submission.", **_LEAD),
                "LeadPage": _page("Lead"),
                "LeadDetail": _object(
                    "A stored submission with its history and how it was judged.",
                    **_LEAD,
                    events=records.EVENTS,
                    labels=labels.LABELS,
                    record={"anyOf": [{"$ref": "#/components/schemas/Record"}, {"type": "null"}]},
                ),
                "Readiness": _object(
                    "Whether requests should be sent here now.",
                    ready={"type": "boolean"},
                    reasons={"type": "array", "items": _TEXT, "description": "Why not, in words."},
                    advice={
                        "type": "array",
                        "items": _TEXT,
                        "description": "What an operator should mend all the same.",
                    },
                ),
                "Conservation": _object(
                    "received = sum over states, or something is lost.",
                    received=_NUMBER,
                    states={"type": "object", "additionalProperties": {"type": "integer"}},
                    unjournaled=_NUMBER,
                    holds={"type": "boolean"},
                ),
                **deciding.SCHEMAS,
                **labels.SCHEMAS,
                **campaigns.SCHEMAS,
                "Problem": _object(
                    "RFC 9457.",
                    type=_TEXT,
                    title=_TEXT,
                    status=_NUMBER,
                    detail=_TEXT,
                    errors={
                        "type": "array",
                        "items": _object("What is wrong with one field of the body.", field=_TEXT, detail=_TEXT),
                    },
                ),
            },
        },
    }

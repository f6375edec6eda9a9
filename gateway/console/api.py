"""The admin listener: JSON API, metrics, health. Errors are `application/problem+json` and name the remedy."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from gateway.console import openapi, views
from gateway.console.campaigns import CampaignApi
from gateway.console.labels import LabelApi
from gateway.console.problems import Problem, Token, reply
from gateway.console.running import Running
from gateway.evidence.record import decode
from gateway.log import seldom
from gateway.metrics import Metrics
from gateway.model import Label, LeadState
from gateway.stores.errors import BadCursor, IllegalTransition, StoreUnavailable, UnknownLead
from gateway.stores.leads import LeadFilter
from gateway.stores.records import RecordFilter

OPEN_ON_LOOPBACK = frozenset({"/", "/metrics", "/healthz", "/readyz"})
MAX_LIMIT = 500

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def admin_application(running: Running, token: str | None) -> web.Application:
    """The application of the admin listener. Without a token only what is open on loopback answers."""
    api, labels = Api(running), LabelApi(running)
    application = web.Application(middlewares=[_guard(token, running.metrics)], client_max_size=64 * 1024)
    application.add_routes(
        [
            web.get("/", index),
            web.get("/healthz", api.healthz),
            web.get("/readyz", api.readyz),
            web.get("/metrics", api.metrics),
            web.get("/api/v1/openapi.json", api.openapi),
            web.get("/api/v1/records", api.records),
            web.get("/api/v1/records/{id}", api.record),
            web.get("/api/v1/leads", api.leads),
            web.get("/api/v1/leads/{id}", api.lead),
            web.post("/api/v1/leads/{id}/release", api.release),
            web.post("/api/v1/leads/{id}/reject", api.reject),
            web.get("/api/v1/conservation", api.conservation),
            web.post("/api/v1/leads/{id}/label", labels.label),
            web.post("/api/v1/records/{id}/label", labels.label),
            web.get("/api/v1/reports/false-positives", labels.false_positives),
            web.get("/api/v1/reports/campaigns", CampaignApi(running.board).campaigns),
        ]
    )
    return application


def _guard(token: str | None, metrics: Metrics) -> Any:
    asked = Token(token)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not (request.path in OPEN_ON_LOOPBACK and _is_loopback(request.remote)):
                asked.require(request.raw_headers)
            return await handler(request)
        except Problem as problem:
            return problem.response()
        except web.HTTPNotFound:
            return Problem(
                404, "Not found", "There is no such resource; GET /api/v1/openapi.json lists them."
            ).response()
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem(405, "Method not allowed", f"This resource takes {allowed}.").response()
        except web.HTTPRequestEntityTooLarge:
            return Problem(413, "Too large", "The body is empty or a few words of JSON.").response()
        except web.HTTPException as error:
            return Problem(error.status, error.reason, "The request cannot be read as sent.").response()
        except StoreUnavailable as error:
            return Problem(503, "The store cannot be used now", f"{error.reason}. Try again in a moment.").response()
        except Exception as error:  # noqa: BLE001 - a fault of ours is counted, told in the log and answered like every error
            metrics.count("leadgate_handler_failures")
            seldom("handler failed", "admin", type(error).__name__, method=request.method, exc_info=error)
            return Problem(500, "A fault of the gateway", "It is in the gateway's log; please report it.").response()

    return guard


def _is_loopback(remote: str | None) -> bool:
    try:
        return remote is not None and ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False


async def index(_: web.Request) -> web.Response:
    text = (
        "Leadgate admin listener\n\n"
        "GET  /healthz                      is the process alive\n"
        "GET  /readyz                       should requests be sent here\n"
        "GET  /metrics                      counters for Prometheus\n"
        "GET  /api/v1/openapi.json          the API, described\n"
        "GET  /api/v1/records               judged page views and form posts\n"
        "GET  /api/v1/leads?state=held      leads that wait for a person\n"
        "GET  /api/v1/auth                  may this page view pass? (for proxies)\n"
        "POST /api/v1/leads/ID/label        what a lead turned out to be\n"
        "GET  /api/v1/reports/false-positives  how often holding is wrong\n"
        "GET  /api/v1/reports/campaigns     campaigns against their own past\n"
        "POST /api/v1/assess                what is this visitor? (for servers)\n\n"
        "The API takes the header Authorization: Bearer TOKEN.\n"
    )
    return web.Response(text=text)


class Api:
    def __init__(self, running: Running) -> None:
        self._running = running
        self._store = running.store

    # health

    async def healthz(self, _: web.Request) -> web.Response:
        return reply({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        reasons = list(self._running.not_ready())
        body = {"ready": not reasons, "reasons": reasons, "advice": list(self._running.advice())}
        return reply(body, 503 if reasons else 200)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._running.metrics.exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def openapi(self, _: web.Request) -> web.Response:
        return reply(openapi.document())

    # records

    async def records(self, request: web.Request) -> web.Response:
        query = _known(request, {"kind", "verdict", "ivt", "site", "q", "since", "until", "source", "limit", "cursor"})
        where = RecordFilter(
            kind=_one_of(query, "kind", ("landing", "submission")),
            verdict=_one_of(query, "verdict", ("accept", "review", "reject")),
            ivt=_one_of(query, "ivt", ("valid", "givt", "sivt", "undecided")),
            site=query.get("site"),
            q=query.get("q"),
            since=_time(query, "since"),
            until=_time(query, "until"),
            source=_one_of(query, "source", ("live", "replay")),
        )
        try:
            page = await self._store.records(where, _limit(query), query.get("cursor"))
        except BadCursor as error:
            raise Problem(400, "Bad cursor", str(error)) from error
        return reply({"items": [views.record_summary(entry) for entry in page.items], "next_cursor": page.next_cursor})

    async def record(self, request: web.Request) -> web.Response:
        wanted = _id(request)
        entry = await self._store.get_record(wanted)
        if entry is None:
            raise Problem(
                404, "No such record", f"No record has the id {wanted}; it may not be committed yet, try again."
            )
        events, lead = await self._store.events(wanted), await self._store.lead(wanted)
        content = await self._store.generation(decode(entry.body).generation)
        return reply(views.record_detail(entry, events, lead, content))

    # leads

    async def leads(self, request: web.Request) -> web.Response:
        query = _known(request, {"state", "site", "form", "label", "since", "until", "limit", "cursor"})
        state = _one_of(query, "state", tuple(LeadState))
        label = _one_of(query, "label", tuple(Label))
        where = LeadFilter(
            state=None if state is None else LeadState(state),
            site=query.get("site"),
            form=query.get("form"),
            since=_time(query, "since"),
            until=_time(query, "until"),
            label=None if label is None else Label(label),
        )
        try:
            page = await self._store.leads(where, _limit(query), query.get("cursor"))
        except BadCursor as error:
            raise Problem(400, "Bad cursor", str(error)) from error
        return reply({"items": [views.lead_summary(lead) for lead in page.items], "next_cursor": page.next_cursor})

    async def lead(self, request: web.Request) -> web.Response:
        wanted = _id(request)
        lead = await self._store.lead(wanted)
        if lead is None:
            raise _no_lead(wanted)
        entry, events = await self._store.get_record(wanted), await self._store.events(wanted)
        body = views.lead_summary(lead)
        body["events"] = [views.event(event) for event in events]
        body["labels"] = views.labels(events)
        body["record"] = None if entry is None else views.record_detail(entry, (), None)
        return reply(body)

    async def release(self, request: web.Request) -> web.Response:
        wanted = _id(request)
        by = await _by(request)
        try:
            await self._store.enqueue_release(wanted, by)
        except UnknownLead as error:
            raise _no_lead(wanted) from error
        except IllegalTransition as error:
            raise Problem(409, "This lead cannot be released", str(error)) from error
        self._running.releases.wake()
        lead = await self._store.lead(wanted)
        return reply(views.lead_summary(lead) if lead is not None else {"id": wanted}, 202)

    async def reject(self, request: web.Request) -> web.Response:
        wanted = _id(request)
        by = await _by(request)
        try:
            await self._store.settle(wanted, LeadState.REJECTED, "rejected", {"by": by}, "rejected by a reviewer")
        except UnknownLead as error:
            raise _no_lead(wanted) from error
        except IllegalTransition as error:
            raise Problem(409, "This lead cannot be rejected", str(error)) from error
        lead = await self._store.lead(wanted)
        self._running.metrics.count("leadgate_leads", "" if lead is None else lead.site, LeadState.REJECTED)
        return reply(views.lead_summary(lead) if lead is not None else {"id": wanted})

    async def conservation(self, _: web.Request) -> web.Response:
        return reply(views.conservation(await self._store.conservation()))


# reading what callers send


def _id(request: web.Request) -> str:
    try:
        return str(UUID(request.match_info["id"]))
    except ValueError as error:
        raise Problem(400, "Not an id", "An id looks like 0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e.") from error


def _no_lead(wanted: str) -> Problem:
    return Problem(404, "No such lead", f"No lead has the id {wanted}.")


def _known(request: web.Request, names: set[str]) -> dict[str, str]:
    """The query, once each. A misspelt filter must not silently answer everything."""
    query: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in names:
            raise Problem(
                400, "Unknown parameter", f'There is no parameter "{name}"; this list takes {", ".join(sorted(names))}.'
            )
        if name in query:
            raise Problem(400, "Parameter given twice", f'"{name}" may be given once.')
        query[name] = value
    return query


def _one_of(query: dict[str, str], name: str, allowed: Sequence[str]) -> str | None:
    value = query.get(name)
    if value is not None and value not in allowed:
        raise Problem(400, f"Bad {name}", f'"{value}" is none of {", ".join(allowed)}.')
    return value


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", "50")
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= MAX_LIMIT:
        raise Problem(400, "Bad limit", f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _time(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise Problem(400, f"Bad {name}", f'"{text}" is no time; write 2026-11-22 or 2026-11-22T09:30:00Z.') from error


async def _by(request: web.Request) -> str:
    """Who asks, from an optional JSON body {"by": "name"}; kept in the lead's history."""
    raw = await request.read()
    if not raw:
        return "api"
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "Not JSON", f'The body is empty or {{"by": "your name"}}: {error}.') from error
    by = body.get("by", "api") if isinstance(body, dict) else None
    if not isinstance(by, str) or not 1 <= len(by) <= 100 or (isinstance(body, dict) and set(body) - {"by"}):
        raise Problem(400, "Bad body", 'The body is empty or {"by": "your name"}, at most 100 characters.')
    return by

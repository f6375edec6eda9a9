"""Labels through the API, and what hold-outs measured."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import orjson
from aiohttp import web

from gateway.console import views
from gateway.console.problems import Problem, reply
from gateway.console.running import Running
from gateway.labels.holdouts import ByForm, Estimate, measured
from gateway.labels.statement import BadLabel, moment, statement
from gateway.stores.errors import UnknownRecord
from gateway.stores.labels import OPERATOR_SOURCE

_KEYS = ("label", "by", "value", "currency", "note", "at")


class LabelApi:
    def __init__(self, running: Running) -> None:
        self._running, self._store = running, running.store

    async def label(self, request: web.Request) -> web.Response:
        """Of a lead or a record, which share their ids."""
        try:
            wanted = str(UUID(request.match_info["id"]))
        except ValueError as error:
            raise Problem(400, "Not an id", "An id looks like 0198c5f2-7a3b-7c41-9d2e-5f6a7b8c9d0e.") from error
        body = _body(await request.read())
        try:
            told = statement(
                _text(body, "label") or "",
                by=_text(body, "by") or "api",
                source=OPERATOR_SOURCE,
                at=_at(body),
                value=body.get("value"),
                currency=_text(body, "currency"),
                note=_text(body, "note"),
            )
        except BadLabel as error:
            raise Problem(422, "Bad label", "See errors.", error.problems) from error
        try:
            added = await self._store.label(wanted, told)
        except UnknownRecord as error:
            raise Problem(404, "No such record or lead", f"{error}; it may not be committed yet, try again.") from error
        if added:
            self._running.metrics.count("leadgate_labels", told.label)
        labels = views.labels(await self._store.events(wanted))
        return reply({"id": wanted, "added": added, "labels": labels})

    async def false_positives(self, request: web.Request) -> web.Response:
        known = {"since", "until"}
        query = dict(request.query)
        if len(query) != len(request.query) or set(query) - known:
            raise Problem(400, "Unknown parameter", "This report takes since and until, once each.")
        since, until = (_moment(name, query[name]) if name in query else None for name in ("since", "until"))
        return reply(as_json(await measured(self._store, since, until)))


def as_json(found: ByForm) -> dict[str, Any]:
    """Shares as numbers from 0 to 1, rounded to six places."""
    return _one(found.total) | {"forms": [{"form": name} | _one(each) for name, each in found.forms.items()]}


def _one(found: Estimate) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.structs.asdict(found)
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in plain.items()}


def _body(raw: bytes) -> dict[str, Any]:
    told = 'Send a JSON object like {"label": "person", "by": "your name"}.'
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "Not JSON", told) from error
    if not isinstance(body, dict):
        raise Problem(400, "Bad body", told)
    unknown = [name for name in body if name not in _KEYS]
    if unknown:
        raise Problem(
            422, "Bad label", "See errors.", [(name, f"it is none of {', '.join(_KEYS)}") for name in unknown[:20]]
        )
    if isinstance(body.get("value"), dict | list):
        raise Problem(422, "Bad label", "See errors.", [("value", "write it like 1299.00")])
    return body


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Problem(422, "Bad label", "See errors.", [(name, "it must be text")])


def _at(body: dict[str, Any]) -> int | None:
    text = _text(body, "at")
    return None if text is None else _moment("at", text)


def _moment(name: str, text: str) -> int:
    try:
        return moment(text)
    except (ValueError, OverflowError) as error:
        raise Problem(
            400, f"Bad {name}", f'"{text[:60]}" is no time; write 2026-11-22 or 2026-11-22T09:30:00Z.'
        ) from error

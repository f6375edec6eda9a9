"""`POST /api/v1/assess`: verdicts for servers that keep their own forms, one question or a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import HttpVersion11, web

from gateway.console.assess_arrival import understand
from gateway.console.assess_body import MAX_BODY, Question, bad_field, batch_of, parse, question
from gateway.console.auth import peer_of
from gateway.console.problems import Problem, Token, reply
from gateway.console.repeats import Repeats
from gateway.console.running import Running
from gateway.delivery.headers import lead_headers
from gateway.evidence.record import Answered, decode
from gateway.log import seldom
from gateway.model import Mode, new_id, now_us
from gateway.stores.errors import StoreUnavailable
from rules.verdict import Verdict

PATH = "/api/v1/assess"
AT_ONCE = 8
"""Items of a batch that are judged between two looks at other connections: visitors of the same process do not wait for a whole batch."""

_EXPECTS = (b"expect", b"100-continue")

READ_S = 10
"""Seconds that a body may take to arrive."""

ANSWERED = Answered(0, "assess")
"""What the visitor got is the caller's affair, and not known here."""

Json = dict[str, Any]
Notes = Sequence[tuple[str, str]]


class Assess:
    def __init__(self, running: Running, token: Token) -> None:
        self._running = running
        self._token = token
        self._repeats = Repeats(running)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._token.require(request.raw_headers)
        if request.method != "POST":
            raise Problem(405, "Method not allowed", "This resource takes POST.")
        try:
            body = parse(await _read(request))
            items = batch_of(body)
        except Problem:
            self._count("refused")
            raise
        peer = peer_of(request)
        if items is None:
            return reply(await self._one(body, peer))
        gate = asyncio.Semaphore(AT_ONCE)

        async def item(value: Any) -> Json:
            async with gate:
                await asyncio.sleep(0)
                try:
                    return await self._one(value, peer)
                except Problem as problem:
                    return problem.body()

        return reply({"items": await asyncio.gather(*[item(value) for value in items])})

    def _count(self, result: str) -> None:
        self._running.metrics.count("leadgate_assessed", "assess", result)

    async def _one(self, value: Any, peer: str | None) -> Json:
        """Raises Problem, also for a fault of ours: it must not cost the other items of a batch their answers."""
        try:
            asked = question(value)
            if asked.dry_run and asked.idempotency_key is not None:
                raise bad_field(
                    "dry_run", "a dry run leaves nothing that a repeat could read: leave out idempotency_key"
                )
            return await self._judge(asked, value, peer)
        except Problem:
            self._count("refused")
            raise
        except Exception as error:
            self._running.metrics.count("leadgate_handler_failures")
            seldom("handler failed", "assess", type(error).__name__, method="POST", exc_info=error)
            self._count("undecided")
            raise fault() from error

    async def _judge(self, asked: Question, value: Json, peer: str | None) -> Json:
        running = self._running
        generation = running.generation
        id, at = new_id(), now_us()
        case = understand(asked, generation, running.tokens, peer, id, at)
        notes = list(case.notes)
        if asked.idempotency_key is not None:
            claim = await self._repeats.claim(case.arrival.site, asked.idempotency_key, value, id, at)
            if claim.unsure is not None:
                notes.append(("idempotency", f"{claim.unsure}; an earlier call with this key may have been missed"))
            if claim.repeated:
                try:
                    entry = await self._repeats.recorded(claim.id)
                except StoreUnavailable:
                    entry = None
                if entry is not None:
                    self._count("repeated")
                    record = decode(entry.body)
                    return answer(
                        record.id, record.kind, record.site, record.form, record.mode, record.generation, record.verdict, notes
                    )  # fmt: skip
                case = msgspec.structs.replace(case, arrival=msgspec.structs.replace(case.arrival, id=claim.id))
        arrival = case.arrival
        judged = await running.pipeline.judge(arrival, case.by, dry=asked.dry_run)
        told = answer(
            arrival.id, arrival.kind, arrival.site, arrival.form, case.by.mode, case.by.generation, judged.verdict, notes
        )  # fmt: skip
        if asked.dry_run:
            self._count("dry_run")
            told["dry_run"] = True
            return told
        running.pipeline.record(judged, ANSWERED)
        self._count(judged.decision)
        return told


def fault() -> Problem:
    return Problem(500, "A fault of the gateway", "It is in the gateway's log; please report it.")


def answer(
    id: str, kind: str, site: str, form: str | None, mode: Mode, generation: str, verdict: Verdict, notes: Notes = ()
) -> Json:
    """The verdict with everything that explains it; `headers` are those that the public listener would add for the origin."""
    headers = [] if mode is Mode.MONITOR else lead_headers(id, verdict)
    return {
        "id": id,
        "kind": kind,
        "site": site,
        "form": form,
        "mode": mode,
        "verdict": verdict.decision,
        "quality": verdict.quality,
        "confidence": verdict.confidence,
        "ivt": verdict.ivt,
        "category": verdict.category,
        "decided_by": verdict.decided_by,
        "reasons": [
            {
                "signal": reason.signal,
                "text": reason.text,
                "evidence": reason.evidence,
                "counted": reason.counted / 1000,
                "decisive": reason.decisive,
            }
            for reason in verdict.reasons
        ],
        "unavailable": [{"fact": fact, "reason": why} for fact, why in (*verdict.unavailable, *notes)],
        "nearest_change": verdict.nearest,
        "generation": generation,
        "headers": {name.decode(): value.decode() for name, value in headers},
    }


async def _read(request: web.BaseRequest) -> bytes:
    """The body, within its bound. Raises Problem."""
    too_large = Problem(413, "Too large", f"The body of a call holds at most {MAX_BODY} bytes.")
    if (request.content_length or 0) > MAX_BODY:
        raise too_large
    if request.version >= HttpVersion11 and any(
        (name.lower(), value.lower()) == _EXPECTS for name, value in request.raw_headers
    ):
        await request.writer.write(
            b"HTTP/1.1 100 Continue\r\n\r\n"
        )  # else some libraries wait a second before they send it
        request.writer.output_size = 0
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_S):
            while part := await request.content.readany():
                size += len(part)
                if size > MAX_BODY:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Problem(408, "The body came too slowly", f"Send it within {READ_S} seconds.") from None
    return b"".join(parts)

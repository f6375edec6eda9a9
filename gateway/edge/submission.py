"""A form submission: spooled, made durable, judged, and only then passed on, held or declined.

A submission is durable before any detector runs and before the visitor is answered. Where the store cannot commit in time, it goes to the origin all
the same and is counted `unjournaled`: the origin may keep what we could not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from detectors.observation import Kind, Unavailable
from gateway.edge.answers import CookieOnHead, forwarded_for, origin_failed, say, trouble
from gateway.edge.holdout import EVENT, drawn, told
from gateway.evidence.record import Answered
from gateway.generation import FormRoute, Generation, SiteRoutes
from gateway.intake import render_token
from gateway.intake.exchange import CONTINUE, Exchange
from gateway.intake.forms import FormLimits
from gateway.intake.keys import KeyRing
from gateway.intake.refusal import BodyTooLarge, IntakeError
from gateway.intake.target import Target
from gateway.log import log, seldom
from gateway.metrics import Metrics
from gateway.model import LeadState, Mode, new_id, now_us
from gateway.passport import Passports
from gateway.pipeline import Judged, Pipeline
from gateway.stores.errors import StoreUnavailable
from gateway.stores.leads import NewLead
from gateway.stores.records import Store
from gateway.upstream.errors import UpstreamError
from gateway.upstream.proxy import forward
from gateway.visits.answers import fail_open, verdict_headers
from gateway.visits.arrivals import Arrivals, Visit, raw_head
from gateway.visits.reading import Reading, understand
from rules.verdict import Decision

IN_THREAD_BYTES = 256 * 1024
"""Bodies above this are read in a thread: parsing them would keep other visitors waiting."""

TOKEN_MAX_AGE_S = 2 * 86_400
SUCCESS_BYTES = 64 * 1024
"""How much of the origin's answer is looked at for the form's `success.body`."""


class Submissions:
    """The way of form posts. One for the process; what changes with the configuration comes with each call.

    draw  the key that hold-outs are drawn with
    """

    def __init__(
        self,
        arrivals: Arrivals,
        pipeline: Pipeline,
        store: Store,
        tokens: KeyRing,
        passports: Passports,
        metrics: Metrics,
        draw: bytes,
    ) -> None:
        self._draw = draw
        self._arrivals = arrivals
        self._pipeline = pipeline
        self._store = store
        self._tokens = tokens
        self._passports = passports
        self._metrics = metrics

    async def handle(
        self,
        exchange: Exchange,
        generation: Generation,
        site: SiteRoutes,
        candidates: Sequence[FormRoute],
        target: Target,
    ) -> None:
        limit = max(route.max_body for route in candidates)
        try:
            body = await exchange.read(limit)
        except BodyTooLarge as error:
            await self._too_large(exchange, generation, site, candidates[0], target, error)
            return
        try:
            prepared = await self._prepare(exchange, generation, site, candidates, target, body)
        except IntakeError:
            raise
        except Exception as error:  # noqa: BLE001 - fail open: a fault of ours must not cost a lead
            fail_open(self._metrics, site.name, "submission", error)
            self._metrics.count("leadgate_unjournaled", site.name)
            await self._pass_on(exchange, generation, site, body)
            return
        if prepared is None:  # shares a form's path, but its fields say that it is none
            await self._pass_on(exchange, generation, site, body)
            return
        route, visit, judged, journaled = prepared
        self._pipeline.record(judged)
        decision = judged.decision
        if site.site.mode is Mode.ENFORCE and journaled and decision is not Decision.ACCEPT:
            if decision is Decision.REJECT:
                await self._decline(exchange, site, route, judged)
                return
            if route.form.on_review == "hold" and not self._held_out(route, judged):
                await self._hold(exchange, site, route, judged)
                return
        await self._forward(exchange, generation, site, route, visit, judged, body)

    async def _prepare(
        self,
        exchange: Exchange,
        generation: Generation,
        site: SiteRoutes,
        candidates: Sequence[FormRoute],
        target: Target,
        body: bytes,
    ) -> tuple[FormRoute, Visit, Judged, bool] | None:
        """Understand, journal, judge: all that comes before anybody is answered. None where the body is no form of ours."""
        at, lead_id = now_us(), new_id()
        reading = await self._read(exchange, generation, candidates, body, target)
        if reading is None:
            return None
        form = reading.route.form
        visit = self._arrivals.read(
            exchange,
            generation,
            site,
            target,
            Kind.SUBMISSION,
            lead=reading.lead,
            token=render_token.read(self._tokens, reading.token, form.name, at, TOKEN_MAX_AGE_S)
            if form.render_token == "auto"
            else None,
            content=reading.content,
            contacts=reading.contacts,
            form=form.name,
            id=lead_id,
            at=at,
        )
        journaled = await self._journal(exchange, generation, site, reading.route, visit, body)
        judged = await self._pipeline.judge(visit.arrival, reading.route.judgement)
        return reading.route, visit, judged, journaled

    async def _read(
        self, exchange: Exchange, generation: Generation, candidates: Sequence[FormRoute], body: bytes, target: Target
    ) -> Reading | None:
        limits = FormLimits(
            fields=generation.config.limits.form_fields,
            parts=generation.config.limits.form_parts,
            depth=generation.config.limits.form_depth,
            decoded_bytes=max(route.max_body for route in candidates),
        )
        content_type = exchange.header(b"content-type")
        coding = b",".join([value for name, value in exchange.headers if name.lower() == b"content-encoding"]) or None
        if len(body) <= IN_THREAD_BYTES:
            return understand(candidates, content_type, coding, body, limits, target)
        return await asyncio.to_thread(understand, candidates, content_type, coding, body, limits, target)

    async def _journal(
        self, exchange: Exchange, generation: Generation, site: SiteRoutes, route: FormRoute, visit: Visit, body: bytes
    ) -> bool:
        """Make the submission durable. False, and counted, where the store could not in time."""
        arrival = visit.arrival
        lead = NewLead(
            id=arrival.id,
            site=site.name,
            form=route.form.name,
            received_at=arrival.at,
            head=raw_head(exchange),
            peer=arrival.peer or "",
            client=None if isinstance(arrival.client, Unavailable) else arrival.client.address,
            scheme=arrival.request.scheme,
            content_type=(exchange.header(b"content-type") or b"").decode("latin-1")[:200],
            origin=site.site.origin,
            success=route.success,
        )
        try:
            async with asyncio.timeout(generation.config.journal_deadline_ms / 1000):
                await self._store.journal(lead, body)
        except (StoreUnavailable, TimeoutError) as error:
            self._store.unjournaled(arrival.id)
            self._metrics.count("leadgate_unjournaled", site.name)
            reason = error.reason if isinstance(error, StoreUnavailable) else "no commit within journal_deadline_ms"
            seldom(
                "store failed",
                "journal",
                reason=reason,
                remedy="free disk space or look at the store; submissions go to the origin meanwhile",
            )
            return False
        self._metrics.count("leadgate_leads", site.name, LeadState.PENDING)
        return True

    def _settle(self, judged: Judged, state: LeadState, event: str, data: dict[str, object], note: str = "") -> None:
        self._store.settle_soon(judged.arrival.id, state, event, data, note)
        self._metrics.count("leadgate_leads", judged.arrival.site, state)

    async def _decline(self, exchange: Exchange, site: SiteRoutes, route: FormRoute, judged: Judged) -> None:
        self._settle(
            judged, LeadState.REJECTED, "declined", {"by": judged.verdict.decided_by}, judged.verdict.decided_by
        )
        await say(exchange, "declined", judged.arrival.id, style=_style(route), prefix=site.site.prefix)

    def _held_out(self, route: FormRoute, judged: Judged) -> bool:
        """Is this one of those that are forwarded although they would be held? Only where its record can say so."""
        share = route.form.holdout.share
        if not share or not drawn(self._draw, judged, share):
            return False
        if not self._store.event(judged.arrival.id, EVENT, told(judged, share)):
            return False
        self._metrics.count("leadgate_holdouts", judged.arrival.site, route.form.name)
        return True

    async def _hold(self, exchange: Exchange, site: SiteRoutes, route: FormRoute, judged: Judged) -> None:
        self._settle(
            judged,
            LeadState.HELD,
            "held",
            {"by": judged.verdict.decided_by},
            f"under review: quality {judged.verdict.quality}, {judged.verdict.decided_by}",
        )
        log.info(
            "lead held",
            lead=judged.arrival.id,
            site=judged.arrival.site,
            form=judged.arrival.form,
            by=judged.verdict.decided_by,
        )
        await say(exchange, "received", judged.arrival.id, style=_style(route), prefix=site.site.prefix)

    async def _forward(
        self,
        exchange: Exchange,
        generation: Generation,
        site: SiteRoutes,
        route: FormRoute,
        visit: Visit,
        judged: Judged,
        body: bytes,
    ) -> None:
        headers = verdict_headers(judged)
        if headers and generation.config.passport.enabled:
            headers.append((b"X-Lead-Passport", self._passports.sign(judged.arrival.id, site.name, body)))
        on_head = CookieOnHead(visit)
        seen = bytearray()

        def on_data(data: bytes) -> None:
            if len(seen) < SUCCESS_BYTES:
                seen.extend(data[: SUCCESS_BYTES - len(seen)])

        success = route.form.success
        try:
            await forward(
                exchange,
                site.upstream,
                forwarded=forwarded_for(exchange, generation),
                add_headers=headers,
                body=body,
                on_head=on_head,
                on_data=on_data if success.body is not None else None,
            )
        except UpstreamError as error:
            origin_failed(self._metrics, site, error)
            note = "delivery unknown: " + str(error) if error.sent else str(error)
            self._settle(judged, LeadState.HELD, "delivery failed", {"error": str(error), "sent": error.sent}, note)
            await say(
                exchange,
                "kept" if trouble(error) == "unreachable" else "kept_slow",
                judged.arrival.id,
                style=_style(route),
            )
            return
        self._outcome(judged, success_of(route, on_head, bytes(seen)), on_head.status or 0)

    def _outcome(self, judged: Judged, delivered: bool, status: int) -> None:
        data: dict[str, object] = {"status": status}
        if delivered:
            self._settle(judged, LeadState.DELIVERED, "delivered", data)
        elif 400 <= status < 500:
            self._settle(
                judged, LeadState.REFUSED, "refused", data, f"the origin answered {status}: its own validation"
            )
        else:
            note = f"the origin answered {status}, which does not match the form's success"
            self._settle(judged, LeadState.HELD, "not taken", data, note)

    async def _pass_on(self, exchange: Exchange, generation: Generation, site: SiteRoutes, body: bytes) -> None:
        try:
            await forward(exchange, site.upstream, forwarded=forwarded_for(exchange, generation), body=body)
        except UpstreamError as error:
            origin_failed(self._metrics, site, error)
            await say(exchange, trouble(error))

    async def _too_large(
        self,
        exchange: Exchange,
        generation: Generation,
        site: SiteRoutes,
        route: FormRoute,
        target: Target,
        error: BodyTooLarge,
    ) -> None:
        """Larger than the promise of durability reaches: refused in `enforce`, else streamed on, undecided and counted."""
        self._metrics.count("leadgate_undecided", site.name, "body_too_large")
        if exchange.expects_continue and not error.received_so_far and site.site.mode is not Mode.ENFORCE:
            await exchange.inform(CONTINUE)  # the origin is not asked: what follows is streamed to it in any case
        missing = Unavailable(f"body_too_large: more than {route.max_body} bytes")
        visit = self._arrivals.read(
            exchange, generation, site, target, Kind.SUBMISSION, lead=missing, form=route.form.name
        )
        judged = await self._pipeline.judge(visit.arrival, route.judgement)
        if site.site.mode is Mode.ENFORCE:
            status = await say(exchange, "too_large", visit.arrival.id, style=_style(route))
            self._pipeline.record(judged, Answered(status, "gateway"))
            return

        async def whole() -> AsyncIterator[bytes]:
            if error.received_so_far:
                yield error.received_so_far
            async for chunk in exchange.chunks():
                yield chunk

        on_head = CookieOnHead(visit)
        try:
            await forward(
                exchange,
                site.upstream,
                forwarded=forwarded_for(exchange, generation),
                add_headers=verdict_headers(judged),
                body=whole(),
                body_length=exchange.content_length,
                on_head=on_head,
            )
        except UpstreamError as failure:
            origin_failed(self._metrics, site, failure)
            on_head.status = await say(exchange, trouble(failure), style=_style(route))
        self._pipeline.record(judged, Answered(on_head.status or 0, "origin"))


def _style(route: FormRoute) -> str | None:
    """How our own answer is written; None: as the client asks for it, so that a script that sends a form of pages gets JSON."""
    return None if route.form.responses == "html" else route.form.responses


def success_of(route: FormRoute, head: CookieOnHead, body: bytes) -> bool:
    """Did the origin take the lead, by the form's own words?"""
    return route.form.success.accepts(head.status or 0, head.field(b"location"), body.decode("utf-8", "replace"))

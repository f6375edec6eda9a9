"""The public listener: a visitor's request in, the answer out."""

from __future__ import annotations

import re

from detectors.observation import Kind
from gateway.edge import outcomes as outcomes_path
from gateway.edge.answers import CookieOnHead, forwarded_for, origin_failed, say, trouble
from gateway.edge.parts import PageParts
from gateway.edge.submission import Submissions
from gateway.evidence.record import Answered
from gateway.generation import Generation, LandingRoute, SiteRoutes
from gateway.intake import render_token
from gateway.intake.exchange import Exchange
from gateway.intake.keys import KeyRing
from gateway.intake.target import Target, parse
from gateway.labels.outcomes import Outcomes
from gateway.metrics import Metrics
from gateway.model import Mode
from gateway.passport import Passports
from gateway.pipeline import Pipeline
from gateway.upstream.errors import UpstreamError
from gateway.upstream.inject import Injector
from gateway.upstream.proxy import forward
from gateway.visits.answers import fail_open, verdict_headers
from gateway.visits.arrivals import Arrivals, Visit
from rules.verdict import Decision

_REFERENCE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id, and nothing else that somebody would like our page to say."""


class Edge:
    """Decides what each request is and sends it on its way. `generation` is read once for a request and replaced whole by a reload."""

    def __init__(
        self,
        generation: Generation,
        arrivals: Arrivals,
        pipeline: Pipeline,
        submissions: Submissions,
        tokens: KeyRing,
        passports: Passports,
        metrics: Metrics,
        outcomes: Outcomes,
        parts: PageParts,
    ) -> None:
        self.generation = generation
        self._parts = parts
        self._outcomes = outcomes
        self._arrivals = arrivals
        self._pipeline = pipeline
        self._submissions = submissions
        self._tokens = tokens
        self._passports = passports
        self._metrics = metrics

    async def handle(self, exchange: Exchange) -> None:
        generation = self.generation
        count = self._metrics.count
        site = generation.site(exchange.header(b"host"))
        if site is None:
            count("leadgate_requests", "", "none")
            await say(exchange, "no_site")
            return
        target = parse(exchange.target, exchange.method, exchange.headers)
        if target.path.startswith(site.site.prefix):
            count("leadgate_requests", site.name, "own")
            await self._own(exchange, generation, target.path.removeprefix(site.site.prefix), target)
            return
        forms = site.forms_at(target) if site.forms else ()
        if forms:
            count("leadgate_requests", site.name, "form")
            await self._submissions.handle(exchange, generation, site, forms, target)
            return
        route = site.landing(exchange.method, target)
        if route is not None and exchange.upgrade is None:
            count("leadgate_requests", site.name, "landing")
            await self._landing(exchange, generation, site, route, target)
            return
        count("leadgate_requests", site.name, "other")
        try:
            self._parts.seen(exchange, generation, site, target)
        except Exception as error:  # noqa: BLE001 - fail open: a fault of ours must not cost a visitor the picture
            fail_open(self._metrics, site.name, "other", error)
        await self._pass_on(exchange, generation, site)

    async def _pass_on(self, exchange: Exchange, generation: Generation, site: SiteRoutes) -> None:
        try:
            await forward(exchange, site.upstream, forwarded=forwarded_for(exchange, generation))
        except UpstreamError as error:
            await self._unreachable(exchange, site, error)

    async def _landing(
        self, exchange: Exchange, generation: Generation, site: SiteRoutes, route: LandingRoute, target: Target
    ) -> None:
        try:
            visit = self._arrivals.read(exchange, generation, site, target, Kind.LANDING)
            judged = await self._pipeline.judge(visit.arrival, route.judgement)
        except Exception as error:  # noqa: BLE001 - fail open: a fault of ours must not cost a visitor the page
            fail_open(self._metrics, site.name, "landing", error)
            await self._pass_on(exchange, generation, site)
            return
        if site.site.mode is Mode.ENFORCE and judged.decision is Decision.REJECT:
            status = await say(exchange, "page_declined", visit.arrival.id)
            self._pipeline.record(judged, Answered(status, "gateway"))
            return
        on_head = CookieOnHead(visit)
        injector = self._injector(site, _url(visit), visit.arrival.id, visit.arrival.at)
        by = "origin"
        try:
            outcome = await forward(
                exchange,
                site.upstream,
                forwarded=forwarded_for(exchange, generation),
                add_headers=verdict_headers(judged),
                inject=injector,
                on_head=on_head,
            )
            if injector is not None:
                self._metrics.count("leadgate_injected", site.name, "injected" if outcome.injected else "left alone")
        except UpstreamError as error:
            on_head.status, by = await self._unreachable(exchange, site, error), "gateway"
        finally:
            self._pipeline.record(judged, Answered(on_head.status or 0, by))

    def _injector(self, site: SiteRoutes, page_url: str, page_id: str, at: int) -> Injector | None:
        """Puts a render token into every form of ours on the page; None where no form wants one."""
        inputs = {
            route.match.path: render_token.hidden_input(
                render_token.mint(self._tokens.current, route.form.name, page_id, at)
            )
            for route in site.forms
            if route.form.render_token == "auto"
        }
        return Injector(page_url, inputs) if inputs else None

    async def _unreachable(self, exchange: Exchange, site: SiteRoutes, error: UpstreamError) -> int:
        origin_failed(self._metrics, site, error)
        return await say(exchange, trouble(error))

    async def _own(self, exchange: Exchange, generation: Generation, name: str, target: Target) -> None:
        """What the gateway serves itself. Nothing here shows a score, a signal or a reason."""
        if exchange.method in ("GET", "HEAD"):
            if name in ("received", "declined", "page_declined"):
                reference = next((value for key, value in target.query if key == "reference"), "")
                await say(exchange, name, reference if _REFERENCE.fullmatch(reference) else "", style="html")
                return
            if name == "jwks.json" and generation.config.passport.enabled:
                headers = ((b"Content-Type", b"application/jwk-set+json"), (b"Cache-Control", b"public, max-age=3600"))
                await exchange.respond(200, self._passports.jwks(), headers)
                return
        if name.startswith(outcomes_path.PATH):
            await outcomes_path.answer(
                exchange, generation.config, self._outcomes, name.removeprefix(outcomes_path.PATH)
            )
            return
        await say(exchange, "not_found")


def _url(visit: Visit) -> str:
    arrival = visit.arrival
    return f"{arrival.request.scheme}://{arrival.page.host}{arrival.request.target}"

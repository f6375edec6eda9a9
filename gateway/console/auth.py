"""Forward-auth: a proxy asks with each request whether it may pass. Page views only, for a proxy sends no body with this question.

Whatever fails here lets the request pass and is counted: only a missing token is refused, since nobody may ask for verdicts without it.
"""

from __future__ import annotations

from aiohttp import web
from multidict import CIMultiDict

from detectors.observation import Client, Kind, Page, Request, Unavailable
from gateway.console.original import TOKEN_FIELD, Original, read
from gateway.console.problems import Token
from gateway.console.running import Running
from gateway.evidence.record import Answered
from gateway.facts.arrival import Arrival
from gateway.generation import Generation, SiteRoutes
from gateway.intake import clicks, session_cookie
from gateway.intake.client_ip import told
from gateway.intake.target import Target, parse
from gateway.model import Mode, new_id, now_us
from gateway.pipeline import Judgement
from gateway.visits.answers import fail_open, verdict_headers
from gateway.visits.arrivals import cookie_session
from gateway.web.pages import page, wants_json
from rules.verdict import Decision

PATH = "/api/v1/auth"
PASS = 204
PASS_BEHIND = 200
"""Where the visitor's path stands behind ours: Envoy takes no other status for a yes."""


class ForwardAuth:
    """Answers 204 or 200 (with the verdict's fields in `tag` and `enforce`) or, in `enforce` for what is rejected, 403 with our page."""

    def __init__(self, running: Running, token: Token) -> None:
        self._running = running
        self._token = token

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        fields = request.raw_headers
        token_field = self._token.require(fields, TOKEN_FIELD)
        rest = request.raw_path[len(PATH) :]
        behind = rest.startswith("/")
        status = PASS_BEHIND if behind else PASS
        try:
            target = rest.encode("utf-8", "surrogateescape") if behind else b""
            return await self._answer(request, read(target, request.method, fields, token_field), status)
        except Exception as error:  # noqa: BLE001 - fail open: a fault of ours must not cost a visitor the page
            fail_open(self._running.metrics, "", "auth", error)
            return self._pass("undecided", status)

    def _pass(self, result: str, status: int) -> web.Response:
        self._running.metrics.count("leadgate_assessed", "auth", result)
        return web.Response(status=status)

    async def _answer(self, request: web.BaseRequest, original: Original | None, status: int) -> web.Response:
        running = self._running
        generation = running.generation
        site = generation.site(original.host) if original is not None else None
        if original is None or site is None:
            return self._pass("undecided", status)
        target = parse(original.target, original.method, original.headers)
        judgement = landing_of(site, original.method, target)
        if judgement is None:
            return self._pass("other", status)
        arrival, cookie = self._arrival(request, generation, site, original, target)
        judged = await running.pipeline.judge(arrival, judgement)
        if site.site.mode is Mode.ENFORCE and judged.decision is Decision.REJECT:
            running.pipeline.record(judged, Answered(403, "gateway"))
            running.metrics.count("leadgate_assessed", "auth", "declined")
            return _declined(original, arrival.id)
        running.pipeline.record(judged, Answered(status, "auth"))
        running.metrics.count("leadgate_assessed", "auth", "passed")
        headers = CIMultiDict([(name.decode(), value.decode()) for name, value in verdict_headers(judged)])
        if cookie is not None:
            headers.add("Set-Cookie", session_cookie.set_cookie_header(cookie, original.scheme == "https").decode())
        return web.Response(status=status, headers=headers)

    def _arrival(
        self, request: web.BaseRequest, generation: Generation, site: SiteRoutes, original: Original, target: Target
    ) -> tuple[Arrival, str | None]:
        """The arrival, and the value of the session cookie to set, or None."""
        at = now_us()
        session: tuple[str, int] | None = None
        cookie: str | None = None
        if site.site.session == "cookie":
            sent = b"; ".join([value for name, value in original.headers if name.lower() == b"cookie"])
            session, cookie = cookie_session(self._running.tokens, sent, at)
        resolved = told(request.raw_headers, generation.trusted)
        arrival = Arrival(
            id=new_id(),
            kind=Kind.LANDING,
            site=site.name,
            at=at,
            client=Client(resolved.address, resolved.port)
            if resolved.address is not None
            else Unavailable(f"client address: {resolved.problem}"),
            request=Request(
                original.method,
                original.target.decode("latin-1"),
                tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in original.headers]),
                scheme=original.scheme,
                ordered=False,  # programs that ask have mostly sorted the fields
            ),
            page=Page((original.host or b"").decode("latin-1"), target.path, clicks.campaign(target.query)),
            session_mode=site.site.session,
            cookie=session,
            click=clicks.click_id(target.query) if target.query else None,
            peer=peer_of(request),
        )
        return arrival, cookie


def landing_of(site: SiteRoutes, method: str, target: Target) -> Judgement | None:
    """By what a page view is judged; None for what the public listener would not judge as one either."""
    if target.path.startswith(site.site.prefix) or (site.forms and site.forms_at(target)):
        return None
    route = site.landing(method, target)
    return None if route is None else route.judgement


def peer_of(request: web.BaseRequest) -> str | None:
    """The socket address of who asks, "address:port"."""
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else None


def _declined(original: Original, reference: str) -> web.Response:
    accept = next((value for name, value in original.headers if name.lower() == b"accept"), b"").decode("latin-1")
    shown = page("page_declined", reference, style="json" if wants_json(accept) else "html")
    headers = CIMultiDict([(name.decode(), value.decode()) for name, value in shown.headers])
    headers["X-Lead-Id"] = reference
    headers["Server"] = (
        "leadgate"  # proxies hand this answer to the visitor as it is, and versions are nobody's business
    )
    return web.Response(status=shown.status, body=shown.body, headers=headers)

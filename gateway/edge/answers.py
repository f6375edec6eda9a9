"""What the edge tells the origin about a visit, and the visitor about trouble."""

from __future__ import annotations

from gateway.delivery.headers import Field
from gateway.generation import Generation, SiteRoutes
from gateway.intake import session_cookie
from gateway.intake.exchange import Exchange
from gateway.log import seldom
from gateway.metrics import Metrics
from gateway.upstream.errors import HeadTimeout, UpstreamError
from gateway.upstream.headers import Fields, Forwarded
from gateway.visits.arrivals import Visit
from gateway.web.pages import page, wants_json


def forwarded_for(exchange: Exchange, generation: Generation) -> Forwarded:
    address = exchange.peer[0]
    scheme = "https" if exchange.tls else "http"
    return Forwarded(address, scheme, exchange.header(b"host"), generation.trusted.trusts(address))


def shared_cacheable(fields: Fields) -> bool:
    """May a shared cache keep this answer? A session cookie on it would be handed to everybody."""
    for name, value in fields:
        if name.lower() == b"cache-control":
            directives = value.lower()
            if b"private" in directives or b"no-store" in directives:
                return False
            if b"public" in directives or b"s-maxage" in directives or b"max-age" in directives:
                return b"max-age=0" not in directives or b"s-maxage" in directives
    return False


class CookieOnHead:
    """Adds the session cookie to an answer, unless a shared cache may keep it; remembers the answer's status and fields."""

    __slots__ = ("_cookie", "_secure", "fields", "status")

    def __init__(self, visit: Visit) -> None:
        self._cookie = visit.cookie
        self._secure = visit.arrival.request.scheme == "https"
        self.status: int | None = None
        self.fields: Fields = ()

    def __call__(self, status: int, fields: Fields) -> list[Field] | None:
        self.status, self.fields = status, fields
        if self._cookie is None or shared_cacheable(fields):
            return None
        return [(b"Set-Cookie", session_cookie.set_cookie_header(self._cookie, self._secure))]

    def field(self, name: bytes) -> str | None:
        return next((value.decode("latin-1") for key, value in self.fields if key.lower() == name), None)


async def say(
    exchange: Exchange, name: str, reference: str = "", *, style: str | None = None, prefix: str = "/_lg/"
) -> int:
    """Answer with one of our own pages, as JSON where the client or the form's `responses` asks for it. Answers the status.

    prefix  the site's own, where a redirect leads to our copy of the page
    """
    if style is None:
        style = "json" if wants_json((exchange.header(b"accept") or b"").decode("latin-1")) else "html"
    answer = page(name, reference, style=style, prefix=prefix)
    await exchange.respond(answer.status, answer.body, answer.headers)
    return answer.status


def trouble(error: UpstreamError) -> str:
    """The page that tells a visitor of this failure."""
    return "slow" if isinstance(error, HeadTimeout) else "unreachable"


def origin_failed(metrics: Metrics, site: SiteRoutes, error: UpstreamError) -> None:
    """Count a failure of the site behind the gateway, and log it now and then."""
    kind = type(error).__name__
    metrics.count("leadgate_origin_errors", site.name, kind)
    seldom("origin failed", site.name, kind, site=site.name, origin=site.upstream.origin.name, error=str(error))

"""From a visitor's request to an arrival: who it is, where it goes, which session and click it belongs to."""

from __future__ import annotations

from detectors.observation import Client, Kind, Lead, Page, Request, Unavailable
from gateway.facts.arrival import Arrival
from gateway.generation import Generation, SiteRoutes
from gateway.intake import clicks, session_cookie
from gateway.intake.client_ip import resolve
from gateway.intake.exchange import Exchange
from gateway.intake.keys import KeyRing
from gateway.intake.proxy_suspicion import ProxySuspicion
from gateway.intake.render_token import TokenReading
from gateway.intake.target import Target
from gateway.model import new_id, now_us
from gateway.upstream.headers import EVERYDAY_CONNECTION, named_by_connection


class Visit:
    """One request on its way to a verdict, with what answering it needs.

    cookie  value of the session cookie to set on the answer, or None
    """

    __slots__ = ("arrival", "cookie")

    def __init__(self, arrival: Arrival, cookie: str | None) -> None:
        self.arrival = arrival
        self.cookie = cookie


class Arrivals:
    """Reads requests into arrivals.

    token_keys  signs session cookies
    suspicion   notices that most visitors come from a proxy nobody trusts
    """

    def __init__(self, token_keys: KeyRing, suspicion: ProxySuspicion) -> None:
        self._keys = token_keys
        self._suspicion = suspicion

    def read(
        self,
        exchange: Exchange,
        generation: Generation,
        site: SiteRoutes,
        target: Target,
        kind: Kind,
        *,
        lead: Lead | Unavailable | None = None,
        token: TokenReading | None = None,
        content: bytes | None = None,
        contacts: tuple[tuple[str, str], ...] = (),
        form: str | None = None,
        id: str | None = None,
        at: int | None = None,
    ) -> Visit:
        at = now_us() if at is None else at
        mode = site.site.session
        session: tuple[str, int] | None = None
        fresh: str | None = None
        if mode == "cookie":
            session, fresh = cookie_session(self._keys, exchange.header(b"cookie"), at)
        client, ordered = self.client(exchange, generation)
        arrival = Arrival(
            id=id or new_id(),
            kind=kind,
            site=site.name,
            at=at,
            client=client,
            request=request_fact(exchange, scheme_of(exchange, generation), ordered),
            page=Page((exchange.header(b"host") or b"").decode("latin-1"), target.path, clicks.campaign(target.query)),
            session_mode=mode,
            cookie=session,
            click=clicks.click_id(target.query) if target.query else None,
            token=token,
            lead=lead,
            content=content,
            contacts=contacts,
            form=form,
            peer=f"{exchange.peer[0]}:{exchange.peer[1]}",
        )
        return Visit(arrival, fresh)

    def client(self, exchange: Exchange, generation: Generation) -> tuple[Client | Unavailable, bool]:
        """Who sent the request, resolved once; Unavailable where it can only be a proxy's own address. The second value tells whether the
        visitor's own connection was seen, so that nothing on the way can have rewritten the order of the headers."""
        peer, port = exchange.peer
        resolved = resolve(peer, exchange.headers, generation.trusted, port)
        self._suspicion.note(peer, resolved)
        if resolved.address is None:
            return Unavailable(f"client address: {resolved.problem or 'nobody names it'}"), False
        if resolved.via == "socket":
            reason = self._suspicion.address_unavailable_reason(peer)
            if reason is not None:
                return Unavailable(f"client address: {reason}"), False
        return Client(resolved.address, resolved.port), resolved.via == "socket" and not resolved.untrusted_forwarding


def cookie_session(keys: KeyRing, cookie: bytes | None, at: int) -> tuple[tuple[str, int], str | None]:
    """The session of a Cookie field as (id, issued in UTC microseconds), and the cookie's value to set where a new one begins."""
    known = session_cookie.read(keys, cookie, at).cookie
    fresh: str | None = None
    if known is None:
        fresh, known = session_cookie.begin(keys.current, at)
    return (known.id, known.issued_us), fresh


def scheme_of(exchange: Exchange, generation: Generation) -> str:
    """How the visitor came: "https" also where a trusted proxy in front ended the TLS and says so."""
    if exchange.tls:
        return "https"
    told = exchange.header(b"x-forwarded-proto")
    return (
        "https"
        if told is not None and told.lower() == b"https" and generation.trusted.trusts(exchange.peer[0])
        else "http"
    )


def request_fact(exchange: Exchange, scheme: str, ordered: bool) -> Request:
    """The head as text, every byte the character of the same number: as received, but for fields that `Connection` names. Those end at the
    gateway (RFC 9110 §7.6.1), and what is judged must be what is forwarded."""
    headers = exchange.headers
    connection = exchange.header(b"connection")
    if connection is not None and connection.lower() not in EVERYDAY_CONNECTION:
        named = named_by_connection(headers, websocket=False)
        headers = tuple([field for field in headers if field[0].lower() not in named])
    return Request(
        exchange.method,
        exchange.target.decode("latin-1"),
        tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]),
        "1.1" if exchange.version == (1, 1) else "1.0",
        scheme,
        ordered=ordered,
    )


def raw_head(exchange: Exchange) -> bytes:
    """The request head as bytes, ready to be stored: request line, fields in received order, empty line."""
    lines = [b"%b %b HTTP/%d.%d\r\n" % (exchange.method.encode("ascii"), exchange.target, *exchange.version)]
    lines.extend(b"%b: %b\r\n" % field for field in exchange.headers)
    lines.append(b"\r\n")
    return b"".join(lines)

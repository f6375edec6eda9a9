"""From an assess call to an arrival: which site and form it is about, and what is known of the request.

What the caller does not tell is unknown, not suspicious: a head of which no line was sent is no head without lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from detectors.behaviour import Pointer
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Page,
    Request,
    Unavailable,
)
from gateway.console.assess_body import Question, bad_field
from gateway.facts.arrival import Arrival
from gateway.generation import FormRoute, Generation, SiteRoutes
from gateway.intake import clicks, render_token, session_cookie
from gateway.intake.form_json import parse_json
from gateway.intake.form_model import FormLimits, FormUnreadable, Pair, check
from gateway.intake.keys import KeyRing
from gateway.intake.pointer import pointer_of
from gateway.intake.target import Target, parse
from gateway.pipeline import Judgement
from gateway.visits.reading import digest, of_fields, which
from rules.problems import suggest

TOKEN_MAX_AGE_S = 2 * 86_400
NO_FORM = "the caller names no form, and the site has several or none: roles of fields are unknown"

_URL = re.compile(r"(?:(https?)://([^/?#\\]*))?([/?][^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)


class Said(msgspec.Struct, frozen=True):
    """What the fields say; nothing where none were sent."""

    lead: Lead | Unavailable | None = None
    content: bytes | None = None
    contacts: tuple[Pair, ...] = ()
    token: str | None = None


class Case(msgspec.Struct, frozen=True):
    """A question understood: the arrival, what judges it, and what the caller should know about its understanding.

    notes  (fact, reason) that join what was unavailable
    """

    arrival: Arrival
    by: Judgement
    notes: tuple[tuple[str, str], ...]


def understand(asked: Question, generation: Generation, tokens: KeyRing, peer: str | None, id: str, at: int) -> Case:
    """Raises Problem where the question names what is not there."""
    scheme, authority, target_text = _url(asked)
    headers = tuple([(_latin(name), _latin(value)) for name, value in asked.headers or ()])
    first = {name.lower(): value for name, value in reversed(headers)}
    host = authority or first.get("host", "")
    site = _site(asked, generation, host)
    raw = _latin(target_text)
    target = parse(
        raw.encode("latin-1"), asked.method or "GET", tuple([(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers])
    ) if raw else None  # fmt: skip
    method = (asked.method or "").upper()
    kind = _kind(asked, site, target, method)
    fields = _fields(asked, generation)
    route = _form(asked, site, target, fields) if kind is Kind.SUBMISSION else None
    said = _said(route, fields) if kind is Kind.SUBMISSION else Said()
    arrival = Arrival(
        id=id,
        kind=kind,
        site=site.name,
        at=at,
        client=Client(asked.ip),
        request=Request(
            method,
            raw,
            headers,
            scheme=scheme or ("https" if first.get("x-forwarded-proto", "").lower() == "https" else "http"),
            complete="host" in first,  # nobody who picks single fields picks this one
            ordered=False,
        ),
        page=Page(
            host[:255], "" if target is None else target.path, {} if target is None else clicks.campaign(target.query)
        ),
        session_mode=site.site.session,
        cookie=_session(asked.session, first.get("cookie"), site, tokens, at),
        click=clicks.click_id(target.query) if target is not None and target.query else None,
        token=_token(said.token, route, tokens, at),
        lead=said.lead,
        content=said.content,
        contacts=said.contacts,
        form=None if route is None else route.form.name,
        peer=peer,
        pointer=_pointer(asked),
    )
    unnamed = kind is Kind.SUBMISSION and route is None and fields is not None
    return Case(arrival, _judgement(kind, route, site, target), (("form", NO_FORM),) if unnamed else ())


def _latin(text: str) -> str:
    """As facts hold text of a request: every byte the character of the same number. Callers hand it over so, or decoded as UTF-8."""
    if text.isascii():
        return text
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8").decode("latin-1")
    return text


def _url(asked: Question) -> tuple[str, str, str]:
    """Scheme, authority and target in origin form of the URL, "" for what it does not say."""
    if asked.url is None:
        return "", "", ""
    found = _URL.fullmatch(asked.url)
    if found is None:
        raise bad_field("url", 'is a whole URL ("https://www.acme.example/offer?x=1") or begins with "/"')
    target = found[3] or "/"
    authority = (found[2] or "").rpartition("@")[2]  # not who logs in there, and with which password
    return (found[1] or "").lower(), authority, target if target.startswith("/") else "/" + target


def _site(asked: Question, generation: Generation, host: str) -> SiteRoutes:
    sites = generation.sites
    names = [site.name for site in sites]
    if asked.site is not None:
        named = next((site for site in sites if site.name == asked.site), None)
        if named is None:
            raise bad_field(
                "site", "is none of the sites. " + suggest(asked.site, names, f"There are: {', '.join(names)}.")
            )
        return named
    found = generation.site(host.encode("latin-1", "replace")) if host else None
    if found is not None:
        return found
    if len(sites) == 1:
        return sites[0]
    raise bad_field("site", f"is needed, since neither url nor a Host header tells it. There are: {', '.join(names)}.")


def _kind(asked: Question, site: SiteRoutes, target: Target | None, method: str) -> Kind:
    has_form = asked.form is not None or asked.fields is not None
    if asked.kind is not None:
        if asked.kind == "landing" and has_form:
            raise bad_field("kind", "a landing has neither form nor fields: leave those out, or ask about a submission")
        return Kind(asked.kind)
    if has_form or (target is not None and method and site.forms_at(target)):
        return Kind.SUBMISSION
    return Kind.LANDING


def _fields(asked: Question, generation: Generation) -> tuple[Pair, ...] | None:
    if asked.fields is None:
        return None
    limits = FormLimits(fields=generation.config.limits.form_fields)
    try:
        if isinstance(asked.fields, dict):
            pairs, _ = parse_json(_again(asked.fields, limits), [], limits)
        else:
            pairs = list(asked.fields)
            check(pairs, limits)
    except FormUnreadable as error:
        raise bad_field("fields", error.reason) from error
    return tuple(pairs)


def _again(fields: Mapping[str, Any], limits: FormLimits) -> bytes:
    """The JSON that they came from. Raises FormUnreadable."""
    try:
        return orjson.dumps(fields)
    except (
        TypeError
    ):  # what was read from JSON can be written as JSON, but for its depth: more can be read (1,024) than written (254)
        raise FormUnreadable(f"JSON nested more than {limits.depth} levels deep") from None


def _form(
    asked: Question, site: SiteRoutes, target: Target | None, fields: tuple[Pair, ...] | None
) -> FormRoute | None:
    if asked.form is not None:
        names = [route.form.name for route in site.forms]
        named = next((route for route in site.forms if route.form.name == asked.form), None)
        if named is None:
            otherwise = f"There are: {', '.join(names)}." if names else "It has none."
            raise bad_field("form", f"is no form of the site {site.name}. " + suggest(asked.form, names, otherwise))
        return named
    if target is not None:
        there = [route for route in site.forms if route.pattern.matches(target)]
        found = which(there, fields or ())
        if found is not None:
            return found
    return site.forms[0] if len(site.forms) == 1 else None


def _said(route: FormRoute | None, fields: tuple[Pair, ...] | None) -> Said:
    if fields is None:
        return Said()
    if route is None:
        return Said(Lead("", fields), digest(fields))
    read = of_fields(route, fields)
    return Said(read.lead, read.content, read.contacts, read.token)


def _token(token: str | None, route: FormRoute | None, tokens: KeyRing, at: int) -> render_token.TokenReading | None:
    """A form that a server made itself holds none of ours; then none is missed."""
    if token is None or route is None or route.form.render_token != "auto":
        return None
    return render_token.read(tokens, token, route.form.name, at, TOKEN_MAX_AGE_S)


def _pointer(asked: Question) -> Pointer | None:
    if asked.beacon is None or not asked.beacon.pointer:
        return None
    return pointer_of(asked.beacon.pointer)


def _session(
    told: str | None, cookie: str | None, site: SiteRoutes, tokens: KeyRing, at: int
) -> tuple[str, int] | None:
    """(id, issued): of our own cookie, as the caller hands it over or as it stands in the headers, or an id of the caller's own."""
    if told is not None:
        ours = session_cookie.read(tokens, f"{session_cookie.NAME}={told}".encode("utf-8", "replace"), at).cookie
        return (ours.id, ours.issued_us) if ours is not None else (f"told\n{told}", at)
    if site.site.session == "cookie" and cookie:
        ours = session_cookie.read(tokens, cookie.encode("latin-1"), at).cookie
        return None if ours is None else (ours.id, ours.issued_us)
    return None


def _judgement(kind: Kind, route: FormRoute | None, site: SiteRoutes, target: Target | None) -> Judgement:
    if kind is Kind.SUBMISSION:
        return site.any_post if route is None else route.judgement
    found = None if target is None else site.landing("GET", target)
    return site.any_landing if found is None else found.judgement

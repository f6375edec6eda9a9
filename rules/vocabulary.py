"""The words a composite's condition may use, each with its type, its meaning and how it is read from an observation.

A fact that does not apply or could not be had reads as "", 0, false or an empty list, so that a condition never fails for want of it; whether
it could be had is asked with `"network" in unavailable`. A fact that is known in part reads as what is known of it, and stands in `partial`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detectors.behaviour import Company, Similar
from detectors.observation import (
    WINDOWS,
    Click,
    Observation,
    RenderToken,
    Session,
    Unavailable,
    Velocity,
)
from geoip.kinds import KINDS
from geoip.network import Network

Value = bool | int | str | list[str] | dict[str, int] | dict[str, str]

DIMENSIONS = (
    "address",
    "prefix",
    "network",
    "browser",
    "session",
    "click",
    "paid",
    "site",
    "contacts",
    "email",
    "phone",
    "form",
    "email_phones",
    "phone_emails",
    "phone_names",
    "name_emails",
    "text_emails",
)
COUNTERS = frozenset(f"{dimension}/{window}" for dimension in DIMENSIONS for window in WINDOWS)

FACTS = (
    "client",
    "request",
    "network",
    "velocity",
    "session",
    "click",
    "reverse",
    "lead",
    "token",
    "duplicate",
    "mail",
    "similar",
    "journey",
    "campaign",
    "company",
    "pointer",
)


def unavailable(obs: Observation) -> list[str]:
    """Names of the facts that could not be had."""
    return [name for name in FACTS if isinstance(getattr(obs, name), Unavailable)]


def _network(obs: Observation) -> Network:
    return obs.network if isinstance(obs.network, Network) else Network()


def _company(obs: Observation) -> Company:
    return obs.company if isinstance(obs.company, Company) else Company("")


def _session(obs: Observation) -> Session:
    return obs.session if isinstance(obs.session, Session) else Session(kind="", id="", age_s=0)


def _click(obs: Observation) -> Click:
    return obs.click if isinstance(obs.click, Click) else Click(platform="", parameter="", digest="", length=0, seen=0)


def _token(obs: Observation) -> RenderToken:
    return obs.token if isinstance(obs.token, RenderToken) else RenderToken(state="")


def _form(obs: Observation) -> str:
    return obs.lead.form if obs.lead is not None and not isinstance(obs.lead, Unavailable) else ""


def _counts(obs: Observation) -> dict[str, int]:
    return {key: c.count for key, c in obs.velocity.flat().items()} if isinstance(obs.velocity, Velocity) else {}


def _distinct(obs: Observation) -> dict[str, int]:
    return {key: c.distinct for key, c in obs.velocity.flat().items()} if isinstance(obs.velocity, Velocity) else {}


@dataclass(frozen=True, slots=True)
class Variable:
    """`type` in CEL's words: bool, int, string, list(string), map(string, int), map(string, string)."""

    name: str
    type: str
    meaning: str
    read: Callable[[Observation], Value]


VARIABLES: tuple[Variable, ...] = (
    Variable("kind", "string", '"landing" or "submission"', lambda o: str(o.kind)),
    Variable("site", "string", "name of the site in the configuration", lambda o: o.site),
    Variable("form", "string", 'name of the form, "" on a landing', _form),
    Variable("page.host", "string", "host the request went to", lambda o: o.page.host),
    Variable("page.path", "string", "canonical path of the page", lambda o: o.page.path),
    Variable(
        "page.campaign", "map(string, string)", "utm_* and ad platform values of the address", lambda o: o.page.campaign
    ),
    Variable(
        "network.kind",
        "string",
        f'{", ".join(KINDS)}, or "" where nothing tells',
        lambda o: _network(o).kind,
    ),
    Variable("network.asn", "int", "number of the autonomous system, 0 unknown", lambda o: _network(o).asn or 0),
    Variable("network.organisation", "string", "who announces the network", lambda o: _network(o).organisation or ""),
    Variable("network.country", "string", "two letters, upper case", lambda o: _network(o).country or ""),
    Variable(
        "network.labels", "list(string)", '"kind:name" of each published range', lambda o: list(_network(o).labels)
    ),
    Variable(
        "company.organisation",
        "string",
        'whose own network the visitor is in, "" where it is nobody\'s',
        lambda o: _company(o).organisation,
    ),
    Variable(
        "company.domain",
        "string",
        'its domain by reverse DNS (see dns.company_names), or ""',
        lambda o: _company(o).domain,
    ),
    Variable("session.kind", "string", '"cookie", "derived" or ""', lambda o: _session(o).kind),
    Variable("session.age_s", "int", "seconds since the session began", lambda o: _session(o).age_s),
    Variable("session.landings", "int", "page views in the session, this one included", lambda o: _session(o).landings),
    Variable(
        "session.submissions", "int", "form posts in the session, this one included", lambda o: _session(o).submissions
    ),
    Variable("click.present", "bool", "does it carry an ad click id", lambda o: isinstance(o.click, Click)),
    Variable("click.platform", "string", "google, meta, microsoft, ...", lambda o: _click(o).platform),
    Variable("click.seen", "int", "landings with this click id, this one included", lambda o: _click(o).seen),
    Variable(
        "click.first_seen_s", "int", "seconds since the click id was first seen", lambda o: _click(o).first_seen_s
    ),
    Variable(
        "token.state", "string", '"missing", "malformed", "forged", "expired", "valid" or ""', lambda o: _token(o).state
    ),
    Variable(
        "token.age_ms", "int", "milliseconds from rendering to submission, -1 unknown", lambda o: _token(o).age_ms
    ),
    Variable(
        "velocity", "map(string, int)", 'events, by "dimension/window in seconds": velocity["address/3600"]', _counts
    ),
    Variable(
        "distinct", "map(string, int)", "distinct members (browsers or addresses) of the same counters", _distinct
    ),
    Variable(
        "similar.seen",
        "int",
        "leads of a day whose free text is this one or nearly so, this one included; 0 unknown",
        lambda o: o.similar.seen if isinstance(o.similar, Similar) else 0,
    ),
    Variable(
        "similar.networks",
        "int",
        "neighbourhoods (/24 or /48) these came from",
        lambda o: o.similar.networks if isinstance(o.similar, Similar) else 0,
    ),
    Variable("headers.complete", "bool", "are all request headers known", lambda o: o.request.complete),
    Variable("headers.ordered", "bool", "is their order as the client sent it", lambda o: o.request.ordered),
    Variable("unavailable", "list(string)", f"facts that could not be had, of {', '.join(FACTS)}", unavailable),
    Variable(
        "partial",
        "list(string)",
        "facts that know less than they should (the shared state was away): velocity, session, click, token, duplicate, similar; a condition that asks "
        'for what is *not* there needs `!("session" in partial)` beside it',
        lambda o: [name for name, _ in o.partial],
    ),
)

FUNCTIONS = (
    ("signal(id)", "bool", 'did a detector report this signal; `signal("bot.*")`: any of the group'),
    ("strength(id)", "double", "how strongly, 0.0 to 1.0; 0.0 if it did not"),
    ("fired", "list(string)", "ids of all signals that were reported"),
)

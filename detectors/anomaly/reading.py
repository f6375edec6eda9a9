"""Reads the features of an observation: straight on, because every page view pays for it."""

from __future__ import annotations

from math import nan

from detectors.anomaly.feature_sets import EXPECTED_HEADERS, LEAST_BEATS
from detectors.behaviour import Journey, Similar
from detectors.observation import (
    NONE,
    Click,
    Count,
    Counts,
    Duplicate,
    Kind,
    Lead,
    Observation,
    RenderToken,
    Session,
    Velocity,
)
from geoip.network import Network

Values = tuple[float, ...]
"""Read features. One that is not known is `math.nan` itself where no arithmetic made it, so that what was read alike is equal as a key."""

HOSTING = ("hosting", "cdn")
LONGEST_TEXT = 20_000
"""Characters of a free text that are looked at."""

_NOWHERE: Counts = (NONE, NONE, NONE, NONE)
_NOT_KNOWN = Count(nan, nan)  # type: ignore[arg-type]
_UNREAD: Counts = (_NOT_KNOWN, _NOT_KNOWN, _NOT_KNOWN, _NOT_KNOWN)
_EXPECTED = frozenset(EXPECTED_HEADERS)
_OF_A_PAGE_VIEW = ("address", "prefix", "browser", "session", "click")
_OF_A_FORM = (
    *("address", "prefix", "browser", "session", "email", "phone"),
    *("email_phones", "phone_emails", "phone_names", "text_emails"),
)
_ALWAYS = ("address", "prefix", "browser", "session")
_ABSENT = {name: _UNREAD if name in _ALWAYS else _NOWHERE for name in (*_OF_A_PAGE_VIEW, *_OF_A_FORM)}


def vector(obs: Observation) -> Values:
    """The features of an observation in the order of its kind's list; NaN where one is not known."""
    return _landing(obs) if obs.kind is Kind.LANDING else _submission(obs)


def _landing(obs: Observation) -> Values:
    address, prefix, browser, views, click_row = _rows(obs, _OF_A_PAGE_VIEW)
    session = _session(obs)
    seen = browsers = age = moved = values = nan
    click = obs.click
    if click is None:
        seen, browsers, age, moved, values = 1.0, 0.0, 0.0, 0.0, 1.0
    elif isinstance(click, Click) and not obs.is_partial("click"):
        seen, browsers, age = click.seen, click_row[3].distinct, click.first_seen_s
        moved = (click.same_network is False) + (click.same_browser is False)
        values = click.values
    hour, near = address[2], prefix[2]
    return (
        hour.count,
        address[3].count,
        hour.count / (hour.distinct or 1),
        near.count / (near.distinct or 1),
        browser[2].distinct,
        views[0].count,
        views[3].count,
        nan if session is None else session.landings / (1 + session.age_s / 60),
        seen,
        browsers,
        age,
        moved,
        values,
        *_headers(obs),
        *_journey(obs, session),
    )


def _submission(obs: Observation) -> Values:
    address, prefix, browser, posts, email, phone, phones, emails, names, texts = _rows(obs, _OF_A_FORM)
    session = _session(obs)
    token, duplicate, similar = obs.token, obs.duplicate, obs.similar
    age = uses = bad = nan
    if isinstance(token, RenderToken):
        age = token.age_ms / 1000 if token.age_ms >= 0 else nan
        bad = token.state not in ("valid", "missing")
        if not obs.is_partial("token"):
            uses = max(1, token.uses)
    body = contact = nan
    if isinstance(duplicate, Duplicate) and not obs.is_partial("duplicate"):
        body, contact = duplicate.body_seen, duplicate.contact_seen
    alike = alike_networks = nan
    if similar is None:
        alike, alike_networks = 1.0, 1.0
    elif isinstance(similar, Similar) and not obs.is_partial("similar"):
        alike, alike_networks = similar.seen, similar.networks
    ten, hour, near = address[1], address[2], prefix[2]
    return (
        ten.count,
        hour.count,
        address[3].count,
        hour.count / (hour.distinct or 1),
        near.count,
        near.count / (near.distinct or 1),
        browser[2].count,
        browser[2].distinct,
        posts[2].count,
        posts[3].count,
        email[3].count,
        email[3].distinct,
        phone[3].count,
        phone[3].distinct,
        nan if session is None else session.landings,
        nan if session is None else session.age_s,
        age,
        uses,
        bad,
        body,
        contact,
        *_headers(obs),
        *_text(obs),
        alike,
        alike_networks,
        phones[3].distinct,
        emails[3].distinct,
        names[3].distinct,
        texts[3].distinct,
        *_journey(obs, session),
    )


def _rows(obs: Observation, dimensions: tuple[str, ...]) -> list[Counts]:
    """A visitor without an address, browser or session counter is one of whom it is not known; without the others, they count nothing."""
    velocity = obs.velocity
    if not isinstance(velocity, Velocity) or (obs.partial and obs.is_partial("velocity")):
        return [_UNREAD] * len(dimensions)
    counts = velocity.counts
    return [counts.get(name) or _ABSENT[name] for name in dimensions]


def _session(obs: Observation) -> Session | None:
    session = obs.session
    return session if isinstance(session, Session) and not (obs.partial and obs.is_partial("session")) else None


def _headers(obs: Observation) -> tuple[float, float, float, float]:
    network, hosting = obs.network, nan
    if isinstance(network, Network):
        kind = network.kind or (network.labels[0].partition(":")[0] if network.labels else "")
        hosting = kind in HOSTING
    if not obs.request.complete:
        return nan, nan, nan, hosting
    first = obs.request.first
    missing = len(_EXPECTED.difference(first))
    return len(first), missing, len(first.get("user-agent", "")), hosting


def _journey(obs: Observation, session: Session | None) -> tuple[float, float, float]:
    journey = obs.journey
    if not isinstance(journey, Journey) or (obs.partial and obs.is_partial("journey")):
        return nan, nan, nan
    bare = nan
    if session is not None and journey.assets >= 0:
        bare = max(0, session.landings - 1) if journey.assets == 0 else 0.0
    spread = journey.beat_spread / 1000 if journey.beats >= LEAST_BEATS else nan
    return bare, journey.networks, spread


def _text(obs: Observation) -> tuple[float, float, float, float]:
    lead = obs.lead
    if not isinstance(lead, Lead):
        return nan, nan, nan, nan
    text = "\n".join(lead.values("message"))[:LONGEST_TEXT]
    values = [value for _, value in lead.fields if len(value) > 3]
    digits = sum(map(str.isdigit, text)) / max(20, len(text))
    return len(text), digits, text.count("://") + text.count("www."), len(values) - len(set(values))

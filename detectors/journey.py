"""The way through the site: does the visitor move as people do?

Each of these has innocent causes (a warm cache, a page that reloads itself, a train ride), so each is weak, and the strongest claims are made of what
was seen, never of what may have been missed: a fact that is known in part says nothing here that rests on absence.

Many sessions from one network are not looked at: that is a school or a carrier as often as a program, and velocity counts it with the browsers behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.behaviour import Journey
from detectors.observation import (
    Kind,
    Observation,
    RenderToken,
    Session,
    Velocity,
)
from detectors.signal import Signal
from detectors.velocity import DISTINCT_CAP
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

ASSETS_USUAL = 800
"""Sessions, in thousandths, that fetch parts of pages: below, the site's pictures come from elsewhere or from caches, and their absence says nothing."""

ASSETS_AGE_S = 10
"""Seconds after its first page from which a session's parts of pages have been noted."""

BEATS = 6
"""Intervals below which regularity is chance."""

BEAT_MS = 1_000
"""Mean interval below which it is no reading, but clicking or loading: other counters look at that."""

REGULAR = 300
"""Spread of intervals, in thousandths of their mean, that people reach by chance once in some hundred sessions; usual are 800 and more."""

CONTACTS, CONTACTS_FULL = 3, 16
"""Different contacts that one session sends within a day: a couple asks for both, an agent for each customer; and those at which the finding has its full
strength."""

NETWORKS, NETWORKS_FULL = 6, 24
"""Neighbourhoods of one cookie within a day: home, work, a café, the phone on the way; and those at which the finding has its full strength."""

ROAMING = frozenset({"mobile", "mixed", "relay", "vpn", "tor", "proxy"})
"""Kinds of network whose users change addresses without doing anything."""


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    journey, session = obs.journey, obs.session
    if not isinstance(journey, Journey):
        return
    if isinstance(session, Session):
        if journey.assets == 0 and session.landings >= (1 if obs.kind is Kind.SUBMISSION else 2):
            yield from _without_assets(obs, journey, session)
        if journey.beats >= BEATS:
            yield from _regular(journey)
        if journey.networks >= NETWORKS:
            yield from _networks(obs, journey)
    if obs.kind is Kind.SUBMISSION:
        if journey.click_landed is False and not obs.is_partial("journey"):
            yield Signal("click.no_landing")
        if isinstance(session, Session):
            yield from _fast(obs, journey, session, ref)
            yield from _contacts(obs, session, ref)


def _without_assets(obs: Observation, journey: Journey, session: Session) -> Iterator[Signal]:
    if journey.assets_usual < ASSETS_USUAL or session.age_s < ASSETS_AGE_S or obs.is_partial("journey"):
        return
    strength = (journey.assets_usual - ASSETS_USUAL + 50) / (1050 - ASSETS_USUAL)
    yield Signal(
        "session.no_assets",
        evidence=(str(session.landings), f"{journey.assets_usual / 10:.0f} %"),
        strength=round(min(1.0, strength), 3),
    )


def _regular(journey: Journey) -> Iterator[Signal]:
    if journey.beat_spread >= REGULAR or journey.beat_ms < BEAT_MS:
        return
    strength = (1 - journey.beat_spread / REGULAR) * min(1.0, 0.4 + 0.1 * (journey.beats - BEATS))
    yield Signal(
        "session.regular",
        evidence=(str(journey.beats), f"{journey.beat_ms / 1000:.1f}", f"{journey.beat_spread / 10:.0f} %"),
        strength=round(max(0.1, strength), 3),
    )


def _networks(obs: Observation, journey: Journey) -> Iterator[Signal]:
    network = obs.network
    if not isinstance(network, Network) or network.kind in ROAMING:
        return
    strength = 0.2 + 0.8 * math.log(journey.networks / NETWORKS) / math.log(NETWORKS_FULL / NETWORKS)
    yield Signal("session.many_networks", evidence=(str(journey.networks),), strength=round(min(1.0, strength), 3))


def _contacts(obs: Observation, session: Session, ref: Reference) -> Iterator[Signal]:
    """Without a cookie a session is a browser's make in a neighbourhood: where many share one, nothing is said."""
    if not isinstance(obs.velocity, Velocity) or "contacts" not in obs.velocity.counts:
        return
    if session.kind != "cookie" and (not isinstance(obs.network, Network) or ref.limits.factor(obs.network.kind) != 1):
        return
    distinct = obs.velocity.counts["contacts"][-1].distinct
    if distinct >= CONTACTS:
        strength = 0.2 + 0.8 * math.log(distinct / CONTACTS) / math.log(CONTACTS_FULL / CONTACTS)
        shown = f"{distinct} or more" if distinct >= DISTINCT_CAP else str(distinct)
        yield Signal("session.many_contacts", evidence=(shown,), strength=round(min(1.0, strength), 3))


def _fast(obs: Observation, journey: Journey, session: Session, ref: Reference) -> Iterator[Signal]:
    """Where a token was rendered, it knows better (form.too_fast)."""
    if isinstance(obs.token, RenderToken) and obs.token.state != "missing":
        return
    if session.submissions != 1 or not session.landings or obs.is_partial("session") or obs.is_partial("journey"):
        return
    if (
        session.kind != "cookie" and session.landings != 1
    ):  # somebody else's page view, who has the same phone behind the same address
        return
    least = ref.form.min_seconds * 1000
    if 0 <= journey.dwell_ms < least:
        yield Signal(
            "session.fast",
            evidence=(f"{journey.dwell_ms / 1000:.1f}", f"{ref.form.min_seconds:g}"),
            strength=round(max(0.2, 1 - journey.dwell_ms / least), 3),
        )

"""The ad click id: does it look like one, and is it the click of one visitor?

Reloads, the back button and a tab restored next morning bring the same id again from the same visitor: that is shown and weighs nothing. People also pass
landing addresses on in messages, so a few visits from other networks and other browsers speak softly; many, or days later, speak loudly: whatever they
are, they are not separate paid clicks.

Many different click ids from one address within a day are many paid clicks of few people: each further browser behind the address adds what one person
may do, and where thousands share an address nothing is said.

Who was first may be unknown (the shared state was away): then nobody is said to come from elsewhere, for it may be the first visitor who comes back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from detectors.observation import Click, Observation, Velocity
from detectors.signal import Signal
from detectors.velocity import DISTINCT_CAP
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

LATE_S = 2 * 86_400
"""From here on a click id that comes back from another network or another browser counts as replayed."""

FLOOD_FROM = 20
"""Landings with one click id from which on it is a flood; a person with the back button stays well below."""

FLOOD_FULL = 500
"""Landings at which the flood's strength is full."""

MANY_HOUR, MANY_DAY = (4, 3), (6, 4)
"""Different click ids from one address that one browser may bring, and each further one, within an hour and a day. Who compares offers clicks an ad three
or four times; who uses the ad as a bookmark a little more often."""

MANY_FULL = 4.0
"""Strength is full at this many times what is allowed."""

MAX_LENGTH = 1_024
"""Characters; the longest ids seen in the wild (Meta) have about 250."""

_GUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_TOKEN = r"[A-Za-z0-9_.\-~=+/]"
# Ids are opaque and their makers may change them: only what has been stable for years is asked for, and a breach is a hint, never more.
_SHAPES = {
    "gclid": re.compile(rf"{_TOKEN}{{16,}}"),
    "dclid": re.compile(rf"{_TOKEN}{{16,}}"),
    "gbraid": re.compile(rf"{_TOKEN}{{16,}}"),
    "wbraid": re.compile(rf"{_TOKEN}{{16,}}"),
    "msclkid": re.compile(_GUID),
    "fbclid": re.compile(rf"{_TOKEN}{{20,}}"),
    "li_fat_id": re.compile(_GUID),
    "yclid": re.compile(r"[0-9]{6,32}"),
}
_ANY = re.compile(rf"[{_TOKEN[1:-1]}:%|,*!]{{6,}}")
_PLACEHOLDER = re.compile(r"\{+[^{}]*\}+|__[A-Z_]+__|%%[A-Z_:]+%%|\[[A-Z_]+\]|\$\{?[A-Za-z_]+\}?")


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    click = obs.click
    if not isinstance(click, Click):
        return
    if isinstance(obs.velocity, Velocity) and "paid" in obs.velocity.counts:
        yield from _many(obs, obs.velocity, ref)
    defect = _shape(obs, click)
    if defect is not None:
        yield defect
    if click.values > 1:
        yield Signal("click.several_values", evidence=(click.parameter, str(click.values)))
    if click.seen <= 1:
        return
    partial = obs.is_partial("click")
    since = f"at least {_since(click.first_seen_s)}" if partial else _since(click.first_seen_s)
    yield from _again(click, since, partial)
    if click.seen >= FLOOD_FROM:
        strength = 0.3 + 0.7 * math.log(click.seen / FLOOD_FROM) / math.log(FLOOD_FULL / FLOOD_FROM)
        yield Signal("click.flood", evidence=(str(click.seen), since), strength=round(min(1.0, strength), 3))


def _many(obs: Observation, velocity: Velocity, ref: Reference) -> Iterator[Signal]:
    paid, address = velocity.counts["paid"], velocity.counts.get("address")
    if address is None or paid[-1].distinct <= MANY_DAY[0]:
        return  # nearly everybody
    factor = ref.limits.factor(obs.network.kind if isinstance(obs.network, Network) else "")
    worst: tuple[float, int, str, int] | None = None
    for place, (first, each), words in ((2, MANY_HOUR, "an hour"), (3, MANY_DAY, "a day")):
        browsers = address[place].distinct
        clicks, allowed = paid[place].distinct, (first + each * max(0, browsers - 1)) * factor
        if 0 < browsers < DISTINCT_CAP and 0 < allowed < clicks:
            strength = math.log(clicks / allowed) / math.log(MANY_FULL)
            if worst is None or strength > worst[0]:
                worst = (strength, clicks, words, browsers)
    if worst is not None:
        strength, clicks, words, browsers = worst
        shown = f"{clicks} or more" if clicks >= DISTINCT_CAP else str(clicks)
        yield Signal(
            "click.many_from_one",
            evidence=(shown, words, str(browsers)),
            strength=round(min(1.0, max(0.15, strength)), 3),
        )


def _again(click: Click, since: str, partial: bool) -> Iterator[Signal]:
    elsewhere = (click.same_network is False) + (click.same_browser is False)
    late = click.first_seen_s >= LATE_S
    if partial and elsewhere:
        return
    if elsewhere == 2 or (elsewhere == 1 and late):
        # a link passed on to a friend is 2 or 3 landings; each doubling beyond makes that less likely
        strength = 0.3 + 0.15 * math.log2(click.seen - 1) + (0.3 if late and elsewhere == 2 else 0.0)
        yield Signal(
            "click.replayed",
            evidence=(
                str(click.seen),
                since,
                "another network and browser"
                if elsewhere == 2
                else "another network"
                if click.same_network is False
                else "another browser",
            ),
            strength=round(min(1.0, strength), 3),
        )
    else:
        yield Signal("click.repeated", evidence=(str(click.seen), since))


def _shape(obs: Observation, click: Click) -> Signal | None:
    """Length and characters of the id as it stands in the request target; silent where the target does not hold it."""
    if click.length > MAX_LENGTH:
        return Signal("click.malformed", evidence=(click.platform, click.parameter, f"{click.length} characters long"))
    parameter = click.parameter.lower()
    raw = _value(obs.request.target, parameter)
    if not raw:
        return None
    value = unquote_plus(raw) if "%" in raw or "+" in raw else raw
    if click.length not in (
        len(raw),
        len(value),
    ):  # another value of a parameter that came several times, or a cut target
        return None
    if _PLACEHOLDER.fullmatch(value):
        return Signal("click.placeholder", evidence=(click.platform, click.parameter))
    if _SHAPES.get(parameter, _ANY).fullmatch(value.strip()):
        return None
    wrong = "too short" if len(value) < 16 else "characters or length that such ids do not have"
    return Signal("click.malformed", evidence=(click.platform, click.parameter, wrong))


def _value(target: str, parameter: str) -> str | None:
    """First value of `parameter` (in lower case) in the target's query, not yet decoded, or None."""
    _, _, query = target.partition("?")
    for pair in query[:16_384].split("&"):
        name, _, value = pair.partition("=")
        if name.lower() == parameter:
            return value.partition("#")[0]
    return None


def _since(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} seconds"
    if seconds < 7_200:
        return f"{seconds // 60} minutes"
    if seconds < 172_800:
        return f"{seconds // 3600} hours"
    return f"{seconds // 86_400} days"

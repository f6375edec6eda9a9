"""Observations made by hand: an ordinary visitor, with a fact changed here and there."""

from __future__ import annotations

import msgspec

from detectors.behaviour import Journey
from detectors.observation import (
    Client,
    Count,
    Duplicate,
    Kind,
    Lead,
    Observation,
    Page,
    RenderToken,
    Request,
    Session,
    Unavailable,
    Velocity,
)
from geoip.network import Network

AWAY = Unavailable("redis: timeout")
HEADERS = tuple((name, "x") for name in ("Host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language"))
TEXT = "Please call me, I need a roof."
FIELDS = (("full_name", "Anna Weber"), ("message", TEXT))


def observation(kind: Kind = Kind.LANDING, **changed: object) -> Observation:
    form = kind is Kind.SUBMISSION
    dimensions = ("address", "prefix", "browser", "session")
    ordinary = Observation(
        kind, "acme", 1, Page("a.example", "/"), Client("192.0.2.1"), Request("GET", "/", HEADERS), Network(),
        Velocity.of({f"{name}/{window}": Count(1, 1) for name in dimensions for window in (60, 600, 3600, 86400)}),
        session=Session("cookie", "a", 60, 2),
        lead=Lead("quote", FIELDS, {"message": (TEXT,)}) if form else None,
        token=RenderToken("valid", 30_000, 1) if form else None,
        duplicate=Duplicate() if form else None,
        journey=Journey(assets=3),
    )  # fmt: skip
    return msgspec.structs.replace(ordinary, **changed)


def counts(key: str, count: int, distinct: int) -> Velocity:
    velocity = observation().velocity
    assert isinstance(velocity, Velocity)
    return Velocity.of({**velocity.flat(), key: Count(count, distinct)})

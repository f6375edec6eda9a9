"""One lead's record, made whole, with what a test wants changed."""

from __future__ import annotations

import pytest

from detectors.observation import Client, Count, Kind, Lead, Observation, Page, Request, Velocity
from detectors.signal import Signal
from gateway.evidence.record import build
from gateway.model import Mode, new_id
from geoip.network import Network
from rules.verdict import Decision, Ivt, Verdict

NOW = 1_760_000_000_000_000


def observation(**changes):
    values = {
        "kind": Kind.SUBMISSION,
        "site": "acme",
        "at": NOW,
        "page": Page("www.acme.example", "/Lead", {"utm_source": "Newsletter"}),
        "client": Client("203.0.113.5", 4711),
        "request": Request("POST", "/lead?gclid=x", (("Host", "www.acme.example"), ("User-Agent", "Mozilla/5.0"))),
        "network": Network(64500, "Example Net", "DE"),
        "velocity": Velocity.of({"address/60": Count(3, 1)}),
        "lead": Lead(
            "quote", (("email", "Ann@Example.org"),), {"email": ("Ann@Example.org ",), "phone": ("+49 (30) 12",)}
        ),
    }
    return Observation(**(values | changes))


def verdict(**changes):
    values = {
        "decision": Decision.ACCEPT,
        "quality": 91,
        "confidence": 80,
        "ivt": Ivt.VALID,
        "category": None,
        "score": -2300,
        "decided_by": "threshold review_below 50",
        "reasons": (),
        "groups": (),
        "composites": (),
        "unavailable": (),
        "nearest": "",
    }
    return Verdict(**(values | changes))


def entry(**changes):
    values = {
        "id": new_id(),
        "mode": Mode.MONITOR,
        "recorded_at": NOW + 5,
        "signals": [Signal("Email.relay", ("relay.example",), 0.5)],
        "verdict": verdict(),
        "generation": "9" * 64,
        "form": "quote",
        "peer": "127.0.0.1:5000",
    } | changes
    obs = values.pop("obs", None) or observation()
    return build(obs, **values)


@pytest.fixture
def make_entry():
    return entry


@pytest.fixture
def make_observation():
    return observation


@pytest.fixture
def make_verdict():
    return verdict

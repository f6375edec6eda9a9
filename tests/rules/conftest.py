"""A small set of rules that tests can bend, and observations to judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detectors.observation import Client, Count, Kind, Lead, Observation, Page, Request, Session, Velocity
from geoip.network import Network

WEIGHTS = {
    "email": """
group: email
cap: high
signals:
  email.disposable: {band: high, ivt: none, text: "A throw-away mailbox ({0})"}
  email.role: {band: none, ivt: none, text: "A role"}
  email.several: {band: low, ivt: none, text: "{0} addresses, first at {1}"}
""",
    "form": """
group: form
signals:
  form.honeypot: {band: decisive, ivt: sivt, category: automated browsing, text: "A hidden field was filled in ({0})"}
  form.too_fast: {band: medium, ivt: sivt, category: automated browsing, text: "Too fast"}
""",
    "network": """
group: network
signals:
  network.hosting: {band: medium, ivt: givt, category: data center, text: "A data centre ({0})"}
  network.tor: {band: high, ivt: sivt, category: false representation, text: "Tor"}
  network.home: {band: trust-low, ivt: none, text: "A home connection"}
""",
    "velocity": """
group: velocity
cap: 2.0
signals:
  velocity.address: {band: medium, ivt: givt, category: irregular pattern, text: "Many from one address"}
  velocity.prefix: {band: medium, ivt: givt, category: irregular pattern, text: "Many from neighbours"}
""",
    "crawler": """
group: crawler
signals:
  crawler.verified: {band: none, ivt: givt, category: known crawler, text: "A verified crawler ({0})"}
""",
}

LANDING = """
pack: landing-page
kind: landing
prior: -3.0
thresholds: {review_below: 50, undecided_below: 50}
allow: [crawler.verified]
composites: []
"""

FORM = """
pack: lead-form
kind: submission
prior: -3.0
thresholds: {review_below: 65, undecided_below: 50}
composites:
  - name: shared-address
    text: Many people stand behind one address.
    on: [velocity.address]
    when: network.kind in ["mobile", "relay"]
    then: {remove: ["velocity.*"]}
"""


def write(directory: Path, files: dict[str, str]) -> Path:
    """`files` by path below `directory`, without the .yaml."""
    for name, text in files.items():
        path = directory / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    return directory


@pytest.fixture
def packs(tmp_path: Path) -> Callable[..., Path]:
    """A directory of shipped packs; keyword arguments and `files` replace whole files by name ("landing", "form", "weights/email")."""

    def make(files: dict[str, str] | None = None) -> Path:
        content = {f"weights/{group}": text for group, text in WEIGHTS.items()}
        content |= {"landing-page": LANDING, "lead-form": FORM} | (files or {})
        return write(tmp_path / "packs", content)

    return make


@pytest.fixture
def local(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """A directory of local overrides."""
    return lambda files: write(tmp_path / "own", files)


@pytest.fixture
def landing() -> Callable[..., Observation]:
    """A page view of which everything is known; keyword arguments replace facts."""

    def make(**facts: Any) -> Observation:
        base: dict[str, Any] = {
            "kind": Kind.LANDING,
            "site": "acme",
            "at": 1_790_000_000_000_000,
            "page": Page("www.acme.example", "/offer", {"utm_source": "ads"}),
            "client": Client("192.0.2.7"),
            "request": Request("GET", "/offer", (("Host", "www.acme.example"), ("User-Agent", "Mozilla/5.0 Test"))),
            "network": Network(asn=64496, organisation="Example Mobile", country="DE"),
            "velocity": Velocity.of({"address/60": Count(5, 3), "address/3600": Count(50, 30)}),
            "session": Session("derived", "ab12", 4, 1),
        }
        return Observation(**(base | facts))

    return make


@pytest.fixture
def submission(landing: Callable[..., Observation]) -> Callable[..., Observation]:
    """A form post of which everything is known."""

    def make(**facts: Any) -> Observation:
        lead = Lead("quote", (("email", "a@b.example"),), {"email": ("a@b.example",)})
        return landing(**({"kind": Kind.SUBMISSION, "lead": lead} | facts))

    return make

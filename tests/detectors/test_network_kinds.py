"""The strongest statement about a network counts; people's networks come before rented machines."""

from __future__ import annotations

import pytest

from detectors.network import detect
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import Reference
from geoip.network import Network

REF = Reference.builtin()


def found(network: Network | Unavailable) -> list[tuple[str, tuple[str, ...]]]:
    unknown = Unavailable("off")
    request = Request("GET", "/", ())
    obs = Observation(Kind.LANDING, "s", 0, Page("h", "/"), Client("192.0.2.1"), request, network, unknown)
    return [(signal.id, signal.evidence) for signal in detect(obs, REF)]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Network(labels=("relay:Apple Private Relay", "cdn:Akamai")), [("network.relay", ("Apple Private Relay",))]),
        (Network(labels=("vpn:Mullvad", "hosting:M247")), [("network.vpn", ("Mullvad",))]),
        (Network(labels=("tor:Tor", "hosting:OVHcloud")), [("network.tor", ("Tor",))]),
        (Network(labels=("proxy:zscaler", "hosting:x")), [("network.company_proxy", ("zscaler",))]),
        (Network(labels=("crawler:googlebot", "hosting:Google Cloud")), []),
        (Network(15169, "Example Hosting", "US", ("crawler:googlebot",)), []),
        (Network(labels=("reserved:private",)), []),
        (Network(16509, "Amazon.com, Inc.", "US"), [("network.hosting", ("Amazon AWS",))]),
        (Network(64500, "Example Hosting GmbH", "DE"), [("network.hosting", ("Example Hosting GmbH",))]),
        (Network(64500, "Example Cloud Telecom", "DE"), []),
        (
            Network(29465, "MTN NIGERIA Communication limited", "NG"),
            [("network.mobile", ("MTN NIGERIA Communication limited",))],
        ),
        (
            Network(680, "Universitaet Stuttgart Server", "DE"),
            [("network.education", ("Universitaet Stuttgart Server",))],
        ),
        (Network(13335, "Cloudflare, Inc.", "US"), []),
        (Network(3320, "Deutsche Telekom AG", "DE"), []),
        (Network(), []),
        (Unavailable("no database"), []),
    ],
)
def test_kinds(network: Network | Unavailable, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert found(network) == expected

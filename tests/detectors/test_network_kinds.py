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
        (Network(None, None, None, ("relay:Apple", "cdn:Akamai"), "relay"), [("network.relay", ("Apple",))]),
        (Network(None, None, None, ("vpn:Mullvad", "hosting:M247"), "vpn"), [("network.vpn", ("Mullvad",))]),
        (Network(None, None, None, ("tor:Tor", "hosting:OVHcloud"), "tor"), [("network.tor", ("Tor",))]),
        (
            Network(1, "Zscaler", None, ("fetcher:x", "proxy:zscaler"), "proxy"),
            [("network.company_proxy", ("zscaler",))],
        ),
        (Network(None, None, None, ("crawler:googlebot", "hosting:Google Cloud"), "crawler"), []),
        (Network(None, None, None, ("reserved:private",), "reserved"), []),
        (Network(16509, "Amazon.com, Inc.", "US", (), "hosting"), [("network.hosting", ("Amazon.com, Inc.",))]),
        (Network(16509, None, "US", ("hosting:database",), "hosting"), [("network.hosting", ("AS16509",))]),
        (Network(None, None, "US", ("hosting:database",), "hosting"), [("network.hosting", ("not named",))]),
        (Network(64500, "x" * 90, "DE", (), "business"), [("network.business", ("x" * 60,))]),
        (Network(29465, "MTN NIGERIA", "NG", (), "mobile"), [("network.mobile", ("MTN NIGERIA",))]),
        (Network(680, "DFN", "DE", (), "education"), [("network.education", ("DFN",))]),
        (
            Network(64501, "Ministry of Example", "DE", (), "government"),
            [("network.government", ("Ministry of Example",))],
        ),
        (Network(3320, "Deutsche Telekom AG", "DE", (), "consumer"), []),
        (Network(3209, "Vodafone GmbH", "DE", (), "mixed"), []),
        (Network(64500, "Example Hosting", "DE", ("hosting:X",)), []),  # the kind is decided at look-up, not here
        (Unavailable("no database"), []),
    ],
)
def test_kinds(network: Network | Unavailable, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert found(network) == expected

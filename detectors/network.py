"""What kind of network the visitor comes from. A kind is a feature, not a verdict.

`Network.kind` holds the strongest statement (geoip/kinds.py decides it at look-up): relay exits and VPN exits stand in
hosting networks, and there it is the person that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.observation import Observation
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

_SIGNALS = {  # crawlers are judged by a detector of their own; homes and private addresses say nothing of the visitor
    "relay": "network.relay",
    "tor": "network.tor",
    "vpn": "network.vpn",
    "proxy": "network.company_proxy",
    "monitor": "network.monitor",
    "fetcher": "network.fetcher",
    "hosting": "network.hosting",
    "cdn": "network.cdn",
    "mobile": "network.mobile",
    "education": "network.education",
    "government": "network.government",
    "business": "network.business",
}

_NAME_LENGTH = 60


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    network = obs.network
    if not isinstance(network, Network):
        return
    signal = _SIGNALS.get(network.kind)
    if signal is not None:
        yield Signal(signal, (_name(network),))


def _name(network: Network) -> str:
    """Who it is: the published range's name where one says the kind, else the organisation, else the number."""
    for label in network.labels:
        kind, _, name = label.partition(":")
        if kind == network.kind and name != "database":
            return name
    if network.organisation:
        return network.organisation[:_NAME_LENGTH]
    return f"AS{network.asn}" if network.asn is not None else "not named"

"""What kind of network the visitor comes from. A kind is a feature, not a verdict.

The strongest statement counts: relay exits and VPN exits stand in hosting networks, and there it is the person that
matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.observation import Observation
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

_SIGNALS = {
    "relay": "network.relay",
    "tor": "network.tor",
    "vpn": "network.vpn",
    "proxy": "network.company_proxy",
    "monitor": "network.monitor",
    "fetcher": "network.fetcher",
    "hosting": "network.hosting",
    "cdn": "network.cdn",
    "mobile": "network.mobile",
}
_BY_NAME = (("proxy", "network.company_proxy"), ("mobile", "network.mobile"), ("education", "network.education"))
_SILENT = frozenset({"crawler", "reserved"})  # judged by the crawler detector; says nothing of the visitor

_ORGANISATION_LENGTH = 60


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    network = obs.network
    if not isinstance(network, Network):
        return
    if network.labels:
        kind, _, name = network.labels[0].partition(":")
        if kind in _SILENT:
            return
        signal = _SIGNALS.get(kind)
        if signal is not None:
            yield Signal(signal, (name,))
            return
    organisation = (network.organisation or "")[:_ORGANISATION_LENGTH]
    kinds = ref.limits.kinds(network)
    for kind, signal in _BY_NAME:  # a campus or carrier that also runs servers is first of all full of people
        if kind in kinds:
            yield Signal(signal, (organisation,))
            return
    owner = ref.hosting.owner(network.asn, network.organisation)
    if owner is not None:
        yield Signal("network.hosting", (owner[:_ORGANISATION_LENGTH],))

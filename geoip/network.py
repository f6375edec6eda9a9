"""What is known of the network an address belongs to."""

from __future__ import annotations

import msgspec


class Network(msgspec.Struct, frozen=True, tag_field="fact", tag="network", gc=False):
    """Raw facts about a network; deciding what they mean is the detectors' work.

    asn           autonomous system number, or None where no database names one
    organisation  who announces the network, or None
    country       ISO 3166-1 alpha-2, upper case, or None
    kind          what kind of network it is, one of `geoip.kinds.KINDS`, strongest statement first; "" where nothing tells
    labels        published ranges that hold the address, as "kind:name", strongest statement first, for example
                  ("crawler:googlebot", "hosting:Google Cloud"); kinds are reserved, crawler, fetcher, monitor, relay,
                  tor, vpn, proxy, hosting, cdn, mobile
    """

    asn: int | None = None
    organisation: str | None = None
    country: str | None = None
    labels: tuple[str, ...] = ()
    kind: str = ""

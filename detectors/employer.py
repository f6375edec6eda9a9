"""Which organisation a visitor is at work in: a fact for whoever reads the lead, evidence of nothing.

Told only where the network itself is the organisation's (a business, a school, a public authority). The domain comes
from the forward-confirmed reverse name, and only from one that people gave: access providers and data centres name
their customers' addresses by rule, and neither their domain nor a mail provider's says where somebody works.
"""

from __future__ import annotations

import re
from functools import lru_cache

from detectors.behaviour import Company
from detectors.email_domains import EmailDomains, registrable
from detectors.observation import (
    ReverseName,
    Unavailable,
)
from geoip.kinds import Kinds
from geoip.network import Network

OWN = frozenset({"business", "education", "government"})
"""Kinds of network that are one organisation's own."""

NAME_LENGTH = 120
"""Characters of an organisation's name that are kept."""

_NOT_AT_WORK = frozenset({"consumer", "mobile", "mixed", "hosting", "cdn", "vpn", "proxy", "tor"})
"""What the words of a domain tell: then it is a provider's, not the organisation's."""

_BY_RULE = re.compile(
    r"(?:^|[.-])(?:dyn(?:amic)?|dhcp|pool|ppp(?:oe)?|[axv]?dsl|cable|catv|stat(?:ic)?|broadband|cust(?:omer)?s?|clients?"
    r"|dial(?:up|in)?|res(?:idential)?|unassigned|unallocated|unused|rev(?:erse)?|rdns|ptr|cpe|wifi|wlan|hotspot|lte|gprs"
    r"|[345]g|ip(?:v4|v6)?|(?:cg)?nat|host(?:ed)?|vps|vm|srv|server|subs(?:criber)?|leased?|fiber|ftth)\d*(?=[.-])"
)
_NUMBERS = re.compile(r"\d{1,3}[.x_-]\d{1,3}[.x_-]\d{1,3}|\d{9,12}|[0-9a-f]{8}(?=[.-])|(?:[0-9a-f]{4}[.-]){3}")
"""Three or four parts of an address, or all of it as one number or in hexadecimal."""


def wanted(network: Network) -> bool:
    """Is there an organisation to be named, so that its reverse name is worth a question?"""
    return network.kind in OWN and bool(network.organisation)


def company_of(network: Network, reverse: ReverseName | Unavailable | None = None) -> Company | None:
    """None where the network is nobody's own. `reverse`: of the visitor's address, where it was asked for."""
    if network.kind not in OWN or not network.organisation:
        return None
    domain = domain_of(reverse.name) if isinstance(reverse, ReverseName) and reverse.confirmed else ""
    return Company(network.organisation[:NAME_LENGTH], domain)


@lru_cache(maxsize=4096)
def domain_of(name: str) -> str:
    """Registrable domain of a host name that an organisation gave, "" where it was made by rule or is a provider's.

    name: lower case, without the final dot.
    """
    domain = registrable(name) if name else None
    if domain is None or domain.endswith(".arpa"):
        return ""
    if _NUMBERS.search(name) or _BY_RULE.search(name.removesuffix(domain)):
        return ""
    label = domain.partition(".")[0]
    if Kinds.builtin().by_name(label) in _NOT_AT_WORK or domain in EmailDomains.builtin().free:
        return ""
    return domain

"""Where a visitor is at work: only in a network of the organisation's own, and by a name that people gave."""

from __future__ import annotations

import pytest

from detectors.behaviour import Company
from detectors.employer import NAME_LENGTH, company_of, domain_of, wanted
from detectors.observation import ReverseName, Unavailable
from geoip.network import Network

FIRM = Network(64500, "Hart & Soehne AG", "DE", (), "business")
NAMED = ReverseName("gate.hart-soehne.de", True)


@pytest.mark.parametrize("kind", ["business", "education", "government"])
def test_an_organisation_of_its_own_is_named_with_its_domain(kind: str) -> None:
    network = Network(64500, "Hart & Soehne AG", "DE", (), kind)
    assert wanted(network)
    assert company_of(network, NAMED) == Company("Hart & Soehne AG", "hart-soehne.de")


@pytest.mark.parametrize("kind", ["consumer", "mobile", "mixed", "hosting", "cdn", "vpn", "proxy", "tor", "relay", ""])
def test_a_network_of_strangers_names_nobody(kind: str) -> None:
    network = Network(64500, "Hart & Soehne AG", "DE", (), kind)
    assert not wanted(network)
    assert company_of(network, NAMED) is None


def test_an_organisation_without_a_name_is_none() -> None:
    assert not wanted(Network(64500, None, "DE", (), "business"))
    assert company_of(Network(64500, None, "DE", (), "business"), NAMED) is None


@pytest.mark.parametrize(
    "reverse", [None, Unavailable("dns: timeout"), ReverseName("gate.hart-soehne.de", False), ReverseName("", False)]
)
def test_only_a_confirmed_name_gives_a_domain(reverse: ReverseName | Unavailable | None) -> None:
    assert company_of(FIRM, reverse) == Company("Hart & Soehne AG")


def test_a_long_name_is_cut() -> None:
    found = company_of(Network(64500, "A" * 500, "DE", (), "business"))
    assert found == Company("A" * NAME_LENGTH)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("gate.hart-soehne.de", "hart-soehne.de"),
        ("hart-soehne.de", "hart-soehne.de"),
        ("proxy3.office.hart-soehne.co.uk", "hart-soehne.co.uk"),
        ("", ""),
        ("de", ""),
        ("7.2.0.192.in-addr.arpa", ""),
        ("ip-192-0-2-7.hart-soehne.de", ""),
        ("192-0-2-7.hart-soehne.de", ""),
        ("dhcp7.hart-soehne.de", ""),
        ("pool.hart-soehne.de", ""),
        ("static.hart-soehne.de", ""),
        ("c0000207.hart-soehne.de", ""),
        ("mail.gmail.com", ""),
    ],
)
def test_a_domain_is_what_people_gave(name: str, domain: str) -> None:
    assert domain_of(name) == domain

"""Company and website of a lead."""

from __future__ import annotations

import pytest

from detectors.company import detect
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference

GONE = Unavailable("test")


def found(**roles: str) -> dict[str, tuple[str, ...]]:
    lead = Lead("quote", tuple(roles.items()), {role: (value,) for role, value in roles.items()})
    page, request = Page("acme.example", "/lead"), Request("POST", "/lead", ())
    obs = Observation(Kind.SUBMISSION, "acme", 0, page, Client("192.0.2.1"), request, GONE, GONE, lead=lead)
    return {signal.id: signal.evidence for signal in detect(obs, Reference.builtin())}


@pytest.mark.parametrize(
    "company",
    [
        "IBM",
        "BMW AG",
        "HSBC",
        "Häagen-Dazs",
        "Kärcher",
        "Rheinmetall",
        "Schwarzkopf",
        "PSLK Sp. z o.o.",
        "Škoda",
        "XTRLZ GmbH",
        "3M",
        "booking.com",
        "1&1",
        "Rzeszowskie Zakłady",
        "Przedsiębiorstwo",
        "Vzajemna",
        "Krkonošské pivo",
        "Svyturys",
        "Mckinsey",
        "Pfizer",
        "Deutschlandfunk",
        "Hewlett-Packard",
        "Bundesministerium",
        "株式会社",
        "ООО Ромашка",
        "Aktiebolaget",
        "Gjensidige",
        "Nordstjernan",
    ],
)
def test_real_companies_are_spared(company: str) -> None:
    assert found(company=company) == {}


@pytest.mark.parametrize("company", ["Xkqzvwptr", "hdjwqbrzkf gmbh", "asdfgh"])
def test_typed_at_random(company: str) -> None:
    assert "company.gibberish" in found(company=company)


def test_a_link_for_a_name() -> None:
    assert "company.url_in_field" in found(company="https://cash.example/x")


@pytest.mark.parametrize(
    ("website", "signals"),
    [
        ("www.firm.de", {}),
        ("firm.de", {}),
        ("https://firm.de/en?x=1", {}),
        ("bücher.example", {}),
        ("пример.рф", {}),
        ("none", {}),
        ("-", {}),
        ("we have none yet", {"company.website_invalid": ("no web address",)}),
        ("http://[x", {"company.website_invalid": ("no web address",)}),
        ("http://203.0.113.7/", {"company.website_invalid": ("an address in numbers",)}),
        ("http://[2001:db8::1]/", {"company.website_invalid": ("an address in numbers",)}),
        ("https://bit.ly/3xYz", {"company.website_hidden": ("bit.ly",)}),
        ("www.tinyurl.com/3xYz", {"company.website_hidden": ("tinyurl.com",)}),
        ("https://goo.su/3xYz", {"company.website_hidden": ("goo.su",)}),
        ("https://linktr.ee/firm", {}),  # many small firms have no other page
        ("pаypal.com", {"company.website_lookalike": ("letters of two scripts in one word",)}),
        ("https://xn--pypal-4ve.com", {"company.website_lookalike": ("letters of two scripts in one word",)}),
        ("https://xn--bcher-kva.de", {}),
    ],
)
def test_websites(website: str, signals: dict[str, tuple[str, ...]]) -> None:
    assert found(website=website) == signals


def test_mail_from_the_website_s_own_domain_is_said() -> None:
    assert found(website="https://www.firm.de", email="jane@mail.firm.de") == {"company.website_match": ()}
    assert found(website="https://gmail.com", email="jane@gmail.com") == {}
    assert found(website="https://www.firm.de", email="jane@other.de") == {}


def test_an_internationalised_domain_is_the_same_in_both_fields() -> None:
    assert found(website="https://www.bücher.de/kontakt", email="info@bücher.de") == {"company.website_match": ()}
    assert found(website="www.xn--bcher-kva.de", email="info@bücher.de") == {"company.website_match": ()}

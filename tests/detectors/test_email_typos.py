"""Slips of the pen, and names that are somebody's own."""

from __future__ import annotations

import pytest

from detectors.email_domains import DomainKind, EmailDomains
from detectors.email_typos import ending_exists, meant_ending


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmail.con", "gmail.com"),
        ("gmial.con", "gmail.com"),  # two slips, the ending does not exist
        ("gmai.com", "gmail.com"),
        ("hotmail.co", "hotmail.com"),
        ("hptmial.com", "hotmail.com"),  # two neighbouring slips in a long name
        ("protonmial.com", "protonmail.com"),
        ("gmail.co.uk", "gmail.com"),
        ("hotmail.uk", "hotmail.co.uk"),
        ("gmx.dee", "gmx.de"),
        ("gmxx.de", "gmx.de"),
        ("outlook.cmo", "outlook.com"),
        ("bol.com", ""),  # a shop, whose people have mail there
        ("libera.it", ""),
        ("wed.de", ""),
        ("overlook.com", ""),
        ("kotmail.dk", ""),
        ("hotmail.se", ""),
        ("yahoo.com.mx", ""),
        ("live.fr", ""),
    ],
)
def test_suggestions(domain: str, meant: str) -> None:
    found = EmailDomains.builtin().classify(domain)
    assert (found.source if found.kind is DomainKind.MISTYPED else "") == meant


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("firm.con", "com"),
        ("firm.vom", "com"),
        ("firm.ner", "net"),
        ("firm.de", None),
        ("firm.co", None),
        ("firm.qqq", None),
    ],
)
def test_endings_that_do_not_exist(domain: str, meant: str | None) -> None:
    assert meant_ending(domain) == meant


def test_which_endings_exist() -> None:
    assert ending_exists("com") and ending_exists("co.uk") and ending_exists("xn--p1ai") and not ending_exists("con")


def test_no_known_provider_is_a_slip_of_another() -> None:
    domains = EmailDomains.builtin()
    assert not domains.mistyped.keys() & (domains.free | domains.relay.keys() | domains.exceptions)

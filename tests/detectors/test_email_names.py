"""Domains that say in their name what they are; and names that only look so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.email_domains import DomainKind, EmailDomains

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data")) / "email"


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("besttempmail.zone", "throw-away"),
        ("10minute-mail.click", "throw-away"),
        ("20min.mailbox.live", "throw-away"),
        ("my-throwaway-inbox.io", "throw-away"),
        ("correo-desechable.mx", "throw-away"),
        ("desechable-correo.mx", "throw-away"),
        ("mx1.fakemail.love", "throw-away"),
        ("anon-mail.zip", "throw-away"),
        ("lebanonmail.com", ""),
        ("templemail.org", ""),
        ("emailtemplates.com", ""),
        ("antispam-mail.de", ""),
        ("temp-mail.ac.uk", ""),  # only vetted bodies register there
        ("hotmailverified.top", "imitation"),
        ("gmailxsniper.site", "imitation"),
        ("bigmail.lol", ""),
        ("gmailcom.org", ""),  # a slip of the pen
        ("aws-mail-free-12.dynv6.net", "free host name"),
        ("mail.duckdns.org", "free host name"),
        ("werkstatt.duckdns.org", ""),
    ],
)
def test_names(domain: str, says: str) -> None:
    found = EmailDomains.builtin().classify(domain)
    assert (found.source if found.kind is DomainKind.DISPOSABLE_NAME else "") == says


def test_nobody_at_a_university_a_free_provider_or_a_relay_is_hit() -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    domains = EmailDomains.builtin()
    wrong = {DomainKind.DISPOSABLE, DomainKind.DISPOSABLE_MERGED, DomainKind.DISPOSABLE_NAME, DomainKind.MISTYPED}
    for name in ("university_domains", "free_providers", "alias_forwarders"):
        listed = (DATA / f"{name}.txt").read_text().split()
        assert [domain for domain in listed if domains.classify(domain).kind in wrong] == []

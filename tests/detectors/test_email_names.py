"""Domains that say in their name what they are; and names that only look so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.email import _judge
from detectors.email_domains import DomainKind, EmailDomains, registrable
from detectors.signal import Signal

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


@pytest.mark.parametrize(
    ("domain", "signs"),
    [
        ("quvomail.com", ("mail", "com", 0.5)),
        ("urgentmail.icu", ("mail", "icu", 1.0)),
        ("novareltis.cfd", ("", "cfd", 1.0)),
        ("mailku.cfd", ("mail", "cfd", 1.0)),  # the word says more than the ending
        ("ismail-yapi.com", None),  # a family name
        ("esmaili-group.com", None),
        ("smail.net", None),
        ("jamail.com", None),
        ("garage-mailloux.com", None),
        ("mailhot.info", None),
        ("emailschilder-weber.com", None),  # enamel
        ("smailora.click", ("mail", "click", 1.0)),
        ("daily-mail.news", None),
        ("lgflmail.org", None),  # schools and clubs have mail servers of their own below it
        ("nabomail.de", None),  # no country's ending
        ("nabomail.com.tr", None),
        ("nabomail.kozow.com", None),  # below a shared name: judged by `find`
        ("nabomail.con", None),  # a slip of the pen
        ("keller-dach.shop", None),
        ("bosch.com", None),
        ("safe-mail.net", None),  # somebody looked at it
    ],
)
def test_signs_of_what_no_list_knows(domain: str, signs: tuple[str, str, float] | None) -> None:
    found = EmailDomains.builtin().unlisted(domain, registrable(domain) or domain)
    assert (None if found is None else (found.word, found.ending, found.strength)) == signs


def test_an_unlisted_domain_is_only_looked_at_where_no_list_names_it() -> None:
    shown = {signal.id for signal in judged("a@mailinator.com")} | {signal.id for signal in judged("a@fastmail.com")}
    assert not shown & {"email.unknown_service", "email.fleeting_ending"}
    (signal,) = judged("someone.private@quvomail.com")
    assert (signal.id, signal.evidence, signal.strength) == ("email.unknown_service", ("mail", ".com"), 0.5)
    (signal,) = judged("someone.private@novareltis.cfd")
    assert (signal.id, signal.evidence) == ("email.fleeting_ending", (".cfd",))


def judged(address: str) -> list[Signal]:
    return list(_judge(address, EmailDomains.builtin()))


def test_nobody_at_a_university_a_free_provider_or_a_relay_is_hit() -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    domains = EmailDomains.builtin()
    wrong = {DomainKind.DISPOSABLE, DomainKind.DISPOSABLE_MERGED, DomainKind.DISPOSABLE_NAME, DomainKind.MISTYPED}
    for name in ("university_domains", "free_providers", "alias_forwarders"):
        listed = (DATA / f"{name}.txt").read_text().split()
        assert [domain for domain in listed if domains.classify(domain).kind in wrong] == []
        others = [domain for domain in listed if domains.classify(domain).kind is DomainKind.OTHER]
        shown = [domain for domain in others if domains.unlisted(domain, registrable(domain) or domain)]
        assert len(shown) <= len(listed) // 100  # old free providers that are in no list of ours

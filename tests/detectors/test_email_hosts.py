"""Where mail for a domain goes, as evidence."""

from __future__ import annotations

import pytest

from detectors.behaviour import MailDomain
from detectors.email_hosts import detect
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Observation,
    Page,
    Request,
    Unavailable,
)
from detectors.reference import Reference

GONE = Unavailable("test")


def found(mail: MailDomain | Unavailable | None, email: str = "jane@firm.de") -> list[tuple[str, tuple[str, ...]]]:
    lead = Lead("quote", (("email", email),), {"email": (email,)})
    obs = Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page("acme.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        GONE,
        GONE,
        lead=lead,
        mail=mail,
    )
    return [(signal.id, signal.evidence) for signal in detect(obs, Reference.builtin())]


@pytest.mark.parametrize(
    ("mail", "signals"),
    [
        (None, []),
        (Unavailable("mail DNS: timeout"), []),
        (MailDomain(False), [("email.no_mail", ("the domain does not exist",))]),
        (MailDomain(True, (), True), [("email.no_mail", ("the domain says that it takes no mail",))]),
        (MailDomain(True), [("email.no_mail", ("the domain has no mail host",))]),
        (MailDomain(True, ("mx.firm.de",)), []),
        (MailDomain(True, ("own",)), []),
        (MailDomain(True, ("aspmx.l.google.com", "alt1.aspmx.l.google.com")), []),
        (MailDomain(True, ("firm-de.mail.protection.outlook.com",)), []),
        (MailDomain(True, ("in1.mail.tm",)), [("email.disposable_mx", ("mail.tm",))]),
        (MailDomain(True, ("mx.firm.de", "mail.mailinator.com")), [("email.disposable_mx", ("mailinator.com",))]),
        (MailDomain(True, ("park-mx.above.com",)), [("email.parked_mx", ("park-mx.above.com",))]),
        (MailDomain(True, ("park-mx.above.com", "mx.firm.de")), []),  # one of them reads it
        (MailDomain(True, ("mx.above.com",)), []),  # the dealer's own staff
    ],
)
def test_what_the_mail_hosts_say(
    mail: MailDomain | Unavailable | None, signals: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert found(mail) == signals


def test_a_host_that_is_itself_a_throw_away_domain_needs_no_entry_here() -> None:
    listed = "0-mail.com"
    assert Reference.builtin().domains.classify(listed).kind == "disposable"
    assert found(MailDomain(True, (f"mx.{listed}",))) == [("email.disposable_mx", (listed,))]
    assert found(MailDomain(True, (f"mx.{listed}",)), f"jane@{listed}") == []  # said already, of the address


def test_no_large_mail_host_is_on_the_lists() -> None:
    hosts = Reference.builtin().hosts
    shared = {
        "google.com",
        "outlook.com",
        "cloudflare.net",
        "improvmx.com",
        "zoho.com",
        "mailgun.org",
        "secureserver.net",
    }
    assert not shared & (hosts.disposable | hosts.parked)


def test_the_domain_of_a_known_host_is_a_throw_away_domain_too() -> None:
    signals = found(MailDomain(True, ("own",)), email="jane@wabblywabble.com")
    assert signals == [("email.disposable_mx", ("wabblywabble.com",))]

"""Where mail for the lead's domain goes: nowhere, to a throw-away service under another name, or to a dealer's parking place.

Domains of throw-away services change by the day, their mail hosts hardly do. What the DNS says is a fact of the observation; nothing is asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from detectors.behaviour import MailDomain
from detectors.data_files import load
from detectors.email import Address, parse
from detectors.email_domains import DomainKind, EmailDomains, registrable
from detectors.observation import (
    Lead,
    Observation,
)
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

OWN = "own"
"""In place of a mail host that is the domain's own."""


@dataclass(frozen=True, slots=True, eq=False)
class MailHosts:
    """Known mail hosts and their parents, ASCII, lower case; see data/mail_hosts.yaml."""

    disposable: frozenset[str]
    parked: frozenset[str]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        return cls.build(*load("mail_hosts.yaml"))

    @classmethod
    def build(cls, lists: Mapping[str, Any], content_hash: str = "") -> Self:
        return cls(frozenset(lists["disposable"]), frozenset(lists["parked"]), content_hash)


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.mail, MailDomain) or not isinstance(obs.lead, Lead):
        return
    if not obs.mail.exists:
        yield Signal("email.no_mail", evidence=("the domain does not exist",))
    elif obs.mail.refuses:
        yield Signal("email.no_mail", evidence=("the domain says that it takes no mail",))
    elif not obs.mail.hosts:
        yield Signal("email.no_mail", evidence=("the domain has no mail host",))
    else:
        yield from _judge(obs.mail.hosts, _own_domain(obs.lead), ref.hosts, ref.domains)


def _judge(hosts: Iterable[str], own: str, known: MailHosts, domains: EmailDomains) -> Iterator[Signal]:
    for host in hosts:
        host = own if host == OWN else host
        parent = _known_parent(host, known.disposable) or _throw_away(host, own, domains)
        if parent:
            yield Signal("email.disposable_mx", evidence=(parent,))
            return
    parked = [_known_parent(host, known.parked) for host in hosts]
    if all(parked):
        yield Signal("email.parked_mx", evidence=(parked[0],))


def _own_domain(lead: Lead) -> str:
    """Registrable domain of the first address."""
    found = [parse(value) for value in lead.values("email")[:1]]
    return found[0].registrable if found and isinstance(found[0], Address) else ""


def _known_parent(host: str, names: frozenset[str]) -> str:
    rest = host
    while rest:
        if rest in names:
            return rest
        rest = rest.partition(".")[2]
    return ""


def _throw_away(host: str, own: str, domains: EmailDomains) -> str:
    """Domain of a mail host that is itself a throw-away domain. A domain that is its own mail host says nothing new; the e-mail signals have judged it."""
    parent = registrable(host)
    if parent is None or parent == own:
        return ""
    return parent if domains.classify(parent, parent).kind is DomainKind.DISPOSABLE else ""

"""The lists, matchers and settings detectors read: immutable, built once per generation, so that detectors stay pure.

Each list or matcher lives in a module of its own that imports nothing from here, offers `builtin()` and carries
`content_hash`, the SHA-256 (hexadecimal) of what it holds, so that two machines with the same lists have the same
generation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.metadata import version
from typing import Any, Self

from detectors.agent_patterns import Agents
from detectors.anomaly.model import Models
from detectors.company import CompanyHosts
from detectors.crawler_operators import Crawlers
from detectors.data_files import content
from detectors.email_domains import EmailDomains
from detectors.email_hosts import MailHosts
from detectors.header_orders import HeaderOrders
from detectors.locale import Languages
from detectors.name_model import NameModel
from detectors.name_words import NameWords
from detectors.pointer import PointerLimits
from detectors.repeats import RepeatLimits
from detectors.text_lists import Texts
from detectors.velocity import VelocityLimits


@dataclass(frozen=True, slots=True)
class FormSettings:
    """What the site owner says of one form.

    min_seconds         below this many seconds from rendering to submission a person can hardly have filled it in;
                        0: not checked
    expected_countries  ISO 3166-1 alpha-2 codes the leads come from; empty: any
    honeypots           names of the fields that no person sees
    """

    min_seconds: float = 3
    expected_countries: tuple[str, ...] = ()
    honeypots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignSettings:
    """What the site owner says of one campaign.

    name       for people
    match      campaign parameters of the landing's address and the values they have in this campaign, letter case aside; all must agree
    countries  ISO 3166-1 alpha-2 codes it is shown in; empty: any
    """

    name: str
    match: tuple[tuple[str, str], ...]
    countries: tuple[str, ...] = ()

    def matches(self, campaign: Mapping[str, str]) -> bool:
        return all(campaign.get(name, "").casefold() == value.casefold() for name, value in self.match)


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What the site owner says of one site.

    languages  ISO 639-1 codes of the languages its visitors write in; empty: any
    timezone   IANA name of where its customers live ("Europe/Berlin"); "": not told
    campaigns  the first that matches a landing counts
    """

    languages: tuple[str, ...] = ()
    timezone: str = ""
    campaigns: tuple[CampaignSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """One immutable bundle for all detectors. `with_site` and `with_form` give the bundle of one site or form, sharing the lists."""

    agents: Agents
    crawlers: Crawlers
    orders: HeaderOrders
    domains: EmailDomains
    hosts: MailHosts
    name_model: NameModel
    name_words: NameWords
    company_hosts: CompanyHosts
    limits: VelocityLimits
    languages: Languages
    repeats: RepeatLimits
    texts: Texts
    anomaly: Models
    pointer: PointerLimits
    form: FormSettings = FormSettings()
    site: SiteSettings = SiteSettings()

    @classmethod
    def builtin(cls, **overrides: Any) -> Self:
        """The shipped lists and default settings; `overrides` are fields given by name."""
        return cls(**{name: builtin() for name, builtin in _BUILTIN.items() if name not in overrides} | overrides)

    def with_site(self, site: SiteSettings) -> Self:
        return replace(self, site=site)

    def with_form(self, form: FormSettings) -> Self:
        return replace(self, form=form)

    @property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) over the hashes of all lists, by name, and of the tables that detectors hold themselves.

        Settings are not in it, they belong to the configuration's hash.
        """
        digest = hashlib.sha256(_held().encode())
        for field in fields(self):
            part = getattr(getattr(self, field.name), "content_hash", None)
            if part is not None:
                digest.update(f"{field.name}:{part}\n".encode())
        return digest.hexdigest()


HELD = ("autofill_names.yaml", "country_names.yaml", "phone_fictional.yaml", "phone_neighbours.yaml")
"""Files of detectors/data that a module reads when it is imported."""

LIBRARIES = ("phonenumbers", "publicsuffixlist")
"""Packages with tables of their own, which change with their versions: numbering plans, public suffixes."""


@cache
def _held() -> str:
    files = [f"{name}:{hashlib.sha256(content(name)).hexdigest()}\n" for name in HELD]
    return "".join([*files, *(f"{name}:{version(name)}\n" for name in LIBRARIES)])


_BUILTIN: dict[str, Callable[[], Any]] = {
    "agents": Agents.builtin,
    "crawlers": Crawlers.builtin,
    "orders": HeaderOrders.builtin,
    "domains": EmailDomains.builtin,
    "hosts": MailHosts.builtin,
    "name_model": NameModel.builtin,
    "name_words": NameWords.builtin,
    "company_hosts": CompanyHosts.builtin,
    "limits": VelocityLimits.builtin,
    "languages": Languages.builtin,
    "repeats": RepeatLimits.builtin,
    "texts": Texts.builtin,
    "anomaly": Models.builtin,
    "pointer": PointerLimits.builtin,
}

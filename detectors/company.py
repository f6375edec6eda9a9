"""Company and website of a lead: could they be what the fields ask for?

Companies are called anything: acronyms, numbers, made-up words. So a name is only judged where it is long, written like a word, and beyond doubt. That the
e-mail address lives at the given website is worth saying.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from detectors.data_files import load
from detectors.email import Address, parse
from detectors.email_domains import DomainKind, is_suffix
from detectors.observation import Lead, Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

LONGEST = 300
"""Characters of a field that are looked at."""

UNLIKELY = -22.0
"""Bits from which a company's name counts as gibberish: further out than for a person's, since companies invent words."""
SHORTEST_WORD = 7

_LINK = re.compile(r"https?://|\bwww\.|<\s*a\b|\[url", re.IGNORECASE)
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]", re.IGNORECASE)
_NONE = frozenset(
    {
        "-",
        "--",
        "none",
        "no",
        "n/a",
        "na",
        "keine",
        "nein",
        "non",
        "aucun",
        "no tengo",
        "nessuno",
        "geen",
        "нет",
        "0",
        "/",
        ".",
        "x",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class CompanyHosts:
    """Hosts of data/link_hosts.yaml."""

    shorteners: frozenset[str]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        return cls.build(*load("link_hosts.yaml"))

    @classmethod
    def build(cls, lists: Mapping[str, Any], content_hash: str = "") -> Self:
        return cls(frozenset(lists["shorteners"]), content_hash)


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.lead, Lead):
        return
    for company in obs.lead.values("company")[:1]:
        yield from _company(company[:LONGEST], ref)
    for website in obs.lead.values("website")[:1]:
        yield from _website(website[:LONGEST].strip(), obs.lead, ref)


def _company(company: str, ref: Reference) -> Iterator[Signal]:
    if _LINK.search(company):
        yield Signal("company.url_in_field")
        return
    played = ref.name_words.keyboard(company) if company.islower() else None
    if played is not None:
        yield Signal("company.gibberish", evidence=(played[0],), strength=0.6)
        return
    # acronyms and brands in capitals follow no language; a word in ordinary writing mostly does
    written = [word for word in company.split() if len(word) >= SHORTEST_WORD and word[1:].islower()]
    bits = ref.name_model.bits(" ".join(written))
    if bits is not None and bits <= UNLIKELY:
        yield Signal("company.gibberish", evidence=("letters in an order that no language has",))


def _website(website: str, lead: Lead, ref: Reference) -> Iterator[Signal]:
    if website.casefold() in _NONE:
        return
    host = _host(website)
    if not host:
        yield Signal("company.website_invalid", evidence=("no web address",))
    elif _IP.fullmatch(host):
        yield Signal("company.website_invalid", evidence=("an address in numbers",))
    elif host in ref.company_hosts.shorteners or host.removeprefix("www.") in ref.company_hosts.shorteners:
        yield Signal("company.website_hidden", evidence=(host.removeprefix("www."),))
    elif _mixed(host):
        yield Signal("company.website_lookalike", evidence=("letters of two scripts in one word",))
    else:
        yield from _match(host, lead, ref)


def _match(host: str, lead: Lead, ref: Reference) -> Iterator[Signal]:
    site = parse(f"x@{host}")  # its host as in an address: internationalised names are written in two ways
    if not isinstance(site, Address) or is_suffix(site.registrable):
        return
    for address in map(parse, lead.values("email")[:1]):
        same = isinstance(address, Address) and site.registrable == address.registrable
        if same and ref.domains.classify(site.domain, site.registrable).kind is DomainKind.OTHER:
            yield Signal("company.website_match")


def _host(website: str) -> str:
    """Host name of what somebody wrote as a web address, ASCII labels or as written, lower case; "" where it is none."""
    text = website if "://" in website else f"http://{website}"
    try:
        host = (urlsplit(text).hostname or "").rstrip(".")
    except ValueError:  # brackets or characters that no address has
        return ""
    if any(character.isspace() for character in host) or ("." not in host and ":" not in host):
        return ""
    return f"[{host}]" if ":" in host else host


def _mixed(host: str) -> bool:
    """Does a label of the host mix Latin letters with Cyrillic or Greek ones, as only imitations do?"""
    for label in host.split("."):
        if label.startswith("xn--"):
            try:
                label = label[4:].encode("ascii").decode("punycode")
            except (UnicodeError, ValueError):
                continue
        scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha()}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"}:
            return True
    return False

"""The e-mail address: is it one, where does it live, and can anybody be reached there?

An address is judged as people write it: internationalised domains and local parts, quoted local parts, apostrophes and tags are all real. Nothing is
looked up in the DNS here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from email_validator import EmailNotValidError, validate_email

from detectors.email_domains import DomainKind, EmailDomains, registrable
from detectors.email_typos import meant_ending
from detectors.observation import Lead, Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

LONGEST = 320
"""Characters; a local part has at most 64, a domain 255. Longer text is not looked at."""

JUDGED = 5
"""Addresses of one submission that are judged; a form with more of them is counted by `email.several`."""

_NAMED = {"throw-away": 1.0, "free host name": 0.8, "imitation": 0.6}
"""How strongly a domain's name speaks, by what it says: a name that says what it is, one of a row, one that may be a fan's or a tool maker's."""

_RESERVED = frozenset({"test", "example", "invalid", "localhost", "local", "onion", "arpa", "internal"})
_EXAMPLES = frozenset({"example.com", "example.net", "example.org", "example.edu"})  # RFC 2606
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3002: 0x2E, 0xFF61: 0x2E, 0x3000: 0x20}
_AROUND = " \t\r\n\u00a0\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_ASCII_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A well-formed address.

    local        part before the @, as the provider sees it (quotes kept where they are needed), case kept
    domain       ASCII (IDNA), lower case
    registrable  the part of the domain that somebody registered; the domain itself where it is a public suffix
    """

    local: str
    domain: str
    registrable: str


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Why the text is no address; `reason` holds nothing of it."""

    reason: str


def parse(address: str) -> Address | SyntaxProblem:
    """Read an address as a form field gives it: surrounding blanks and full-width characters (Asian keyboards) are forgiven."""
    return _parse(address[: LONGEST * 2])


@lru_cache(maxsize=256)
def _parse(address: str) -> Address | SyntaxProblem:
    text = _tidy(address)
    if not text:
        return SyntaxProblem("empty")
    if len(text) > LONGEST:
        return SyntaxProblem("too long")
    try:
        found = validate_email(
            text,
            allow_smtputf8=True,
            allow_quoted_local=True,
            check_deliverability=False,
            strict=True,  # RFC 5321: at most 64 characters before the @
            test_environment=True,  # reserved names are well-formed; they get a signal of their own
        )
    except EmailNotValidError:
        return SyntaxProblem(_explain(text))
    domain = (found.ascii_domain or found.domain).lower()
    return Address(found.local_part, domain, registrable(domain) or domain)


def normalise(address: str, domains: EmailDomains | None = None) -> str:
    """One text for all spellings of a mailbox, for counting and comparing: lower case, without tags and what else the provider ignores.

    What is no address comes back trimmed and in lower case, so that it can still be counted. Never use the result to write to somebody.
    """
    found = parse(address)
    if isinstance(found, SyntaxProblem):
        return _tidy(address)[:LONGEST].casefold()
    lists = domains or EmailDomains.builtin()
    domain, local = found.domain, found.local.casefold()
    rule = lists.mailbox_rules.get(domain) or lists.mailbox_rules.get(found.registrable)
    if rule is not None and rule.subdomain and domain.endswith("." + found.registrable):
        return f"{domain[: -len(found.registrable) - 1]}@{found.registrable}"
    if not local.startswith('"'):
        local = local.partition("+")[0] or local
        if rule is not None and rule.tag != "+":
            local = local.partition(rule.tag)[0] or local
        if rule is not None and rule.dots:
            local = local.replace(".", "") or local
    return f"{local}@{rule.same_as if rule is not None and rule.same_as else domain}"


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.lead, Lead):
        return
    values = obs.lead.values("email")
    seen: set[str] = set()
    for value in values[:JUDGED]:
        plain = normalise(value, ref.domains)
        if plain not in seen:
            seen.add(plain)
            yield from _judge(value, ref.domains)
    if len(seen) > 1:
        yield Signal("email.several", evidence=(str(len(seen)),))


def _judge(value: str, domains: EmailDomains) -> Iterator[Signal]:
    found = parse(value)
    if isinstance(found, SyntaxProblem):
        yield Signal("email.syntax", evidence=(found.reason,))
        return
    ending = found.domain.rpartition(".")[2]
    if found.registrable in _EXAMPLES or ending in _RESERVED:
        yield Signal(
            "email.reserved", evidence=(found.registrable if found.registrable in _EXAMPLES else f".{ending}",)
        )
        return
    local = found.local.casefold().partition("+")[0]
    if local in domains.unattended:
        yield Signal("email.unattended", evidence=(local,))
    elif local in domains.role:
        yield Signal("email.role", evidence=(local,))
    kind = domains.classify(found.domain, found.registrable)
    match kind.kind:
        case DomainKind.DISPOSABLE:
            yield Signal("email.disposable", evidence=(kind.entry,))
        case DomainKind.DISPOSABLE_MERGED:
            yield Signal("email.disposable_merged", evidence=(kind.entry,))
        case DomainKind.DISPOSABLE_NAME:
            yield Signal("email.disposable_name", evidence=(kind.entry, kind.source), strength=_NAMED[kind.source])
        case DomainKind.RELAY:  # a person who values privacy
            yield Signal("email.relay", evidence=(kind.source,))
        case DomainKind.MISTYPED:
            yield Signal("email.mistyped", evidence=(kind.entry, kind.source))
        case DomainKind.FREE:
            yield Signal("email.free", evidence=(kind.entry,))
        case DomainKind.OTHER:
            meant = meant_ending(found.domain)
            if meant is not None:
                yield Signal("email.mistyped", evidence=(f".{ending}", f".{meant}"))
            unlisted = domains.unlisted(found.domain, found.registrable)
            if unlisted is not None and unlisted.word:
                yield Signal(
                    "email.unknown_service",
                    evidence=(unlisted.word, f".{unlisted.ending}"),
                    strength=unlisted.strength,
                )
            elif unlisted is not None:
                yield Signal("email.fleeting_ending", evidence=(f".{unlisted.ending}",))


def _tidy(address: str) -> str:
    """Trimmed, full-width characters as ASCII, composed; what a phone's keyboard or a paste leaves around it removed."""
    text = address[: LONGEST * 2].translate(_WIDE)
    return unicodedata.normalize("NFC", text).strip(_AROUND)


def _explain(text: str) -> str:
    """The first thing wrong with a text that is no address, in words that hold nothing of it."""
    if "@" not in text:
        return "no @ sign"
    local, _, domain = text.rpartition("@")
    if not local:
        return "nothing before the @"
    if not domain:
        return "nothing after the @"
    if not local.startswith('"') and "@" in local:
        return "more than one @ sign"
    if any(character.isspace() for character in text):
        return "a blank inside"
    if any(unicodedata.category(character) == "Cc" for character in text):
        return "a control character"
    if domain.startswith("["):
        return "an address in brackets in place of a domain"
    if "." not in domain:
        return "a domain without an ending"
    if domain.startswith(".") or domain.endswith(".") or ".." in domain:
        return "dots in the wrong place of the domain"
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return "dots in the wrong place before the @"
    if len(local) > 64:
        return "too long before the @"
    if local.isascii() and not _ASCII_LOCAL.fullmatch(local) and not local.startswith('"'):
        return "characters before the @ that no address has"
    return "a domain that cannot exist"


parse(
    "vorgewärmt@bücher.de"
)  # the tables of internationalised domains take 90 ms to load: now and not in the middle of a request

"""What is known of mail domains: throw-away providers, relays, free mail, and the exceptions that keep real people out of those lists.

Lists of throw-away domains of very different quality are kept apart: a curated one (each entry reviewed by its maintainers) and two merged ones
(sixteen times as long together, with many mistakes). A domain matches exactly or by its registrable domain, never by a parent above that: parents are shared
suffixes, and whole universities stand below them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from publicsuffixlist import PublicSuffixList

from detectors import email_typos
from detectors.data_files import load
from detectors.email_names import MailNames, Unlisted

_SUFFIXES = PublicSuffixList()


class DomainKind(StrEnum):
    DISPOSABLE = "disposable"  # on the curated list
    DISPOSABLE_MERGED = "disposable_merged"  # on the merged list only
    DISPOSABLE_NAME = "disposable_name"  # on no list, but named as throw-away mail is
    RELAY = "relay"  # alias forwarder: a real person behind it
    FREE = "free"  # free or provider mailbox of an ordinary person
    MISTYPED = "mistyped"  # one slip away from a large provider
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Found:
    """What a domain is.

    kind    see DomainKind
    entry   the list entry that matched (a public name, never more of the address than that); "" for OTHER
    source  which list or service: "curated", "merged", what the name says, "SimpleLogin and Proton Pass", the provider that was meant, …
    """

    kind: DomainKind
    entry: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class MailboxRule:
    """How one provider maps spellings to a mailbox; see mailbox_rules in data/email_lists.yaml."""

    dots: bool = False
    tag: str = "+"
    same_as: str | None = None
    subdomain: bool = False


@lru_cache(maxsize=1024)
def registrable(domain: str) -> str | None:
    """The part of `domain` (ASCII, lower case) that somebody registered: example.co.uk for mail.example.co.uk; None for a suffix itself."""
    found: str | None = _SUFFIXES.privatesuffix(domain)
    return found


def is_suffix(domain: str) -> bool:
    """Is the whole of `domain` a public suffix, below which strangers register?"""
    return bool(_SUFFIXES.publicsuffix(domain) == domain)


@dataclass(frozen=True, slots=True, eq=False)
class EmailDomains:
    """The lists, ready to look up. All names are ASCII (IDNA), lower case.

    curated, merged  throw-away domains; disjoint, without exceptions and relays
    relay            domain → service
    free             free mail domains
    mistyped         misspelt domain → the provider that was meant
    names            how throw-away domains name themselves
    exceptions       domains that are never called disposable
    restricted       suffixes for which the merged list is not believed
    role, unattended local parts
    mailbox_rules    domain → spelling rules
    content_hash     SHA-256 (hexadecimal) of all of it
    """

    curated: frozenset[str]
    merged: frozenset[str]
    relay: Mapping[str, str]
    free: frozenset[str]
    mistyped: Mapping[str, str]
    names: MailNames
    exceptions: frozenset[str]
    restricted: frozenset[str]
    role: frozenset[str]
    unattended: frozenset[str]
    mailbox_rules: Mapping[str, MailboxRule]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """The shipped lists. Read once per process (0.3 s, 20 MB) and shared by all generations."""
        from disposable_email_domains import blocklist  # here, because only the shipped lists need it

        lists, _ = load("email_lists.yaml")
        reviewed, _ = load("email_exceptions.yaml")
        words, _ = load("email_names.yaml")
        return cls.build(blocklist, _merged_list(), lists, reviewed, words)

    @classmethod
    def build(
        cls,
        curated: Iterable[str],
        merged: Iterable[str],
        lists: Mapping[str, Any],
        reviewed: Mapping[str, Any],
        words: Mapping[str, Any],
    ) -> Self:
        """From raw lists; `lists`, `reviewed` and `words` are shaped like data/email_lists.yaml, email_exceptions.yaml and email_names.yaml."""
        relay = {domain: service for service, domains in lists["relay"].items() for domain in domains}
        free = frozenset(domain for row in lists["free"] for domain in row)
        exceptions = frozenset(reviewed["exceptions"])
        spared = exceptions | frozenset(relay) | free
        mistyped = email_typos.table(lists["often_mistyped"], lists["rarely_mistyped"], lists["elsewhere"], spared)
        # a list of throw-away domains also holds slips of the pen that a collector of strays registered (gmial.com): whoever slips is a person.
        # A changed first letter is rarely a slip: tmail.com and cmail.com stay what the list says.
        slips = {domain for domain, meant in mistyped.items() if domain[0] == meant[0]}
        good_curated = frozenset(curated) - spared - slips
        good_merged = frozenset(merged).difference(spared, good_curated, mistyped)
        digest = hashlib.sha256()
        for part in (good_curated, good_merged):
            digest.update("\n".join(sorted(part)).encode())
        digest.update(repr((lists, reviewed, words)).encode())
        return cls(
            curated=good_curated,
            merged=good_merged,
            relay=relay,
            free=free,
            mistyped=mistyped,
            names=MailNames.build(words),
            exceptions=exceptions,
            restricted=frozenset(reviewed["restricted_suffixes"]),
            role=frozenset(lists["role"]),
            unattended=frozenset(lists["unattended"]),
            mailbox_rules={domain: MailboxRule(**rule) for domain, rule in lists["mailbox_rules"].items()},
            content_hash=digest.hexdigest(),
        )

    def classify(self, domain: str, registered: str | None = None) -> Found:
        """What `domain` is; `registered` is its registrable domain where the caller has it already."""
        registered = registered or registrable(domain) or domain
        names = (domain,) if registered == domain else (domain, registered)
        for name in names:
            if name in self.relay:
                return Found(DomainKind.RELAY, name, self.relay[name])
        for name in names:
            if name in self.free:
                return Found(DomainKind.FREE, name)
            if name in self.exceptions:
                return Found(DomainKind.OTHER)
        for name in names:
            if name in self.curated and not is_suffix(name):
                return Found(DomainKind.DISPOSABLE, name, "curated")
        if domain in self.mistyped:
            return Found(DomainKind.MISTYPED, domain, self.mistyped[domain])
        vetted = self._vetted(domain)
        named = None if vetted else self.names.find(domain, registered)
        if named is not None:
            return Found(DomainKind.DISPOSABLE_NAME, named[1], named[0])
        for name in names:
            if name in self.merged and not is_suffix(name) and not vetted:
                return Found(DomainKind.DISPOSABLE_MERGED, name, "merged")
        return Found(DomainKind.OTHER)

    def unlisted(self, domain: str, registered: str) -> Unlisted | None:
        """Weak signs in the name of a domain that `classify` calls OTHER; None for one that somebody looked at, or below a vetted suffix."""
        if registered in self.exceptions or self._vetted(domain):
            return None
        return self.names.unlisted(registered)

    def _vetted(self, domain: str) -> bool:
        """Does the domain stand below a suffix that only vetted bodies get?"""
        rest = domain
        while rest:
            if rest in self.restricted:
                return True
            _, _, rest = rest.partition(".")
        return False


def _merged_list() -> Iterator[str]:
    """Domains of two merged lists, less those the maintainers of the first take back.

    Their files are read where they lie: importing the packages would keep a second copy of all of it in memory.
    """
    burner, scraped = _folder("is_burner_email") / "data", _folder("disposable_email")
    taken_back = frozenset(_lines(burner / "whitelist.txt"))
    for path in (burner / "blacklist.txt", scraped / "domains.txt"):
        yield from (name for name in _lines(path) if name not in taken_back)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package}: a list of throw-away domains is not installed")
    return Path(spec.submodule_search_locations[0])


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text("utf-8").splitlines():
        name = line.strip().lower()
        if name and not name.startswith("#"):
            yield name

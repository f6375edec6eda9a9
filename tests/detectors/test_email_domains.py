"""Mail domains: two lists of throw-away providers, and everything that keeps people out of them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from detectors.email_domains import DomainKind, EmailDomains, is_suffix, registrable

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data")) / "email"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent; set LEADGATE_TEST_DATA")

LISTS = {
    "relay": {"A Relay": ["relay.example", "in.provider.example"]},
    "free": [["gmail.com", "ymail.com"]],
    "often_mistyped": ["gmail.com"],
    "rarely_mistyped": ["gmx.de"],
    "elsewhere": {"gmail.com": ["gmail.fr"]},
    "role": ["info"],
    "unattended": ["noreply"],
    "mailbox_rules": {"gmail.com": {"dots": True}},
}
REVIEWED = {"exceptions": {"firm.example": "a real firm"}, "restricted_suffixes": ["edu", "ac.uk"]}
WORDS = {
    "fleeting": ["temp"],
    "bounded": ["anon"],
    "mail": ["mail", "inbox"],
    "whole": ["mailinator"],
    "innocent": ["antispam"],
    "imitated": ["hotmail"],
    "imitated_at_start": ["gmail"],
    "dynamic": ["dyn.example"],
    "service": ["mail"],
    "no_service": ["ismail"],
    "service_homes": ["org"],
    "old_endings": ["com"],
    "fleeting_endings": ["cfd"],
}


@pytest.fixture(scope="module")
def shipped() -> EmailDomains:
    return EmailDomains.builtin()


def build(curated: set[str], merged: set[str]) -> EmailDomains:
    return EmailDomains.build(curated, merged, LISTS, REVIEWED, WORDS)


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("mailinator.com", DomainKind.DISPOSABLE),
        ("any.mailinator.com", DomainKind.DISPOSABLE),  # by the registrable domain
        ("deep.any.mailinator.com", DomainKind.DISPOSABLE),
        ("privaterelay.appleid.com", DomainKind.RELAY),
        ("appleid.com", DomainKind.OTHER),  # only the relay's own name
        ("jane.33mail.com", DomainKind.RELAY),
        ("duck.com", DomainKind.RELAY),
        ("mozmail.com", DomainKind.RELAY),
        ("gmail.com", DomainKind.FREE),
        ("gmai.com", DomainKind.MISTYPED),
        ("hotmial.co.uk", DomainKind.MISTYPED),
        ("yahoo.con", DomainKind.MISTYPED),
        ("ymail.com", DomainKind.FREE),  # one letter from gmail.com, and a provider of its own
        ("bosch.com", DomainKind.OTHER),
    ],
)
def test_kinds(shipped: EmailDomains, domain: str, kind: DomainKind) -> None:
    assert shipped.classify(domain).kind is kind


@pytest.mark.parametrize(
    "domain",
    [
        "zoho.com",
        "hushmail.com",
        "hush.com",
        "tom.com",
        "21cn.com",
        "sify.com",
        "pe.hu",
        "shop.pe.hu",
        "nus.edu.sg",
        "comp.nus.edu.sg",
        "u.nus.edu",
        "safe-mail.net",
        "sdf.org",
        "aver.com",
    ],
)
def test_what_lists_wrongly_name_is_spared(shipped: EmailDomains, domain: str) -> None:
    assert shipped.classify(domain).kind in (DomainKind.FREE, DomainKind.OTHER)


@pytest.mark.parametrize("suffix", ["co.uk", "com.au", "edu.pl", "duckdns.org", "eu.org", "dynv6.net", "com"])
def test_a_public_suffix_is_never_flagged_even_where_a_list_names_it(suffix: str) -> None:
    assert is_suffix(suffix)
    domains = build({suffix}, {suffix})
    assert domains.classify(suffix).kind is DomainKind.OTHER
    assert domains.classify(f"somebody.{suffix}").kind is DomainKind.OTHER


def test_a_parent_above_the_registrable_domain_is_not_matched() -> None:
    domains = build({"ac.uk", "throwaway.ac.uk"}, set())
    assert domains.classify("mail.ox.ac.uk").kind is DomainKind.OTHER
    assert domains.classify("mail.throwaway.ac.uk").kind is DomainKind.DISPOSABLE


def test_vetted_suffixes_are_not_believed_to_the_merged_list_only() -> None:
    domains = build({"abused.edu"}, {"oxford.edu", "lab.ox.ac.uk", "burner.example"})
    assert domains.classify("oxford.edu").kind is DomainKind.OTHER
    assert domains.classify("lab.ox.ac.uk").kind is DomainKind.OTHER
    assert domains.classify("burner.example").kind is DomainKind.DISPOSABLE_MERGED
    assert domains.classify("abused.edu").kind is DomainKind.DISPOSABLE


def test_the_curated_list_outranks_the_merged_one_and_exceptions_outrank_both() -> None:
    domains = build({"both.example", "firm.example"}, {"both.example", "firm.example", "gmal.com"})
    assert domains.classify("both.example").source == "curated"
    assert domains.classify("firm.example").kind is DomainKind.OTHER
    assert domains.classify("gmal.com").kind is DomainKind.MISTYPED
    assert domains.curated == {"both.example"}
    assert not domains.merged  # one list names a domain, or none


def test_the_entry_shown_is_the_lists_not_the_whole_domain(shipped: EmailDomains) -> None:
    assert shipped.classify("jane-doe.mailinator.com").entry == "mailinator.com"


def test_registrable() -> None:
    assert registrable("a.b.example.co.uk") == "example.co.uk"
    assert registrable("co.uk") is None
    assert registrable("jane.duckdns.org") == "jane.duckdns.org"


def test_content_hash_follows_the_content_and_not_the_order() -> None:
    first = build({"a.example", "b.example"}, {"c.example"})
    assert first.content_hash == build({"b.example", "a.example"}, {"c.example"}).content_hash
    assert first.content_hash != build({"a.example"}, {"c.example"}).content_hash


def test_builtin_is_shared_and_large(shipped: EmailDomains) -> None:
    assert EmailDomains.builtin() is shipped
    assert len(shipped.curated) > 9_000
    assert len(shipped.merged) > 100_000
    assert not shipped.curated & shipped.merged


def test_reviewed_tables_hold_together(shipped: EmailDomains) -> None:
    names = [*shipped.relay, *shipped.free, *shipped.exceptions, *shipped.restricted, *shipped.mailbox_rules]
    assert all(name == name.lower() and name.isascii() for name in names)
    assert not shipped.free & shipped.relay.keys()
    assert not shipped.role & shipped.unattended


@needs_data
def test_measured_on_real_lists(shipped: EmailDomains) -> None:
    def kinds(name: str) -> list[DomainKind]:
        lines = (DATA / name).read_text("utf-8").split()
        return [shipped.classify(prefix + line.lower()).kind for line in lines for prefix in ("", "mail.")]

    bad = (DomainKind.DISPOSABLE, DomainKind.DISPOSABLE_MERGED)
    for people in ("university_domains.txt", "free_providers.txt", "alias_forwarders.txt"):
        assert not [kind for kind in kinds(people) if kind in bad], people
    assert set(kinds("alias_forwarders.txt")) == {DomainKind.RELAY}
    with (DATA / "disposable_dated.csv").open(encoding="utf-8") as file:
        dated = [shipped.classify(row["domain"]).kind for row in csv.DictReader(file)]
    assert sum(kind in bad for kind in dated) / len(dated) > 0.99

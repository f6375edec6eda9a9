"""What kind of network an address belongs to: one word, decided by the strongest statement there is.

Published ranges speak first, because a crawler, a relay or a VPN exit stands in somebody's data centre and is what
matters there. Then the operator of this machine (`geoip.kinds`), then a table of well-known operators reviewed by hand
(data/asn_kinds.yaml), then what a database states, and last the words of the organisation's name
(data/kind_words.yaml). How often each is right stands in docs/operators/networks.md.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from ruamel.yaml import YAML

KINDS = (
    "crawler",
    "relay",
    "tor",
    "vpn",
    "proxy",
    "monitor",
    "fetcher",
    "hosting",
    "cdn",
    "mobile",
    "mixed",
    "education",
    "government",
    "business",
    "consumer",
    "reserved",
)
"""In the order of precedence among published ranges.

crawler   a declared crawler's own range          mobile      a phone carrier: hundreds of people share an address
relay     privacy relay of a browser: people      mixed       an operator of both phones and fixed lines
tor       Tor exit                                education   school, university, research network
vpn       commercial VPN exit                     government  public administration, armed forces
proxy     a company's web gateway: people at work business    a company's or another organisation's own network
monitor   uptime and speed monitor                consumer    access provider: homes and small offices
fetcher   fetches when a person asks              reserved    not a public address
hosting, cdn   rented machines, content network   ""          not known
"""

PINNED = frozenset({"crawler", "relay", "tor", "vpn", "proxy", "monitor", "fetcher", "reserved"})
"""Said of a range, not of a whole network: no statement about the network overrules these."""

NAME_LENGTH = 200
"""Characters of an organisation's name that are read; longer ones are registry prose."""

_PHONES_TOO = frozenset({"mixed", "consumer"})
"""Of these networks a database may know which addresses are phones'."""

_PEOPLE = frozenset({"mobile", "education"})
"""A list that calls part of these rented machines is taken for wrong: one names a quarter of a million addresses of a
French phone carrier, and the servers that do stand there are few."""

_RANK = {kind: place for place, kind in enumerate(KINDS)}


class _Rule(NamedTuple):
    """One line of data/kind_words.yaml: `kind`, where `words` match and `unless` (where given) does not."""

    kind: str
    words: re.Pattern[str]
    unless: re.Pattern[str] | None


class Kinds:
    """Immutable. `own` are statements of the operator of this machine: AS number → kind."""

    def __init__(
        self,
        table: Mapping[str, Mapping[str, Sequence[int]]],
        rules: Sequence[Mapping[str, Any]],
        own: Mapping[int, str] | None = None,
    ) -> None:
        self._own = dict(own or {})
        self._table = {
            asn: "" if kind == "unknown" else kind
            for kind, operators in table.items()
            for numbers in operators.values()
            for asn in numbers
        }
        self._rules = [
            _Rule(rule["kind"], _pattern(rule["words"]), _pattern(rule["unless"]) if "unless" in rule else None)
            for rule in rules
        ]
        digest = hashlib.sha256(repr((table, rules, sorted(self._own.items()))).encode())
        self.content_hash = digest.hexdigest()
        """SHA-256 (hexadecimal) of the table, the words and the operator's own statements."""
        self.of = lru_cache(maxsize=16_384)(self._of)
        """`of(asn, organisation, labels, stated) -> kind`, see `_of`."""
        self.by_name = lru_cache(maxsize=8_192)(self._by_name)
        """`by_name(organisation) -> kind`, see `_by_name`."""

    @classmethod
    def builtin(cls, own: tuple[tuple[int, str], ...] = ()) -> Kinds:
        """The shipped table and words; `own`: (AS number, kind) pairs that overrule them. Built once per process and `own`."""
        return _builtin(own)

    def reviewed(self, asn: int) -> str | None:
        """What the table says of the system, "" where it says that nothing can be told; None where it does not know it."""
        return self._table.get(asn)

    def _of(
        self,
        asn: int | None,
        organisation: str | None,
        labels: tuple[str, ...] = (),
        stated: tuple[str, ...] = (),
    ) -> str:
        """One of KINDS, or "" where nothing tells.

        labels  of published ranges, "kind:name"
        stated  what databases say of the address, "kind:database"
        """
        labelled = _strongest(labels)
        if labelled in PINNED:
            return labelled
        if asn is not None and asn in self._own:
            return self._own[asn]
        said = _strongest(stated)
        if said in PINNED:  # a VPN or Tor exit is told of an address, like a range
            return said
        known = self._table.get(asn) if asn is not None else None
        if labelled and not (labelled == "hosting" and known in _PEOPLE):
            return labelled
        if known is not None:
            return said if (said == "mobile" and known in _PHONES_TOO) or not known else known
        if said:
            return said
        return self.by_name(organisation) if organisation else ""

    def _by_name(self, organisation: str) -> str:
        """The kind that the words of an organisation's name tell, or ""."""
        text = _plain(organisation)
        for rule in self._rules:
            if rule.words.search(text) and not (rule.unless and rule.unless.search(text)):
                return rule.kind
        return ""


def _strongest(labels: tuple[str, ...]) -> str:
    kinds = [kind for label in labels if (kind := label.partition(":")[0]) in _RANK]
    return min(kinds, key=_RANK.__getitem__) if kinds else ""


_ACCENTS = re.compile(r"[\u0300-\u036f]")
_BETWEEN = re.compile(r"[\W_]+")


def _plain(text: str) -> str:
    """Lower case, without accents, one space between words and at both ends: " societe generale s a "."""
    flat = _ACCENTS.sub("", unicodedata.normalize("NFKD", text[:NAME_LENGTH].casefold()))
    return f" {_BETWEEN.sub(' ', flat).strip()} "


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Whole words or phrases; a star stands for any rest of a word: "universit*", "*hosting"."""
    parts = []
    for word in words:
        star = (r"\S*" if word.startswith("*") else "", r"\S*" if word.endswith("*") else "")
        parts.append(star[0] + re.escape(_plain(word).strip()) + star[1])
    return re.compile(rf"(?<= )(?:{'|'.join(parts)})(?= )")


@cache
def _builtin(own: tuple[tuple[int, str], ...]) -> Kinds:
    return Kinds(_load("asn_kinds.yaml"), _load("kind_words.yaml"), dict(own))


@cache
def _load(name: str) -> Any:
    return YAML(typ="safe").load(resources.files("geoip").joinpath("data", name).read_bytes().decode())

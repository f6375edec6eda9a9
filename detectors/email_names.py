"""What the name of a mail domain says by itself: named as throw-away mail is, or after a provider that it is not.

Names age slower than lists: a service that opens next year calls itself "temp mail" too. Most do not, so silence here means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from detectors.email_typos import ending_exists

_GAP = "[-.0-9]{0,4}"
_STRANGE = 4  # letters beside a provider's name that no slip of the pen adds; "gmailcom" is one
_NATIONAL = 2  # letters of a country's ending: what people of one country use says nothing against them
_OLD = 0.5  # below the old endings there are many small mail services of schools and hobbyists, below the new ones hardly any
_EDGE_BEFORE, _EDGE_AFTER = "(?:^|[-.0-9])", "(?:$|[-.0-9])"


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Weak signs of a domain that no list knows.

    word      what a mailbox is called in its name; "" where only the ending tells something
    ending    top-level domain, without a dot
    strength  0 to 1
    """

    word: str
    ending: str
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class MailNames:
    """Patterns of data/email_names.yaml, ready to search. Names are ASCII, lower case."""

    fleeting: re.Pattern[str]
    innocent: re.Pattern[str]
    imitated: re.Pattern[str]
    counted: re.Pattern[str]
    dynamic: frozenset[str]
    service: re.Pattern[str]
    no_service: re.Pattern[str]
    service_homes: frozenset[str]
    old_endings: frozenset[str]
    fleeting_endings: frozenset[str]

    @classmethod
    def build(cls, words: Mapping[str, Any]) -> Self:
        mail, fleeting = _any(words["mail"]), f"(?:{_any(words['fleeting'])}|(?<![a-z]){_any(words['bounded'])})"
        return cls(
            fleeting=re.compile(
                f"{fleeting}{_GAP}{mail}"
                f"|(?:^|[-.0-9]|my|get|the){mail}{_GAP}{_any(words['fleeting'])}{_EDGE_AFTER}"
                f"|{_EDGE_BEFORE}{_any(words['whole'])}{_EDGE_AFTER}"
            ),
            innocent=re.compile(_any(words["innocent"])),
            imitated=re.compile(f"{_any(words['imitated'])}|^{_any(words['imitated_at_start'])}"),
            counted=re.compile(f"{mail}.*[0-9]|[0-9].*{mail}|{_EDGE_BEFORE}(?:web|free)?{mail}{_EDGE_AFTER}"),
            dynamic=frozenset(words["dynamic"]),
            service=re.compile(_any(words["service"])),
            no_service=re.compile(_any((*words["innocent"], *words["no_service"]))),
            service_homes=frozenset(words["service_homes"]),
            old_endings=frozenset(words["old_endings"]),
            fleeting_endings=frozenset(words["fleeting_endings"]),
        )

    def find(self, domain: str, registered: str) -> tuple[str, str] | None:
        """(what it says, the words that say it) where `domain` names itself so; `registered` is its registrable domain.

        What it says: "throw-away", "imitation" of a provider, or "free host name" of a mail farm.
        """
        label, _, suffix = registered.partition(".")
        name = domain[: -len(suffix) - 1] if suffix else label
        found = self.fleeting.search(name)
        if found is not None and self.innocent.search(name) is None:
            return "throw-away", found.group().strip("-.")
        found = self.imitated.search(label)
        if found is not None and len(label) - len(found.group()) >= _STRANGE:
            return "imitation", found.group()
        parent = self._dynamic_parent(domain)
        if parent and self.counted.search(domain[: -len(parent) - 1]):
            return "free host name", parent
        return None

    def unlisted(self, registered: str) -> Unlisted | None:
        """What the registrable domain of an unknown provider looks like: a mail service nobody knows, or an ending that throw-away mail prefers.

        National endings, shared ones (two labels) and those that do not exist never count.
        """
        label, _, ending = registered.partition(".")
        if "." in ending or len(ending) <= _NATIONAL or not ending_exists(ending):
            return None
        found = None if ending in self.service_homes else self.service.search(label)
        if found is not None and self.no_service.search(label) is None:
            return Unlisted(found.group(), ending, _OLD if ending in self.old_endings else 1.0)
        return Unlisted("", ending, 1.0) if ending in self.fleeting_endings else None

    def _dynamic_parent(self, domain: str) -> str:
        rest = domain
        while "." in rest:
            rest = rest.partition(".")[2]
            if rest in self.dynamic:
                return rest
        return ""


def _any(words: Iterable[str]) -> str:
    """An alternation, longest first; the words are patterns themselves."""
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"

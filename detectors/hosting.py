"""Does an autonomous system rent out machines? By a reviewed table of numbers, and by the words of the announced
name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

from detectors.data_files import load


class Hosting:
    """Immutable; see data/networks.yaml."""

    def __init__(self, table: Mapping[str, Any], content_hash: str) -> None:
        self.content_hash = content_hash
        self._owners: dict[int | None, str] = {
            asn: owner for owner, numbers in table["hosting"].items() for asn in numbers
        }
        self._yes, self._no = (
            _words(table[name], end) for name, end in (("hosting_words", r"\b"), ("not_hosting_words", ""))
        )
        self.by_name = lru_cache(maxsize=8192)(self._by_name)

    @classmethod
    def builtin(cls) -> Self:
        return cls(*load("networks.yaml"))

    def owner(self, asn: int | None, organisation: str | None) -> str | None:
        """Name of the hosting company, or None where nothing says that the network rents out machines."""
        if asn in self._owners:
            return self._owners[asn]
        return organisation if organisation and self.by_name(organisation) else None

    def _by_name(self, organisation: str) -> bool:
        text = organisation[:200].lower()
        return bool(self._yes.search(text)) and not self._no.search(text)


def _words(words: Sequence[str], end: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)}){end}")

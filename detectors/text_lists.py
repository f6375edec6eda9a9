"""What free text is compared with: phrases, a vocabulary of promotion, languages, link shorteners and the numbers people tune."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from detectors.data_files import load
from detectors.text_language import Languages
from detectors.text_phrases import Phrases, Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Immutable. limits: data/text_limits.yaml. content_hash: SHA-256 (hexadecimal) over the five files."""

    phrases: Phrases
    vocabulary: Vocabulary
    languages: Languages
    shorteners: frozenset[str]
    invitations: tuple[str, ...]
    limits: Mapping[str, Any]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """The shipped lists."""
        limits, of_limits = load("text_limits.yaml")
        hosts, of_hosts = load("link_hosts.yaml")
        phrases, of_phrases = load("text_phrases.yaml")
        words, of_words = load("text_vocabulary.yaml")
        languages, of_languages = load("text_languages.yaml")
        return cls(
            Phrases(phrases),
            Vocabulary.build(words),
            Languages.build(languages, limits["language"]["known"]),
            frozenset((*hosts["shorteners"], *hosts["pages"])),
            tuple(limits["invitations"]),
            limits,
            hashlib.sha256(f"{of_limits}{of_hosts}{of_phrases}{of_words}{of_languages}".encode()).hexdigest(),
        )

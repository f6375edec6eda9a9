"""Does the browser's language fit the country of its network? Weak evidence, and near silent on purpose.

A copied browser behind a hijacked home line keeps the language it was copied with. But people move, travel and marry,
so only homes' own lines are looked at, only a browser that names no language of the country, none near one, none of the
site's and not even English, and never where headers are known in part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Self

from detectors.data_files import load
from detectors.observation import Observation
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

STRENGTH = 0.5
"""Of the hint that it is: one visitor in a hundred lives where his browser's language is not read."""

JUDGED = frozenset({"consumer", "mixed"})
"""Kinds of network whose country is where the visitor lives: phones roam, companies and universities have guests, and
relays, VPNs and data centres say nothing of the place."""

MOST_LANGUAGES = 12
"""A header that names more is no person's setting; other detectors look at it."""


class Languages:
    """The table of data/country_languages.yaml, ready to look up. Immutable."""

    def __init__(self, table: Mapping[str, Any], content_hash: str) -> None:
        self._near = near = {code: frozenset(group) for group in table["near"] for code in group}
        self._read = {
            country: frozenset[str]().union(*(near.get(code, {code}) for code in codes), codes)
            for country, codes in table["countries"].items()
        }
        self.content_hash = content_hash

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """The shipped table."""
        return cls(*load("country_languages.yaml"))

    def fits(self, country: str, languages: frozenset[str]) -> bool:
        """Is any of `languages` (ISO 639, lower case) read in the country? True where that is not known."""
        read = self._read.get(country)
        return read is None or not read.isdisjoint(languages)

    def spoken(self, site: Iterable[str], languages: frozenset[str]) -> bool:
        """Is any of `languages` one of the site's, by this or another code, or near one?"""
        return any(not self._near.get(code, frozenset({code})).isdisjoint(languages) for code in site)


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    network = obs.network
    if not isinstance(network, Network) or network.country is None or network.kind not in JUDGED:
        return
    if not obs.request.complete:
        return
    named = _named(obs.request.header("accept-language") or "")
    if not named or "en" in named or "*" in named or ref.languages.fits(network.country, named):
        return
    if not ref.languages.spoken(ref.site.languages, named):
        yield Signal("network.language_country", (", ".join(sorted(named)), network.country), STRENGTH)


_RANGE = re.compile(r"(?:\*|[a-z]{2,3}(?:-[a-z0-9]{2,8})*)(?:;q=[01](?:\.\d{1,3})?)?")
"""What browsers write: RFC 9110 section 12.5.4, without its optional spaces around the weight."""


@lru_cache(maxsize=2048)
def _named(header: str) -> frozenset[str]:
    """Primary languages that the header names; empty where it is none that a browser sends."""
    ranges = header.lower().split(",")
    if len(header) > 200 or len(ranges) > MOST_LANGUAGES:
        return frozenset()
    if not all(_RANGE.fullmatch(entry.strip()) for entry in ranges):
        return frozenset()
    return frozenset(entry.strip().partition(";")[0].partition("-")[0] for entry in ranges)

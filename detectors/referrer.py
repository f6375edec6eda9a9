"""The page the visitor says to come from. It is freely forged and often left out by privacy settings, so little is
read into it.

False referrers are mostly sent to statistics scripts, not to sites; lists of them are long, old and name sold
domains. What is checked is the handful of name families that sell traffic to webmasters, the rows of made-up shops and
blogs under cheap endings that came after them, and whether the value is a referrer at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from detectors.browsers import claimed
from detectors.observation import Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

_HOST = re.compile(
    r"(?:https?|android-app|ios-app)://(\[[0-9a-f:.]{2,45}\]|[^/?#\s@:]{1,253})(?::\d*)?(?=[/?#]|$)", re.IGNORECASE
)
_SPAM = re.compile(
    r"bot-?traffic|traffic-?(?:bot|4free|generator|paradise|cash)|(?:free|get|buy|best|cheap|your)-?(?:seo|traffic|visitors|backlinks)|"
    r"(?:share|social)-?buttons?|buttons?-for-|law-enforcement-|(?:website|seo)-(?:traffic|visitors|promotion|services)|"
    r"make-?money-?online|semalt|ilovevitaly|darodar|ranksonic|4webmasters|webmaster-traffic"
)

_ROW = re.compile(
    r"(?:blogs?|(?<!\bs)malls?|(?<!whole)(?<!re)sale|goods|outlet|traffic|(?<![aeiou])seo)[0-9]*"
    r"\.(?:top|xyz|online|site|club)$|(?:shop|store)[0-9]*\.xyz$"
)
"""Domains registered in rows to be sent as referrers: a first name and "blog", syllables and "sale". Not "small", "museo", "wholesale"."""

_ROW_STRENGTH = 0.5  # somebody may have a real shop or blog of such a name


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    value = obs.request.header("referer")
    if not value:
        return
    finding = _finding(value[:512])
    if finding == "malformed":
        if claimed(obs.request.header("user-agent") or "").family:  # apps and old phones send what they like
            yield Signal("referrer.malformed")
    elif finding is not None and not _own(finding, obs.page.host.lower()):
        strength = 1.0 if _SPAM.search(finding) else _ROW_STRENGTH
        yield Signal("referrer.spam", evidence=(finding,), strength=strength)


def _own(host: str, site: str) -> bool:
    """Is the referring host the site itself, or a neighbour above or below it?"""
    return host == site or host.endswith(f".{site}") or site.endswith(f".{host}")


@lru_cache(maxsize=4096)
def _finding(value: str) -> str | None:
    """ "malformed", the host name that is sent to appear in statistics, or None."""
    found = _HOST.match(value)
    if found is None:
        return "malformed"
    host = found[1].lower()
    return host if _SPAM.search(host) or _ROW.search(host) else None

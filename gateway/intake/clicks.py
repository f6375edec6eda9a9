"""What an ad platform wrote into the landing URL: its click id and the campaign parameters.

Click ids are opaque. They are read here and never rewritten; what is forwarded is what came.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

MAX_ID = 512
"""Characters of a click id that are kept; real ones stay below 250."""

MAX_VALUE = 200
"""Characters of a campaign value that are kept."""

PLATFORMS = {
    "gclid": "google",
    "gbraid": "google",
    "wbraid": "google",
    "dclid": "google",
    "fbclid": "meta",
    "msclkid": "microsoft",
    "ttclid": "tiktok",
    "li_fat_id": "linkedin",
    "twclid": "x",
    "epik": "pinterest",
    "rdt_cid": "reddit",
    "ScCid": "snap",
    "yclid": "yandex",
}
"""Click-id parameters as the platforms spell them, in the order in which one is preferred where several are
present."""

CAMPAIGN = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "utm_id",
    "campaignid",
    "adgroupid",
    "creative",
    "keyword",
    "matchtype",
    "network",
    "device",
    "placement",
    "gad_source",
    "gad_campaignid",
    "targetid",
    "loc_physical_ms",
)
"""Campaign parameters: `utm_*`, which anybody can write, and Google's ValueTrack names as final-URL suffixes use
them."""

_SPELLING = {name.lower(): name for name in PLATFORMS}
_CAMPAIGN = frozenset(CAMPAIGN)


class FoundClick(msgspec.Struct, frozen=True, gc=False):
    """An ad click id.

    platform   google, meta, microsoft, tiktok, linkedin, x, pinterest, reddit, snap, yandex
    parameter  the query parameter, as its platform spells it
    value      the first value given, letter case kept, cut at 512 characters
    values     distinct values given for this parameter; more than 1: duplicated
    length     characters of the value before it was cut
    others     other click-id parameters in the same query, in the order of preference
    """

    platform: str
    parameter: str
    value: str
    values: int
    length: int
    others: tuple[str, ...] = ()


def click_id(query: Sequence[tuple[str, str]]) -> FoundClick | None:
    """The click id in a decoded query, or None. Names are compared without letter case, since templates are written
    by hand; values are taken as they are. A parameter without value is none."""
    found: dict[str, list[str]] | None = None
    for name, value in query:
        parameter = _SPELLING.get(name) or _SPELLING.get(name.lower())
        if parameter is not None and value:
            if found is None:
                found = {}
            found.setdefault(parameter, []).append(value)
    if found is None:
        return None
    parameter, *others = [name for name in PLATFORMS if name in found]
    values = found[parameter]
    first = values[0]
    return FoundClick(PLATFORMS[parameter], parameter, first[:MAX_ID], len(set(values)), len(first), tuple(others))


def campaign(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The campaign parameters in a decoded query: the first non-empty value of each, cut at 200 characters."""
    found: dict[str, str] = {}
    for name, value in query:
        if name not in _CAMPAIGN:
            name = name.lower()
            if name not in _CAMPAIGN:
                continue
        if value and name not in found:
            found[name] = value[:MAX_VALUE]
    return found

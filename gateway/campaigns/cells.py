"""Which parts of a campaign's traffic a landing belongs to, and which of them are worth following.

A part is named by what the address says: `utm_campaign` and the like, which anybody can write. So nobody may fill the memory with made-up names: a
part is followed once its name has come often enough among the names of its time, and so many at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

VALUE = 80
"""Characters of a campaign's, publisher's or creative's name that tell it from others."""

ADMIT = 10
"""Landings with a name before it is followed. Names that fewer people share are also nobody else's business."""

CANDIDATES = 1_024
"""Names that are counted before they are followed, about 200 bytes each."""

_CAMPAIGN = ("utm_campaign", "campaignid", "gad_campaignid", "utm_id")
_CREATIVE = ("creative", "utm_content", "adgroupid")
_PLACEMENT = ("placement", "utm_source")

SEPARATOR = "\x1f"
"""Between site, kind of part and value in a cell's key; no campaign parameter that reaches us holds it (it would be replaced)."""


FORM, SITE = "form", "site"
"""Kinds of part: a form's submissions, and all landings of a site."""

_ADDRESS = ("@", "%40", "\uff20", "\ufe6b")
"""What makes a value an e-mail address, which newsletters write into links: names of parts stand in logs and evidence, so such a value names none."""


@lru_cache(maxsize=1_024)
def whole_site(site: str) -> str:
    return f"{site}{SEPARATOR}{SITE}{SEPARATOR}"


def parts(site: str, campaign: Mapping[str, str], platform: str) -> tuple[str, ...]:
    """Keys of the cells of a click, the broadest first; () for a landing that no campaign brought.

    platform  of the ad click id, "" for none
    """
    if not campaign and not platform:
        return ()
    return _parts(site, tuple(campaign.items()), platform)


@lru_cache(maxsize=1_024)  # most clicks of an hour are of few ads
def _parts(site: str, values: tuple[tuple[str, str], ...], platform: str) -> tuple[str, ...]:
    campaign, found = dict(values), []
    publisher = _first(campaign, _PLACEMENT) or platform
    network = campaign.get("network", "")
    for part, value in (
        ("campaign", _first(campaign, _CAMPAIGN)),
        ("publisher", f"{publisher} {network}" if publisher and network else publisher),
        ("creative", _first(campaign, _CREATIVE)),
    ):
        if value and not any(sign in value for sign in _ADDRESS):
            found.append(f"{site}{SEPARATOR}{part}{SEPARATOR}{_plain(value)}")
    return tuple(found)


@lru_cache(maxsize=1_024)
def form_part(site: str, form: str) -> str:
    """Key of the cell of a form. Its name stands in the settings, so nobody can make up many of them."""
    return f"{site}{SEPARATOR}{FORM}{SEPARATOR}{_plain(form)}"


def is_form(key: str) -> bool:
    """Is it the key of a form's cell?"""
    return key.split(SEPARATOR, 2)[1] == FORM


def in_words(key: str) -> str:
    """The part and its name, for people: "campaign roofs"."""
    _, part, value = key.split(SEPARATOR, 2)
    return f"{part} {value}" if value else part


def site_of(key: str) -> str:
    return key.partition(SEPARATOR)[0]


def _first(campaign: Mapping[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        value = campaign.get(name)
        if value:
            return value
    return ""


def _plain(value: str) -> str:
    value = value[:VALUE].casefold()
    return value if value.isprintable() else "".join([letter if letter.isprintable() else "_" for letter in value])


class Candidates:
    """Counts names until they are worth following; halves all counts where there are too many, so that rare ones go."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def often(self, key: str) -> bool:
        """Count a name; has it come ADMIT times?"""
        seen = self._seen
        count = seen.get(key, 0) + 1
        if count >= ADMIT:
            seen.pop(key, None)
            return True
        if count == 1 and len(seen) >= CANDIDATES:
            while len(seen) >= CANDIDATES:  # each round halves: four rounds at most, and many landings until the next
                self._seen = seen = {name: half for name, number in seen.items() if (half := number // 2)}
        seen[key] = count
        return False

"""Mail domains that are slips of the pen: which provider was meant?

Real people write these every day, so a slip is never held against anybody; it is said, so that somebody can call.
What could be a name of its own is left alone: a suggestion needs a long name, or an ending that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from publicsuffixlist import PublicSuffixList

_KNOWN_ENDINGS = PublicSuffixList(accept_unknown=False)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LONG = 7
"""Letters from which two slips are believed: "hotmail"."""
_SWAPPABLE = 4
"""Letters from which a name with two of them swapped is no other firm's; all names of three letters are taken."""

# Endings that a slip makes of the usual ones. Those that exist (.co, .cm, .om) are only tried for large providers, which have no mail there.
_WRONG_COM = (
    "con",
    "comm",
    "cim",
    "vom",
    "xom",
    "ocm",
    "cpm",
    "cok",
    "conm",
    "coom",
    "ccom",
    "cmo",
    "coml",
    "comn",
    "cob",
    "kom",
    "fom",
    "dom",
    "cop",
    "vcom",
    "comcom",
)
_WRONG_COM_REAL = ("co", "cm", "om", "com.com", "com.co")
_WRONG = {
    "net": ("ner", "nte", "met", "bet", "nett", "nrt", "nt", "ent"),
    "org": ("orgg", "ogr", "orh", "rog", "ofg"),
    "de": ("dee", "dr", "ds", "fe", "ed", "dde"),
    "fr": ("frr", "ft", "rf", "fe"),
    "it": ("itt", "ti", "iy"),
    "co.uk": ("co.ul", "co.ik", "couk", "uk.com", "co.u", "cu.uk", "co.ukk"),
    "com.br": ("com.be", "combr", "com.brr", "con.br"),
}  # fmt: skip


def slips(domain: str) -> Iterator[str]:
    """Domains one slip away: a letter left out, doubled, added, mistaken or swapped in the first label; the usual wrong endings; for long names
    two slips of neighbouring keys."""
    label, _, suffix = domain.partition(".")
    one = set(_one_slip(label))
    yield from (f"{other}.{suffix}" for other in one)
    if suffix == "com":
        yield from (f"{label}.{ending}" for ending in (*_WRONG_COM, *_WRONG_COM_REAL))
        near = set(_near_slips(label))
        yield from (f"{other}.{ending}" for other in near for ending in _WRONG_COM)
        if len(label) >= _LONG:
            yield from (f"{other}.{suffix}" for first in near for other in _near_slips(first) if other[0] == label[0])


def sure_slips(domain: str) -> Iterator[str]:
    """Slips that are safe for short names too: endings that do not exist, a letter doubled, and from four letters on two letters swapped."""
    label, _, suffix = domain.partition(".")
    wrong = _WRONG_COM if suffix == "com" else _WRONG.get(suffix, ())
    yield from (f"{label}.{ending}" for ending in wrong if not ending_exists(ending))
    yield from (f"{label[:at]}{label[at]}{label[at:]}.{suffix}" for at in range(len(label)))
    if len(label) >= _SWAPPABLE:
        yield from (f"{label[:at]}{label[at + 1]}{label[at]}{label[at + 2 :]}.{suffix}" for at in range(len(label) - 1))


@cache
def ending_exists(ending: str) -> bool:
    """Is the last label of `ending` (ASCII, lower case) a top-level domain?"""
    return _KNOWN_ENDINGS.publicsuffix(ending.rpartition(".")[2]) is not None


def meant_ending(domain: str) -> str | None:
    """The ending that was meant where that of `domain` does not exist and is a slip of a usual one: "com" for "firm.con"; else None."""
    ending = domain.rpartition(".")[2]
    if ending_exists(ending):
        return None
    if ending in _WRONG_COM:
        return "com"
    return next((right for right, wrong in _WRONG.items() if "." not in right and ending in wrong), None)


def table(
    often: Iterable[str], sure: Iterable[str], elsewhere: Mapping[str, Iterable[str]], spared: frozenset[str]
) -> dict[str, str]:
    """Misspelt domain → provider that was meant.

    often      large providers, whose every slip is counted as one
    sure       providers with names so short or plain that only `sure_slips` are
    elsewhere  provider → domains of its name under other endings, where it has no mail
    spared     domains that somebody has mail at
    """
    found = {typo: meant for meant in sure for typo in sure_slips(meant)}
    near: dict[str, str] = {}
    for meant in often:
        for typo in slips(meant):
            near.setdefault(typo, meant)
    found |= near
    found |= {typo: meant for meant, others in elsewhere.items() for typo in others}
    return {typo: meant for typo, meant in found.items() if typo not in spared}


def _one_slip(label: str) -> Iterator[str]:
    for at in range(len(label)):
        yield label[:at] + label[at + 1 :]
        if at + 1 < len(label):
            yield label[:at] + label[at + 1] + label[at] + label[at + 2 :]
        for letter in _LETTERS:
            yield label[:at] + letter + label[at + 1 :]
    for at in range(1, len(label) + 1):
        for letter in _LETTERS:
            yield label[:at] + letter + label[at:]


def _near_slips(label: str) -> Iterator[str]:
    """Slips a hurried finger makes: a letter left out, doubled, swapped with the next, or the key beside it."""
    for at, letter in enumerate(label):
        if at:
            yield label[:at] + label[at + 1 :]
        yield label[:at] + letter + label[at:]
        if at + 1 < len(label):
            yield label[:at] + label[at + 1] + letter + label[at + 2 :]
        for row in _KEYS:
            place = row.find(letter)
            if place >= 0:
                for beside in row[max(0, place - 1) : place] + row[place + 1 : place + 2]:
                    yield label[:at] + beside + label[at + 1 :]

"""Near duplicates: texts that share most of their pairs of words get keys in common, texts that do not practically never.

A text is first rid of what a template fills in (names, numbers, addresses, the greeting). Its pairs of neighbouring words become min-hashes by one
permutation (P. Li, A. Owen, C.-H. Zhang, "One Permutation Hashing", 2012), empty places filled from others (A. Shrivastava, "Optimal Densification
for Fast and Accurate Minwise Hashing", 2017), and several min-hashes together make one key. Each pair of words goes in more than once, so that short
texts fill enough places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from struct import Struct
from zlib import crc32

import msgspec

from detectors.free_text import free_texts
from detectors.observation import Lead

LEAST_WORDS = 8
"""Shorter texts are not compared: "please call me back" is everybody's."""

MOST_WORDS = 250
"""Words of a text that are compared."""

BANDS, ROWS = 8, 4
"""Keys of a text, and min-hashes in each: two texts of similarity s have one in common with probability 1 - (1 - s^ROWS)^BANDS."""

COPIES = 3
"""How often each pair of words goes in."""

SAMPLE = 64
"""Pairs that are looked at further: of long texts those with the smallest hashes, which are nearly the same for texts that are nearly the same."""

_PLACES = BANDS * ROWS
_BITS = _PLACES.bit_length() - 1
_NONE = 1 << 64
_MASK = _NONE - 1
_PACK = Struct(f">{_PLACES}Q")
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)[:COPIES]  # odd numbers with well-spread bits

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # written without spaces between words
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff"  # vowel signs are no letters to Python
_TAG = re.compile(r"<[^<>]{1,300}>")
_URL = re.compile(r"(?:https?://|www\.)\S+")
_MAIL = re.compile(r"[^\s@<>()]{1,64}@[^\s@<>()]{1,255}")
_RUN = re.compile(f"[{_UNSPACED}]+")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(rf"[^\W_][\w{_MARKS}]*")
_COMMON = ".,!?:;-'’\"()/"  # stand between words, and are the signs that are used most
_ASCII = {point: " " for point in range(128) if not chr(point).isalnum() and chr(point) != "_"}
_GREETING = (
    "hi hello hey dear greetings good morning day afternoon evening sir madam sirs team there guten tag hallo liebe lieber sehr geehrte geehrter damen "
    "und herren servus moin bonjour salut madame monsieur hola buenos buenas dias días tardes estimado estimada estimados señor señora olá ola bom "
    "boa dia tarde prezado prezada prezados buongiorno salve ciao gentile gentili beste geachte heer mevrouw goedendag hej hejsan hei dzień dobry "
    "witam szanowni państwo dobrý den zdravím добрый день здравствуйте привет уважаемые merhaba selam sayın"
)
_GREETINGS = frozenset(_GREETING.split())
_GREETED = 6
"""Words from the start among which greetings and names are passed over."""


def _probes(place: int) -> tuple[int, ...]:
    """The other places in an order of this place's own: where an empty one looks for a value."""
    return tuple(sorted(range(_PLACES), key=lambda other: blake2b(b"%d %d" % (place, other), digest_size=8).digest()))


_PROBES = tuple(_probes(place) for place in range(_PLACES))
_BEGUN = tuple(blake2b(b"%d" % band, digest_size=16) for band in range(BANDS))
"""Each key's hash, which begins with its number."""


class Sketch(msgspec.Struct, frozen=True, gc=False):
    """A text as it is compared.

    words  how many were compared
    bands  what near duplicates have in common: BANDS keys of 16 bytes, not secret until they are hashed with a key
    exact  the same for texts that differ in nothing but what was taken out
    """

    words: int
    bands: tuple[bytes, ...]
    exact: bytes


def sketch(lead: Lead) -> Sketch | None:
    """Of the form's longest text; None where all are too short."""
    texts = free_texts(lead)
    if not texts:
        return None
    names = [value for role in ("full_name", "first_name", "last_name", "company") for value in lead.values(role)[:2]]
    return of_text(max(texts, key=len), names)


def name_of(lead: Lead) -> str:
    """The sender's name as it is compared: its words in order of the alphabet, without accents; "" where it is a single word or none."""
    given = lead.values("full_name")[:1] or (*lead.values("first_name")[:1], *lead.values("last_name")[:1])
    plain = unicodedata.normalize("NFKD", " ".join(given)[:200]).casefold()
    if not plain.isascii():
        plain = "".join([letter for letter in plain if not unicodedata.combining(letter)])
    words = plain.replace(".", " ").split()
    return " ".join(sorted(words)) if len(words) > 1 else ""


def of_text(text: str, names: Sequence[str] = ()) -> Sketch | None:
    """names: of the sender; their words are taken out."""
    words, units = _words(text, names)
    if words < LEAST_WORDS:
        return None
    lines = "\n".join(units).encode("utf-8", "replace")
    return Sketch(words, _bands(lines.split(b"\n")), blake2b(lines, digest_size=16).digest())


def _words(text: str, names: Sequence[str]) -> tuple[int, list[str]]:
    """How many words there are, and the units that are compared: words, or pairs of characters where words are not spaced."""
    plain = text.isascii()
    text = (text if plain else unicodedata.normalize("NFKC", text)).casefold()
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "://" in text or "www." in text:
        text = _URL.sub(" 1 ", text)
    if "@" in text:
        text = _MAIL.sub(" 2 ", text)
    unspaced = not plain and _RUN.search(text) is not None
    if unspaced:
        text = _RUN.sub(_pairs, text)
    words = (_ascii_words(text) if plain else _other_words(text))[: 2 * MOST_WORDS]
    own = {word for name in names for word in _WORD.findall(name[:100].casefold())}
    head = [word for word in words[:_GREETED] if word not in _GREETINGS and word not in own]
    rest = [word for word in words[_GREETED:] if word not in own] if own else words[_GREETED:]
    # numbers, codes, addresses: what a template fills in, one and the same for all
    units = [word if word.isalpha() or not _DIGIT.search(word) else "0" for word in (head + rest)[:MOST_WORDS]]
    halves = sum(map(_paired, units)) if unspaced else 0
    return len(units) - halves // 2, units


def _ascii_words(text: str) -> list[str]:
    """What _WORD finds, for a third of the time."""
    words = text.translate(_ASCII).split()
    return [word for part in words if (word := part.lstrip("_"))] if "_" in text else words


def _other_words(text: str) -> list[str]:
    """The same of all other texts, where the pattern reads only what is not plainly a word."""
    for mark in _COMMON:
        text = text.replace(mark, " ")
    words: list[str] = []
    for part in text.split():
        if part.isalnum():
            words.append(part)
        else:
            words += _WORD.findall(part)
    return words


def _pairs(run: re.Match[str]) -> str:
    """Words of two characters each, for scripts without spaces: every character but the outer ones is in two of them."""
    text = run.group()
    return f" {text} " if len(text) < 3 else " " + " ".join([text[at : at + 2] for at in range(len(text) - 1)]) + " "


def _paired(unit: str) -> bool:
    return unit[0] >= "\u0e00" and _RUN.match(unit) is not None


def _bands(units: Sequence[bytes]) -> tuple[bytes, ...]:
    hashes = map(crc32, units)
    pairs = {(first * 0x9E3779B1 + second) * 0x85EBCA6B & 0xFFFFFFFF for first, second in pairwise(hashes)}
    least = [_NONE] * _PLACES
    for pair in sorted(pairs)[:SAMPLE]:
        for number in _MIX:
            mixed = pair * number & _MASK
            place = mixed >> 64 - _BITS
            if mixed < least[place]:
                least[place] = mixed
    if _NONE in least:
        least = [value if value != _NONE else _borrowed(least, place) for place, value in enumerate(least)]
    packed = _PACK.pack(*least)
    size = len(packed) // BANDS
    keys = []
    for band, begun in enumerate(_BEGUN):
        digest = begun.copy()
        digest.update(packed[band * size :][:size])
        keys.append(digest.digest())
    return tuple(keys)


def _borrowed(least: Sequence[int], place: int) -> int:
    """The value of the first place, in the order of `place`, that has one; 0 where none has."""
    for other in _PROBES[place]:
        if least[other] != _NONE:
            return least[other]
    return 0

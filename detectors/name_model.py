"""How much a written name looks like names do, and how much like letters typed at random.

Letters are folded to a-z; a text with a letter of any other script is not judged at all. The model holds, for each three letters in a row, how often names
of some hundred locales have them, and for each two how often a hand that plays on the keyboard types them (made by bench.train_names). A word is compared
under both, and under letters drawn evenly: what counts is which of them explains it better, in bits.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Self

from detectors.data_files import content

SIZE = 27
"""Letters a-z, and the edge of a word."""
EDGE = 0
STEP = 0.125
"""Bits to a unit of the file; its 255 units reach down to a probability of 2 to the minus 32."""
MAGIC = b"names2\n"

SHORTEST = 4
"""Letters; shorter words are not judged: "Ng", "Xu", "Krk" and initials."""
LONGEST = 40
"""Letters of a word, and WORDS words of a name, that are looked at."""
WORDS = 6
CREDIT = 3.0
"""Bits that an ordinary word beside an odd one makes up for."""

_EVEN = math.log2(26)
_ENDS = 3.2  # bits: lengths of words typed at random, spread over about nine
_SPECIAL = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h", "ŋ": "n", "ə": "a"}
    | {"ɓ": "b", "ɗ": "d", "ƙ": "k", "ɛ": "e", "ɔ": "o", "ŧ": "t", "ƴ": "y", "ơ": "o", "ư": "u", "ĸ": "k"}
    | dict.fromkeys("'’‘`´ʻʼʹʺ", "")  # O'Brien, M'barek, Oʻgʻiloy
)  # fmt: skip
_WORD = re.compile("[a-z]+")
_ABBREVIATION = re.compile(r"\b[^\W\d_]{1,5}\.")  # titles: "MVDr.", "Hjr."


def words(text: str) -> list[str] | None:
    """Words of `text` in the letters a-z, marks taken off; None where a letter belongs to another script."""
    text = text[: LONGEST * WORDS]
    if text.isascii():
        return _WORD.findall(text.lower().replace("'", "").replace("`", ""))
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_SPECIAL))
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    if not plain.isascii() and any(character.isalpha() and not character.isascii() for character in plain):
        return None
    return _WORD.findall(plain)


def check_sum(word: str) -> int:
    """Of a folded word; two words in four thousand million share one."""
    return zlib.crc32(word.encode("ascii"))


def codes(word: str) -> list[int]:
    """1 for a to 26 for z."""
    return [ord(letter) - 96 for letter in word]


@dataclass(frozen=True, slots=True, eq=False)
class NameModel:
    """Cost in units of STEP bits: names by three letters, mashing by two. rare: check sums (CRC-32) of words that are names all the same."""

    names: bytes
    mashed: bytes
    rare: frozenset[int]
    content_hash: str

    @classmethod
    @cache
    def builtin(cls) -> Self:
        return cls.read(content("name_model.bin"))

    @classmethod
    def read(cls, model: bytes) -> Self:
        """From the content of a model file. Raises ValueError where it is none."""
        try:
            values = zlib.decompress(model.removeprefix(MAGIC)) if model.startswith(MAGIC) else b""
        except zlib.error:
            values = b""
        end = SIZE**3 + SIZE**2
        if len(values) < end or (len(values) - end) % 4:
            raise ValueError("no model of names: train it again with bench.train_names")
        rare = frozenset(number for (number,) in struct.iter_unpack("<I", values[end:]))
        return cls(values[: SIZE**3], values[SIZE**3 : end], rare, hashlib.sha256(model).hexdigest())

    def word(self, word: str) -> float:
        """Bits by which `word` (a-z) looks more like a name than like typing at random; below 0: less."""
        if check_sum(word) in self.rare:
            return 0.0
        names, pairs = self.names, self.mashed
        a = b = EDGE
        name = mashed = 0
        for c in (*codes(word[:LONGEST]), EDGE):
            pair = b * SIZE + c
            name += names[a * SIZE * SIZE + pair]
            mashed += pairs[pair]
            a, b = b, c
        even = min(len(word), LONGEST) * _EVEN + _ENDS
        return min(even, mashed * STEP + 1) - name * STEP

    def bits(self, text: str) -> float | None:
        """The same for a whole name: its words together, where ordinary ones make up for little. None where there is nothing to judge."""
        text = text[: LONGEST * WORDS]
        found = words(_ABBREVIATION.sub(" ", text) if "." in text else text)
        judged = [word for word in found or () if len(word) >= SHORTEST][:WORDS]
        return sum(min(CREDIT, self.word(word)) for word in judged) if judged else None

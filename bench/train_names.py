"""Trains the model of what names look like, which `detectors/name_model.py` reads.

    python -m bench.train_names [EXTRA.json ...] [--out detectors/data/name_model.bin]

Names come from the `faker` package (MIT), from `name_supplement.yaml` beside this file, and from EXTRA files: JSON objects of {source: [name, ...]}, as made
from the npm packages @faker-js/faker and humannames (MIT). Of scripts other than Latin only those are spelt out (package `anyascii`, where it is installed)
whose spelling in Latin letters people use themselves. What is written holds letter statistics, no names: one byte for each sequence of three letters,
and check sums of the few names that these statistics would take for random letters.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import pkgutil
import random
import struct
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML

from detectors.name_model import EDGE, MAGIC, SHORTEST, SIZE, STEP, NameModel, check_sum, codes, words

HERE = Path(__file__).parent
SPELT_OUT = {"bg", "el", "hy", "ja", "ka", "ko", "mk", "ru", "sr", "uk", "zh", "mn"}
"""Languages of other scripts whose automatic spelling in Latin letters is close to what their people write."""

SMOOTHING = (0.0, 8.0, 5.0)
HEAVIEST = 3.0
"""A name in many locales counts no more than this often, so that common names do not drown the rare sequences that matter."""

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
MASHES = 40_000
DOUBTFUL = -3.0
"""Bits below which a known name is remembered by its check sum, so that it does not add to what speaks against a whole name."""


def faker_names() -> Iterator[tuple[str, list[str]]]:
    """(locale, its given and family names) of every locale of the faker package."""
    import faker.providers.person as person

    for module in pkgutil.iter_modules(person.__path__):
        provider = importlib.import_module(f"{person.__name__}.{module.name}").Provider
        names: set[str] = set()
        for attribute in dir(provider):
            if "name" in attribute and not any(part in attribute for part in ("format", "prefix", "suffix")):
                names.update(_strings(getattr(provider, attribute)))
        yield module.name, sorted(names)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if "{" not in value:
            yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value:
            yield from _strings(part)


def distinct(names: Iterable[str], language: str, spell: Callable[[str], str] | None) -> set[str]:
    """Folded words of `names`; what cannot be read as Latin letters is spelt out where that makes sense, else left out."""
    found: set[str] = set()
    for name in names:
        split = words(name)
        if split is None and spell is not None and language in SPELT_OUT:
            split = words(spell(name))
        found.update(split or ())
    return found


def table(sources: Mapping[str, set[str]]) -> list[float]:
    """log2 of the probability of a letter after two others, SIZE ** 3 values, from words by source."""
    weights: dict[str, float] = defaultdict(float)
    for source, found in sorted(sources.items()):
        for word in found:
            weights[word] = min(HEAVIEST, weights[word] + (HEAVIEST if source.startswith("supplement") else 1.0))
    one, two, three = [0.5] * SIZE, [0.0] * SIZE**2, [0.0] * SIZE**3
    for word, weight in sorted(weights.items()):
        a = b = EDGE
        for c in (*codes(word), EDGE):
            one[c] += weight
            two[b * SIZE + c] += weight
            three[(a * SIZE + b) * SIZE + c] += weight
            a, b = b, c
    total = sum(one)
    single = [count / total for count in one]
    pairs = _smoothed(two, lambda place: single[place % SIZE], SMOOTHING[1])
    triples = _smoothed(three, lambda place: pairs[place % SIZE**2], SMOOTHING[2])
    return [math.log2(p) for p in triples]


def _smoothed(counts: list[float], shorter: Callable[[int], float], weight: float) -> list[float]:
    found = []
    for start in range(0, len(counts), SIZE):
        total = sum(counts[start : start + SIZE]) + weight
        found += [(counts[place] + weight * shorter(place)) / total for place in range(start, start + SIZE)]
    return found


def mash(rng: random.Random) -> str:
    """What a hand that plays on the keyboard types: keys of one row, walks, chunks that come again, neighbours."""
    style, length = rng.random(), rng.randint(4, 12)
    row = rng.choice((ROWS[1],) * 5 + (ROWS[0],) * 2 + (ROWS[2],))
    if style < 0.35:
        keys = row[:5] if rng.random() < 0.5 else row
        return "".join(rng.choice(keys) for _ in range(length))
    if style < 0.6:
        at, typed = rng.randrange(len(row)), ""
        for _ in range(length):
            typed += row[at]
            at = max(0, min(len(row) - 1, at + rng.choice((-1, 1, 1, 1, 2, -2))))
        return typed
    if style < 0.8:
        return ("".join(rng.choice(row) for _ in range(rng.randint(2, 4))) * 6)[:length]
    places = {key: (float(r), x + r * 0.3) for r, keys in enumerate(ROWS) for x, key in enumerate(keys)}
    key = rng.choice(ROWS[1])
    typed = key
    for _ in range(length - 1):
        r, x = places[key]
        key = rng.choice([other for other, (s, y) in sorted(places.items()) if abs(r - s) + abs(x - y) < 2.3])
        typed += key
    return typed


def mash_table(seed: int = 9) -> list[float]:
    """log2 of the probability of a letter after another in mashed text, SIZE ** 2 values."""
    rng = random.Random(seed)
    counts = [0.05] * SIZE**2
    for _ in range(MASHES):
        before = EDGE
        for code in (*codes(mash(rng)), EDGE):
            counts[before * SIZE + code] += 1
            before = code
    return [math.log2(p) for p in _smoothed(counts, lambda _: 1 / SIZE, 0.0)]


def encode(names: list[float], mashed: list[float], rare: Iterable[int] = ()) -> bytes:
    values = bytes(min(255, round(-value / STEP)) for value in (*names, *mashed))
    return MAGIC + zlib.compress(values + b"".join(struct.pack("<I", number) for number in sorted(rare)), 9)


def rare(content: bytes, sources: Mapping[str, set[str]]) -> set[int]:
    """Check sums of the words that a model without them takes for typed at random: names, but of letters that names hardly have."""
    model = NameModel.read(content)
    return {
        check_sum(word)
        for found in sources.values()
        for word in found
        if len(word) >= SHORTEST and model.word(word) < DOUBTFUL
    }


def sources(extra: Iterable[Path], spell: Callable[[str], str] | None) -> dict[str, set[str]]:
    found = {f"faker {locale}": distinct(names, locale.partition("_")[0], spell) for locale, names in faker_names()}
    for language, names in YAML(typ="safe").load(HERE / "name_supplement.yaml").items():
        found[f"supplement {language}"] = distinct(names, "", None)
    for path in extra:
        for source, names in json.loads(path.read_text(encoding="utf-8")).items():
            found[f"{path.stem} {source}"] = distinct(names, source.partition("_")[0], spell)
    return {name: found_words for name, found_words in found.items() if found_words}


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains the model of what names look like.")
    parser.add_argument("extra", nargs="*", type=Path, help="JSON files of {source: [name, ...]}")
    parser.add_argument("--out", type=Path, default=HERE.parent / "detectors" / "data" / "name_model.bin")
    given = parser.parse_args()
    try:
        spell: Callable[[str], str] | None = importlib.import_module("anyascii").anyascii
    except ImportError:
        spell = None
    known = sources(given.extra, spell)
    names, mashed = table(known), mash_table()
    odd = rare(encode(names, mashed), known)
    content = encode(names, mashed, odd)
    given.out.write_bytes(content)
    print(
        f"{len(known)} sources, {sum(map(len, known.values())):,} words, {len(odd):,} of them rare, {len(content):,} bytes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

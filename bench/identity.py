"""How well names and mistyped mail domains are told from what nobody is called or meant, by locale.

    python -m bench.identity         the table, and people flagged by locale

Names come from the `faker` package, as made (full names in the locale's own script and order) and therefore partly known to the shipped model; what a
language does that the model has never seen is measured by `python -m bench.identity --unseen`, which trains without one language after the other
(a minute or so). Random letters and mashed keys are made with a fixed seed. Ratios only, no time.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bench import train_names
from bench.grounds import data
from bench.grounds.judge import Judge, post
from bench.table import HEAD, Absent, Ground, Row, Scorer, lines
from detectors.email_domains import DomainKind
from detectors.name import UNLIKELY
from detectors.name_model import NameModel
from detectors.observation import Kind, Observation

SEED = 11
MADE = 2_000  # of each kind of bad
PEOPLE = 300  # full names of each locale
FOLDS = 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PROVIDERS = ("gmail.com", "hotmail.com", "outlook.com", "yahoo.com", "icloud.com", "protonmail.com")


def people(most: int = PEOPLE) -> dict[str, list[str]]:
    """Full names by locale of the faker package. Raises Absent."""
    try:
        import faker
    except ImportError as error:
        raise Absent("the package faker is not installed") from error
    found: dict[str, list[str]] = {}
    for locale in sorted(faker.config.AVAILABLE_LOCALES):
        source = faker.Faker(locale)
        source.seed_instance(SEED)
        found[locale] = [source.name() for _ in range(most)]
    return found


def _typed(rng: random.Random, shortest: int, longest: int) -> str:
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(shortest, longest)))


def made(kind: str) -> list[str]:
    """MADE names of a kind: "one word", "two words", "ordinary and random", "keyboard", "keyboard, two words", "letters and digits"."""
    rng = random.Random(SEED)
    makers: dict[str, Callable[[], str]] = {
        "one word": lambda: _typed(rng, 6, 12),
        "two words": lambda: f"{_typed(rng, 4, 9)} {_typed(rng, 4, 9)}",
        "ordinary and random": lambda: f"{rng.choice(('John', 'Maria', 'Anna', 'David'))} {_typed(rng, 6, 10)}",
        "keyboard": partial(train_names.mash, rng),
        "keyboard, two words": lambda: f"{train_names.mash(rng)} {train_names.mash(rng)}",
        "letters and digits": lambda: "".join(rng.choice(_LETTERS + "0123456789") for _ in range(rng.randint(8, 12))),
    }
    return [makers[kind]() for _ in range(MADE)]


KINDS = ("one word", "two words", "ordinary and random", "keyboard", "keyboard, two words", "letters and digits")


def _named(name: object) -> Observation:
    return post([], {"full_name": str(name), "email": "lead@firm.de"})


def rows(judge: Judge) -> list[Row]:
    """Names typed at random or played on the keyboard against people of all locales; mistyped providers against domains in use. Raises Absent."""
    good = [name for names in people().values() for name in names]
    scorers = [
        *judge.scorers(_named, ("name",), Kind.SUBMISSION),
        Scorer("bits of the model alone", lambda name: max(0.0, -(judge.reference.name_model.bits(str(name)) or 0.0)), service=-UNLIKELY),
    ]  # fmt: skip
    found = [row for kind in KINDS for row in Ground(f"names, {kind}", made(kind), good, scorers).rows()]
    return found + _typos(judge)


def _slip(rng: random.Random, domain: str) -> str:
    """One careless slip: a letter left out, doubled, swapped, mistaken for any other, or the ending spoilt."""
    label, _, ending = domain.partition(".")
    at = rng.randrange(len(label))
    match rng.randrange(5):
        case 0:
            label = label[:at] + label[at + 1 :]
        case 1:
            label = label[:at] + label[at] + label[at:]
        case 2:
            at = min(at, len(label) - 2)
            label = label[:at] + label[at + 1] + label[at] + label[at + 2 :]
        case 3:
            label = label[:at] + rng.choice(_LETTERS) + label[at + 1 :]
        case _:
            ending = rng.choice(("con", "cm", "co", "om", "comm", "vom", "xom", "cpm", "ocm", "cmo", "clm"))
    return f"{label}.{ending}"


def _typos(judge: Judge) -> list[Row]:
    domains = judge.reference.domains
    rng = random.Random(SEED)
    slips = sorted({_slip(rng, rng.choice(_PROVIDERS)) for _ in range(MADE)} - set(_PROVIDERS) - domains.free)
    used = [*data.lines("email/university_domains.txt"), *data.lines("email/free_providers.txt")]
    scorer = Scorer("email.mistyped", lambda item: float(domains.classify(str(item)).kind is DomainKind.MISTYPED))
    return Ground("mail providers mistyped", slips, used, [scorer]).rows()


def flagged(judge: Judge, names: Sequence[str]) -> tuple[int, int]:
    """(names that show a signal of the group `name` that weighs anything, names whose quality is below 95)."""
    shown = low = 0
    for name in names:
        scores = judge.scores(_named(name))
        shown += scores.groups.get("name", 0) > 0
        low += scores.verdict.quality < 95
    return shown, low


def unseen() -> Iterator[tuple[str, int, int]]:
    """(language, its names, those called gibberish) by models trained without the language, on the names faker has; no EXTRA files are used."""
    sources = train_names.sources((), None)
    raw: dict[str, set[str]] = defaultdict(set)
    for locale, names in train_names.faker_names():
        raw[locale.partition("_")[0]].update(names)
    languages = sorted(raw)
    for place in range(FOLDS):
        left_out = set(languages[place::FOLDS])
        known = {name: words for name, words in sources.items() if name.split()[-1].partition("_")[0] not in left_out}
        model = NameModel.read(train_names.encode(train_names.table(known), train_names.mash_table()))
        for language in sorted(left_out):
            bits = [model.bits(name) for name in raw[language]]
            yield language, len(bits), sum(one is not None and one <= UNLIKELY for one in bits)


def main(arguments: list[str]) -> int:
    if arguments == ["--unseen"]:
        found = list(unseen())
        for language, size, hits in sorted(found, key=lambda row: -row[2] / max(1, row[1])):
            print(f"{language:<6} {size:>6} names  {hits:>4} called gibberish  {hits / max(1, size):.4f}")
        print(f"all    {sum(row[1] for row in found):>6} names  {sum(row[2] for row in found):>4}")
        return 0
    judge = Judge.shipped()
    try:
        print(HEAD, *lines(rows(judge)), sep="\n")
        print("\npeople by locale: names, flagged, quality below 95")
        every = people()
    except Absent as absent:
        print(f"not measured: {absent}")
        return 0
    total = [0, 0, 0]
    for locale, names in every.items():
        shown, low = flagged(judge, names)
        total = [total[0] + len(names), total[1] + shown, total[2] + low]
        if shown or low:
            print(f"  {locale:<8} {len(names):>5} {shown:>4} {low:>4}")
    print(
        f"  all {len(every)} locales {total[0]:>7} {total[1]:>4} {total[2]:>4}  (locales without a line: none flagged)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

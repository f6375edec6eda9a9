"""What the judgement of free text finds, and whom it hits by mistake; how near duplicates meet; what it costs.

    python bench/texts.py            reads LEADGATE_TEST_DATA (default ../shared/data)

Comments: the vocabulary is fitted anew with one video left out, which is then judged; thresholds are the ones that 1 and 0.1 percent of all comments by
people reach. Phrases were written without the comments but for one category. Pitches and enquiries are our own (bench/*.yaml), and so are edits.
"""

from __future__ import annotations

import csv
import html
import os
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent.parent))

from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import Reference, SiteSettings
from detectors.text import detect
from detectors.text_links import links
from detectors.text_phrases import Vocabulary, plain
from gateway.facts.similar import of_text

DATA = Path(os.environ.get("LEADGATE_TEST_DATA", "../shared/data"))
HERE = Path(__file__).parent
GONE = Unavailable("not in this list")
WEIGHING = (
    "text.spam_phrases",
    "text.promotion",
    "text.links",
    "text.markup",
    "text.template",
    "text.gibberish",
    "text.language",
)


class Row(NamedTuple):
    """One line of a table: what was measured, found among bad and hit among good as (name, hits, size) or None."""

    finding: str
    bad: tuple[str, int, int] | None
    good: tuple[str, int, int] | None


def comments() -> list[tuple[str, str, bool]]:
    """(video, text, is it spam)."""
    with (DATA / "comment-spam" / "comments.csv").open(encoding="utf-8", newline="") as lines:
        return [(row["video"], row["text"], row["is_spam"] == "1") for row in csv.DictReader(lines)]


def enquiries() -> list[tuple[str, str]]:
    """(language, text)."""
    table = YAML(typ="safe").load(HERE / "enquiries.yaml")
    return [(code, text) for code, texts in table.items() for text in texts]


def pitches() -> list[str]:
    return list(YAML(typ="safe").load(HERE / "pitches.yaml"))


def made_plain(text: str) -> str:
    """As the vocabulary gets it."""
    return plain(links(re.sub(r"<[^<>]{1,300}>", " ", html.unescape(text)), frozenset(), ()).rest)


def signals(text: str, ref: Reference) -> dict[str, float]:
    obs = Observation(
        Kind.SUBMISSION,
        "bench",
        0,
        Page("bench.example", "/lead"),
        Client("192.0.2.1"),
        Request("POST", "/lead", ()),
        GONE,
        GONE,
        lead=Lead("quote", (), {"message": (text,)}),
    )
    return {signal.id: signal.strength for signal in detect(obs, ref)}


def left_out(ref: Reference) -> tuple[list[int], list[int]]:
    """Scores of spam and of people, each video judged by a vocabulary that has not seen it."""
    from bench.text_vocabulary import fit

    rows = comments()
    asked = [made_plain(text) for _, text in enquiries()]
    bad: list[int] = []
    good: list[int] = []
    for video in sorted({video for video, _, _ in rows}):
        others = [(made_plain(text), spam) for name, text, spam in rows if name != video]
        table = fit([t for t, spam in others if spam], [t for t, spam in others if not spam] + asked)
        vocabulary = Vocabulary.build(table)
        for name, text, spam in rows:
            if name == video:
                linked = links(text, ref.texts.shorteners, ref.texts.invitations).number > 0
                (bad if spam else good).append(vocabulary.score(made_plain(text), linked)[0])
    return bad, good


def rows(ref: Reference) -> list[Row]:
    """Recall and false positives, all as shares."""
    table = []
    bad, good = left_out(ref)
    for share in (0.01, 0.001):
        limit = sorted(good)[min(len(good) - 1, int(len(good) * (1 - share)))]
        table.append(
            Row(
                f"vocabulary at {share:.1%} (limit {limit})",
                ("comment spam", sum(score > limit for score in bad), len(bad)),
                ("comments by people", sum(score > limit for score in good), len(good)),
            )
        )
    least = ref.texts.limits["promotion"]["least"]
    table.append(
        Row(
            f"vocabulary as shipped (limit {least})",
            ("comment spam", sum(score >= least for score in bad), len(bad)),
            ("comments by people", sum(score >= least for score in good), len(good)),
        )
    )
    found = [signals(text, ref) for text in pitches()]
    asked = [signals(text, ref) for _, text in enquiries()]
    spam = [signals(text, ref) for _, text, is_spam in comments() if is_spam]
    people = [signals(text, ref) for _, text, is_spam in comments() if not is_spam]
    for name in WEIGHING[:-1]:
        table.append(
            Row(
                name,
                ("pitches", sum(name in one for one in found), len(found)),
                ("enquiries", sum(name in one for one in asked), len(asked)),
            )
        )
        if name != "text.promotion":  # it has seen them all
            table.append(
                Row(
                    name,
                    ("comment spam", sum(name in one for one in spam), len(spam)),
                    ("comments by people", sum(name in one for one in people), len(people)),
                )
            )
    anything = [any(name in one for name in WEIGHING) for one in found]
    table.append(
        Row(
            "any text signal",
            ("pitches", sum(anything), len(anything)),
            ("enquiries", sum(bool(one) for one in asked), len(asked)),
        )
    )
    return table + languages(ref)


def languages(ref: Reference) -> list[Row]:
    told = enquiries()
    codes = sorted({code for code, _ in told})
    bad = good = bad_total = good_total = 0
    for code, text in told:
        for site in codes:
            hit = "text.language" in signals(text, ref.with_site(SiteSettings(languages=(site,))))
            if code in (site, "en"):
                good, good_total = good + hit, good_total + 1
            else:
                bad, bad_total = bad + hit, bad_total + 1
    return [
        Row(
            "text.language",
            ("enquiries in another language", bad, bad_total),
            ("in the site's or English", good, good_total),
        )
    ]


Edit = Callable[[list[str], random.Random, Sequence[str]], list[str]]


def _swap(words: list[str], rnd: random.Random, others: Sequence[str]) -> list[str]:
    for _ in range(max(1, len(words) // 20)):
        words[rnd.randrange(len(words))] = rnd.choice(others)
    return words


def _typos(words: list[str], rnd: random.Random, others: Sequence[str]) -> list[str]:
    for _ in range(max(1, len(words) // 25)):
        at = rnd.randrange(len(words))
        words[at] = words[at][::-1]
    return words


def _named(words: list[str], rnd: random.Random, others: Sequence[str]) -> list[str]:
    return [
        "Hello",
        rnd.choice(("Maria", "John", "Igor")),
        *words,
        rnd.choice(others),
        "https://x.example/" + str(rnd.random()),
    ]


def _spun(share: float) -> Edit:
    def edit(words: list[str], rnd: random.Random, others: Sequence[str]) -> list[str]:
        return [rnd.choice(others) if rnd.random() < share else word for word in words]

    return edit


EDITS: tuple[tuple[str, Edit], ...] = (
    ("one word in 20 swapped", _swap),
    ("one word in 25 mistyped", _typos),
    ("a name, a word and a link put in", _named),
    ("spun: 5 % of words", _spun(0.05)),
    ("spun: 10 % of words", _spun(0.10)),
    ("spun: 20 % of words", _spun(0.20)),
)


def duplicates(rounds: int = 4) -> list[Row]:
    """Near duplicates that share a key, and unrelated pairs that do."""
    rnd = random.Random(5)
    texts = [
        text
        for text in (*pitches(), *[t for _, t in enquiries()], *{t for _, t, _ in comments()})
        if len(text.split()) >= 12
    ]
    others = sorted({word for text in texts for word in text.split()})
    made = [(text, found) for text in texts if (found := of_text(text)) is not None]
    table = []
    for name, edit in EDITS:
        met = total = 0
        for text, found in made:
            for _ in range(rounds):
                other = of_text(" ".join(edit(text.split(), rnd, others)))
                total += 1
                met += other is not None and bool(set(found.bands) & set(other.bands))
        table.append(Row(f"meet: {name}", ("texts", met, total), None))
    met = total = 0
    keys = [set(found.bands) for _, found in made]
    exact = [found.exact for _, found in made]
    for at, one in enumerate(keys):
        for before in range(at):
            if exact[before] != exact[at]:
                total += 1
                met += bool(one & keys[before])
    table.append(Row("meet: any two of different wording", None, ("pairs", met, total)))
    return table


def cost(ref: Reference) -> list[tuple[str, float]]:
    """Least CPU microseconds of many runs."""
    words = " ".join(text for _, text, _ in comments())[:40_000].split()
    long = " ".join(random.Random(1).sample(words, 600))[:2_000]
    short = "Please send me a quote for a roof of 80 square metres. We would like to start in spring."

    def least(run: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(300):
            began = time.process_time_ns()
            run()
            best = min(best, (time.process_time_ns() - began) / 1000)
        return best

    return [
        (f"{what}, {name}", least(lambda run=run, text=text: run(text)))  # type: ignore[misc]
        for name, text in (("90 characters", short), ("2,000 characters", long))
        for what, run in (("near-duplicate keys", of_text), ("text detector", lambda text: signals(text, ref)))
    ]


def _cell(value: tuple[str, int, int] | None) -> str:
    return "-" if value is None else f"{value[1] / value[2]:.4f} of {value[2]:,} {value[0]}"


def main() -> int:
    ref = Reference.builtin()
    try:
        table = rows(ref) + duplicates()
        costs = cost(ref)
    except FileNotFoundError as absent:
        print(f"no data: {absent.filename} is absent; set LEADGATE_TEST_DATA to the folder that holds it")
        return 0
    print(f"{'finding':<42} {'found among bad':<46} hit among good")
    for row in table:
        print(f"{row.finding:<42} {_cell(row.bad):<46} {_cell(row.good)}")
    for name, least in costs:
        print(f"{name:<42} {least:.0f} us of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fits the vocabulary of promotion and writes detectors/data/text_vocabulary.yaml.

    python bench/text_vocabulary.py      reads LEADGATE_TEST_DATA (default ../shared/data)

A logistic regression over words and pairs of words of the comments, each text scaled to length one, with the ordinary enquiries of bench/enquiries.yaml
as further texts that must not be hit. `bench/texts.py` measures it with one video left out.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parent.parent))

from detectors.text_lists import Texts
from detectors.text_phrases import terms

LEAST_TEXTS = 2  # texts a term must stand in
STRENGTH = 10.0  # of the fit against the penalty; found with one video left out
LINK = 1_400  # what a link adds: fitted with the words it would add so much that a customer's own web site alone would be promotion
LEAST_WEIGHT = 60  # thousandths; smaller ones are left out
TARGET = Path(__file__).parent.parent / "detectors" / "data" / "text_vocabulary.yaml"

HEAD = """# How much each word, or pair of neighbouring words, speaks for promotion ("subscribe", "my channel") in a short text, in thousandths of log-odds.
# Made by bench/text_vocabulary.py from the YouTube Spam Collection (T. C. Alberto, J. V. Lochter, T. A. Almeida, TubeSpam, ICMLA 2015; UCI Machine
# Learning Repository, CC BY 4.0: three of its videos) and ordinary enquiries of our own. Do not edit: make it anew.
"""


def everyday() -> set[str]:
    """Words of ordinary enquiries and of any English: where they are commoner in spam than in comments on music, that tells of the comments."""
    from bench.texts import enquiries, made_plain

    words = set(Texts.builtin().languages.words["en"])
    for _, text in enquiries():
        words.update(made_plain(text).split())
    return words


def fit(bad: Sequence[str], good: Sequence[str]) -> dict[str, Any]:
    """A table shaped like data/text_vocabulary.yaml. bad, good: texts made plain, without their links."""
    common = everyday()
    every = [terms(text) for text in (*bad, *good)]
    number = Counter(term for found in every for term in found)
    names = sorted(term for term, n in number.items() if n >= LEAST_TEXTS)
    place = {term: at for at, term in enumerate(names)}
    cells = [
        (row, place[term], 1 / math.sqrt(len(found)))
        for row, found in enumerate(every)
        for term in sorted(found)
        if term in place
    ]
    rows, columns, values = (np.array(column) for column in zip(*cells, strict=True))
    matrix = csr_matrix((values, (rows.astype(np.int32), columns.astype(np.int32))), shape=(len(every), len(names)))
    labels = [1] * len(bad) + [0] * len(good)
    model = LogisticRegression(C=STRENGTH, solver="liblinear", class_weight="balanced", max_iter=800, random_state=1)
    model.fit(matrix, labels)
    weights = {term: round(float(weight) * 1000) for term, weight in zip(names, model.coef_[0], strict=True)}
    for term, weight in weights.items():
        if weight > 0 and (term[0] == "#" or common.issuperset(term.split())):
            weights[term] = 0
    return {
        "base": round(float(model.intercept_[0]) * 1000),
        "link": LINK,
        "words": {term: weight for term, weight in weights.items() if abs(weight) >= LEAST_WEIGHT},
    }


def main() -> int:
    from bench.texts import comments, enquiries, made_plain

    rows = comments()
    bad = [made_plain(text) for _, text, spam in rows if spam]
    good = [made_plain(text) for _, text, spam in rows if not spam]
    table = fit(bad, good + [made_plain(text) for _, text in enquiries()])
    yaml = YAML()
    yaml.width = 150
    with TARGET.open("w", encoding="utf-8") as out:
        out.write(HEAD)
        yaml.dump(table, out)
    print(f"{len(table['words'])} terms from {len(bad)} and {len(good)} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Text that says nothing, and words that only look so."""

from __future__ import annotations

import random

import pytest

from detectors.text_gibberish import judge


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("asdfasdf asdf asdfg", "rows of keys"),
        ("lkjlkj lkj lkjlkj", "one part again and again"),
        ("hdfkjhs dfkjhxc sdkfjhsdf", "random letters"),
        ("Lorem ipsum dolor sit amet, consectetur", "filler text"),
        ("hahahahahahahaha", None),
        ("Bhubaneswar Jharkhand Mukherjee Krishnamurthy", None),
        ("TDI GTI VW BMW HSN VHB KFZ PKW LKW", None),
        ("no", None),
        ("Здравствуйте, перезвоните", None),
    ],
)
def test_gibberish(text: str, kind: str | None) -> None:
    told = judge(text, 12, 0.6)
    assert (told.kind if told else None) == kind


def test_random_letters_are_mostly_found() -> None:
    rnd = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [" ".join("".join(rnd.choices(letters, k=rnd.randint(6, 14))) for _ in range(4)) for _ in range(300)]
    assert sum(judge(text, 12, 0.6) is not None for text in texts) > 0.85 * len(texts)

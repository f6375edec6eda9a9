"""Which fields of a form hold what a person wrote in words."""

from __future__ import annotations

import pytest

from detectors import free_text
from detectors.free_text import LONGEST, free_texts
from detectors.observation import Lead


def test_which_fields_are_texts() -> None:
    long = "words " * 30
    fields = (
        ("email", "a@example.com"),
        ("your-message", "I would like to know the price"),
        ("option", "a roof of tiles for a house"),
        ("page", "https://acme.example/offer?x=1"),
        ("state", '{"a": "b c d e f g h"}'),
        ("other", long),
    )
    assert free_texts(Lead("quote", fields, {"email": ("a@example.com",)})) == ["I would like to know the price", long]
    assert free_texts(Lead("quote", (("m", "x"),), {"message": ("y" * 9000,)})) == ["y" * LONGEST]
    assert free_texts(Lead("quote", ())) == []


def test_of_a_huge_field_only_the_beginning_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    class Pattern:
        def match(self, text: str) -> None:
            searched.append(len(text))

    monkeypatch.setattr(free_text, "_MACHINE", Pattern())
    assert free_texts(Lead("quote", (("m", " " * 1_000_000), ("n", "two words" * 100_000)))) != []
    assert searched and max(searched) <= LONGEST

"""Which fields of a form hold what a person wrote in words."""

from __future__ import annotations

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

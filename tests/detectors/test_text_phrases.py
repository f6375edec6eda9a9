"""Phrases and the vocabulary."""

from __future__ import annotations

from detectors.text_phrases import Phrases, Vocabulary, plain, terms


def test_phrases_stand_as_whole_words_and_disguises_are_undone() -> None:
    phrases = Phrases({"categories": {"a": {"pitch": ["free spins", "賭場"], "topic": ["seo", "back*"]}}})
    assert [f.phrase for f in phrases.find(plain("FREE\u200b  ｓｐｉｎｓ! museo backlinks 在賭場玩"))] == [
        "free spins",
        "賭場",
        "back*",
    ]
    assert phrases.find(plain("freespins museo")) == []


def test_the_vocabulary_adds_up_by_the_root_of_how_many_terms_there_are() -> None:
    vocabulary = Vocabulary.build(
        {"words": {"subscribe": 4000, "my channel": 2000, "song": -1000}, "base": -500, "link": 300}
    )
    assert terms(" subscribe 2day ") == {"subscribe", "#0"}
    assert vocabulary.score(" subscribe ", linked=False) == (round(4000 / 2**0.5) - 500, ["subscribe"])
    assert vocabulary.score(" my channel song ", linked=True) == (round(1000 / 6**0.5) - 200, ["my channel"])
    assert vocabulary.score(" ", linked=False) == (-500, [])

"""Keyboard runs, placeholders and what is no name."""

from __future__ import annotations

import pytest

from detectors.name_words import NameWords

WORDS = NameWords.builtin()


@pytest.mark.parametrize(
    "text",
    [
        "asdf",
        "Qwerty",
        "Anna asdfgh",
        "zxcvb nm",
        "lkjhg",
        "asdasd",
        "jkjkjk",
        "aaaa",
        "xxxxx",
        "qsdfghj",
        "йцукен",
        "фыва",
        "ασδφγ",
        "ㅁㄴㅇㄹ",
        "qwertzu",
        "myasdfghjkl",
    ],
)
def test_plays_on_the_keyboard(text: str) -> None:
    assert WORDS.keyboard(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Trew",
        "Wert",
        "Azer",
        "Dada",
        "Lala",
        "Yeyeye",
        "Anna",
        "Oiva",
        "Aaa",
        "Fred Sasse",
        "Dedede",
        "Ытыр",
        "Tere",
        "Opoku",
        "Power",
    ],
)
def test_names_that_lie_near_each_other(text: str) -> None:
    assert WORDS.keyboard(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("test test", "a word that stands for a name"),
        ("TEST", "a word that stands for a name"),
        ("Vorname Nachname", "a word that stands for a name"),
        ("тест", "a word that stands for a name"),
        ("John  Doe", "a name that manuals use"),
        ("foo bar", "a name that manuals use"),
        ("Bar Refaeli", ""),
        ("Bar", ""),
        ("My", ""),
        ("Jennifer Null", ""),
        ("Test Keller", ""),
        ("", ""),
        ("-", ""),
    ],
)
def test_placeholders(text: str, reason: str) -> None:
    assert WORDS.placeholder(text) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("see http://x.example/y", "a web address"),
        ("www.cash.example", "a web address"),
        ("cheap-pills.top", "a web address"),
        ("<a href=x>Anna</a>", "markup"),
        ("{{7*7}}", "markup"),
        ("[url=x]y", "markup"),
        ("12345", "no letter"),
        ("k3j9q2", "digits between letters"),
        ("hello I would like to know what it costs to have a roof made", "more words than a name has"),
    ],
)
def test_what_is_no_name(text: str, reason: str) -> None:
    found = WORDS.no_name(text)
    assert found is not None and found[0] == reason


@pytest.mark.parametrize(
    "text",
    [
        "Dr. J. R. Müller",
        "Maria2",
        "2Pac",
        "X Æ A-12",
        "John Smith 3rd",
        "Herr Keller, Fa. Dach.Bau",
        "J.Co",
        "St.John",
        "María de los Ángeles Fernández de Córdoba y Álvarez de Toledo",
        "Louis XIV",
    ],
)
def test_names_with_odd_signs(text: str) -> None:
    assert WORDS.no_name(text) is None


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Mlle.de Villiers", False),
        ("Joao.de Souza", False),
        ("casino.de", True),
        ("casino.de/bonus", True),
        ("play at casino.de", True),
        ("Best-casino.com today", True),
    ],
)
def test_a_particle_after_a_dot_is_no_web_address(text: str, link: bool) -> None:
    assert (WORDS.no_name(text) == ("a web address", 1.0)) is link

"""The shipped lists of free text."""

from __future__ import annotations

from detectors.text_lists import Texts
from gateway.config.languages import CODES


def test_languages_of_the_settings_are_those_of_the_lists() -> None:
    assert Texts.builtin().languages.codes == CODES


def test_the_lists_are_read_once_and_known_by_their_content() -> None:
    lists = Texts.builtin()
    assert Texts.builtin() is lists
    assert len(lists.content_hash) == 64
    assert len(lists.phrases) > 900

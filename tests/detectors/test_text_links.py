"""Links, markup and templates."""

from __future__ import annotations

import pytest

from detectors.text_links import links, markup, template_marks
from detectors.text_lists import Texts


@pytest.mark.parametrize(
    ("text", "number", "kinds"),
    [
        ("nothing", 0, ()),
        ("see https://www.a.example/x and http://a.example/x.", 1, ()),
        ("www.keller-bau.de, keller@bau.com", 1, ()),
        ("Thanks.to all of you. It works.me too", 0, ()),
        ("t.me/promo and https://bit.ly/3x", 2, ("shortened", "invitation to a chat")),
        ("https://dlvr.it/3x", 1, ("shortened",)),
        ("https://linktr.ee/promo", 1, ("shortened",)),
        ("https://chat.whatsapp.com/abc", 1, ("invitation to a chat",)),
        ("shop.example.com/a shop.example.com/b", 2, ()),
    ],
)
def test_links(text: str, number: int, kinds: tuple[str, ...]) -> None:
    lists = Texts.builtin()
    told = links(text, lists.shorteners, lists.invitations)
    assert (told.number, told.kinds) == (number, kinds)


def test_markup_and_templates() -> None:
    assert markup('<a href="x">y</a> [b]z[/b] [q](https://a.example)') == ("HTML links", "BBCode", "Markdown links")
    assert markup("a < b and b > c [sic]") == ()
    assert template_marks("Hi {first_name} of [Company], {we|our team} %company%") == 4
    assert template_marks("{see the drawing} [in cm] 5 % off #3") == 0

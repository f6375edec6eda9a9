"""The page on false positives: what it says with labels, without, and with nothing at all."""

from __future__ import annotations

import re

from gateway.labels.holdouts import ByForm, Tally
from gateway.reports.holdouts_page import render


def page(found: ByForm) -> str:
    """The text of the page, without its tags."""
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", render(found, "All that is recorded", "now"), flags=re.DOTALL)
    return " ".join(text.replace("\u00a0", " ").replace("&nbsp;", " ").split())


def estimate(people: int, programs: int, unknown: int = 0) -> ByForm:
    tally = Tally()
    for bad in [False] * people + [True] * programs + [None] * unknown:
        tally.add(0.1, bad)
    return ByForm(tally.estimate(), {"quote": tally.estimate()})


def test_it_says_the_rate_with_its_interval():
    told = page(estimate(6, 44, 10))
    assert "Holding is wrong in 12.0 % of cases: somewhere between 5.6 % and 23.8 % (95 % interval)." in told
    assert "single cases move this number" not in told
    assert "about 600 would-be holds" in told


def test_few_labels_are_called_few():
    assert "With so few labels (10) single cases move this number." in page(estimate(1, 9))


def test_without_labels_nothing_is_said():
    told = page(estimate(0, 0, 9))
    assert "Nothing can be said yet: none of the 9 submissions" in told
    assert "0 % 5 %" not in told


def test_without_holdouts_it_says_how_to_begin():
    assert "How to begin" in page(ByForm(Tally().estimate(), {}))


def test_the_scale_holds_every_interval():
    found = render(estimate(1, 300), "", "")
    assert "<span>5 %</span>" in found  # a small rate is not a dot at the left
    assert [
        float(x) + float(width) <= 100 for x, width in re.findall(r'class="givt" x="([\d.]+)" width="([\d.]+)"', found)
    ] == [True]


def test_a_name_is_text():
    tally = Tally()
    tally.add(0.5, True)
    found = render(ByForm(tally.estimate(), {"<b>": tally.estimate(), "b": tally.estimate()}), "", "")
    assert "<b>" not in found and "&lt;b&gt;" in found

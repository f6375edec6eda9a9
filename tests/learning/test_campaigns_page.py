"""The page on campaigns: what was flooded stands first and in words, names are text."""

from __future__ import annotations

from gateway.campaigns.cells import form_part, parts
from gateway.learning.campaigns import PARTS, SHOWN, CampaignTally, Peak
from gateway.learning.campaigns_page import CUT, render
from gateway.reports.tallies import Classes


def tally() -> CampaignTally:
    found = CampaignTally()
    found.records = 400
    found._part(parts("shop", {"utm_campaign": "<i>brand"}, "")[0]).classes = Classes(300, 10, 0, 0, 5, 5)
    form = found._part(form_part("shop", "quote"))
    form.classes, form.flood, form.first, form.last = (
        Classes(100, 0, 70, 0, 70, 0),
        80,
        1772800000000000,
        1772830000000000,
    )
    form.peak = Peak(0.91, 107, 10, 360)
    return found


def test_a_flood_is_told_in_words():
    page = render(tally(), "shop", "All that is recorded", "now")
    assert "At worst 107 in 6 hours, where 10 would be usual. 80 of its 100 posts came while it was flooded." in page
    assert "2026-03-06 12:26" in page
    assert "<strong>1</strong> of them was flooded" in page


def test_names_are_text_and_sites_are_named_where_there_are_several():
    page = render(tally(), "shop", "", "")
    assert "<i>" not in page and "campaign &lt;i&gt;brand" in page and "shop: campaign" not in page
    several = tally()
    several._part(form_part("other", "quote")).classes = Classes(1)
    assert "shop: campaign &lt;i&gt;brand" in render(several, "All sites", "", "")


def test_what_was_forgotten_is_said():
    found = tally()
    for number in range(PARTS):
        found._part(form_part("shop", f"form{number}"))
    assert found.cut
    assert CUT in render(found, "shop", "", "")
    assert CUT not in render(tally(), "shop", "", "")


def test_nothing_is_said_plainly():
    assert "There are no records of this time and site." in render(CampaignTally(), "shop", "", "")


def test_more_floods_than_are_shown_are_counted():
    found = tally()
    for number in range(SHOWN):
        part = found._part(form_part("shop", f"form{number}"))
        part.classes, part.flood, part.first, part.last = Classes(50), 40, 1772800000000000, 1772830000000000
        part.peak = Peak(0.5, 40, 10, 20)
    page = render(found, "shop", "", "")
    assert f"<strong>{SHOWN + 1}</strong> of them were flooded" in page

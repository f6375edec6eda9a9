"""What is usual: medians of the same time of day, over a week, and nothing where there is no past."""

from __future__ import annotations

from gateway.campaigns.cells import SEPARATOR, form_part, whole_site
from gateway.campaigns.history import CELLS, DAY, DAYS, FORMS, SITES, SPAN, History

ROOFS = f"acme{SEPARATOR}campaign{SEPARATOR}roofs"
NOW = 2_900_000


def sums(**counts: int) -> dict[bytes, int]:
    return {f"{ROOFS}{letter}".encode(): number for letter, number in counts.items()}


def filled(days: float, clicks: int = 6, until: int = NOW) -> History:
    """`clicks` in each bucket, all of whom were followed, two thirds went on, a third to a second page."""
    history = History()
    for bucket in range(until - int(days * DAY), until + 1):
        history.turn(bucket)
        history.put(bucket, sums(c=clicks, f=clicks, e=clicks * 2 // 3, d=clicks // 3, p=clicks * 2 // 3))
    return history


def test_a_steady_campaign_is_as_usual() -> None:
    cell = filled(5, 12).cell(ROOFS)
    assert cell is not None
    assert (cell.name, cell.usual, cell.spread) == ("campaign roofs", cell.clicks, 0)
    assert cell.windows >= 14
    assert (cell.engaged_usual, cell.engaged) in ((666, 666), (333, 333))


def test_a_campaign_without_a_past_has_no_baseline() -> None:
    cell = filled(0.5).cell(ROOFS)
    assert cell is not None
    assert (cell.windows, cell.usual) == (0, 0)


def test_the_window_that_differs_most_is_told() -> None:
    history = filled(5)
    history.put(NOW, sums(c=300, f=30, e=1))
    cell = history.cell(ROOFS)
    assert cell is not None
    assert (cell.minutes, cell.clicks, cell.usual, cell.followed) == (20, 306, 12, 36)
    assert cell.engaged < 150 < cell.engaged_usual


def test_a_slow_rise_shows_in_six_hours() -> None:
    history = filled(5)
    for bucket in range(NOW - 36, NOW + 1):
        history.put(bucket, sums(c=12, f=12, e=4, d=1))
    cell = history.cell(ROOFS)
    assert cell is not None
    assert (cell.minutes, cell.clicks, cell.usual) == (360, 432, 216)


def test_whole_browsers_that_go_no_further_fall_deeper() -> None:
    history = filled(5)
    history.put(NOW, sums(c=300, f=300, e=290, d=0))
    cell = history.cell(ROOFS)
    assert cell is not None
    assert cell.deep and cell.engaged < 20 < cell.engaged_usual


def test_the_time_of_day_counts() -> None:
    history = History()
    for bucket in range(NOW - 5 * DAY, NOW + 1):
        history.turn(bucket)
        by_day = (bucket - NOW) % DAY < DAY // 2  # half of the day from this time on
        history.put(bucket, sums(c=20 if by_day else 2))
    history.turn(NOW + DAY // 4)
    cell = history.cell(ROOFS)
    history.put(NOW + DAY // 4, sums(c=1))
    cell = history.cell(ROOFS)
    assert cell is not None and cell.usual > 30
    history.turn(NOW + 3 * DAY // 4)
    history.put(NOW + 3 * DAY // 4, sums(c=1))
    cell = history.cell(ROOFS)
    assert cell is not None and cell.usual < 10


def test_one_bad_day_does_not_become_usual() -> None:
    history = filled(6)
    for bucket in range(NOW - 2 * DAY, NOW - DAY):
        history.put(bucket, sums(c=600, f=30, e=0))
    history.turn(NOW + 1)
    history.put(NOW + 1, sums(c=6, f=6, e=4, d=2))
    cell = history.cell(ROOFS)
    assert cell is not None
    assert cell.usual <= 40 and cell.engaged_usual in (666, 333)


def test_the_ring_forgets_after_eight_days() -> None:
    history = filled(2)
    history.turn(NOW + SPAN - 10)
    assert history.series[ROOFS].total("c", NOW + SPAN - 10, SPAN) == 6 * 10
    assert history.cell(ROOFS) is None
    history.turn(NOW + SPAN)
    assert not history.series


def test_a_long_silence_leaves_nothing_behind() -> None:
    history = filled(3)
    history.turn(NOW + 5 * SPAN)
    assert not history.series


def test_cells_are_bounded_and_what_is_no_field_is_passed_over() -> None:
    history = History()
    history.turn(NOW)
    history.put(
        NOW,
        {b"": 1, b"\xff\xfec": 3, b"no cell": 4} | {f"acme\x1fcampaign\x1f{n}c".encode(): 1 for n in range(CELLS + 50)},
    )
    assert len(history.series) == CELLS
    history.put(NOW + 1, {b"acme\x1fcampaign\x1fearlyc": 1})  # not yet
    history.put(NOW - SPAN, {b"acme\x1fcampaign\x1flatec": 1})
    assert len(history.series) == CELLS


def test_the_share_of_visitors_who_fetch_parts() -> None:
    history, site = History(), whole_site("acme")
    assert history.assets_usual(site) == -1
    for bucket in range(NOW - DAYS * DAY, NOW + 1):
        history.turn(bucket)
        history.put(bucket, {f"{site}c".encode(): 5, f"{site}f".encode(): 5, f"{site}p".encode(): 4})
    assert history.assets_usual(site) == 800


def test_names_of_campaigns_leave_room_for_forms() -> None:
    history = History()
    history.turn(NOW)
    history.put(NOW, {f"acme{SEPARATOR}campaign{SEPARATOR}{number}c".encode(): 1 for number in range(CELLS + 50)})
    history.put(NOW, {f"{form_part('acme', str(number))}c".encode(): 1 for number in range(FORMS + 50)})
    assert len(history.series) == CELLS + FORMS
    history.turn(NOW + SPAN)
    history.put(NOW + SPAN, {f"{form_part('acme', str(number))}c".encode(): 1 for number in range(FORMS + 50)})
    assert len(history.series) == FORMS  # the forgotten ones made room


def test_made_up_names_give_way_to_others_within_the_hour() -> None:
    """Six hundred names, each a few clicks: what many click is kept, and what comes new is followed again soon."""
    history = History()
    for bucket in range(NOW - 20, NOW):
        history.turn(bucket)
        history.put(bucket, sums(c=50))
    history.put(
        NOW - 1, {f"acme{SEPARATOR}campaign{SEPARATOR}made up {number}c".encode(): 10 for number in range(CELLS)}
    )
    new = f"acme{SEPARATOR}campaign{SEPARATOR}new"
    for bucket in range(NOW, NOW + 6):
        history.turn(bucket)
        history.put(bucket, {f"{new}c".encode(): 12} | sums(c=50))
    assert new in history.series and ROOFS in history.series
    assert history.series[ROOFS].first == NOW - 20


def test_names_of_campaigns_leave_room_for_whole_sites() -> None:
    history = History()
    history.turn(NOW)
    history.put(NOW, {f"acme{SEPARATOR}campaign{SEPARATOR}{number}c".encode(): 1 for number in range(CELLS + 50)})
    history.put(NOW, {f"{whole_site(str(number))}c".encode(): 1 for number in range(SITES + 50)})
    assert len(history.series) == CELLS + SITES

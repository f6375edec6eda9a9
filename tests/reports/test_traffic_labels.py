"""Labels below the columns of the traffic page never lie over each other."""

from __future__ import annotations

from typing import Any

from gateway.reports.traffic_page import LABELS, _labels


def test_a_last_label_without_room_is_left_out() -> None:
    every = 5
    series: list[Any] = [(hour * 3_600_000_000, None) for hour in range(every * (LABELS - 1) + 1)]
    labels = _labels(series, "hour")
    assert sum(columns for _, columns in labels) == len(series)
    assert [bool(label) for label, _ in labels] == [2 * columns >= labels[0][1] for _, columns in labels]
    assert not labels[-1][0]


def test_a_day_begun_late_does_not_touch_the_next() -> None:
    """On a phone the axis has room for some five dates."""
    begin = 14
    series: list[Any] = [(hour * 3_600_000_000, None) for hour in range(24 - begin, 24 + 3 * 24)]
    labels = _labels(series, "hour")
    assert [columns for _, columns in labels] == [begin, 24, 24, 24]
    assert [bool(label) for label, _ in labels] == [False, True, True, True]

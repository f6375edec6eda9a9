"""When a repeated text tells something, and whose text it is."""

from __future__ import annotations

import pytest

from detectors.behaviour import Similar
from detectors.repeats import RepeatLimits

LIMITS = RepeatLimits.builtin()
DAY = 86_400


@pytest.mark.parametrize(
    ("similar", "strength"),
    [
        (Similar(3, 3, 40, 500), 0.0),  # three are nobody's template
        (Similar(11, 2, 40, 500), 0.0),  # one person, or one office
        (Similar(30, 30, 40, 500), 1.0),
        (Similar(30, 30, 10, 500), 0.4),  # ten words
        (Similar(60, 1, 40, 500), 0.4),  # one machine, or an agent's note
        (Similar(30, 30, 40, 500, known_s=2 * DAY), 0.4),  # stands for days
        (Similar(30, 30, 40, 55), 0.0),  # most of the form's leads have it
        (Similar(30, 30, 40, 55, form_known_s=20 * DAY), 0.3),  # since today
        (Similar(30, 30, 40, 55, known_s=5 * DAY, form_known_s=20 * DAY), 0.0),
        (Similar(30, 30, 40), 0.0),  # how many the form has is not known
    ],
)
def test_how_strongly_a_repeated_text_speaks(similar: Similar, strength: float) -> None:
    assert round(LIMITS.similar.strength(similar), 3) == strength


def test_a_text_that_may_be_older_than_it_looks_speaks_softly() -> None:
    assert LIMITS.similar.strength(Similar(30, 30, 40, 500), partial=True) == pytest.approx(0.4)

"""The arithmetic of the detection table."""

from __future__ import annotations

import math

import pytest

from bench.table import Ground, Scorer, Share, lines, recall_at, row


def test_the_lowest_threshold_that_hits_few_enough_of_the_good() -> None:
    good = [0.0] * 990 + [1.0] * 8 + [2.0, 3.0]
    bad = [0.0, 1.0, 1.5, 2.0, 5.0]
    tight, loose = recall_at(bad, good, 0.001), recall_at(bad, good, 0.01)
    assert tight is not None
    assert (tight.threshold, tight.found, tight.wrong) == (5.0, Share(1, 5), Share(0, 1000))
    assert loose is not None
    assert (loose.threshold, loose.found, loose.wrong) == (1.0, Share(4, 5), Share(10, 1000))


def test_equal_scores_are_hit_together_so_yes_or_no_has_one_point_or_none() -> None:
    good = [1.0] * 5 + [0.0] * 995
    assert recall_at([1.0, 1.0, 0.0], good, 0.001) is None
    found = recall_at([1.0, 1.0, 0.0], good, 0.01)
    assert found is not None
    assert found.found == Share(2, 3)
    assert found.wrong == Share(5, 1000)


def test_silence_hits_nobody_and_nothing_good_measures_nothing() -> None:
    assert recall_at([0.0, 0.0, -1.0], [-5.0] * 10, 0.01) is None
    assert recall_at([1.0], [], 0.01) is None
    assert recall_at([], [1.0], 0.01) is None


def test_few_good_items_allow_no_hit_at_all() -> None:
    found = recall_at([1.0, 3.0], [2.0] + [0.0] * 49, 0.01)
    assert found is not None
    assert found.wrong.hits == 0
    assert found.found == Share(1, 2)


def test_interval_of_a_share() -> None:
    low, high = Share(0, 100).interval()
    assert low == 0
    assert high == pytest.approx(0.0370, abs=1e-4)
    low, high = Share(50, 100).interval()
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert Share(0, 0).interval() == (0.0, 1.0)
    assert math.isnan(Share(0, 0).value)


def test_what_is_used_in_service_stands_beside_the_points() -> None:
    made = row("ground", "who", [100.0, 3000.0], [100.0, 0.0], service=2500)
    assert made.service == (Share(1, 2), Share(0, 2))
    any_finding = row("ground", "who", [100.0, 3000.0], [100.0, 0.0])
    assert any_finding.service == (Share(2, 2), Share(1, 2))


def test_a_ground_scores_each_item_by_each_scorer_and_prints_one_line_for_it() -> None:
    ours = Scorer("ours", lambda letter: 2.0 * (letter == "a"))
    rows = Ground("letters", "ab", "cd", (ours, Scorer("theirs", lambda letter: 1.0, peer=True))).rows()
    assert [(made.scorer, made.peer, made.service[0].hits, made.service[1].hits) for made in rows] == [
        ("ours", False, 1, 0),
        ("theirs", True, 2, 2),
    ]
    text = lines(rows)
    assert text[1] == "letters"
    assert text[2].split()[:3] == ["ours", "2", "2"]
    assert text[3].lstrip().startswith("= theirs")
    assert " - " in text[3]

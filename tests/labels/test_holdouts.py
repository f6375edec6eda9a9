"""What hold-outs teach: the interval against a table, the estimate against a simulation."""

from __future__ import annotations

import random

import pytest

from gateway.labels.holdouts import Tally, in_words, wilson


@pytest.mark.parametrize(
    ("good", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (7, 200, 0.0171, 0.0705),
    ],
)
def test_the_interval(good, of, low, high):
    """Values of statsmodels.stats.proportion.proportion_confint(method="wilson")."""
    assert wilson(good, of) == pytest.approx((low, high), abs=5e-4)


def test_the_interval_holds_what_it_promises():
    chance = random.Random(7)
    inside = 0
    for _ in range(1000):
        good = sum(chance.random() < 0.1 for _ in range(80))
        low, high = wilson(good, 80)
        inside += low <= 0.1 <= high
    assert inside >= 930


def test_good_leads_lost_are_estimated_without_bias():
    """1,000 holds of which 120 are people, two shares, and half of the labels missing at random."""
    chance = random.Random(3)
    found = []
    for _ in range(400):
        tally = Tally()
        for number in range(1000):
            share = 0.2 if number % 2 else 0.1
            if chance.random() < share:
                tally.add(share, None if chance.random() < 0.5 else number >= 120)
        found.append(tally.estimate().good_lost)
    mean = sum(found) / len(found)
    assert mean == pytest.approx(120 * (0.8 + 0.9) / 2, rel=0.08)


def test_nothing_known_is_said():
    tally = Tally()
    assert "No submission was held out" in " ".join(in_words(tally.estimate()))
    tally.add(0.1, None)
    assert tally.estimate().rate is None
    assert "Nothing can be said" in " ".join(in_words(tally.estimate()))
    tally.add(0.1, False)
    words = " ".join(in_words(tally.estimate()))
    assert "1 of these 1 were people" in words
    assert "Fewer than 30" in words


def test_an_estimate_of_several_shares_lies_within_its_interval():
    """A form of which one in a hundred is held out, with many people among them, and one of which every second is, without any."""
    tally = Tally()
    for number in range(30):
        tally.add(0.01, number >= 10)
    for _ in range(970):
        tally.add(0.5, True)
    found = tally.estimate()
    assert found.rate == pytest.approx(10 * 100 / (30 * 100 + 970 * 2))  # each counts as what it stands for
    assert found.low < found.rate < found.high
    assert found.good_lost == pytest.approx(10 * 99)
    assert found.good_lost_low < found.good_lost < found.good_lost_high
    # Thirty labels carry nearly all of it, so that nothing is as certain as a thousand would make it.
    assert found.high - found.low > 0.15


def test_where_only_whole_shares_have_labels_their_rate_is_taken_for_the_rest():
    tally = Tally()
    for number in range(40):
        tally.add(1.0, number >= 20)
    for _ in range(10):
        tally.add(0.1, None)
    found = tally.estimate()
    assert found.good_lost == pytest.approx(0.5 * 90)
    assert found.good_lost_low < found.good_lost < found.good_lost_high

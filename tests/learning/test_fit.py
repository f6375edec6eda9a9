"""Weights from labels: a planted wrong weight is found, the others stay, and little evidence changes nothing."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from gateway.learning.evidence import FLOOD, Hits, Row, effective, s_o, weigh
from gateway.learning.fit import LEAST_EACH, MOST_CHANGE, _Data, fit
from rules.bands import MAX_WEIGHT

SHIPPED = {
    "email.disposable": 2.5,
    "header.order": 0.7,
    "network.hosting": 1.4,
    "trust.known": -0.7,
    "shown.only": 0.0,
    "form.honeypot": 8.0,
}
OFTEN = {"email.disposable": 0.15, "header.order": 0.3, "network.hosting": 0.2, "trust.known": 0.3, "shown.only": 0.3}
PRIOR = -1.0


def sigmoid(score):
    return 1 / (1 + math.exp(-score))


def traffic(count, truth, seed=1, days=20):
    """Labelled records whose findings speak as `truth` says."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        found = {
            name: 1.0 if chance.random() < 0.7 else 0.5 for name, often in OFTEN.items() if chance.random() < often
        }
        true = PRIOR + sum(truth.get(name, 0.0) * strength for name, strength in found.items())
        score = PRIOR + sum(SHIPPED[name] * strength for name, strength in found.items())
        rows.append(
            Row(str(number), chance.random() < sigmoid(true), 1.0, found, PRIOR, number % days, str(number), score)
        )
    return rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_wrong_weight_is_found_and_the_others_stay(seed):
    """Here throw-away addresses are usual among customers, and a data centre tells more than was thought."""
    truth = SHIPPED | {"email.disposable": 0.3, "network.hosting": 2.0}
    found = fit(traffic(6000, truth, seed), SHIPPED, SHIPPED)
    assert found.reason == ""
    assert found.new["email.disposable"] == pytest.approx(2.5 - MOST_CHANGE)  # the first step of several
    assert 1.6 <= found.new["network.hosting"] <= 2.1
    for name in ("header.order", "trust.known"):
        assert abs(found.new.get(name, SHIPPED[name]) - SHIPPED[name]) <= 0.25
    assert set(found.new) <= {"email.disposable", "network.hosting", "header.order", "trust.known"}
    assert found.after.log_loss < found.before.log_loss
    assert found.after.ece < found.before.ece


def test_steps_come_to_the_truth():
    truth = SHIPPED | {"email.disposable": 0.3}
    rows, weights = traffic(8000, truth), dict(SHIPPED)
    for _ in range(4):
        weights |= fit(rows, weights, SHIPPED).new
    assert weights["email.disposable"] == pytest.approx(0.3, abs=0.45)  # the prior still pulls a little
    assert weights["email.disposable"] >= 0.3 - 0.2


@pytest.mark.parametrize("seed", range(6))
def test_labels_that_agree_change_next_to_nothing(seed):
    found = fit(traffic(3000, SHIPPED, seed), SHIPPED, SHIPPED)
    assert all(abs(new - SHIPPED[name]) <= 0.3 for name, new in found.new.items())


@pytest.mark.parametrize("seed", range(4))
def test_noise_teaches_nothing_much(seed):
    """Labels that have nothing to do with what was found, but few of them: no weight may run away."""
    chance = random.Random(seed)
    rows = traffic(150, SHIPPED, seed)
    for row in rows:
        row.bad = chance.random() < 0.5
    found = fit(rows, SHIPPED, SHIPPED)
    for name, new in found.new.items():
        assert abs(new - SHIPPED[name]) <= MOST_CHANGE + 1e-9
        assert new * SHIPPED[name] >= 0


def test_no_weight_changes_its_sign():
    truth = SHIPPED | {"header.order": -3.0, "trust.known": 3.0}
    weights = SHIPPED | {"header.order": 0.3, "trust.known": -0.3}
    found = fit(traffic(6000, truth), weights, weights)
    assert found.new["header.order"] == 0
    assert found.new["trust.known"] == 0


def test_what_is_fixed_stays():
    truth = SHIPPED | {"email.disposable": 0.0}
    assert "email.disposable" not in fit(traffic(4000, truth), SHIPPED, SHIPPED, {"email.disposable"}).new
    assert "shown.only" not in fit(traffic(4000, SHIPPED | {"shown.only": 3.0}), SHIPPED, SHIPPED).new


def test_too_few_labels_are_told():
    found = fit(traffic(90, SHIPPED), SHIPPED, SHIPPED)
    assert found.new == {}
    assert f"{LEAST_EACH:.0f} of each are needed" in found.reason
    assert fit([], SHIPPED, SHIPPED).new == {}
    found = fit(traffic(3000, SHIPPED | {"email.disposable": 0.0}, days=1), SHIPPED, SHIPPED)
    assert (found.new, "of one day" in found.reason) == ({}, True)


def test_a_flood_of_one_day_is_no_thousand_rows():
    """800 bots of one afternoon, all with the same header order, against people who mostly have it too."""
    rows = traffic(600, SHIPPED, days=10)
    flood = [Row(f"f{n}", True, 1.0, {"header.order": 1.0}, PRIOR, 3, f"f{n}", PRIOR + 0.7) for n in range(800)]
    weigh(flood)
    assert sum(row.weight for row in flood) == pytest.approx(FLOOD + (800 - FLOOD) ** 0.5)
    calm = fit(rows, SHIPPED, SHIPPED).new.get("header.order", 0.7)
    assert abs(fit(rows + flood, SHIPPED, SHIPPED).new.get("header.order", 0.7) - calm) <= 0.45


def test_one_sender_counts_a_few_times_at_most():
    rows = [Row(str(n), False, 1.0, {}, 0.0, n, "same", 0.0) for n in range(100)]
    weigh(rows)
    assert effective(rows)[False] == pytest.approx(3)


def test_hold_outs_stand_for_others_and_add_no_labels():
    rows = [
        Row(str(n), n % 2 == 0, 1.0, {}, 0.0, n, str(n), 0.0, stands_for=10.0 if n < 10 else 1.0) for n in range(100)
    ]
    weigh(rows)
    assert sum(row.weight for row in rows) == pytest.approx(100)
    assert rows[0].weight / rows[99].weight == pytest.approx(10)


def test_s_o():
    assert s_o(Hits(10, 0), 100, 1000) == 1
    assert s_o(Hits(0, 10), 100, 1000) == 0
    assert s_o(Hits(10, 100), 100, 1000) == 0.5
    assert s_o(Hits(), 100, 1000) is None
    assert s_o(Hits(5, 1), 100, 0) == 1


def test_calibration_is_of_days_left_out():
    found = fit(traffic(4000, SHIPPED | {"email.disposable": 1.9}), SHIPPED, SHIPPED)
    for each in (found.as_scored, found.before, found.after):
        assert sum(cell.count for cell in each.bins) == pytest.approx(found.labels_bad + found.labels_good, abs=1)
        assert 0 <= each.ece <= 1
        assert 0 < each.brier < 0.3
    for cell in found.after.bins:
        if cell.count > 200:
            assert cell.predicted == pytest.approx(cell.actual, abs=0.08)


def test_no_weight_goes_beyond_what_a_rules_file_may_say():
    weights = SHIPPED | {"email.disposable": 4.8, "trust.known": -4.9}
    truth = SHIPPED | {"email.disposable": 9.0, "trust.known": -9.0}
    new = fit(traffic(6000, truth), weights, weights).new
    assert all(abs(each) <= MAX_WEIGHT / 1000 for each in new.values())
    assert not any(str(each) == "-0.0" for each in new.values())


def test_who_is_predicted_was_not_learned_from_on_another_day():
    """One sender on both days is nearly all that has a finding: what is predicted for him rests on the others alone."""
    rows = [Row(f"s{n}", True, 1.0, {"header.order": 1.0}, 0.0, n % 2, "same", 0.0, weight=1.0) for n in range(60)]
    rows += [Row(f"o{n}", n % 4 < 2, 1.0, {}, 0.0, n % 2, f"o{n}", 0.0, weight=1.0) for n in range(200)]
    data = _Data(rows, ["header.order"], {"header.order": 0.0}, {})
    predicted = data.left_out(np.array([float(row.day) for row in rows]), 0.7)
    assert predicted[:60] == pytest.approx([0.5] * 60, abs=0.05)

"""Training: programs among the accepted do not become usual, a backwards model is refused, the same traffic gives the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from anomaly_traffic import PERSON, Town, Visit, of_kind
from usual_rows import NOW, bots, model, traffic, trained, usual

from detectors.anomaly.feature_sets import NAMES
from detectors.anomaly.model import Models
from detectors.anomaly.reading import vector
from detectors.data_files import load
from detectors.observation import Kind
from gateway.models.training import LEAST_LABELS, Refused, Traffic, auc, bins, examples, train, without_programs

KINDS = pytest.mark.parametrize("kind", list(Kind))


def mixed(kind: Kind, share: float, count: int = 3000):
    """Bots come all the time, also in the held-back part."""
    rows = usual(kind, count)
    places = np.random.default_rng(9).choice(count, int(count * share), replace=False)
    rows[places] = bots(kind, len(places))
    return rows


@KINDS
def test_a_tenth_of_bots_among_the_accepted_does_not_hide_their_like(kind: Kind) -> None:
    clean, dirty = trained(kind), train(traffic(kind, mixed(kind, 0.1)), NOW)
    people, programs = usual(kind, 1500, 11), bots(kind, 300, 12)
    separation = [auc(one.scores(programs), one.scores(people)) for one in (clean, dirty)]
    assert separation[0] > 0.97
    assert separation[1] > separation[0] - 0.02
    reference = np.array(dirty.about.reference)
    assert (np.searchsorted(reference, dirty.scores(people)) / (len(reference) + 1) >= 0.997).mean() < 0.01


@KINDS
def test_a_model_of_floods_is_refused(kind: Kind) -> None:
    """Fraud is the bulk of it, as on raw ad clicks: what is bad looks usual."""
    chance = np.random.default_rng(3)
    bulk = np.tile(examples(kind, trained(kind).median), (500, 1))
    bulk *= 0.7 + 0.6 * chance.random(bulk.shape).astype(np.float32)
    rows = np.concatenate([bulk, usual(kind, 300)])[chance.permutation(len(bulk) + 300)]
    with pytest.raises(Refused, match="backwards"):
        train(traffic(kind, rows), NOW)


def test_labels_that_say_the_opposite_refuse_it() -> None:
    kind = Kind.SUBMISSION
    rows = usual(kind, 1500)
    with pytest.raises(Refused, match="what people called bot or junk"):
        train(traffic(kind, rows, bad=usual(kind, 60, 21), good=bots(kind, 60)), NOW)
    made = train(traffic(kind, rows, bad=bots(kind, 60), good=usual(kind, 60, 22)), NOW)
    direction = made.about.direction
    assert direction.labelled is not None
    assert direction.labelled > 0.95
    assert (direction.bad, direction.good) == (60, 60)
    few = train(traffic(kind, rows, bad=usual(kind, LEAST_LABELS - 1, 21)), NOW)
    assert few.about.direction.labelled is None


def test_the_newest_are_held_back_and_a_tenth_is_left_out() -> None:
    about = trained(Kind.LANDING).about
    assert (about.used, about.trimmed, about.reference_size) == (2160, 240, 600)
    assert about.reference == tuple(sorted(about.reference))
    assert about.first_at < about.last_at < NOW


def test_what_nobody_had_before_is_unusual_all_the_same() -> None:
    """All accepted visitors have this value; a forest alone would never ask for it."""
    served = model(Kind.LANDING)
    names = NAMES[Kind.LANDING]
    row = list(served.about.median)
    before = served.judge(row).score
    row[names.index("click.moved")] = 2.0
    row[names.index("click.values")] = 4.0
    assert served.judge(row).score > before + 0.02


def test_the_same_traffic_gives_the_same_model() -> None:
    rows = usual(Kind.LANDING, 800)
    assert train(traffic(Kind.LANDING, rows), NOW).about == train(traffic(Kind.LANDING, rows), NOW).about


def test_columns_that_are_never_known_do_not_stop_it() -> None:
    rows = usual(Kind.LANDING, 800)
    rows[:, -1] = np.nan
    about = train(traffic(Kind.LANDING, rows), NOW).about
    assert about.median[-1] == 0
    assert about.bins[-1].edges == ()


def test_too_little_is_refused() -> None:
    with pytest.raises(Refused):
        train(traffic(Kind.LANDING, usual(Kind.LANDING, 2)), NOW)


def test_what_lies_far_beyond_people_is_not_compared_with() -> None:
    chance = np.random.default_rng(2)
    people, beyond = np.sort(0.4 + chance.exponential(0.02, 2000)), np.linspace(0.5, 0.7, 200)
    programs = np.full(150, 0.66)
    assert without_programs(np.sort(np.concatenate([people, programs])), beyond).size <= 2010
    assert (
        len(without_programs(np.sort(np.concatenate([people, programs[:20]])), beyond)) == 2020
    )  # people have a tail, too
    half = np.sort(np.concatenate([people, np.full(900, 0.66)]))
    assert len(without_programs(half, beyond)) == len(half)  # so many are no exception


def rows_of(visits: list[Visit], who: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Features of page views, and when they were; of everybody, or of one."""
    some = [visit.observation for visit in of_kind(visits, Kind.LANDING) if who in (None, visit.who)]
    return np.array([vector(obs) for obs in some], np.float32), np.array([obs.at for obs in some], np.int64)


def test_programs_among_the_accepted_are_told_of_all_the_same() -> None:
    """At the shipped threshold: one page view in twelve is a program's, and their like is found as if there had been none."""
    fresh = Town(600, 3, 2, seed=42).visits()
    found = []
    for programs in (0, 2):
        rows, at = rows_of(Town(600, 3, programs, seed=41).visits())
        made = train(Traffic("acme", Kind.LANDING, rows, at), NOW)
        reference = np.array(made.about.reference)

        def told(who: str, made=made, reference=reference) -> float:
            place = np.searchsorted(reference, made.scores(rows_of(fresh, who)[0]))
            return float((place / (len(reference) + 1) >= Models.builtin().limits.tell_from).mean())

        assert told(PERSON) < 0.005
        found.append((told("slow reader"), told("click replay")))
    clean, mixed = found
    assert min(clean) > 0.4
    assert mixed[0] > clean[0] / 2
    assert mixed[1] > clean[1] / 2


def test_area_under_the_curve() -> None:
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert auc(np.array([0.0]), np.array([1.0])) == 0
    assert auc(np.array([1.0]), np.array([1.0])) == 0.5


def test_bins_share_out_what_was_seen() -> None:
    found = bins(np.arange(1000, dtype=np.float32))
    assert len(found.shares) == 10
    assert found.shares == pytest.approx((0.1,) * 10, abs=0.002)
    assert bins(np.full(50, 3, np.float32)).shares == (1.0, 0.0)


@KINDS
def test_the_examples_of_bad_traffic_name_features_and_cases(kind: Kind) -> None:
    content, _ = load("anomaly_known_bad.yaml")
    corpus = Path(__file__).parent.parent / "corpus"
    assert len(content[kind]) >= 6
    for example in content[kind]:
        assert example["values"].keys() <= set(NAMES[kind]), example
        assert (corpus / example["like"]).is_dir(), example

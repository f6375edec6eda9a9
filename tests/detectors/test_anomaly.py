"""The isolation forest in service: the same score as scikit-learn's, honest explanations, and no model that is damaged or foreign."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import random
import weakref
from math import nan
from typing import Any

import msgspec
import numpy as np
import pytest
from made_observations import AWAY, counts, observation
from usual_rows import bots, model, trained, usual

from detectors import anomaly, run
from detectors.anomaly.explain import contributions, explain
from detectors.anomaly.feature_sets import FEATURES, NAMES
from detectors.anomaly.model import OPINIONS, Description, Model, Models, decode
from detectors.anomaly.reading import vector
from detectors.anomaly.trees import ModelProblem, path_depth, unpack
from detectors.observation import Duplicate, Kind, RenderToken
from detectors.reference import Reference
from gateway.models.forest import inputs
from gateway.models.training import fill, one_sided

KINDS = pytest.mark.parametrize("kind", list(Kind))


@KINDS
def test_scores_are_those_of_scikit_learn(kind: Kind) -> None:
    made, served = trained(kind), model(kind)
    features = FEATURES[kind]
    chance = np.random.default_rng(5)
    wild = chance.exponential(40, (300, len(features))).astype(np.float32)
    whole = np.round(chance.exponential(3, (300, len(features)))).astype(np.float32)
    rows = np.concatenate(
        [usual(kind, 400, 7), bots(kind, 200, 8), wild, whole, np.zeros((1, len(features)), np.float32)]
    )
    cut = one_sided(fill(rows, made.median), made.median, features)
    wanted = -made.fitted.score_samples(inputs(cut, features))
    found = [served.judge(row).score for row in rows.astype(float).tolist()]
    assert np.abs(wanted - np.array(found)).max() < 1e-6


@KINDS
def test_what_explains_adds_up_to_the_whole_way(kind: Kind) -> None:
    served = model(kind)
    walk = served.walk
    for row in bots(kind, 20).astype(float).tolist():
        filled = served.filled(row)
        begun = sum(walk.expected[root] for root in walk.root)
        assert begun + sum(contributions(served, filled)) * len(walk.root) == pytest.approx(
            path_depth(walk, filled), rel=1e-4
        )


def test_the_three_features_are_named_with_what_is_usual() -> None:
    served = model(Kind.SUBMISSION)
    row = served.about.median
    values = list(row)
    values[NAMES[Kind.SUBMISSION].index("address.1h")] = 40.0
    values[NAMES[Kind.SUBMISSION].index("token.age")] = 1.5
    parts = explain(served, values)
    assert [part.feature.name for part in parts] == ["address.1h", "token.age"]
    assert parts[0].text.startswith("40 form posts an hour from this address, usual is 1 to ")
    assert parts[1].text.startswith("posted 1.5 seconds after the form was shown, usual is ")
    assert sum(part.share for part in parts) <= 1.0001


def test_who_is_slower_or_more_thorough_than_others_is_not_unusual() -> None:
    served = model(Kind.SUBMISSION)
    names = NAMES[Kind.SUBMISSION]
    patient = list(served.about.median)
    for name, value in (
        ("token.age", 80_000.0),
        ("session.age", 86_000.0),
        ("session.landings", 500.0),
        ("headers.count", 60.0),
    ):
        patient[names.index(name)] = value
    assert served.judge(patient) == served.judge(list(served.about.median))
    assert explain(served, patient) == ()


def test_what_a_model_remembers_is_what_it_would_say_anew() -> None:
    """Rows that differ in one feature only, so that none may be left out of what they are known by."""
    one, other = model(Kind.LANDING), model(Kind.LANDING, seed=3)
    chance = random.Random(8)
    for _ in range(20):
        base = [chance.choice((nan, 0.0, 1, 2.5, 60)) for _ in one.features]
        rows = [
            (*base[:place], value, *base[place + 1 :]) for place in range(len(base)) for value in (nan, -0.0, 1.0, 7)
        ]
        for row in (*rows, *rows):
            assert one.opinion(row) == one.judge(row)
            assert other.opinion(row) == other.judge(row)
    assert one.opinion(row) is one.opinion(row)


def test_a_model_remembers_so_many_and_no_more() -> None:
    served = Model(ABOUT, made()[1])
    for number in range(OPINIONS + 10):
        served.opinion((float(number), *served.about.median[1:]))
        assert len(served._opinions) <= OPINIONS
    assert served._opinions


def test_a_model_that_is_replaced_is_gone_at_once() -> None:
    """What was there when the process began is hidden from the garbage collector: a model in a circle would stay for good."""
    served = Model(ABOUT, made()[1])
    served.opinion(served.about.median)
    gone = weakref.ref(served)
    del served
    assert gone() is None


def test_what_is_not_known_counts_neither_for_nor_against() -> None:
    served = model(Kind.LANDING)
    nothing = [float("nan")] * len(served.features)
    assert served.judge(nothing) == served.judge(list(served.about.median))
    assert served.judge(nothing).percentile < 0.9


# the detector


def reference(active: Model | None = None, shadow: Model | None = None, kind: Kind = Kind.SUBMISSION) -> Reference:
    def placed(one: Model | None) -> dict[tuple[str, str], Model]:
        return {} if one is None else {("acme", kind): one}

    return dataclasses.replace(Reference.builtin(), anomaly=Models.of(placed(active), placed(shadow)))


def flood(**more: Any) -> Any:
    velocity = msgspec.structs.replace(counts("address/3600", 60, 1))
    for key in ("address/600", "address/86400", "prefix/3600", "session/3600", "session/86400", "browser/3600"):
        velocity = type(velocity).of({**velocity.flat(), key: counts(key, 60, 1).flat()[key]})
    hasty = {"token": RenderToken("valid", 900, 1), "duplicate": Duplicate(20, 20)}
    return observation(Kind.SUBMISSION, **{"velocity": velocity, **hasty, **more})


def found(obs: Any, ref: Reference) -> list[tuple[str, tuple[str, ...]]]:
    signals, failures = run(obs, ref, (anomaly.detect,))
    assert failures == []
    return [(signal.id, signal.evidence) for signal in signals]


def test_the_unusual_is_told_with_percentile_reasons_and_version() -> None:
    served = model(Kind.SUBMISSION)
    [(name, (percentile, reasons, version))] = found(flood(), reference(served))
    assert name == "anomaly.unusual"
    assert 99.7 <= float(percentile) < 100
    assert "60 form posts" in reasons
    assert reasons.count("usual is") == 3
    assert version == served.version
    assert found(observation(Kind.SUBMISSION), reference(served)) == []


def test_a_model_that_is_tried_out_speaks_under_its_own_name() -> None:
    old, new = model(Kind.SUBMISSION), model(Kind.SUBMISSION, seed=3)
    assert [(name, evidence[2]) for name, evidence in found(flood(), reference(old, new))] == [
        ("anomaly.unusual", old.version),
        ("anomaly.shadow", new.version),
    ]
    assert [name for name, _ in found(flood(), reference(None, new))] == ["anomaly.shadow"]


def test_without_a_model_of_this_site_and_kind_nothing_is_said() -> None:
    served = model(Kind.SUBMISSION)
    assert found(flood(), reference()) == []
    assert found(flood(site="other"), reference(served)) == []
    assert found(observation(), reference(served)) == []


def test_where_too_little_is_known_it_has_no_opinion() -> None:
    served = model(Kind.SUBMISSION)
    blind = flood(velocity=AWAY, session=AWAY, duplicate=AWAY)
    assert sum(value == value for value in vector(blind)) < 0.6 * len(vector(blind))
    assert found(blind, reference(served)) == []


def test_strength_rises_with_the_percentile() -> None:
    limits = Models.builtin().limits
    steps = [limits.strength(value) for value in (0.5, 0.9969, 0.997, 0.998, 0.999, 0.9995, 1.0)]
    assert steps[:2] == [0, 0]
    assert steps[2] == pytest.approx(limits.least_strength)
    assert steps == sorted(steps)
    assert steps[-2:] == pytest.approx([1, 1])


def test_models_are_part_of_what_a_generation_is_named_by() -> None:
    one, other = model(Kind.SUBMISSION), model(Kind.SUBMISSION, seed=3)
    hashes = {
        reference(*pair).content_hash for pair in ((None, None), (one, None), (None, one), (other, None), (one, other))
    }
    assert len(hashes) == 5


# damaged and foreign models


def made() -> tuple[Description, bytes]:
    of = trained(Kind.LANDING)
    return of.about, of.onnx


def changed(**more: Any) -> Description:
    return msgspec.structs.replace(made()[0], **more)


ABOUT = made()[0]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"format": 2}, "format 2"),
        ({"schema": 99}, "other features"),
        ({"features": ABOUT.features[::-1]}, "other features"),
        ({"kind": Kind.SUBMISSION}, "other features"),
        ({"onnx": "0" * 64}, "not those it was published with"),
        ({"median": ABOUT.median[1:]}, "each of its features"),
        ({"norm": float("nan")}, "none"),
        ({"norm": 0.0}, "none"),
        ({"norm": ABOUT.norm * 2}, None),
        ({"reference": ()}, "compares"),
        ({"reference": ABOUT.reference[::-1]}, "compares"),
        ({"reference": (0.1,) * 20_001}, "compares"),
        ({"quantiles": ABOUT.quantiles[1:]}, "each of its features"),
        ({"quantiles": tuple(row[1:] for row in ABOUT.quantiles)}, "spread"),
        ({"trees": msgspec.structs.replace(ABOUT.trees, left=ABOUT.trees.left[4:])}, "damaged"),
        ({"trees": msgspec.structs.replace(ABOUT.trees, left=ABOUT.trees.left[1:])}, "damaged"),
        ({"trees": msgspec.structs.replace(ABOUT.trees, left=bytes(len(ABOUT.trees.left)))}, "damaged"),
        ({"trees": msgspec.structs.replace(ABOUT.trees, root=b"\xff\xff\xff\x7f")}, "damaged"),
        (
            {
                "trees": msgspec.structs.replace(
                    ABOUT.trees, expected=b"\0\0\xc0\x7f" * (len(ABOUT.trees.expected) // 4)
                )
            },
            "damaged",
        ),
        ({"trees": trained(Kind.LANDING, seed=3).about.trees}, "not those that explain"),
    ],
)
def test_a_model_that_is_not_sound_is_refused(more: dict[str, Any], problem: str | None) -> None:
    if problem is None:  # changes both sides alike: only its signature tells
        Model(changed(**more), made()[1])
        return
    with pytest.raises(ModelProblem, match=problem) as raised:
        Model(changed(**more), made()[1])
    assert raised.value.remedy


def test_trees_of_other_width_or_none_are_refused() -> None:
    of, onnx = made()
    other = trained(Kind.SUBMISSION)
    for data in (other.onnx, b"", b"\x80\x04.", onnx[: len(onnx) // 2]):
        with pytest.raises(ModelProblem):
            Model(msgspec.structs.replace(of, onnx=hashlib.sha256(data).hexdigest()), data)


def test_any_bytes_are_a_model_or_a_problem() -> None:
    """Damaged at random places, as disks and hands do it: never another error."""
    of, onnx = made()
    whole = msgspec.json.encode(of)
    chance = random.Random(4)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[place] = chance.randrange(256)
            else:
                del data[place : place + chance.randrange(1, 400)]
        with contextlib.suppress(ModelProblem):
            Model(decode(bytes(data)), onnx)


def test_walks_end_whatever_the_trees_say() -> None:
    of = ABOUT.trees
    chance = random.Random(6)
    for _ in range(200):
        parts = {
            name: bytearray(getattr(of, name)) for name in ("root", "feature", "threshold", "left", "right", "expected")
        }
        for data in parts.values():
            if chance.random() < 0.4:
                data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            walk = unpack(type(of)(**{name: bytes(data) for name, data in parts.items()}), len(ABOUT.features))
        except ModelProblem:
            continue
        path_depth(walk, list(ABOUT.median))


def test_a_description_is_text_that_people_can_read() -> None:
    content = msgspec.json.decode(msgspec.json.encode(ABOUT))
    assert content["site"] == "acme"
    assert base64.b64decode(content["trees"]["root"]) == ABOUT.trees.root

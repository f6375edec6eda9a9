"""Grows an isolation forest with scikit-learn and writes it as one ONNX node.

Imported by the training process alone: scikit-learn takes 165 MB and seconds. `tests/test_architecture.py` holds that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import IsolationForest

from detectors.anomaly.features import Feature
from detectors.anomaly.score import INPUT, OUTPUT
from detectors.anomaly.trees import Trees

Rows = NDArray[np.float32]

TREES = 100
SAMPLE = 256
"""Observations each tree is grown on: the size of Liu, Ting and Zhou (2008), beyond which they found no gain; small samples also keep programs that come
in numbers from looking usual (masking)."""
ASKED_TWICE = frozenset({"click.moved"})
"""Features that a tree comes to ask twice as often as others. Six features grow together when somebody reads much, so that reading much is what a forest
would find first; that an ad click id moved to another network and browser is one feature, and tells more than any of them."""
SEED = 20_081
"""The same traffic gives the same model."""
OPSET, ML_OPSET, IR = 17, 3, 8
"""What every onnxruntime of the last years reads."""


@dataclass(frozen=True, slots=True)
class Forest:
    """trees: for explanations; onnx: the file's bytes; norm: mean path length that a score of one half stands for."""

    trees: Trees
    onnx: bytes
    norm: float
    sample: int


def grow(rows: Rows, features: tuple[Feature, ...]) -> IsolationForest:
    """rows: n by features, as people read the values, without gaps, already cut to their suspicious side. Needs at least two."""
    fitted = IsolationForest(n_estimators=TREES, max_samples=min(SAMPLE, len(rows)), random_state=SEED, n_jobs=1)
    return fitted.fit(inputs(rows, features))


def scaled(rows: Rows, features: tuple[Feature, ...]) -> Rows:
    """Each feature cut at its most and put on the scale it is grown on."""
    found = np.minimum(rows, np.array([feature.most for feature in features], np.float32))
    log = np.array([feature.scale == "log" for feature in features])
    found[:, log] = np.log1p(found[:, log])
    return found.astype(np.float32)


def columns(features: tuple[Feature, ...]) -> NDArray[np.int64]:
    """Which feature each column is that the forest is grown on; a column that is there twice is asked twice as often."""
    return np.repeat(np.arange(len(features)), [2 if feature.name in ASKED_TWICE else 1 for feature in features])


def inputs(rows: Rows, features: tuple[Feature, ...]) -> Rows:
    """Rows, cut to their suspicious side, as scikit-learn's forest is given them."""
    return np.ascontiguousarray(scaled(rows, features)[:, columns(features)])


def path_length(count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean path length of an unsuccessful search in a binary tree of `count` observations (equation 1 of the paper)."""
    found = np.zeros_like(count)
    found[count == 2] = 1.0
    more = count > 2
    n = count[more]
    found[more] = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return found


def export(fitted: IsolationForest, features: tuple[Feature, ...]) -> Forest:
    """All trees, their thresholds on the scale that people read, so that serving needs no logarithm.

    A value above a feature's most, or on its innocent side of the median, takes the same way as the value it is cut to: no threshold lies beyond.
    """
    parts: dict[str, list[Any]] = {name: [] for name in ("root", "feature", "threshold", "left", "right", "expected")}
    node_ids: list[int] = []
    tree_ids: list[int] = []
    offset = 0
    feature_of = columns(features)
    for number, (estimator, given) in enumerate(zip(fitted.estimators_, fitted.estimators_features_, strict=True)):
        tree = estimator.tree_
        leaf = tree.children_left < 0
        asked = np.where(leaf, -1, feature_of[given[np.maximum(tree.feature, 0)]])
        parts["root"].append(np.array([offset], np.int32))
        parts["feature"].append(asked.astype(np.int32))
        parts["threshold"].append(_thresholds(tree.threshold, asked, features))
        parts["left"].append(np.where(leaf, -1, tree.children_left + offset).astype(np.int32))
        parts["right"].append(np.where(leaf, -1, tree.children_right + offset).astype(np.int32))
        parts["expected"].append(_expected(tree))
        node_ids += range(tree.node_count)
        tree_ids += [number] * tree.node_count
        offset += tree.node_count
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    trees = Trees(**{name: array.astype(array.dtype.newbyteorder("<")).tobytes() for name, array in whole.items()})
    sample = int(fitted.max_samples_)
    norm = float(path_length(np.array([float(sample)]))[0])
    return Forest(trees, _onnx(whole, node_ids, tree_ids, len(features)), norm, sample)


def _thresholds(given: NDArray[np.float64], asked: NDArray[np.int64], features: tuple[Feature, ...]) -> Rows:
    """In float32, never above the exact one: an input of float32 is below the one where it is below the other."""
    exact = given.copy()
    log = np.array([feature.scale == "log" for feature in features])
    of_log = (asked >= 0) & log[np.maximum(asked, 0)]
    exact[of_log] = np.expm1(exact[of_log])
    exact[asked < 0] = 0.0
    found = exact.astype(np.float32)
    above = found.astype(np.float64) > exact
    found[above] = np.nextafter(found[above], np.float32(-np.inf))
    return found


def _expected(tree: Any) -> Rows:
    """Of a leaf: its depth and what its observations would still need to be told apart; of a node: the mean of its observations."""
    count = tree.weighted_n_node_samples.astype(np.float64)
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):
        if tree.children_left[node] >= 0:
            depth[tree.children_left[node]] = depth[tree.children_right[node]] = depth[node] + 1
    found = depth + path_length(count)
    for node in range(tree.node_count - 1, -1, -1):
        left, right = tree.children_left[node], tree.children_right[node]
        if left >= 0:
            found[node] = (found[left] * count[left] + found[right] * count[right]) / (count[left] + count[right])
    return found.astype(np.float32)


def _onnx(whole: dict[str, Any], node_ids: list[int], tree_ids: list[int], width: int) -> bytes:
    leaf = whole["feature"] < 0
    start = whole["root"][np.array(tree_ids)]
    ids = np.array(node_ids)
    below = {side: np.where(leaf, 0, whole[side] - start).tolist() for side in ("left", "right")}
    node = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        [OUTPUT],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        nodes_treeids=tree_ids,
        nodes_nodeids=node_ids,
        nodes_featureids=np.maximum(whole["feature"], 0).tolist(),
        nodes_values=whole["threshold"].tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_truenodeids=below["left"],
        nodes_falsenodeids=below["right"],
        target_treeids=np.array(tree_ids)[leaf].tolist(),
        target_nodeids=ids[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=whole["expected"][leaf].tolist(),
    )
    graph = helper.make_graph(
        [node],
        "isolation-forest",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="leadgate")
    model.ir_version = IR
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())

"""The trees of an isolation forest as plain lists, for explanations and to try out the trees that score."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import isfinite

import msgspec

MOST_NODES = 400_000
"""Nodes of all trees together: 300 trees of 512 observations have 306,900. More is no forest of ours."""

TRAIN_AGAIN = "Train it anew: leadgate model train"


class ModelProblem(Exception):
    """A model that is not used: why, and what to do."""

    def __init__(self, problem: str, remedy: str = TRAIN_AGAIN) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}. {remedy}")


class Trees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All nodes of all trees, one after the other, little-endian; children by their place in the whole, -1 where there are none.

    root       int32 for each tree: the place of its first node
    feature    int32: which input the node asks; -1 on a leaf
    threshold  float32: left where the input is this or less
    left, right  int32
    expected   float32: mean path length of the observations that came here, on a leaf that of its own
    """

    root: bytes
    feature: bytes
    threshold: bytes
    left: bytes
    right: bytes
    expected: bytes


@dataclass(frozen=True, slots=True)
class Walk:
    """The trees, as explanations walk them."""

    root: list[int]
    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    expected: list[float]


def unpack(trees: Trees, width: int) -> Walk:
    """width: number of features. Raises ModelProblem where the trees are not sound."""
    if len(trees.feature) > 4 * MOST_NODES:
        raise ModelProblem(f"it has more than {MOST_NODES:,} nodes")
    try:
        root, feature, left, right = (array("i", data) for data in (trees.root, trees.feature, trees.left, trees.right))
        threshold, expected = array("f", trees.threshold), array("f", trees.expected)
    except ValueError as error:
        raise ModelProblem("its trees are damaged") from error
    count = len(feature)
    sound = len(left) == len(right) == len(threshold) == len(expected) == count and len(root) > 0
    sound = sound and all(0 <= place < count for place in root)
    sound = sound and all(map(isfinite, threshold)) and all(map(isfinite, expected))
    if not sound or not all(
        _sound(place, feature[place], left[place], right[place], count, width) for place in range(count)
    ):
        raise ModelProblem("its trees are damaged")
    return Walk(root.tolist(), feature.tolist(), threshold.tolist(), left.tolist(), right.tolist(), expected.tolist())


def _sound(place: int, feature: int, left: int, right: int, count: int, width: int) -> bool:
    """Children stand behind their parent, so that every walk ends."""
    if feature == -1:
        return True
    return 0 <= feature < width and place < left < count and place < right < count


def path_depth(walk: Walk, values: list[float]) -> float:
    """Sum of the path lengths over all trees, as explanations walk them."""
    feature, threshold, left, right = walk.feature, walk.threshold, walk.left, walk.right
    depth = 0.0
    for place in walk.root:
        while (asked := feature[place]) >= 0:
            place = left[place] if values[asked] <= threshold[place] else right[place]
        depth += walk.expected[place]
    return depth

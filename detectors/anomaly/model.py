"""A published isolation forest: its description (JSON, with all that explains its findings) and its trees (ONNX). Both are data; nothing in them runs.

Where the files come from, and whether they are signed by us, is looked at before (gateway/models/files.py). Here is checked that the two belong
together, were made for these features, and are sound in themselves.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from detectors.anomaly.feature_sets import FEATURES, NAMES
from detectors.anomaly.features import SCHEMA, Feature
from detectors.anomaly.reading import Values
from detectors.anomaly.score import Scorer
from detectors.anomaly.trees import ModelProblem, Trees, path_depth, unpack
from detectors.data_files import load as load_data
from detectors.observation import Kind

FORMAT = 1
"""Version of the description's shape."""
OPINIONS = 4_096
"""Of page views, remembered by a model; about 1 kB each. First visits look alike to it: two in five page views of a made-up site and of an old access log
had been met before, and nearly all clicks on an ad that come from many addresses. Emptied when full."""
MOST_REFERENCE = 20_000
"""Scores of the comparison; the tail of 20,000 is as fine as anything that is said of it."""
QUANTILES = (1, 5, 25, 50, 75, 95, 99)
"""Percentiles kept of each feature."""


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a feature was spread when the model was made: `shares` of what lies up to each of `edges`, and of what lies above the last."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


class Direction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Does the model find bad traffic more unusual than good? Areas under the curve: 0.5 is chance, below is backwards.

    known_bad  against the shipped examples of bad traffic
    labelled   against what people called bot or junk at this site; None where there are too few of them
    bad, good  how many labels that rests on
    """

    known_bad: float
    labelled: float | None = None
    bad: int = 0
    good: int = 0


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All about one model but the trees that score.

    version    "20261122-0703-1a2b3c4d": when it was made, UTC, and the beginning of its trees' hash
    made_at, first_at, last_at    UTC microseconds: when it was made, and of which time its observations are
    read, used, trimmed, reference_size   observations: read; learned from; left out as the most unusual; held back for comparison
    sample     observations each tree was grown on
    norm       mean path length that a score of one half stands for
    median     of each feature, what stands in where it is not known
    quantiles  of each feature, at QUANTILES
    bins       of each feature, to measure drift
    reference  scores of the held-back observations, ascending
    onnx       SHA-256 of the trees' file, hexadecimal
    """

    format: int
    schema: int
    version: str
    site: str
    kind: Kind
    made_at: int
    first_at: int
    last_at: int
    read: int
    used: int
    trimmed: int
    reference_size: int
    sample: int
    norm: float
    features: tuple[str, ...]
    median: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    bins: tuple[Bins, ...]
    reference: tuple[float, ...]
    direction: Direction
    trees: Trees
    onnx: str


class Opinion(NamedTuple):
    """score 0..1, higher is more unusual; percentile: share of the comparison that is less unusual, 0..1."""

    score: float
    percentile: float


class Model:
    """A sound model, ready to score. Raises ModelProblem where the description and the trees are not."""

    def __init__(self, about: Description, onnx: bytes) -> None:
        _check(about, onnx)
        self.about = about
        self.features: tuple[Feature, ...] = FEATURES[about.kind]
        self.walk = unpack(about.trees, len(about.features))
        self._medians = about.median
        self._reference = about.reference
        self._scorer = Scorer(onnx, len(self.features), len(self.walk.root) * about.norm)
        self._try_out()
        self._opinions: dict[Values, Opinion] = {}

    @property
    def version(self) -> str:
        return self.about.version

    def filled(self, values: Sequence[float]) -> list[float]:
        """With the median where a feature is not known."""
        return [median if value != value else value for value, median in zip(values, self._medians, strict=True)]

    def judge(self, values: Sequence[float]) -> Opinion:
        """values: as `detectors.anomaly.reading.vector` reads them."""
        score = self._scorer(self.filled(values))
        return Opinion(score, bisect_left(self._reference, score) / (len(self._reference) + 1))

    def opinion(self, values: Values) -> Opinion:
        """What `judge` says; of page views it is remembered."""
        if self.about.kind is not Kind.LANDING:  # no two form posts took as many seconds
            return self.judge(values)
        found = self._opinions.get(values)
        if found is None:
            if len(self._opinions) >= OPINIONS:
                self._opinions.clear()
            found = self._opinions[values] = self.judge(values)
        return found

    def _try_out(self) -> None:
        """The trees that score and those that explain must be the same."""
        high = [row[-1] for row in self.about.quantiles]
        for values in (list(self._medians), high):
            depth = path_depth(self.walk, values) / len(self.walk.root)
            if abs(self._scorer(values) - 2 ** (-depth / self.about.norm)) > 1e-4:
                raise ModelProblem("the trees that score are not those that explain")


def decode(data: bytes) -> Description:
    """Raises ModelProblem."""
    try:
        return msgspec.json.decode(data, type=Description)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ModelProblem(f"the description cannot be read ({error})") from error


def _check(about: Description, onnx: bytes) -> None:
    if about.format != FORMAT:
        raise ModelProblem(f"it has format {about.format}, and this version reads {FORMAT}")
    if about.schema != SCHEMA or about.features != NAMES[about.kind]:
        raise ModelProblem("it was made for other features than this version reads")
    if hashlib.sha256(onnx).hexdigest() != about.onnx:
        raise ModelProblem("the trees are not those it was published with")
    size = len(about.features)
    if not (len(about.median) == len(about.quantiles) == len(about.bins) == size):
        raise ModelProblem("it does not describe each of its features")
    if any(len(row) != len(QUANTILES) for row in about.quantiles):
        raise ModelProblem("the spread of a feature is not complete")
    if any(len(b.shares) != len(b.edges) + 1 for b in about.bins):
        raise ModelProblem("the bins of a feature do not fit their edges")
    numbers = [about.norm, *about.median, *about.reference, *(value for row in about.quantiles for value in row)]
    if not all(map(isfinite, numbers)) or about.norm <= 0:
        raise ModelProblem("it holds numbers that are none")
    if not 0 < len(about.reference) <= MOST_REFERENCE or list(about.reference) != sorted(about.reference):
        raise ModelProblem("the scores it compares with are missing or out of order")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is made of an opinion: detectors/data/anomaly.yaml says what each means."""

    tell_from: float
    full_at: float
    least_strength: float
    least_known: float

    def strength(self, percentile: float) -> float:
        """0 below `tell_from`, `least_strength` at it, 1 from `full_at` on."""
        if percentile < self.tell_from:
            return 0.0
        part = min(1.0, (percentile - self.tell_from) / (self.full_at - self.tell_from))
        return self.least_strength + (1 - self.least_strength) * part


Place = tuple[str, str]
"""Name of a site, and kind of observation."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models in force: `active` findings count, `shadow` ones are only recorded. content_hash: SHA-256 over which they are."""

    limits: Limits
    active: Mapping[Place, Model] = field(default_factory=dict)
    shadow: Mapping[Place, Model] = field(default_factory=dict)
    content_hash: str = ""

    @classmethod
    def builtin(cls) -> Models:
        """No model at all: each site's own traffic makes them."""
        return cls.of({}, {})

    @classmethod
    def of(cls, active: Mapping[Place, Model], shadow: Mapping[Place, Model]) -> Models:
        content, digest = load_data("anomaly.yaml")
        numbers: dict[str, Any] = {name: float(content[name]) for name in Limits.__slots__}
        return cls(Limits(**numbers), active, shadow, _hash(digest, active, shadow))

    def versions(self) -> dict[str, str]:
        """ "site/kind" → version of what counts there; with " (shadow)" behind it of what is tried out."""
        found = {f"{site}/{kind}": model.version for (site, kind), model in self.active.items()}
        found |= {f"{site}/{kind} (shadow)": model.version for (site, kind), model in self.shadow.items()}
        return dict(sorted(found.items()))


def _hash(digest: str, active: Mapping[Place, Model], shadow: Mapping[Place, Model]) -> str:
    lines = [digest]
    for role, models in (("active", active), ("shadow", shadow)):
        lines += [f"{role}\n{place[0]}\n{place[1]}\n{model.about.onnx}" for place, model in sorted(models.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

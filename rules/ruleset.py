"""All rules of one generation, and the one function that turns signals into a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence

import msgspec

from detectors.observation import Kind, Observation
from detectors.signal import Signal
from rules.decide import Settled, is_unread, known_share, settle
from rules.lists import ListHit
from rules.nearest import nearest_change
from rules.pack import Pack
from rules.problems import suggest
from rules.score import Part, Policy, apply, matching, parts_of, quality, score_at
from rules.verdict import Reason, Verdict
from rules.weights import Weight

KNOWN = 4096
"""Verdicts remembered, about 2 kB each. Emptied when full, so that a flood with changing evidence costs a full verdict and nothing more."""

DEFAULT_PACK = {Kind.LANDING: "landing-page", Kind.SUBMISSION: "lead-form"}


class Ruleset:
    """Built by `rules.loader.load`, and not changed after that but for what it remembers. `weights` by signal id, `packs` by name."""

    def __init__(self, weights: Mapping[str, Weight], packs: Mapping[str, Pack]) -> None:
        self.weights = dict(weights)
        self.packs = dict(packs)
        self._due = {name: _due(pack) for name, pack in self.packs.items()}
        self._known: dict[Hashable, Verdict] = {}
        self._hash = hashlib.sha256(self.content()).hexdigest()

    def policy(
        self,
        kind: Kind,
        *,
        pack: str | None = None,
        review_below: int | None = None,
        undecided_below: int | None = None,
        origin_blind: bool = False,
    ) -> Policy:
        """What a route is judged by; None leaves a value to the pack. `origin_blind`: nothing that rests on a person's name, language or
        country is taken note of. Raises ValueError for an unknown pack or one of another kind."""
        name = DEFAULT_PACK[kind] if pack is None else pack
        if name not in self.packs:
            raise ValueError(
                f"there is no pack {name}. " + suggest(name, self.packs, f"Known: {', '.join(self.packs)}.")
            )
        chosen = self.packs[name]
        if chosen.kind is not kind:
            raise ValueError(f"pack {name} judges a {chosen.kind}, not a {kind}. Choose another pack for this route.")
        review = chosen.review_below if review_below is None else review_below
        undecided = chosen.undecided_below if undecided_below is None else undecided_below
        off = frozenset(w.id for w in self.weights.values() if w.sensitive is not None) if origin_blind else frozenset()
        return Policy(kind, name, review, undecided, score_at(review), off)

    def judge(
        self,
        signals: Sequence[Signal],
        obs: Observation,
        policy: Policy,
        list_hit: ListHit | None = None,
        failures: Sequence[tuple[str, str]] = (),
    ) -> Verdict:
        """The verdict on one observation, in the order that `rules.decide.settle` describes.

        list_hit  what `Lists.match` found
        failures  (what, why) of checks that broke; shown as unavailable, not part of the confidence, which speaks of facts
        """
        due = self._due[policy.pack]
        for signal in signals:
            if signal.id in due:
                return self._judge(signals, obs, policy, list_hit, failures)
        # Where no composite is due, nothing else of the observation can change the verdict: most visitors share theirs with those before them.
        share = known_share(obs)
        key = (policy, tuple(signals), share, is_unread(obs), list_hit, tuple(failures))
        verdict = self._known.get(key)
        if verdict is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            verdict = self._known[key] = self._judge(signals, obs, policy, list_hit, failures)
        return verdict

    def _judge(
        self,
        signals: Sequence[Signal],
        obs: Observation,
        policy: Policy,
        list_hit: ListHit | None,
        failures: Sequence[tuple[str, str]],
    ) -> Verdict:
        pack = self.packs[policy.pack]
        answers: dict[int, bool] = {}
        settled = self._settle(signals, obs, policy, pack, list_hit, answers, ())

        def again(fewer: Sequence[Signal], list_hit: ListHit | None) -> Settled:
            left = {signal.id for signal in fewer}
            gone = {signal.id for signal in signals if signal.id not in left}
            return self._settle(fewer, obs, policy, pack, list_hit, answers, gone)

        return Verdict(
            decision=settled.decision,
            quality=quality(settled.sums.score),
            confidence=settled.confidence,
            ivt=settled.ivt,
            category=settled.category,
            score=settled.sums.score,
            decided_by=settled.decided_by,
            reasons=tuple([_reason(part) for part in settled.parts]),
            groups=settled.sums.groups,
            composites=settled.composites,
            unavailable=(*settled.missing, *settled.broken, *failures),
            nearest=nearest_change(settled, signals, policy, pack, list_hit, again),
        )

    def _settle(
        self,
        signals: Sequence[Signal],
        obs: Observation,
        policy: Policy,
        pack: Pack,
        list_hit: ListHit | None,
        answers: dict[int, bool],
        gone: Collection[str],
    ) -> Settled:
        """`answers` of conditions are filled at first and used again where none of the signals that are `gone` since is asked for."""
        if not signals:
            return settle([], (), None, (), pack, obs, policy, list_hit)
        parts = parts_of(signals, self.weights)
        table = self._due[pack.name]
        due = {index for signal in signals for index in table.get(signal.id, ())}
        if not due:
            return settle(parts, (), None, (), pack, obs, policy, list_hit)
        strengths: dict[str, float] = {}
        for signal in signals:
            strengths[signal.id] = max(signal.strength, strengths.get(signal.id, 0.0))
        earlier = {index: answer for index, answer in answers.items() if pack.composites[index].when.unmoved_by(gone)}
        found, broken = matching(pack, due, strengths, obs, earlier)
        if not answers:
            answers.update(found)
        held = [pack.composites[index] for index, holds in found.items() if holds]
        triggers = frozenset(signal for composite in held for signal in composite.on)
        applied = apply(held, parts, self.weights) if held else ()
        return settle(parts, applied, triggers, tuple(broken), pack, obs, policy, list_hit)

    def content(self) -> bytes:
        """Everything that can change a verdict, as canonical JSON: the same bytes for the same rules, wherever their files lie."""
        return msgspec.json.encode(
            {
                "schema": 1,
                "weights": {
                    w.id: {"millis": w.millis, "band": w.band, "ivt": w.ivt, "category": w.category, "text": w.text}
                    | ({"sensitive": w.sensitive} if w.sensitive else {})
                    for w in self.weights.values()
                },
                "packs": {pack.name: _content(pack) for pack in self.packs.values()},
            },
            order="deterministic",
        )

    def content_hash(self) -> str:
        """SHA-256 of `content()`, hexadecimal."""
        return self._hash


def _due(pack: Pack) -> dict[str, tuple[int, ...]]:
    """Which composites a signal makes worth evaluating, by index."""
    table: dict[str, list[int]] = {}
    for index, composite in enumerate(pack.composites):
        for signal in composite.on:
            table.setdefault(signal, []).append(index)
    return {signal: tuple(indexes) for signal, indexes in table.items()}


def _reason(part: Part) -> Reason:
    weight = part.weight
    return Reason(
        signal=weight.id,
        group=weight.group,
        text=weight.fill(part.evidence),
        evidence=part.evidence,
        strength=part.strength,
        weight=weight.millis,
        counted=part.counted,
        source=weight.source,
        decisive=part.decisive,
        ivt=weight.ivt,
        category=weight.category,
        changed_by=part.changed_by,
    )


def _content(pack: Pack) -> dict[str, object]:
    return {
        "kind": str(pack.kind),
        "prior": pack.prior,
        "review_below": pack.review_below,
        "undecided_below": pack.undecided_below,
        "allow": sorted(pack.allow),
        "caps": pack.caps,
        "composites": [
            {
                "name": c.name,
                "text": c.text,
                "on": sorted(c.on),
                "when": c.when.text,
                "remove": c.remove,
                "replace": c.replace,
                "add": c.add,
            }
            for c in pack.composites
        ],
    }

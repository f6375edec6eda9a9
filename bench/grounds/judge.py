"""Scores by the shipped lists, detectors and rules, as in service: what a group of signals counts, and what the whole verdict says.

There is no learned model, no counter and no DNS behind it: an observation says only what the item says.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bench.table import Scorer
from detectors import run
from detectors.observation import (
    Client,
    Duplicate,
    Kind,
    Lead,
    Observation,
    Page,
    RenderToken,
    Request,
    Session,
    Unavailable,
)
from detectors.reference import Reference
from geoip.network import Network
from rules.loader import load
from rules.ruleset import Ruleset
from rules.verdict import Decision, Verdict

NOT_TOLD = Unavailable("not in this list")
HOST = "www.acme.example"


class Scores(NamedTuple):
    """groups: millis by group of signals, before caps; whole: the verdict's score above the prior, 0 for who is let in at once."""

    groups: dict[str, int]
    whole: int
    ids: frozenset[str]
    verdict: Verdict


@dataclass(frozen=True)
class Judge:
    reference: Reference
    rules: Ruleset
    blind: bool = False

    @classmethod
    def shipped(cls) -> Judge:
        return cls(Reference.builtin(), load())

    def with_reference(self, **parts: Any) -> Judge:
        """The same with other lists."""
        return replace(self, reference=replace(self.reference, **parts))

    def verdict(self, obs: Observation) -> tuple[frozenset[str], Verdict]:
        """Raises RuntimeError where a detector fails: in service that is contained, here it is to be seen."""
        signals, failures = run(obs, self.reference)
        if failures:
            raise RuntimeError(f"a detector failed: {failures}")
        policy = self.rules.policy(obs.kind, origin_blind=self.blind)
        noted = policy.noted(signals)
        return frozenset(signal.id for signal in noted), self.rules.judge(noted, obs, policy)

    def scores(self, obs: Observation) -> Scores:
        ids, verdict = self.verdict(obs)
        pack = self.rules.packs[self.rules.policy(obs.kind).pack]
        groups = {group.group: group.total for group in verdict.groups}
        whole = 0 if verdict.decided_by.startswith("allowed ") else verdict.score - pack.prior
        return Scores(groups, whole, ids, verdict)

    def held_from(self, kind: Kind) -> int:
        """Millis above the prior from which a visitor is held for review."""
        policy = self.rules.policy(kind)
        return policy.review_at - self.rules.packs[policy.pack].prior

    def scorers(self, observe: Callable[[Any], Observation], groups: Sequence[str], kind: Kind) -> list[Scorer]:
        """One for each of `groups`, and one for the whole verdict. Each item is judged once."""
        known: dict[Hashable, Scores] = {}

        def judged(item: Any) -> Scores:
            key = item if isinstance(item, Hashable) else id(item)
            if key not in known:
                known[key] = self.scores(observe(item))
            return known[key]

        def of(group: str) -> Callable[[object], float]:
            return lambda item: float(judged(item).groups.get(group, 0))

        found = [Scorer(f"{group}.*", of(group)) for group in groups]
        found.append(Scorer("verdict", lambda item: float(judged(item).whole), service=float(self.held_from(kind))))
        return found

    def shows(self, observe: Callable[[Any], Observation], signal: str) -> Scorer:
        """Is the signal shown at all, whatever it weighs?"""
        return Scorer(signal, lambda item: float(signal in self.verdict(observe(item))[0]))


def held(verdict: Verdict) -> bool:
    return verdict.decision is not Decision.ACCEPT


def landing(
    headers: Sequence[tuple[str, str]], network: Network | Unavailable = NOT_TOLD, *, complete: bool = False
) -> Observation:
    """A page view of which only these headers are known (`complete`: all of them, in order)."""
    request = Request("GET", "/offer", tuple(headers), scheme="https", complete=complete, ordered=complete)
    client = Client("192.0.2.1", 50_000)
    return Observation(Kind.LANDING, "acme", 0, Page(HOST, "/offer"), client, request, network, NOT_TOLD)


def post(
    headers: Sequence[tuple[str, str]], roles: dict[str, str], network: Network | Unavailable = NOT_TOLD
) -> Observation:
    """A form post by somebody who looked at the page for 48 seconds."""
    request = Request("POST", "/lead", tuple(headers), scheme="https", complete=bool(headers), ordered=bool(headers))
    lead = Lead("quote", tuple(roles.items()), {role: (value,) for role, value in roles.items()})
    return Observation(
        Kind.SUBMISSION,
        "acme",
        0,
        Page(HOST, "/lead"),
        Client("192.0.2.1", 50_000),
        request,
        network,
        NOT_TOLD,
        session=Session("derived", "0a1b", 50, 1, 1),
        lead=lead,
        token=RenderToken("valid", 48_000, 1),
        duplicate=Duplicate(),
    )

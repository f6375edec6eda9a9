"""What records are judged by: the settings in force, changed ones, and those of the time, made again from what the store kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson
from pydantic import ValidationError
from ruamel.yaml.nodes import MappingNode, ScalarNode

import detectors
from detectors.anomaly.model import Models
from detectors.observation import Observation
from detectors.reference import Reference
from gateway.config import Config
from gateway.evidence.record import Record
from gateway.generation import Generation
from gateway.generation import build as build_generation
from gateway.models.files import models_for
from gateway.pipeline import Judgement
from gateway.stores.records import Store
from gateway.upstream.client import Upstream
from rules import loader
from rules.problems import Problem, RulesError
from rules.restored import NotRestorable, restored
from rules.ruleset import Ruleset
from rules.verdict import Verdict

REMEMBERED = 32
"""Generations of the past kept built: records come in the order of time, so that one is seldom needed again."""


class BadChange(ValueError):
    """What was given is no rules file or directory."""


class Judges:
    """One generation, to judge records with. Built from parts: nothing is connected to."""

    def __init__(self, config: Config, ruleset: Ruleset, reference: Reference) -> None:
        self.ruleset = ruleset
        self.generation: Generation = build_generation(
            config, ruleset, reference, "", lambda site: Upstream(site.origin)
        )
        self._sites = {routes.name: routes for routes in self.generation.sites}
        self._by: dict[tuple[str, str | None, str | None], Judgement | None] = {}

    def judgement(self, record: Record) -> Judgement | None:
        """The route of the record by the names it has; None where its site is not known any more."""
        key = (record.site, record.form, record.route)
        if key not in self._by:
            self._by[key] = self._find(record)
        return self._by[key]

    def _find(self, record: Record) -> Judgement | None:
        site = self._sites.get(record.site)
        if site is None:
            return None
        if record.kind == "submission":
            return next((each.judgement for each in site.forms if each.form.name == record.form), site.any_post)
        return next((each.judgement for each in site.landings if each.judgement.name == record.route), site.any_landing)

    def judge(self, record: Record, obs: Observation) -> tuple[Verdict, Judgement] | None:
        """The same steps as the pipeline's, without facts to gather and without counting."""
        by = self.judgement(record)
        if by is None:
            return None
        signals, failed = detectors.run(obs, by.reference)
        failures = [(f"detector {detector}", kind) for detector, kind in failed]
        verdict = by.ruleset.judge(by.policy.noted(signals), obs, by.policy, by.lists.match(obs), failures)
        return verdict, by


class Past:
    """Generations as the store kept them. `unusable`: why one could not be made again, by its id."""

    def __init__(self, store: Store, base: Config, reference: Reference) -> None:
        self._store, self._base, self._reference = store, base, reference
        self._built: dict[str, Judges | None] = {}
        self.unusable: dict[str, str] = {}

    async def judges(self, digest: str) -> Judges | None:
        if digest not in self._built:
            if len(self._built) >= REMEMBERED:
                del self._built[next(iter(self._built))]
            self._built[digest] = await self._build(digest)
        return self._built[digest]

    async def _build(self, digest: str) -> Judges | None:
        content = await self._store.generation(digest)
        if content is None:
            self.unusable[digest] = "the store does not have its content"
            return None
        try:
            kept = orjson.loads(content)
            ruleset = restored(kept["rules"])
            return Judges(_settings(kept["config"], self._base), ruleset, self._reference)
        except (NotRestorable, ValidationError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            self.unusable[digest] = str(error).split("\n", 1)[0]
            return None


def _settings(kept: dict[str, object], base: Config) -> Config:
    """Stored settings hold e-mail addresses as hashes only, so that lists of addresses cannot be made again."""
    tree = {name: value for name, value in kept.items() if name in ("sites", "lists", "limits")}
    lists = tree.get("lists")
    for entries in lists.values() if isinstance(lists, dict) else ():
        for entry in entries:
            entry["emails"] = []
    if isinstance(lists, dict):
        tree["lists"] = {
            kind: [e for e in entries if any(v for k, v in e.items() if k != "name")] for kind, entries in lists.items()
        }
    dumped = base.model_dump(mode="json", include={"admin", "listen"})
    return Config.model_validate(dumped | tree)


def reference_for(config: Config, models: str = "") -> Reference:
    """Lists and models in force. models: "shadow" lets those count that are tried out, "off" none."""
    found, _ = models_for(config)
    if models == "shadow":
        found = Models.of({**found.active, **found.shadow}, {})
    elif models == "off":
        found = Models.builtin()
    return replace(Reference.builtin(), anomaly=found)


def in_force(config: Config, reference: Reference) -> Judges:
    """Raises RulesError."""
    return Judges(config, loader.load(local_dir=config.rules_path), reference)


@contextmanager
def changed_rules(config: Config, change: Path | None) -> Iterator[Path | None]:
    """The directory of local rules with a change laid over it.

    change  a directory: the local rules as they would be, whole. A file: a pack or a weights file laid over those in force.
    Raises BadChange; RulesError where the file cannot be read.
    """
    if change is None or change.is_dir():
        yield config.rules_path if change is None else change
        return
    if change.suffix != ".yaml" or not change.is_file():
        raise BadChange(f"{change} is neither a directory of rules nor a .yaml file of them")
    top = _top(change)
    if not ("pack" in top or "group" in top):
        raise BadChange(f"{change} names neither a pack nor a group; its first line says pack: NAME or group: NAME")
    with tempfile.TemporaryDirectory(prefix="leadgate-rules-") as name:
        place = Path(name)
        if config.rules_path is not None and config.rules_path.is_dir():
            shutil.copytree(config.rules_path, place, dirs_exist_ok=True)
        target = place / f"{top['pack']}.yaml" if "pack" in top else place / "weights" / f"{top['group']}.yaml"
        if target.resolve().parent not in (place.resolve(), (place / "weights").resolve()):
            raise BadChange(f"{change}: {target.name} is no name of a pack or group")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(change, target)
        yield place


def _top(change: Path) -> dict[str, str]:
    """What a rules file says plainly at its top: whose it is. Raises RulesError."""
    problems: list[Problem] = []
    document = loader.read(change, str(change), problems)
    if document is not None:
        problems += document.problems
    if problems:
        raise RulesError(problems)
    pairs = document.root.value if document is not None and isinstance(document.root, MappingNode) else ()
    return {k.value: v.value for k, v in pairs if isinstance(k, ScalarNode) and isinstance(v, ScalarNode)}

"""Puts a replay together: rules and lists, with settings or without, and the store; runs it."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import msgspec
import orjson

from detectors.observation import Kind, Unavailable
from detectors.reference import Reference
from gateway.config import Config
from gateway.feeds.reading import described, open_networks
from gateway.generation import Generation, SiteRoutes
from gateway.generation import build as build_generation
from gateway.intake.client_ip import TrustedProxies
from gateway.model import Mode
from gateway.pipeline import Judgement
from gateway.replay.arrivals import Configured, EveryPage, Routes
from gateway.replay.files import LogFile
from gateway.replay.run import Replay, Result
from gateway.replay.store import open_store
from gateway.reports.tallies import Classes
from gateway.reports.traffic import Tally, Traffic
from gateway.reports.views import View
from gateway.stores.keys import HASH
from gateway.upstream.client import Upstream
from geoip.errors import GeoipError
from geoip.network import Network
from geoip.reader import NetworkReader
from rules import loader
from rules.lists import Lists
from rules.ruleset import Ruleset


class BadSite(ValueError):
    """The settings do not tell which site the lines belong to."""


class Done(msgspec.Struct, frozen=True):
    """A finished replay. seconds: of reading and judging; ready_s: of loading rules, lists and ranges before; networks: what
    addresses were looked up in (`gateway.feeds.reading.described`)."""

    result: Result
    traffic: Traffic
    days: list[tuple[str, Classes]]
    generation: str
    store: Path
    configured: bool
    seconds: float
    cpu_s: float
    ready_s: float
    networks: dict[str, Any] = {}


class Plan(msgspec.Struct, frozen=True):
    """What lines are judged by."""

    routes: Routes
    trusted: TrustedProxies
    network: NetworkReader
    ruleset: Ruleset
    reference: Reference
    generation: str
    content: bytes


def plan(config: Config | None, site: str | None) -> Plan:
    """Raises BadSite, RulesError, GeoipError, OSError."""
    reference = Reference.builtin()
    if config is None:
        if site is not None:
            raise BadSite("--site names a site of the settings: give --config as well")
        ruleset, network = loader.load(), NetworkReader((None,))
        content = orjson.dumps(
            {
                "replay": "every page",
                "rules": orjson.Fragment(ruleset.content()),
                "lists": reference.content_hash,
                "networks": described(network),
            }
        )
        generation = hashlib.sha256(content).hexdigest()[:16]
        policy = ruleset.policy(Kind.LANDING)
        judgement = Judgement("every page", Mode.MONITOR, generation, reference, ruleset, policy, Lists())
        return Plan(EveryPage(judgement), TrustedProxies(), network, ruleset, reference, generation, content)
    network = open_networks(config).reader
    ruleset = loader.load(local_dir=config.rules_path)
    built = build_generation(
        config, ruleset, reference, described(network), lambda site: Upstream(site.origin)
    )  # never connected
    routes = Configured(built, _only(built, site))
    return Plan(routes, built.trusted, network, ruleset, reference, built.id, built.content)


def _only(built: Generation, name: str | None) -> SiteRoutes | None:
    names = [routes.name for routes in built.sites]
    if name is not None:
        for routes in built.sites:
            if routes.name == name:
                return routes
        raise BadSite(f"the settings name no site {name}; known: {', '.join(names)}")
    return built.sites[0] if len(names) == 1 else None


def run(
    files: Sequence[LogFile],
    store_file: Path,
    config: Config | None,
    *,
    site: str | None = None,
    flagged: Callable[[View], None] | None = None,
    read: Callable[[int, int], None] = lambda *_: None,
) -> Done:
    """Judge the logs. Raises BadSite, StoreError, RulesError, GeoipError, OSError."""
    begun = perf_counter()
    what = plan(config, site)
    gc.freeze()  # lists and rules stay to the end: the collector need not walk through them again and again

    def network(address: str) -> Network | Unavailable:
        try:
            return what.network.lookup(address)
        except GeoipError as error:
            return Unavailable(f"network: {error}")

    keys_directory = None  # a store of its own has keys of its own
    if config is not None and not config.store_place.shared and store_file.absolute() == config.store_path.absolute():
        keys_directory = config.keys_path

    async def work() -> Done:
        store, keys = open_store(store_file, keys_directory)
        try:
            await store.put_generation(what.generation, what.content)
            tally = Tally(
                lambda signal: what.ruleset.weights[signal].text if signal in what.ruleset.weights else signal
            )
            hash_key = keys.current(HASH).derive("replay")
            replay = Replay(
                what.reference,
                what.routes,
                what.trusted,
                hash_key,
                network,
                store,
                tally,
                what.generation,
                flagged=flagged or (lambda _: None),
                read=read,
            )
            start, cpu = perf_counter(), process_time()
            result = await replay.run(files)
            return Done(
                result,
                tally.traffic(),
                tally.days(),
                what.generation,
                store_file,
                config is not None,
                perf_counter() - start,
                process_time() - cpu,
                start - begun,
                described(what.network),
            )
        finally:
            await store.close()
            what.network.close()

    return asyncio.run(work())

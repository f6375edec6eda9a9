"""What `leadgate check` looks at beyond the settings file: the rules, databases and servers it names, and what a running gateway has noticed."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from contextlib import closing, suppress

from gateway import backends
from gateway.config import Config
from gateway.feeds.reading import day, stale, stored_feeds
from gateway.stores.errors import StoreUnopenable, StoreUnreachable
from gateway.stores.keys import KeyRing
from geoip import builtin
from geoip.errors import GeoipError
from geoip.mmdb import Database
from geoip.reader import NetworkReader
from rules import loader
from rules.problems import RulesError

PATIENCE_S = 1.0
"""How long a running gateway is waited for. It is on this machine, or it is not asked at all."""


Found = tuple[list[str], list[str]]
"""What keeps a gateway from starting, and what should be mended although it starts."""


def problems(config: Config) -> list[str]:
    """What is wrong with the rules and databases, a sentence for each, with its place and remedy."""
    return [*_rules(config), *_databases(config)]


def servers(config: Config) -> Found:
    """Redis and PostgreSQL, where the settings name them, both asked at once; each within a few seconds."""

    async def ask() -> Found:
        (wrong, away), state = await asyncio.gather(_store(config), _state(config))
        return wrong, [*away, *state]

    return asyncio.run(ask()) if config.state_place.shared or config.store_place.shared else ([], [])


async def _store(config: Config) -> Found:
    """Could a gateway start on the shared store with the keys that are here? While it is away it could, if it has keys."""
    if not config.store_place.shared:
        return [], []
    from gateway.stores.postgres import check as postgres_check

    try:
        try:
            used = await postgres_check.look(backends.postgres_settings(config))
        except StoreUnreachable as error:
            backends.keys_without_store(config, error)
            return [], [_until(str(error), f"gateways keep what comes in {config.spool_path}")]
        KeyRing.check(config.keys_path, used, shared=True)
    except StoreUnopenable as error:
        return [str(error)], []
    return [], []


async def _state(config: Config) -> list[str]:
    """A gateway starts without Redis, and each process counts for itself until it is there."""
    if not config.state_place.shared:
        return []
    from gateway.stores.redis import check as redis_check

    try:
        settings = backends.redis_settings(config)
    except StoreUnopenable as error:
        return [str(error)]
    try:
        async with asyncio.timeout(redis_check.PATIENCE_S):
            wrong = await redis_check.unusable(settings)
    except TimeoutError:
        wrong = "it does not answer. Check that it runs and can be reached from here"
    if wrong is not None:
        return [_until(f"{config.state}: {wrong}", "each process counts for itself")]
    return [f"{config.state}: {line}" for line in await redis_check.advice(settings)]


def _until(wrong: str, meanwhile: str) -> str:
    return f"{wrong}{'' if wrong.endswith('?') else '.'} Until then {meanwhile}"


def _rules(config: Config) -> Iterator[str]:
    if config.rules_path is not None and not config.rules_path.is_dir():
        yield f"{config.rules_path}: there is no such directory. Make it, or take rules.directory out"
        return
    try:
        loader.load(local_dir=config.rules_path)
    except RulesError as error:
        yield str(error)
    except OSError as error:
        yield f"{config.rules_path}: the rules cannot be read: {error.strerror}"


def _databases(config: Config) -> Iterator[str]:
    for path in config.databases:
        try:
            NetworkReader([path], ranges=()).close()
        except (GeoipError, OSError) as error:
            yield str(error)


def networks(config: Config) -> Found:
    """What addresses are looked up in, and of what day it is; and feeds that are missing, damaged or old."""
    told: list[str] = []
    for path in config.databases:
        with suppress(GeoipError), closing(builtin.database() if path is None else Database(path)) as opened:
            told.append(f"Networks: {opened.name} ({opened.kind}), data of {opened.date}. {opened.attribution}".strip())
    feeds, troubles = stored_feeds(config)
    told += [f"Feed {feed.label}: {feed.entries:,} networks, fetched {day(feed.fetched_at)}" for feed in feeds]
    return told, [*troubles, *stale(config, tuple(feeds))]


def models(config: Config) -> list[str]:
    """What nobody can see from one machine: do the others that use this store use these models?"""
    if not config.store_place.shared or not config.model.enabled:
        return []
    return [
        f"Models are in {config.models_path}. Several machines with one store need a directory there that all of them share (model.directory); "
        "else each judges by models of its own"
    ]


def advice(config: Config) -> list[str]:
    """What the gateway that runs with these settings advises, for example which proxy to trust. Empty where none runs here."""
    address = config.admin.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - asked, not listened on
    try:
        with closing(http.client.HTTPConnection(host, address.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", "/readyz")
            told = json.loads(connection.getresponse().read(64 * 1024))
    except (OSError, http.client.HTTPException, ValueError):
        return []
    found = told.get("advice") if isinstance(told, dict) else None
    return [str(line) for line in found] if isinstance(found, list) else []

"""From the settings to what keeps things: hot state, keys and the system of record, each on the backend that the settings name."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gateway.config import Config, Postgres, Redis
from gateway.log import Spell, log
from gateway.metrics import Metrics
from gateway.stores.errors import (
    KeyProblem,
    StoreError,
    StoreMissing,
    StoreUnavailable,
    StoreUnopenable,
    StoreUnreachable,
)
from gateway.stores.hot.guarded import GuardedState
from gateway.stores.hot.memory import MemoryState
from gateway.stores.keys import KeyRing
from gateway.stores.postgres.settings import PostgresSettings
from gateway.stores.records import Store
from gateway.stores.redis.settings import RedisSettings
from gateway.stores.redis.state import RedisState
from gateway.stores.spool.keeper import SpoolSettings
from gateway.stores.spool.store import SpooledStore
from gateway.stores.sqlite.store import OPERATOR, SqliteSettings, SqliteStore

if TYPE_CHECKING:
    from gateway.stores.postgres.store import PostgresStore

STANDING_IN_KEYS = 100_000
"""Counters and seals that a process keeps while Redis does not answer: about 25 MB, and an outage is short."""

TOLD_EVERY_S = 60.0
"""How often the log tells that the shared state was lost."""

Environ = Mapping[str, str]


def _postgres() -> type[PostgresStore]:
    """Loaded where it is used: who runs on a file need not wait for its client."""
    from gateway.stores.postgres.store import PostgresStore

    return PostgresStore


async def open_hot_state(config: Config, metrics: Metrics, environ: Environ = os.environ) -> MemoryState | GuardedState:
    """Never fails because a server is away: this process counts by itself until it is back. Raises StoreUnopenable where the settings or the
    files they name cannot be used."""
    if not config.state_place.shared:
        return MemoryState()
    settings = redis_settings(config, environ)
    try:
        shared = RedisState(settings)
    except (OSError, ValueError) as error:
        raise StoreUnopenable(
            "redis", f"it cannot be used as set ({error})", "Correct `state:` and `redis:`"
        ) from error
    state = GuardedState(
        shared,
        MemoryState(STANDING_IN_KEYS),
        on_event=_Teller(config.state, lambda: state),
        on_partial=lambda reason: metrics.count("leadgate_hot_state_partial", reason),
        on_error=lambda error: metrics.count("leadgate_hot_state_errors", error),
    )
    metrics.gauge("leadgate_hot_state_open", lambda: float(state.open))
    await state.start()
    if state.trouble is not None:  # else the log would be silent about it until visitors come
        log.warning("settings warning", problem=f"{config.state}: {state.trouble}")
    return state


class _Teller:
    """Tells the log that the shared state was lost and is back; where it comes and goes all the time, once a minute."""

    def __init__(self, place: str, state: Callable[[], GuardedState]) -> None:
        self._place, self._state = place, state
        self._spell = Spell(TOLD_EVERY_S)

    def __call__(self, event: str, **fields: object) -> None:
        if event == "hot state back":
            if self._spell.ends():
                log.info(event, state=self._place, **fields)
        elif self._spell.begins():
            log.warning(event, state=self._place, **fields)
        else:
            asyncio.get_running_loop().call_later(TOLD_EVERY_S, self._still, event, fields)

    def _still(self, event: str, fields: Mapping[str, object]) -> None:
        if self._state().open and self._spell.begins():
            log.warning(event, state=self._place, **fields)


async def open_keys(config: Config, environ: Environ = os.environ) -> KeyRing:
    """The keys, checked against those the store has used; made where neither has any. While PostgreSQL is away nothing is made, and the
    directory must be complete. Raises StoreUnopenable."""
    if not config.store_place.shared:
        config.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return KeyRing.open(config.keys_path, SqliteStore.keys_used(config.store_path))
    try:
        used = await _postgres().keys_used(postgres_settings(config, environ))
    except (StoreUnavailable, StoreUnreachable) as error:
        return keys_without_store(config, error)
    return KeyRing.open(config.keys_path, used, shared=True)


def keys_without_store(config: Config, away: StoreError) -> KeyRing:
    """The keys as they are, where the shared store is away. Raises KeyProblem, which says why it is."""
    try:
        return KeyRing.open(config.keys_path, None)
    except KeyProblem as error:
        raise KeyProblem(error.path, error.problem, f"{error.remedy}. Now: {away}") from error


async def open_store(config: Config, keys: KeyRing, writer: str, environ: Environ = os.environ) -> Store:
    """The system of record of a gateway. A shared one that is away now is waited for in the background, and the spool stands in for it.
    Raises StoreUnopenable."""
    if not config.store_place.shared:
        settings = SqliteSettings(queue=config.evidence_queue)
        return SqliteStore.open(config.store_path, keys, writer=writer, settings=settings)
    place = postgres_settings(config, environ)

    async def connect() -> PostgresStore:
        return await _postgres().open(place, keys, writer=writer)

    return await SpooledStore.open(
        connect, config.spool_path, keys, writer=writer, settings=SpoolSettings(queue=config.evidence_queue)
    )


async def operator_store(config: Config, environ: Environ = os.environ) -> SqliteStore | PostgresStore:
    """The store beside a running gateway, for one command. Raises StoreUnopenable, StoreUnavailable."""
    if config.store_place.shared:
        place = postgres_settings(config, environ)
        used = await _postgres().keys_used(place)
        return await _postgres().open(place, KeyRing.open(config.keys_path, used, shared=True), writer=OPERATOR)
    if not config.store_path.exists():
        raise StoreMissing(
            config.store_path, "there is no store yet", "It is made when the gateway first starts: leadgate serve"
        )
    keys = KeyRing.open(config.keys_path, SqliteStore.keys_used(config.store_path))
    return SqliteStore.open(config.store_path, keys, writer=OPERATOR)


def redis_settings(config: Config, environ: Environ = os.environ) -> RedisSettings:
    """Raises StoreUnopenable."""
    place, redis = config.state_place, config.redis
    if place.mode == "memory":
        raise ValueError("the state is in memory")
    password = _password(config, redis, environ)
    try:
        return RedisSettings(
            mode=place.mode,
            nodes=place.nodes,
            master=place.master,
            db=place.db,
            username=redis.username,
            password=password,
            tls=place.tls,
            ca_file=None if redis.ca is None else str(config.resolve(redis.ca)),
            deadline_s=redis.deadline_ms / 1000,
            connect_s=redis.connect_ms / 1000,
        )
    except ValueError as error:
        raise StoreUnopenable(
            "redis", f"it cannot be used as set ({error})", "Correct `state:` and `redis:`"
        ) from error


def postgres_settings(config: Config, environ: Environ = os.environ) -> PostgresSettings:
    """Raises StoreUnopenable."""
    place, postgres = config.store_place, config.postgres
    return PostgresSettings(
        host=place.host,
        port=place.port,
        database=place.database,
        user=postgres.username,
        password=_password(config, postgres, environ),
        tls=postgres.tls,
        ca_file=None if postgres.ca is None else str(config.resolve(postgres.ca)),
        queue=config.evidence_queue,
        deadline_s=postgres.deadline_ms / 1000,
        connect_s=postgres.connect_ms / 1000,
    )


def _password(config: Config, settings: Redis | Postgres, environ: Environ) -> str | None:
    if settings.password_env is not None:
        return environ.get(settings.password_env) or None
    if settings.password_file is None:
        return None
    path = config.resolve(settings.password_file)
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnopenable(
            path, f"the password cannot be read ({error})", "Correct the path, or its rights"
        ) from error


def writer_name(config: Config, worker: int = 0, host: str | None = None) -> str:
    """Under which name a process writes its chain of records. Machines that share a store should have different host names."""
    if not config.store_place.shared:
        return f"gateway-{worker}"
    slug = re.sub(r"[^a-z0-9]+", "-", (host or socket.gethostname()).lower()).strip("-")[:40].rstrip("-")
    if slug in ("", "gateway"):  # gateway-0 is the chain of an SQLite store, which may be copied into the shared one
        slug = "gateway-host"
    return f"{slug}-{worker}"

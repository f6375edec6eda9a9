"""From the settings to what keeps things: hot state, keys and the system of record, each on the backend that the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gateway.config import Config
from gateway.stores.hot import HotState
from gateway.stores.keys import KeyRing
from gateway.stores.memory import MemoryState
from gateway.stores.records import Store
from gateway.stores.sqlite import SqliteSettings, SqliteStore


async def open_hot_state(config: Config, environ: Mapping[str, str] = os.environ) -> HotState:
    """Never fails because a server is away: the state then counts in this process until it is back."""
    return MemoryState()


async def open_keys(config: Config, environ: Mapping[str, str] = os.environ) -> KeyRing:
    """The keys, checked against those the store has used. Raises StoreUnopenable."""
    config.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return KeyRing.open(config.keys_path, SqliteStore.keys_used(config.store_path))


async def open_store(config: Config, keys: KeyRing, writer: str, environ: Mapping[str, str] = os.environ) -> Store:
    """The system of record of a gateway. Raises StoreUnopenable."""
    return SqliteStore.open(
        config.store_path, keys, writer=writer, settings=SqliteSettings(queue=config.evidence_queue)
    )

"""Idempotent assess calls: the same key gives the same answer for a day, in whichever process it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
import orjson

from detectors.observation import Unavailable
from gateway.console.problems import Problem
from gateway.console.running import Running
from gateway.stores import keys as stored_keys
from gateway.stores.errors import StoreUnavailable
from gateway.stores.hot import Seal, Sealed
from gateway.stores.records import StoredEntry

TTL_S = 86_400
WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.4)
"""How long a repeat waits for the record of the first call, which may still be judged or wait for its commit."""


class Claim(msgspec.Struct, frozen=True):
    """What is known of a key.

    id       what the record of this call is called: the first call's where it was one
    repeated a call with this key and body came before
    unsure   why an earlier call may have been missed, or None
    """

    id: str
    repeated: bool = False
    unsure: str | None = None


class Repeats:
    def __init__(self, running: Running) -> None:
        self._running = running
        self._secret: tuple[str, bytes] = ("", b"")

    def _key(self) -> bytes:
        current = self._running.keys.current(stored_keys.HASH)
        if self._secret[0] != current.id:
            self._secret = (current.id, current.derive("assess"))
        return self._secret[1]

    async def claim(self, site: str, key: str, body: Mapping[str, Any], id: str, at: int) -> Claim:
        """Take the key for the record `id`, unless a call before did. Raises Problem where that call had another body."""
        secret = self._key()
        name = blake2b(f"{site}\n{key}".encode(), digest_size=16, key=secret).digest()
        said = blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=16, key=secret).digest()
        seal = Seal(b"I" + name, UUID(id).bytes + said, TTL_S)
        answers = await self._running.hot.observe((seal,), at)
        found = answers.results[0]
        if not isinstance(found, Sealed):
            reason = found.reason if isinstance(found, Unavailable) else "no answer"
            return Claim(id, unsure=reason)
        unsure = answers.partial.get(0)
        if found.value[:16] == UUID(id).bytes:
            return Claim(id, unsure=unsure)
        if found.value[16:] != said:
            raise Problem(
                409,
                "This idempotency_key was used for another body",
                "A key stands for one question. Use another key for another one.",
                (("idempotency_key", "was used for another body within the last 24 hours"),),
            )
        return Claim(str(UUID(bytes=found.value[:16])), True, unsure)

    async def recorded(self, id: str) -> StoredEntry | None:
        """The first call's record, once it is there; None where it does not come (that process ended before it was kept)."""
        store = self._running.store
        entry = await store.get_record(id)
        for wait in WAITS_S:
            if entry is not None:
                return entry
            try:
                await store.flush()
            except StoreUnavailable:
                return None
            entry = await store.get_record(id)
            if entry is None:
                await asyncio.sleep(wait)
        return entry if entry is not None else await store.get_record(id)

"""Notices that the shared state was lost: flushed, restarted without its data, failed over.

Each scope (a server alone; in a cluster each bucket) has an epoch in Redis: since when what is counted there has been kept. A process that hears
another epoch than before, or that saw the server change, has the script mark it; every process then hears of the loss for an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from gateway.stores.redis.wire import DRY, FAILED, Heard


class Epochs:
    """known: the epoch heard last by scope, 0 before the first."""

    def __init__(self, scopes: int) -> None:
        self.known = [0.0] * scopes
        self._changed = bytearray(scopes)

    def changed(self, scopes: Iterable[int]) -> None:
        """The servers of these scopes are not those they were; a first server is no change."""
        for scope in scopes:
            if self.known[scope]:
                self._changed[scope] = 1

    def flags(self, scope: int, dry: bool) -> int:
        """For the script."""
        return (FAILED if self._changed[scope] else 0) | (DRY if dry else 0)

    def hear(self, scope: int, flags: int, heard: Heard) -> str | None:
        """What came back to a call with these flags. Answers what a verdict should say of it."""
        if not flags & DRY:
            self.known[scope] = heard.epoch
            if flags & FAILED:
                self._changed[scope] = 0
        return told(heard.epoch) if heard.lost else None


def told(epoch: float) -> str:
    at = datetime.fromtimestamp(epoch / 1_000_000, UTC)
    return f"redis: the shared state was lost or failed over at {at:%H:%M:%S}Z; counts and seals from before may be missing"

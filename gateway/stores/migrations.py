"""Steps from one format of a store to the next: the same shape for every backend."""

from __future__ import annotations

import msgspec


class Migration(msgspec.Struct, frozen=True):
    """One step.

    version     the format the store has afterwards
    name        what it does, for the operator
    statements  SQL, in order; each can be run while gateways of the format before write
    oldest      the oldest program format that can still use the store afterwards: gateways are replaced one by one
    """

    version: int
    name: str
    statements: tuple[str, ...]
    oldest: int


class Standing(msgspec.Struct, frozen=True):
    """Where a store is. found: its format (0: nothing there yet); wanted: this program's; pending: what `leadgate db upgrade` would do."""

    found: int
    wanted: int
    pending: tuple[Migration, ...]

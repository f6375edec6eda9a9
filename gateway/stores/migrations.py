"""Steps from one format of a store to the next: the same shape for every backend."""

from __future__ import annotations

import msgspec


class Migration(msgspec.Struct, frozen=True):
    """One step.

    version     the format the store has afterwards
    name        what it does, for the operator
    statements  SQL, in order; each can be run while gateways of the format before write
    oldest      the oldest program format that can still use the store afterwards: gateways are replaced one by one
    quick       it takes no longer however much the store holds: whoever has a store to itself makes such a step when it opens it
    """

    version: int
    name: str
    statements: tuple[str, ...]
    oldest: int
    quick: bool = False


class Standing(msgspec.Struct, frozen=True):
    """Where a store is. found: its format (0: nothing there yet); wanted: this program's; pending: what `leadgate db upgrade` would do."""

    found: int
    wanted: int
    pending: tuple[Migration, ...]

    @property
    def online(self) -> bool:
        """May gateways that use the store now go on running while, and after, the steps are made?"""
        return self.found == 0 or all(step.oldest <= self.found for step in self.pending)


def standing(steps: tuple[Migration, ...], found: int) -> Standing:
    """Where a store of the format `found` is, for a program that knows `steps`."""
    return Standing(found, steps[-1].version, tuple(step for step in steps if step.version > found))

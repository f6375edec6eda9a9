"""What a detector found."""

from __future__ import annotations

import msgspec


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One finding.

    id        stable, dotted: "<group>.<what>" (email.disposable)
    evidence  the concrete things that show it, as strings that the pack's text refers to by {0}, {1}; never an address, e-mail, phone number or name:
              signals stay in the record when personal values are erased
    strength  0..1, how strongly the finding speaks compared with its full weight

    What it weighs, what it is called and whether it is decisive stand in the packs, not here.
    """

    id: str
    evidence: tuple[str, ...] = ()
    strength: float = 1.0

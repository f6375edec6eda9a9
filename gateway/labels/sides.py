"""Which side labels speak for: a person or not, and how surely."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.model import Label
from gateway.stores.labels import StoredLabel, in_effect

GOOD = (Label.PERSON, Label.NOT_FIT, Label.MQL, Label.SQL, Label.CUSTOMER)
"""People, wanted or not: somebody who is no customer for us is still somebody."""

BAD_WEIGHT = {Label.BOT: 1.0, Label.JUNK: 1.0, Label.UNREACHABLE: 0.4, Label.WRONG_PERSON: 0.4}
"""How much a bad label counts. Who is not reached, or never asked, may be a mistyped number: two of five are taken for what was sent on purpose."""

_PROVED = (Label.CUSTOMER, Label.SQL)
"""Who bought, or was qualified by a sales person, is a person, whatever somebody thought before."""


class Side(msgspec.Struct, frozen=True):
    """bad: does it speak against a person? weight: 0 to 1; label: the one that decided."""

    bad: bool
    weight: float
    label: Label


def side_of(labels: Iterable[StoredLabel]) -> Side | None:
    """What a record's labels say together: a proof first, else the latest of those in effect. None without labels."""
    counting = in_effect(labels)
    if not counting:
        return None
    proofs = [each for each in counting if each.label in _PROVED]
    deciding = max(proofs or counting, key=lambda each: (each.at, each.told_at, each.id)).label
    bad = deciding in BAD_WEIGHT
    return Side(bad, BAD_WEIGHT[deciding] if bad else 1.0, deciding)

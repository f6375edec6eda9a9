"""The name of a lead: could it be one, and was it meant?

Names of the world are far more varied than any list. So nothing here asks whether a name is known; it asks whether letters follow each other as they do in
names at all, and only where the model knows the script. Short names, initials and names of one word pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.email import Address, parse
from detectors.name_model import words
from detectors.name_words import LONGEST, plain
from detectors.observation import Lead, Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

FORMS_ONLY = True

JUDGED = 3
"""Names of one submission that are judged."""

UNLIKELY = -10.0
"""Bits from which a name counts as gibberish: one name in a thousand that the model has never seen is below."""
CERTAIN = -30.0
"""Bits at which it counts in full."""
WEAKEST = 0.3

_PHONE_DIGITS = 7
_DIGIT = re.compile(r"\d")
_TELLING = 3  # letters of a name that say something when an address holds them


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if not isinstance(obs.lead, Lead):
        return
    lead = obs.lead
    whole, first, last = (
        [name[:LONGEST] for name in lead.values(role)[:JUDGED]] for role in ("full_name", "first_name", "last_name")
    )
    fields = [*whole, *first, *last][: JUDGED * 2]
    swapped = [what for what in map(_other_field, fields) if what]
    if swapped:
        yield Signal("name.swapped", evidence=(swapped[0],))
    if first and last and len(first[0]) > 1 and plain(first[0]) == plain(last[0]):
        yield Signal("name.same_first_last")
    names = [*whole, *([" ".join((first + last)[:2])] if first or last else ())]
    names = [name for name in dict.fromkeys(names[:JUDGED]) if not _other_field(name)]
    for name in names:
        yield from _judge(name, ref)
    yield from _match(names, lead)


def _judge(name: str, ref: Reference) -> Iterator[Signal]:
    wrong = ref.name_words.no_name(name)
    if wrong is not None:
        yield Signal("name.not_a_name", evidence=(wrong[0],), strength=wrong[1])
        return
    meant = ref.name_words.placeholder(name)
    if meant:
        yield Signal("name.placeholder", evidence=(meant,))
        return
    played = ref.name_words.keyboard(name)
    if played is not None:
        yield Signal("name.keyboard", evidence=(played[0],), strength=played[1])
        return
    bits = ref.name_model.bits(name)
    if bits is not None and bits <= UNLIKELY:
        share = min(1.0, (UNLIKELY - bits) / (UNLIKELY - CERTAIN))
        yield Signal(
            "name.gibberish", evidence=(str(round(-bits)),), strength=round(WEAKEST + (1 - WEAKEST) * share, 2)
        )


def _other_field(value: str) -> str:
    """What stands in a field of a name by mistake, or ""."""
    if "@" in value and isinstance(parse(value), Address):
        return "an e-mail address"
    if not _DIGIT.search(value):
        return ""
    digits = sum(character.isdecimal() for character in value)
    letters = sum(character.isalpha() for character in value)
    return "a telephone number" if digits >= _PHONE_DIGITS and letters == 0 else ""


def _match(names: list[str], lead: Lead) -> Iterator[Signal]:
    """Does the e-mail address hold parts of the name? Most people's does, so it is worth saying and worth no weight."""
    address = next((found for found in map(parse, lead.values("email")[:1]) if isinstance(found, Address)), None)
    local = "".join(words(address.local) or ()) if address is not None else ""
    parts = {word for name in names for word in words(name) or () if len(word) >= _TELLING}
    held = sum(word in local for word in parts)
    if held:
        yield Signal("email.name_match", evidence=(str(held), str(len(parts))))

"""Which fields of a form hold what a person wrote in words.

The role `message` where the configuration names it. Besides, fields it does not name: those called like one (message, nachricht, comentario, ...) and
those with so many words that no option of a list reads so. What a page puts into hidden fields (addresses of pages, tokens, JSON) is left out.
"""

from __future__ import annotations

import re

from detectors.observation import Lead

LONGEST = 4_000
"""Characters of a text that are looked at; enquiries have a few hundred."""

MOST = 3
"""Texts of one form that are looked at."""

LONG_WORDS = 25
"""Words from which on a field of any name is taken for a text; options of a list and consent sentences mostly have fewer."""

FEW_WORDS = 5
"""The same for a field that is called like one."""

_LOOKED_AT = 40
"""Fields of one form that are looked at."""

_NAMED = re.compile(
    r"messag|comment|enquir|inquir|question|note(?:s|$)|detail|descri|textarea|remark|nachricht|anfrage|kommentar|bemerkung|mensaje|consulta|"
    r"comentario|mensagem|messaggio|richiesta|bericht|opmerking|wiadomo|zprava|meddelande|besked|melding|viesti|uzenet|mesaj|soobshch|vopros"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_ASCII_LETTERS = {point: " " for point in range(128) if not chr(point).isalpha()}
_MACHINE = re.compile(r"^\s*(?:[{\[<]|https?://\S+\s*$|\S+$)")


def free_texts(lead: Lead) -> list[str]:
    """Texts of the form, the message first, each at most LONGEST characters, none empty, none twice."""
    found = [value[:LONGEST] for value in lead.values("message")[:MOST] if value.strip()]
    if len(found) < MOST:
        mapped = {value for values in lead.roles.values() for value in values}
        for name, value in lead.fields[:_LOOKED_AT]:
            if len(value) < 12 or value in mapped or _MACHINE.match(value[:LONGEST]):
                continue
            words = value[:LONGEST].count(" ") + 1
            if words >= LONG_WORDS or (words >= FEW_WORDS and _NAMED.search(name[:80].lower())):
                found.append(value[:LONGEST])
    return list(dict.fromkeys(found))[:MOST]


def runs_of_letters(text: str) -> list[str]:
    """What stands between blanks, digits and signs."""
    return text.translate(_ASCII_LETTERS).split() if text.isascii() else _LETTERS.findall(text)

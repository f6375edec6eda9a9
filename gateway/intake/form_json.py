"""JSON bodies, flattened: {"contact": {"emails": ["a@b.example"]}} is the field "contact.emails[0]".

Numbers stay as they are written. Every value of a key that occurs twice is kept: parsers differ in which one they
take."""

from __future__ import annotations

import json

from gateway.intake.charsets import clean
from gateway.intake.form_model import FormLimits, FormUnreadable, Pair, merged

_MAX_NODES = 100_000
"""Commas and brackets in a body: each may become a Python object, and 32 MiB of "[[],[]," would be gigabytes of
them."""


def parse_json(body: bytes, charsets: list[str], limits: FormLimits) -> tuple[list[Pair], list[str]]:
    """Fields and notes of a JSON body, read in each of the charsets given and in the one that it shows to be in
    itself. Raises FormUnreadable if it is JSON in none."""
    texts: dict[str, None] = {}
    notes: list[str] = []
    for charset in dict.fromkeys([json.detect_encoding(body), *charsets]):
        try:
            texts[body.decode(charset)] = None
        except (UnicodeError, LookupError):
            continue
    if not texts:
        notes.append("not valid in its charset; read as latin-1")
        texts[body.decode("latin-1")] = None
    readings: list[list[Pair]] = []
    problem = FormUnreadable("not valid JSON")
    for text in texts:
        try:
            readings.append(_fields(text, limits))
        except FormUnreadable as error:
            problem = error
    if not readings:
        raise problem
    if len(readings) > 1:
        notes.append("JSON in more than one charset; all readings are judged")
    return merged(*readings), notes


def _fields(text: str, limits: FormLimits) -> list[Pair]:
    if len(text) > _MAX_NODES and sum(map(text.count, ",[{")) > _MAX_NODES:
        raise FormUnreadable(f"more than {_MAX_NODES} values in the JSON body")
    try:
        # strict=False takes raw line breaks in strings, as lax origins do. Objects become tuples of pairs, arrays
        # stay lists.
        tree = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=tuple,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            strict=False,
        )
    except RecursionError:
        raise FormUnreadable(f"JSON nested more than {limits.depth} levels deep") from None
    except ValueError:
        raise FormUnreadable("not valid JSON") from None
    found: list[Pair] = []
    _flatten("", tree, 0, limits, found)
    return found


def _flatten(name: str, value: object, depth: int, limits: FormLimits, found: list[Pair]) -> None:
    if isinstance(value, str):
        found.append((clean(name), value if value.isascii() else clean(value)))
    elif isinstance(value, tuple | list):
        if depth == limits.depth:
            raise FormUnreadable(f"JSON nested more than {limits.depth} levels deep")
        if isinstance(value, tuple):
            for key, inner in value:
                _flatten(f"{name}.{key}" if name else key, inner, depth + 1, limits, found)
        else:
            for at, inner in enumerate(value):
                _flatten(f"{name}[{at}]", inner, depth + 1, limits, found)
    else:
        found.append((clean(name), "" if value is None else "true" if value else "false"))
    if len(found) > limits.fields:
        raise FormUnreadable(f"more than {limits.fields} fields")
    if len(name) > limits.name_chars:
        raise FormUnreadable(f"a field name of more than {limits.name_chars} characters")

"""The fields of a submitted form, whatever it is written in: urlencoded, multipart, JSON or text/plain, in any
charset, compressed or not.

Where origins read the same bytes differently, every reading is returned: what is judged must hold what the origin
will see. What cannot be read raises FormUnreadable and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.intake.charsets import Decoder, ascii_compatible, known
from gateway.intake.codings import decode_body
from gateway.intake.content_type import split_header
from gateway.intake.form_json import parse_json
from gateway.intake.form_model import FilePart, FormLimits, FormUnreadable, Pair, ParsedForm, check, merged
from gateway.intake.form_multipart import parse_multipart
from gateway.intake.urlencoded import pairs

__all__ = ["FilePart", "FormLimits", "FormUnreadable", "ParsedForm", "RoleMap", "parse_form", "roles"]

_MAX_TYPE = 1000

_MAX_ESCAPES = 250_000
"""Percent-escapes in a body, at half a microsecond each; 40 pages of Cyrillic need as many."""

_MAX_LINES = 100_000
"""Lines in a text/plain body."""

_URLENCODED = "application/x-www-form-urlencoded"
_JSON = frozenset({"application/json", "text/json", "application/x-json"})


def parse_form(
    content_type: bytes | None,
    content_encoding: bytes | None,
    body: bytes,
    limits: FormLimits,
    query: Sequence[Pair] = (),
) -> ParsedForm:
    """Read a form.

    content_type, content_encoding  header values as received, or None; several Content-Encoding lines joined by ","
    body   the whole body, without transfer coding
    query  decoded fields of the target; they follow the body's
    Raises FormUnreadable.
    """
    body = decode_body(body, content_encoding, limits)
    if not body:
        return ParsedForm(tuple(query))
    kind, parameters = _type(content_type)
    files: list[FilePart] = []
    notes: list[str] = []
    if kind == _URLENCODED or not kind:
        word = "urlencoded"
        fields = _urlencoded(body, _charsets(parameters, notes), limits, notes)
        if not kind and body.lstrip()[:2] == b"--":
            raise FormUnreadable("a multipart body without a Content-Type")
        also = _json_if_any(body, parameters, limits, notes)
        if also:
            fields = merged(fields, also) if kind else also
        if also and not kind:
            word = "json"
    elif kind.startswith("multipart/"):
        word = "multipart"
        fields, files, notes = parse_multipart(body, parameters, limits)
    elif kind in _JSON or kind.endswith("+json"):
        word = "json"
        fields, notes = parse_json(body, _charsets(parameters, notes), limits)
    elif kind == "text/plain":
        word = "json"
        fields = _json_if_any(body, parameters, limits, notes)
        if not fields:
            word, fields = "text", _text(body, _charsets(parameters, notes), limits, notes)
    else:
        raise FormUnreadable("a content type that is not one of forms")
    check(fields, limits)
    return ParsedForm((*fields, *query), tuple(files), word, tuple(dict.fromkeys(notes)))


def _type(content_type: bytes | None) -> tuple[str, list[Pair]]:
    if not content_type or not content_type.strip():
        return "", []
    if content_type == b"application/x-www-form-urlencoded":
        return _URLENCODED, []
    if len(content_type) > _MAX_TYPE:
        raise FormUnreadable(f"a Content-Type of more than {_MAX_TYPE} bytes")
    kind, parameters = split_header(content_type.decode("latin-1"))
    if "," in kind:
        raise FormUnreadable("more than one content type")
    return kind, parameters


def _charsets(parameters: list[Pair], notes: list[str]) -> list[str]:
    """The charsets named in a Content-Type that we know, without UTF-8."""
    found: list[str] = []
    for name, value in parameters:
        if name == "charset" and value:
            codec = known(value)
            if codec is None:
                notes.append("names a charset that is not known; read as UTF-8")
            elif codec != "utf-8" and len(found) < 2:
                found.append(codec)
    return found


def _urlencoded(body: bytes, charsets: list[str], limits: FormLimits, notes: list[str]) -> list[Pair]:
    if body.count(b"&") > 2 * limits.fields:  # before anything is allocated for them
        raise FormUnreadable(f"more than {limits.fields} fields")
    if body.count(b"%") > _MAX_ESCAPES:
        raise FormUnreadable(f"more than {_MAX_ESCAPES} percent-escapes")
    decoder = Decoder()
    plain = pairs(body, decoder)
    if b"_charset_" in body:
        charsets = charsets + _charsets([("charset", value) for name, value in plain if name == "_charset_"][:2], notes)
    if not charsets:
        if decoder.invalid:
            notes.append("not valid in its charset; read as latin-1")
        return plain
    readings: list[list[Pair]] = []
    for charset in dict.fromkeys(charsets):
        decoder = Decoder(charset)
        readings.append(pairs(body, decoder))
        if decoder.invalid:
            notes.append("not valid in its charset; read as latin-1")
        if not ascii_compatible(charset):
            text = decoder(body).encode()
            if text.count(b"&") > 2 * limits.fields:
                raise FormUnreadable(f"more than {limits.fields} fields")
            readings += [pairs(text, Decoder()), pairs(text, decoder), plain]
    if len(readings) > 1:
        notes.append("a charset that can be read in more than one way; all readings are judged")
    return merged(*readings)


def _json_if_any(body: bytes, parameters: list[Pair], limits: FormLimits, notes: list[str]) -> list[Pair]:
    """Scripts send JSON under a form's or text's content type, which needs no permission across sites; some origins
    read it."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return []
    try:
        fields, more = parse_json(body, _charsets(parameters, []), limits)
    except FormUnreadable:
        return []
    notes += ["JSON under another content type", *more]
    return fields


def _text(body: bytes, charsets: list[str], limits: FormLimits, notes: list[str]) -> list[Pair]:
    """HTML's text/plain: a line for each field. A line without "=" goes on with the value before it (a text area)."""
    if body.count(b"=") > 2 * limits.fields:
        raise FormUnreadable(f"more than {limits.fields} fields")
    if body.count(b"\n") + body.count(b"\r") > 2 * _MAX_LINES:
        raise FormUnreadable(f"more than {_MAX_LINES} lines")
    readings: list[list[Pair]] = []
    for charset in [*charsets, "utf-8"] if not all(map(ascii_compatible, charsets)) else charsets or ["utf-8"]:
        decoder = Decoder(charset)
        names: list[str] = []
        values: list[list[str]] = []
        for line in decoder(body).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n"):
            name, equals, value = line.partition("=")
            if equals or not values:
                names.append(name if equals else "")
                values.append([value if equals else line])
            else:
                values[-1].append(line)
        readings.append([(name, "\n".join(lines)) for name, lines in zip(names, values, strict=True)])
        if decoder.invalid:
            notes.append("not valid in its charset; read as latin-1")
    if b"&" in body and b"=" in body and b"\n" not in body:
        readings.append(_urlencoded(body, charsets, limits, notes))
    return merged(*readings)


class RoleMap:
    """Which field holds what, from the configuration: {"email": "email", "full_name": ("first", "last")}.

    Names are compared without letter case. "email[]", "email[0]", and what PHP reads as the same name ("e.mail" as
    "e_mail", anything after a NUL cut off), count as the field.
    """

    __slots__ = ("_roles",)

    def __init__(self, mapping: Mapping[str, str | Sequence[str]]) -> None:
        found: dict[str, list[str]] = {}
        for role, names in mapping.items():
            for name in (names,) if isinstance(names, str) else names:
                found.setdefault(_plain(name), []).append(role)
        self._roles = found

    def read(self, fields: Sequence[Pair]) -> dict[str, tuple[str, ...]]:
        """All values of each role in received order, trimmed, empty ones dropped; a role without value is absent."""
        found: dict[str, list[str]] = {}
        for name, value in fields:
            held = self._roles.get(name)
            if held is None:
                held = self._roles.get(_plain(name))
            if held is not None:
                value = value.strip()
                if value:
                    for role in held:
                        found.setdefault(role, []).append(value)
        return {role: tuple(values) for role, values in found.items()}


_SAME = str.maketrans(". ", "__")


def _plain(name: str) -> str:
    if name.isalnum() and name.islower():
        return name
    name = name.partition("\x00")[0].strip().lower()
    if name.endswith("]"):
        base, _, index = name[:-1].rpartition("[")
        if base and (not index or index.isdecimal()):
            name = base
    return name.translate(_SAME)


def roles(fields: Sequence[Pair], mapping: Mapping[str, str | Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """`RoleMap(mapping).read(fields)`, for callers that read once."""
    return RoleMap(mapping).read(fields)

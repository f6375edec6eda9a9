"""The value of a Content-Type or Content-Disposition header, taken apart so that nothing that an origin might read
gets lost."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from gateway.intake.charsets import Decoder, known

_PARAMETER = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))', re.DOTALL)
_CONTINUED = re.compile(r"(.+?)\*(\d{1,2})(\*?)")


def split_header(value: str) -> tuple[str, list[tuple[str, str]]]:
    """(the value before the first ";", lower case; its parameters in order, names in lower case, quotes removed).

    Encoded (`name*=UTF-8''…`, RFC 8187) and continued parameters (`name*0=…; name*1=…`, RFC 2231) follow under their
    plain name."""
    head, semicolon, rest = value.partition(";")
    if not semicolon:
        return head.strip().lower(), []
    found: list[tuple[str, str]] = []
    continued: dict[str, list[tuple[int, str]]] = {}
    for match in _PARAMETER.finditer(";" + rest):
        name = match[1].lower()
        text = match[3].strip() if match[2] is None else re.sub(r'\\(["\\])', r"\1", match[2])
        if "*" not in name:
            found.append((name, text))
            continue
        pieces = _CONTINUED.fullmatch(name)
        if pieces is not None:
            continued.setdefault(pieces[1], []).append((int(pieces[2]), _extended(text) if pieces[3] else text))
        elif name.endswith("*"):
            found.append((name[:-1], _extended(text)))
    for name, parts in continued.items():
        found.append((name, "".join(text for _, text in sorted(parts))))
    return head.strip().lower(), found


def _extended(text: str) -> str:
    """charset'language'percent-encoded; the result is text, while plain parameters are still bytes read as latin-1.
    It is turned back into such bytes in UTF-8, so that both are decoded alike."""
    charset, first, rest = text.partition("'")
    _, second, encoded = rest.partition("'")
    if not (first and second):
        charset, encoded = "utf-8", text
    decoded = Decoder(known(charset) or "utf-8")(unquote_to_bytes(encoded.encode("latin-1", "replace")))
    return decoded.encode().decode("latin-1")

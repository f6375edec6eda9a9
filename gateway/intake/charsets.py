"""Text from bytes in whatever charset a form names. Nothing here raises on any input."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:+ -]{0,39}", re.ASCII)

# Text encodings of Python that no form is written in, and that are costly (quadratic) or run escapes.
_UNWANTED = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "palmos"}
)

_SYNTAX = b"&=%+;[]_.-0123456789ABCDEFabcdefghijklmnopqrstuvwxyz"


@lru_cache(64)
def known(name: str) -> str | None:
    """Python's name of the text encoding called `name`, or None where there is none that a form may use."""
    if not _NAME.fullmatch(name.strip()):
        return None
    try:
        info = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        return None
    # The public interface offers no other way to tell "utf-8" from "zlib", which is a decompression bomb.
    if not getattr(info, "_is_text_encoding", False) or info.name.replace("-", "_") in _UNWANTED:
        return None
    return info.name


@lru_cache(64)
def ascii_compatible(codec: str) -> bool:
    """Do the characters that structure a form stand for themselves? Not so in UTF-16 or EBCDIC."""
    try:
        return _SYNTAX.decode(codec) == _SYNTAX.decode("ascii")
    except UnicodeError:
        return False


class Decoder:
    """Decodes in one charset; what is invalid in it is read as latin-1 and counted.

    codec    Python's name of the charset
    invalid  texts so far that were not valid in it
    """

    __slots__ = ("codec", "invalid")

    def __init__(self, codec: str = "utf-8") -> None:
        self.codec = codec
        self.invalid = 0

    def __call__(self, data: bytes) -> str:
        try:
            text = data.decode(self.codec)
        except (UnicodeError, LookupError):
            self.invalid += 1
            return data.decode("latin-1")
        return text if self.codec == "utf-8" or text.isascii() else clean(text)


def clean(text: str) -> str:
    """The text without lone surrogates (some charsets and JSON escapes yield them): they cannot be stored. Each
    becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text

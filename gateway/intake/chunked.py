"""Strict decoding of a chunked request body (RFC 9112 section 7.1)."""

from __future__ import annotations

import re

from gateway.intake.limits import Limits
from gateway.intake.refusal import BodyMalformed

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# chunk-size = 1*HEXDIG, "Recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors due to
# integer conversion overflows": 15 digits fit every machine word. Stricter: no white space around extensions ("bad white space").
_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,15}+)((?:;"
    + _TOKEN
    + rb"(?:=(?:"
    + _TOKEN
    + rb'|"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~])*+"))?+)*+)'
)
_TRAILER = re.compile(_TOKEN + rb":[\t -~\x80-\xff]*+")
_DATA, _DATA_END, _LINE, _TRAILERS, _DONE = range(5)
_LONGEST_SIZE = 15


class ChunkedDecoder:
    """Turns chunked bytes into body bytes. `feed` takes what arrived and returns body bytes; `done` tells that the body is complete,
    then `rest` holds the bytes behind it. Raises BodyMalformed, and must not be fed again after that."""

    __slots__ = ("_extensions", "_held", "_left", "_state", "_trailer_limit", "_trailers", "done", "rest")

    def __init__(self, limits: Limits) -> None:
        self._held = b""
        self._left = 0  # bytes of the current chunk still to come
        self._state = _LINE
        self._extensions = limits.chunk_extension_bytes
        self._trailer_limit = limits.trailer_bytes
        self._trailers = 0
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        out: list[bytes] = []
        at = 0
        while at < len(data):
            if self._state == _DATA:
                piece = data[at : at + self._left]
                out.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left == 0:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                if not b"\r\n".startswith(data[at : at + 2]):
                    raise BodyMalformed("chunk_end", "A chunk is longer than its size says.")
                if len(data) - at < 2:
                    break
                at += 2
                self._state = _LINE
            else:
                end = data.find(b"\n", at)
                if end < 0:
                    self._check_unfinished(data[at:])
                    break
                if end == at or data[end - 1] != 0x0D:
                    raise BodyMalformed("chunk_line_end", "A line of the chunked body ends with a bare LF.")
                line = data[at : end - 1]
                at = end + 1
                if self._state == _LINE:
                    self._size_line(line)
                elif line:
                    self._trailer_line(line)
                else:
                    self._state = _DONE
                    self.done = True
                    self.rest = data[at:]
                    return b"".join(out)
        self._held = data[at:]
        return out[0] if len(out) == 1 else b"".join(out)

    def _size_line(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BodyMalformed("chunk_size", "A chunk size is not a plain hexadecimal number.")
        self._extensions -= len(found[2])
        if self._extensions < 0:
            raise BodyMalformed("chunk_extension", "The chunk extensions are too long.")
        self._left = int(found[1], 16)
        self._state = _DATA if self._left else _TRAILERS

    def _trailer_line(self, line: bytes) -> None:
        """Trailers are checked and dropped. RFC 9110 section 6.5.1: "Trailer fields ought to be processed and stored separately
        from the fields in the header section"; nobody behind us reads them (stricter)."""
        self._trailers += len(line) + 2
        if self._trailers > self._trailer_limit:
            raise BodyMalformed("trailer_bytes", "The trailer is too long.")
        if _TRAILER.fullmatch(line) is None:
            raise BodyMalformed("trailer", "A trailer field is not valid.")

    def _check_unfinished(self, part: bytes) -> None:
        """A line without its end yet: bounded, so that it cannot be grown for ever."""
        room = self._extensions + _LONGEST_SIZE if self._state == _LINE else self._trailer_limit - self._trailers
        if len(part) > room + 2:
            raise BodyMalformed("chunk_line", "A line of the chunked body is too long.")

"""multipart/form-data bodies, by a push parser. Lenient where origins are, since a part that is not read is not
judged."""

from __future__ import annotations

import binascii
import quopri
from base64 import b64decode

import msgspec
from multipart import MultipartError, ParserLimitReached, PushMultipartParser, parse_content_disposition

from gateway.intake.charsets import Decoder, ascii_compatible, known
from gateway.intake.content_type import split_header
from gateway.intake.form_model import FilePart, FormLimits, FormUnreadable, Pair

_STEP = 65_536
_MAX_NESTED = 1
_MAX_HEADERS = 16
_MAX_HEADER_BYTES = 8192
_MAX_TYPE = 400
_MAX_BOUNDARY = 200  # RFC 2046 §5.1.1 allows 70
_SIMPLE = 'form-data; name="'


class _Part(msgspec.Struct, gc=False):
    """A part as received: names and file name are bytes read as latin-1; `pieces` is None for a file, whose content
    nobody needs; `inner` is None unless it holds a multipart itself. The parser keeps `bytes_received` and
    `complete`."""

    names: list[str]
    filename: str | None = None
    content_type: str = ""
    parameters: list[Pair] = []
    transfer: str = ""
    pieces: list[bytes] | None = None
    inner: list[_Part] | None = None
    bytes_received: int = 0
    complete: bool = False


class _Parser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """Takes parts of any disposition, since nested ones say "file" or "attachment", and origins take much."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> _Part:
        return _part(headerlist)


class _Budget:
    """Parts that may still come, nested ones included."""

    __slots__ = ("left",)

    def __init__(self, parts: int) -> None:
        self.left = parts


def parse_multipart(
    body: bytes, parameters: list[Pair], limits: FormLimits
) -> tuple[list[Pair], list[FilePart], list[str]]:
    """Fields, files and notes. `parameters` are those of the Content-Type. Raises FormUnreadable."""
    parts = _read(body, _boundary(parameters), limits, 0, _Budget(limits.parts))
    fields: list[Pair] = []
    files: list[FilePart] = []
    notes: list[str] = []
    declared = _parameter(parameters, "charset")
    for part in parts:
        if "_charset_" in part.names and part.pieces is not None:
            declared = b"".join(part.pieces)[:40].decode("latin-1")
    codec = known(declared) if declared else "utf-8"
    if codec is None:
        notes.append("names a charset that is not known; read as UTF-8")
    decoder = Decoder(codec or "utf-8")
    names = decoder if ascii_compatible(decoder.codec) else Decoder()
    for part in parts:
        _add(part, part.names, decoder, names, fields, files, notes)
    if decoder.invalid or names.invalid:
        notes.append("not valid in its charset; read as latin-1")
    return fields, files, notes


def _add(
    part: _Part,
    part_names: list[str],
    decoder: Decoder,
    names: Decoder,
    fields: list[Pair],
    files: list[FilePart],
    notes: list[str],
) -> None:
    if part.inner is not None:
        notes.append("a multipart within a multipart")
        for inner in part.inner:
            _add(inner, list(dict.fromkeys([*part_names, *inner.names])), decoder, names, fields, files, notes)
        return
    if len(part_names) != 1:
        notes.append("a part with more than one name" if part_names else "a part without a name")
    values = _values(part, decoder, notes) if part.pieces is not None else None
    for raw in part_names or [""]:
        name = raw if raw.isascii() else names(raw.encode("latin-1", "replace"))
        if values is not None:
            fields += [(name, value) for value in values]
            continue
        filename = names((part.filename or "").encode("latin-1", "replace"))
        fields.append((name, filename))
        files.append(FilePart(name, filename, part.content_type, part.bytes_received))


def _values(part: _Part, decoder: Decoder, notes: list[str]) -> list[str]:
    """Every value that the content could stand for: some origins honour a part's charset and transfer encoding, most
    do not."""
    content = b"".join(part.pieces or ())
    charset = _parameter(part.parameters, "charset")
    own = known(charset) if charset else None
    values = [(Decoder(own) if own else decoder)(content)]
    if not ascii_compatible(own or decoder.codec):
        values.append(Decoder()(content))
    if part.transfer == "base64":
        try:
            values.append(decoder(b64decode(content)))
        except (binascii.Error, ValueError):
            notes.append("a part that says base64 and is not")
    elif part.transfer == "quoted-printable":
        values.append(decoder(quopri.decodestring(content)))
    if len(values) > 1:
        notes.append("a part with more than one reading; all are judged")
    return values


def _parameter(parameters: list[Pair], wanted: str) -> str | None:
    for name, value in parameters:
        if name == wanted:
            return value
    return None


def _boundary(parameters: list[Pair]) -> bytes:
    found = {value for name, value in parameters if name == "boundary"}
    if len(found) != 1:
        raise FormUnreadable("a multipart body whose Content-Type names no boundary, or more than one")
    boundary = found.pop().encode("latin-1", "replace")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise FormUnreadable(f"a multipart boundary that is empty or longer than {_MAX_BOUNDARY} bytes")
    return boundary


def _read(body: bytes, boundary: bytes, limits: FormLimits, depth: int, budget: _Budget) -> list[_Part]:
    parts: list[_Part] = []
    part = _Part([])
    try:
        parser = _Parser(
            boundary, max_header_size=_MAX_HEADER_BYTES, max_header_count=_MAX_HEADERS, header_charset="latin-1"
        )
        for at in range(0, len(body), _STEP):
            for event in parser.parse(body[at : at + _STEP]):
                if event is None:
                    if part.inner is not None:
                        part.inner = _nested(part, limits, depth, budget)
                elif isinstance(event, _Part):
                    if budget.left == 0:
                        raise FormUnreadable(f"more than {limits.parts} parts")
                    budget.left -= 1
                    part = event
                    parts.append(part)
                elif part.pieces is not None:
                    part.pieces.append(bytes(event))
                    if part.bytes_received > limits.value_chars and part.inner is None:
                        raise FormUnreadable(f"a field of more than {limits.value_chars} bytes")
            if parser.closed:
                break
        parser.close()
    except ParserLimitReached as error:
        raise FormUnreadable("a multipart body with too many or too long part headers") from error
    except MultipartError as error:
        raise FormUnreadable("the multipart body is broken") from error
    return parts


def _nested(part: _Part, limits: FormLimits, depth: int, budget: _Budget) -> list[_Part]:
    if depth == _MAX_NESTED:
        raise FormUnreadable("a multipart body nested more than once")
    content = b"".join(part.pieces or ())
    part.pieces = None
    return _read(content, _boundary(part.parameters), limits, depth + 1, budget)


def _part(headers: list[tuple[str, str]]) -> _Part:
    part = _Part([])
    for header, value in headers:
        if header == "Content-Disposition":
            _disposition(part, value)
        elif header == "Content-Type":
            part.content_type, part.parameters = split_header(value[:_MAX_TYPE])
        elif header == "Content-Transfer-Encoding":
            part.transfer = value.strip().lower()
    if part.filename is None:
        part.pieces = []
        if part.content_type.startswith("multipart/"):
            part.inner = []
    return part


def _disposition(part: _Part, value: str) -> None:
    if value.startswith(_SIMPLE) and value.find('"', len(_SIMPLE)) == len(value) - 1 and "%" not in value:
        if (name := value[len(_SIMPLE) : -1]) not in part.names:
            part.names.append(name)
        return
    # The library reads it as browsers write it (percent-escapes undone); the other reading sees repeated, encoded
    # and continued names. The last file name counts: who sends filename*, which is preferred (RFC 6266 §4.3), sends
    # it after filename.
    _, name, filename = parse_content_disposition(value)
    names = [] if name is None else [name]
    for key, text in split_header(value)[1]:
        if key == "name":
            names.append(text)
        elif key == "filename" and (filename is None or "filename*" in value.lower()):
            filename = text
    part.names = list(dict.fromkeys([*part.names, *names]))
    part.filename = filename if filename is not None else part.filename

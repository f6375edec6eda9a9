"""What a form body is read into, within which limits, and the one error that reading it can raise."""

from __future__ import annotations

import msgspec

Pair = tuple[str, str]


class FormUnreadable(ValueError):
    """The body cannot be read as a form, so nobody can judge it: `undecided`, and held in `enforce`.

    reason  in plain words, without anything from the body itself
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FormLimits(msgspec.Struct, frozen=True, gc=False):
    """Bounds on what one body may cost. Beyond any of them it is unreadable.

    fields         most fields, those of the query not counted
    parts          most parts of a multipart body, nested ones included
    depth          deepest nesting of a JSON body (multipart bodies nest once)
    name_chars     longest field name
    value_chars    longest value of a field; files are not concerned
    decoded_bytes  largest body once content codings are undone
    ratio          how many times larger than the body itself it may get there; the first MiB is free
    """

    fields: int = 512
    parts: int = 128
    depth: int = 16
    name_chars: int = 1024
    value_chars: int = 1_048_576
    decoded_bytes: int = 33_554_432
    ratio: int = 100


class FilePart(msgspec.Struct, frozen=True, gc=False):
    """A file in a multipart body: its field, its name as sent, its declared content type ("" if none), its size in
    bytes."""

    name: str
    filename: str
    content_type: str
    size: int


class ParsedForm(msgspec.Struct, frozen=True, gc=False):
    """A form as read.

    fields  every (name, value) in received order, duplicates kept, the body's first and then the query's; of a file
            the value is its name
    files   the files of a multipart body
    kind    "urlencoded", "multipart", "json", "text" or "none" (no body)
    notes   what was unusual, in plain words: a wrong charset, a second reading
    """

    fields: tuple[Pair, ...]
    files: tuple[FilePart, ...] = ()
    kind: str = "none"
    notes: tuple[str, ...] = ()


def check(fields: list[Pair], limits: FormLimits) -> None:
    """Raise FormUnreadable if a count or length is beyond its limit."""
    if len(fields) > limits.fields:
        raise FormUnreadable(f"more than {limits.fields} fields")
    for name, value in fields:
        if len(name) > limits.name_chars:
            raise FormUnreadable(f"a field name of more than {limits.name_chars} characters")
        if len(value) > limits.value_chars:
            raise FormUnreadable(f"a field of more than {limits.value_chars} characters")


def merged(first: list[Pair], *others: list[Pair]) -> list[Pair]:
    """The fields of the first reading, then those of the others that it does not hold."""
    known = set(first)
    result = list(first)
    for other in others:
        for pair in other:
            if pair not in known:
                known.add(pair)
                result.append(pair)
    return result

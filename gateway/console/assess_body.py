"""The body of an assess call: what may stand in it, and what is said about one that is not so."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from gateway.console.problems import FieldError, Problem
from gateway.intake.client_ip import canonical_address
from gateway.intake.pointer import MAX_EVENTS
from rules.problems import suggest

MAX_BODY = 1_048_576
"""Bytes of a call, a batch as well. A hundred whole request heads with their forms take a third of it."""

MAX_ITEMS = 100
"""Items of a batch: more would keep visitors waiting who are judged in the same process."""

MAX_HEADERS = 200
MAX_HEADER = 16_384
"""Bounds of one request's head, as the public listener has them by default."""

MAX_URL = 8_192
MAX_KEY = 200

_Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Header = tuple[
    Annotated[str, StringConstraints(min_length=1, max_length=256)],
    Annotated[str, StringConstraints(max_length=MAX_HEADER)],
]


_Number = Annotated[float, Field(ge=-1e9, le=1e13, allow_inf_nan=False)]
_Moved = tuple[_Number, Literal["move", "down", "up"], _Number, _Number]


class Beacon(BaseModel):
    """What a script of the caller saw in the visitor's browser."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pointer: Annotated[tuple[_Moved, ...], Field(max_length=MAX_EVENTS, fail_fast=True)] | None = None

    @field_validator("pointer")
    @classmethod
    def _in_order(cls, value: tuple[_Moved, ...] | None) -> tuple[_Moved, ...] | None:
        if value is not None and any(b[0] < a[0] for a, b in itertools.pairwise(value)):
            raise ValueError("events stand in the order of their time")
        return value


class Question(BaseModel):
    """One request to judge. All but `ip` may be left out; what is absent counts neither for nor against."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ip: Annotated[str, StringConstraints(max_length=64)]
    site: _Name | None = None
    form: _Name | None = None
    kind: Literal["landing", "submission"] | None = None
    method: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,20}$")] | None = None
    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL)] | None = None
    headers: Annotated[tuple[_Header, ...], Field(max_length=MAX_HEADERS, fail_fast=True)] | None = None
    fields: dict[str, Any] | Annotated[tuple[tuple[str, str], ...], Field(fail_fast=True)] | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    beacon: Beacon | None = None
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY)] | None = None
    dry_run: StrictBool = False

    @field_validator("ip")
    @classmethod
    def _address(cls, value: str) -> str:
        found = canonical_address(value.strip())
        if found is None:
            raise ValueError("this is no IPv4 or IPv6 address")
        return found

    @field_validator("url")
    @classmethod
    def _printable(cls, value: str) -> str:
        if any(ord(letter) <= 32 or ord(letter) == 127 for letter in value):
            raise ValueError("a URL holds no spaces or control characters: write them as %20 and so on")
        return value

    @field_validator("headers")
    @classmethod
    def _lines(cls, value: tuple[tuple[str, str], ...] | None) -> tuple[tuple[str, str], ...] | None:
        text = "" if value is None else "".join([part for pair in value for part in pair])
        if "\r" in text or "\n" in text or "\0" in text:
            raise ValueError("a header holds no line break")
        return value


KEYS = tuple(Question.model_fields)
MAX_KEYS = 50
"""More are not looked at one by one."""


def parse(raw: bytes) -> Any:
    """The JSON of a call: one question as a mapping, or {"items": [...]}. Raises Problem."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(
            400, "Not JSON", f'The body is a JSON object such as {{"ip": "203.0.113.5"}}: {error}.'
        ) from error
    if not isinstance(body, dict):
        raise Problem(422, "Not an object", 'The body is a JSON object: one question, or {"items": [...]}.')
    return body


def batch_of(body: Mapping[str, Any]) -> list[Any] | None:
    """The items of a batch; None where the call is one question. Raises Problem."""
    if "items" not in body:
        return None
    items = body["items"]
    if len(body) > 1:
        other = next(name for name in body if name != "items")
        raise _bad([(other[:100], "stands inside each item of a batch, not beside them")])
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise _bad([("items", f"is a list of 1 to {MAX_ITEMS} questions")])
    return items


def question(value: Any) -> Question:
    """One question, checked. Raises Problem, which names every field that is wrong, and of a list the first mistake."""
    if isinstance(value, dict) and len(value) > MAX_KEYS:
        raise _bad([("", f"a question has {len(value)} keys. It takes {', '.join(KEYS)}.")])
    try:
        return Question.model_validate(value)
    except ValidationError as error:
        raise _bad(_told(error.errors(include_url=False))) from error


def bad_field(field: str, detail: str) -> Problem:
    return _bad([(field, detail)])


def _bad(errors: list[FieldError]) -> Problem:
    field, detail = errors[0]
    return Problem(422, "Bad request body", f"{field}: {detail}" if field else detail, errors)


def _told(errors: list[ErrorDetails]) -> list[FieldError]:
    found: dict[str, str] = {}
    for error in errors[:20]:
        loc = [part for part in error["loc"] if not (isinstance(part, str) and "[" in part)]  # names of union members
        if loc and loc[0] == "fields":
            found.setdefault("fields", 'is an object, or a list of ["name", "value"] in the order received')
            continue
        path = ""
        for part in loc:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        found.setdefault(path[:100], _words(error))
    return list(found.items())


def _words(error: ErrorDetails) -> str:
    kind, last = error["type"], str(error["loc"][-1]) if error["loc"] else ""
    if kind == "missing":
        return 'is missing: the client\'s address, for example "ip": "203.0.113.5"' if last == "ip" else "is missing"
    if kind == "extra_forbidden":
        if error["loc"][0] == "beacon":
            return "is no key of a beacon. It takes pointer."
        return "is no key of this body. " + suggest(last, KEYS, f"It takes {', '.join(KEYS)}.")
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "string_pattern_mismatch":
        return "is a method such as GET or POST"
    if kind == "tuple_type" and last == "headers":
        return 'is a list of ["name", "value"] in the order received'
    if kind == "model_type":
        return 'a question is a JSON object such as {"ip": "203.0.113.5"}'
    if last and isinstance(error["loc"][-1], int) and len(error["loc"]) == 2:
        return 'is a pair ["name", "value"]'
    return error["msg"][0].lower() + error["msg"][1:]

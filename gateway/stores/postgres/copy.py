"""Rows for PostgreSQL's binary COPY, made here.

asyncpg's own `copy_records_to_table` first prepares a named statement to learn the columns' types, which a transaction
pooler hands on to strangers, and costs a trip to the server each time. The types are known here, and most rows of a
table have one length but for one field, so that packing them is one call.

Format: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4 - each row is its number of fields, then
each field its length and its bytes (-1: NULL).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import BinaryIO, cast

from gateway.stores.postgres.connect import Connection
from gateway.stores.records import Columns

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_LENGTH = struct.Struct(">i").pack
_COUNT = struct.Struct(">h").pack
_ENTRY = struct.Struct(">hiqiii?i16si32si").pack
_RECORD = struct.Struct(">hiqi16sih").pack
_EVENT = struct.Struct(">hi16siqi16si").pack
_PERSONAL = struct.Struct(">hi16si").pack
_BLIND = struct.Struct(">hi16siqi16s").pack
_BIG = struct.Struct(">iq").pack
_INT = struct.Struct(">ii").pack

COLUMNS = {
    "entries": ("seq", "writer", "event", "id", "hash", "body"),
    "records": (
        *("at", "id", "quality", "asn", "kind", "site", "form", "verdict", "ivt", "category", "source", "country"),
        "search",
    ),
    "events": ("record", "at", "id", "event"),
    "personal_network": ("id", "salt", "tokens", "value"),
    "personal_browser": ("id", "salt", "tokens", "value"),
    "personal_person": ("id", "salt", "tokens", "value"),
    "blind": ("token", "at", "id"),
    "leads": (
        *("id", "received_at", "state_at", "length", "chunks", "writer", "site", "form", "state", "note", "scheme"),
        *("content_type", "destination", "origin", "success", "key_id", "salt", "head"),
    ),
    "lead_chunks": ("lead", "no", "arriving", "data"),
}


def raw_id(text: str) -> bytes:
    """The 16 bytes of an id. Raises ValueError where it is no UUID in canonical form."""
    raw = bytes.fromhex(text.replace("-", ""))
    if len(raw) != 16 or id_text(raw) != text:
        raise ValueError("the id is no UUID in its canonical form")
    return raw


def id_text(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    try:
        raw_id(text)
    except ValueError:
        return False
    return True


def data(value: bytes | None) -> bytes:
    return NULL if value is None else _LENGTH(len(value)) + value


def text(value: str | None) -> bytes:
    """Raises UnicodeEncodeError for what UTF-8 cannot carry."""
    return NULL if value is None else data(value.encode())


def free_text(value: str) -> str:
    """What visitors and reviewers wrote: PostgreSQL's text has no room for U+0000, which everybody can put into a query."""
    return value.replace("\0", "\ufffd")


_known = lru_cache(maxsize=4096)(text)
"""Of columns that have few values."""


def big(value: int | None) -> bytes:
    """bigint. Raises struct.error where it has no room."""
    return NULL if value is None else _BIG(8, value)


def integer(value: int | None) -> bytes:
    return NULL if value is None else _INT(4, value)


def row(*fields: bytes) -> bytes:
    return _COUNT(len(fields)) + b"".join(fields)


def entry_row(raw: bytes, writer: int, seq: int, event: bool, digest: bytes, body: bytes) -> bytes:
    return _ENTRY(6, 8, seq, 4, writer, 1, event, 16, raw, 32, digest, len(body)) + body


def record_row(raw: bytes, columns: Columns) -> bytes:
    c = columns
    return b"".join(
        (
            _RECORD(13, 8, c.at, 16, raw, 2, c.quality),
            big(c.asn),
            _known(c.kind),
            _known(c.site),
            _known(c.form),
            _known(c.verdict),
            _known(c.ivt),
            _known(c.category),
            _known(c.source),
            _known(c.country),
            text(free_text(c.search)),
        )
    )


def event_row(record: bytes, at: int, raw: bytes, event: str) -> bytes:
    name = event.encode()
    return _EVENT(4, 16, record, 8, at, 16, raw, len(name)) + name


def personal_row(raw: bytes, salt: bytes, tokens: bytes, value: bytes) -> bytes:
    return b"".join((_PERSONAL(4, 16, raw, len(salt)), salt, _LENGTH(len(tokens)), tokens, _LENGTH(len(value)), value))


def blind_row(token: bytes, at: int, raw: bytes) -> bytes:
    return _BLIND(3, 16, token, 8, at, 16, raw)


async def copy(connection: Connection, table: str, rows: Sequence[bytes]) -> None:
    """Into one of COLUMNS' tables."""
    if rows:
        source = memoryview(b"".join((_HEADER, *rows, _END)))  # plain bytes would be taken for a path
        await connection.copy_to_table(table, source=cast("BinaryIO", source), columns=COLUMNS[table], format="binary")

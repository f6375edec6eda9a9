"""PostgreSQL's errors in words, with what to do. Never with a value of a row, nor with the password."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import struct

import asyncpg

from gateway.stores.errors import (
    StoreCorrupt,
    StoreMissing,
    StoreReadOnly,
    StoreUnavailable,
    StoreUnopenable,
    StoreUnreachable,
)
from gateway.stores.postgres.settings import PostgresSettings

FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    asyncio.TimeoutError,
    asyncio.IncompleteReadError,
)
"""What talking to a server may raise."""

POISON = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    struct.error,
    AttributeError,
    TypeError,
    ValueError,
    OverflowError,
)
"""Errors of one item, not of the store: the rest of the batch must not suffer for it."""

_UNREACHED = "Is the server running, and do host, port and firewall let Leadgate through?"
_NO_SOCKET = "Is the server running, and does it keep its socket, .s.PGSQL.{port}, in this directory?"

_BY_STATE: dict[str, tuple[type[StoreUnopenable], str, str]] = {
    "28": (
        StoreUnopenable,
        "it does not let {user} in (authentication failed)",
        "Check postgres.username and its password, and the server's pg_hba.conf",
    ),
    "28000": (
        StoreUnopenable,
        "it does not let {user} in: it has no such role, or its pg_hba.conf has no line for this log-in",
        "{tls}Make the role, or add a line for it to pg_hba.conf",
    ),
    "3D000": (
        StoreMissing,
        "there is no database of this name",
        "Make it: CREATE DATABASE {database} OWNER {user}",
    ),
    "3F000": (StoreMissing, "there is no schema for the tables", "Make it: CREATE SCHEMA public"),
    "42501": (
        StoreReadOnly,
        "the role {user} may not do this (permission denied)",
        "Let it own the database: ALTER DATABASE {database} OWNER TO {user}",
    ),
    "42P01": (StoreCorrupt, "a table of the store is gone", "Restore the database from its backup"),
    "25006": (
        StoreReadOnly,
        "it is read-only: a standby, or set so",
        "Name the primary in `store:`; after a fail-over, let the name lead to the new one",
    ),
    "53100": (StoreUnreachable, "its disk is full", "Make room on the server; records wait meanwhile"),
    "53300": (
        StoreUnreachable,
        "it has too many connections",
        "Raise max_connections on the server, or put a pooler in front of it",
    ),
    "53": (StoreUnreachable, "it is out of resources ({message})", "See to the server's memory and disk"),
    "55P03": (StoreUnreachable, "somebody else holds a lock for too long", "Look at pg_stat_activity and pg_locks"),
    "57P03": (StoreUnreachable, "it is starting or stopping", "It is tried again by itself"),
    "57": (StoreUnreachable, "it broke the connection off ({message})", "It is tried again by itself"),
    "08": (StoreUnreachable, "the connection broke off ({message})", _UNREACHED),
    "XX": (StoreCorrupt, "the server says that its data is damaged ({message})", "Restore it from its backup"),
}


def message_of(error: BaseException) -> str:
    """The server's sentence, without its details: those may quote a row."""
    if isinstance(error, asyncpg.PostgresError):
        said = getattr(error, "message", None)
        if said is None and isinstance(error, asyncpg.DataError):  # the client's own words quote the value
            return "a value has no room in its column"
        return str(said or error).partition("\n")[0]
    return str(error).partition("\n")[0] or type(error).__name__


def state_of(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "") if isinstance(error, asyncpg.PostgresError) else ""


def unopenable(settings: PostgresSettings, error: BaseException) -> StoreUnopenable:
    """Why the store cannot be used, by kind: StoreUnreachable where trying again may help."""
    kind, problem, remedy = _words(error)
    names = {
        "user": _identifier(settings.user),
        "database": _identifier(settings.database),
        "message": message_of(error),
        "port": settings.port,
        "tls": "Where it takes nobody without TLS: postgres.tls: verify. " if settings.tls == "off" else "",
    }
    if remedy is _UNREACHED and settings.host.startswith("/"):
        remedy = _NO_SOCKET
    return kind(settings.place, problem.format(**names), remedy.format(**names))


def _identifier(name: str) -> str:
    """As SQL takes it."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def unavailable(settings: PostgresSettings, error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(str(unopenable(settings, error)))


def _words(error: BaseException) -> tuple[type[StoreUnopenable], str, str]:
    state = state_of(error)
    if state == "08P01":  # a pooler has one code for everything, and says the rest in English
        said = message_of(error).lower()
        if "no such database" in said or ("database" in said and "does not exist" in said):
            state = "3D000"
        elif "authentication" in said or "password" in said or "no such user" in said:
            state = "28P01"
    for prefix in (state, state[:2]):
        if prefix and prefix in _BY_STATE:
            return _BY_STATE[prefix]
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or "handshake failed"
        said = f"its TLS certificate is not accepted or TLS failed ({reason})".replace("{", "(")
        return StoreUnopenable, said, "Check postgres.tls and postgres.ca: the authority that signed its certificate"
    if isinstance(error, ConnectionError) and "SSL" in str(error):
        return StoreUnopenable, "it does not speak TLS", "Switch TLS on at the server, or set postgres.tls: off"
    if isinstance(error, asyncio.TimeoutError):
        return StoreUnreachable, "it does not answer in time", _UNREACHED
    if isinstance(error, socket.gaierror):
        return StoreUnreachable, "the name of its host is not known", "Correct the host in `store:`, or see to the DNS"
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "it hung up"
        return StoreUnreachable, f"it cannot be reached ({reason})", _UNREACHED
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return StoreUnreachable, "the connection broke off", _UNREACHED
    return StoreUnopenable, "it cannot be used ({message})", "See the server's log"

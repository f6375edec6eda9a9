"""Where hot state and the system of record live: the addresses in `state:` and `store:`, read into parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from gateway.config.values import refuse

REDIS_PORT, SENTINEL_PORT, POSTGRES_PORT = 6379, 26379, 5432
_STATE_REMEDY = (
    "write memory://, redis://HOST:6379/0, redis+sentinel://HOST:26379,HOST2:26379/MASTER/0 or redis+cluster://HOST:7000,HOST2:7000 "
    "(rediss:// for TLS)"
)
_SQLITE_REMEDY = "write sqlite:///var/leadgate.db (a path from this file), sqlite:////srv/leadgate.db (an absolute one) or postgresql://HOST:5432/NAME"
_NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")

Node = tuple[str, int]


@dataclass(frozen=True)
class StatePlace:
    """What `state:` says.

    mode    memory, single (one Redis), sentinel or cluster
    nodes   (host, port) of the server, of the sentinels, or of some of the cluster's nodes
    master  name of the master that the sentinels watch
    """

    mode: Literal["memory", "single", "sentinel", "cluster"]
    tls: bool = False
    nodes: tuple[Node, ...] = ()
    master: str = ""
    db: int = 0

    @property
    def shared(self) -> bool:
        return self.mode != "memory"


@dataclass(frozen=True)
class StorePlace:
    """What `store:` says. path: the SQLite file as written; else PostgreSQL's host (or directory of its socket), port and database."""

    path: str | None = None
    host: str = ""
    port: int = POSTGRES_PORT
    database: str = ""

    @property
    def shared(self) -> bool:
        return self.path is None


def state_place(url: str) -> StatePlace:
    """Raises PydanticCustomError with the remedy."""
    if url == "memory://":
        return StatePlace("memory")
    found = re.fullmatch(r"(rediss?)(\+sentinel|\+cluster)?://([^/?#]*)(/[^?#]*)?", url)
    if found is None:
        raise refuse("this is not a state this version knows", _STATE_REMEDY)
    tls, kind, rest = found[1] == "rediss", found[2] or "", (found[4] or "").strip("/")
    nodes = _nodes(found[3], SENTINEL_PORT if kind == "+sentinel" else REDIS_PORT, _STATE_REMEDY)
    if kind == "+cluster":
        if rest:
            raise refuse(f'a Redis Cluster has no databases, and "/{rest}" names one', "leave it out")
        return StatePlace("cluster", tls, nodes)
    if kind == "+sentinel":
        master, _, db = rest.partition("/")
        if not _NAME.fullmatch(master):
            raise refuse(
                "the master that the sentinels watch is not named",
                "write it behind the hosts: redis+sentinel://HOST:26379/MASTER/0",
            )
        return StatePlace("sentinel", tls, nodes, master, _database(db))
    if len(nodes) > 1:
        raise refuse(
            "several hosts are named", "write redis+cluster:// for a cluster, or redis+sentinel:// for sentinels"
        )
    return StatePlace("single", tls, nodes, "", _database(rest))


def store_place(url: str) -> StorePlace:
    """Raises PydanticCustomError with the remedy."""
    if url.startswith("sqlite:"):
        path = url.removeprefix("sqlite:///")
        if path == url or not path.strip("/"):
            raise refuse(f'"{url}" names no file', _SQLITE_REMEDY)
        if ":memory:" in path or "?" in path or "#" in path:
            raise refuse(
                f'"{url}" is not a plain file', "write sqlite:/// and a path: submissions must survive a restart"
            )
        return StorePlace(path=path)
    found = re.fullmatch(r"postgres(?:ql)?://([^/?#]*)/([^/?#]*)(?:\?host=(/[^?#&]*))?", url)
    if found is None:
        if url.startswith("postgres"):
            raise refuse(
                "this is not an address of PostgreSQL",
                "write postgresql://HOST:5432/NAME, or postgresql:///NAME?host=/run/postgresql for a socket; logins and TLS stand under postgres:",
            )
        raise refuse("this is not a store this version knows", _SQLITE_REMEDY)
    hosts, name, socket = found[1], found[2], found[3]
    if not _NAME.fullmatch(name):
        raise refuse("the database is not named", "write it behind the host: postgresql://HOST:5432/NAME")
    if socket and not hosts:
        return StorePlace(host=socket, database=name)
    nodes = _nodes(hosts, POSTGRES_PORT, "write postgresql://HOST:5432/NAME")
    if len(nodes) > 1 or socket:
        raise refuse("several hosts are named", "name one; a fail-over is hidden behind one name or a pooler")
    return StorePlace(host=nodes[0][0], port=nodes[0][1], database=name)


def _nodes(text: str, port: int, remedy: str) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for part in text.split(","):
        found = _NODE.fullmatch(part)
        if found is None or not 0 < int(found[2] or port) <= 65_535:
            raise refuse(f'"{part}" is not a host and port' if part else "no host is named", remedy)
        nodes.append((found[1].removeprefix("[").removesuffix("]"), int(found[2] or port)))
    return tuple(nodes)


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and int(text) < 1024):
        raise refuse(f'"{text}" is not the number of a Redis database', "write a number, mostly 0")
    return int(text or 0)


def _state(value: Any) -> str:
    if not isinstance(value, str):
        raise refuse("this is not a state this version knows", _STATE_REMEDY)
    state_place(value)
    return value


def _store(value: Any) -> str:
    if not isinstance(value, str):
        raise refuse("this is not a store this version knows", _SQLITE_REMEDY)
    store_place(value)
    return value


StateUrl = Annotated[
    str,
    PlainValidator(_state),
    WithJsonSchema({"type": "string", "pattern": r"^(memory://$|rediss?(\+sentinel|\+cluster)?://)"}),
]
StoreUrl = Annotated[
    str, PlainValidator(_store), WithJsonSchema({"type": "string", "pattern": "^(sqlite:///|postgres(ql)?://)"})
]

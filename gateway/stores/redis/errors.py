"""What Redis refuses, in words an operator understands. Nothing of an error's own text but its first word is used: the rest may quote keys."""

from __future__ import annotations

import re
from typing import NamedTuple


class Failure(NamedTuple):
    """Why a command was not carried out.

    kind    one lower-case word, for counters; of a fixed set
    reason  for the verdict: "redis: full (maxmemory)"
    remedy  for the operator, or "" where it mends itself
    """

    kind: str
    reason: str
    remedy: str


_FULL = "redis is full: raise maxmemory, or give Leadgate a Redis of its own (maxmemory-policy noeviction is right)"
_REFUSED = (
    "redis refuses the password: compare `redis.username` and the password that `redis` names with the ACL user's"
)

_KNOWN = {
    "OOM": ("full", "full (maxmemory)", _FULL),
    "LOADING": ("loading", "still loading its data", ""),
    "READONLY": ("replica", "not the master any more", "redis is a read-only replica: point `state` at the master, or use redis+sentinel://"),
    "MASTERDOWN": ("replica", "a replica without its master", "redis lost its master: see to the replication"),
    "CLUSTERDOWN": ("down", "the cluster is down", "the cluster does not serve all slots: start the missing nodes, or set cluster-require-full-coverage no"),
    "TRYAGAIN": ("moving", "the slot is just being moved", ""),
    "MOVED": ("moving", "the slot was just moved", ""),
    "ASK": ("moving", "the slot is just being moved", ""),
    "CROSSSLOT": ("mode", "this is a cluster", "redis is a cluster: write redis+cluster:// in `state`"),
    "SENTINEL": ("mode", "this is a sentinel", "redis is a sentinel there: write redis+sentinel://HOST:26379/MASTER/0 in `state`"),
    "NOAUTH": ("refused", "asks for a password", "redis asks for a password: set `redis.password_env` or `redis.password_file`"),
    "WRONGPASS": ("refused", "refuses the password", _REFUSED),
    "NOPERM": ("refused", "the user lacks a right", "the ACL user of redis lacks a right: docs/operators/redis.md lists them"),
    "MISCONF": ("disk", "cannot save, and therefore refuses writes", "redis cannot save its snapshot: see its log and its disk"),
    "NOREPLICAS": ("replicas", "too few replicas, and therefore refuses writes", "redis has fewer replicas than min-replicas-to-write"),
    "BUSY": ("busy", "busy with a long script", "a script of somebody else blocks redis"),
    "NOSCRIPT": ("script", "forgot the script", ""),
    "DENIED": ("refused", "in protected mode", "redis is in protected mode: give it a password, or bind it to the address that Leadgate uses"),
    "WRONGTYPE": ("foreign", "a key of ours holds something else", "somebody else writes keys that begin as Leadgate's do: use another database"),
}  # fmt: skip

BROKEN_OFF = (
    "redis breaks connections off: is it a Redis, and does it speak TLS there (rediss://), or just not (redis://)?"
)

SLOW = "late"
AWAY = "away"
CROWDED = "crowded"


def explain(error: BaseException | str) -> Failure:
    """Of an error reply."""
    text = str(error)
    word = text.partition(" ")[0].lstrip("-")
    if word == "ERR" and "invalid password" in text:  # AUTH without a user, where none has a password or another one
        word = "WRONGPASS"
    elif word == "ERR" and "max number of clients" in text:
        return Failure(CROWDED, "redis: takes no more clients", "redis takes no more clients: raise its maxclients")
    elif word == "ERR" and ("user executing the script can't" in text or "ACL failure in script" in text):
        word = "NOPERM"
    elif word == "ERR" and "AUTH" in text and "without any password" in text:
        return Failure(
            "refused", "redis: has no password", "redis has no password: remove it from the configuration, or set one"
        )
    elif word == "ERR" and "DB index" in text:
        return Failure("refused", "redis: no such database", "redis has no database of that number: correct `state`")
    known = _KNOWN.get(word)
    if known is None:
        plain = word if word.isascii() and word.isalpha() and word.isupper() and len(word) <= 20 else "ERR"
        return Failure("other", f"redis: refused ({plain})", f"redis refuses commands ({plain}): see its log")
    kind, reason, remedy = known
    if word == "NOPERM":
        remedy = remedy.replace("a right:", f"a right{_right(text)}:")
    return Failure(kind, f"redis: {reason}", remedy)


def _right(text: str) -> str:
    """Which one, where the server says so: the name of a command of ours, never of a key."""
    command = re.search(r"to run the '([a-z|]{1,40})' command", text)
    if command is not None:
        return f" (+{command[1]})"
    return " (to its keys, ~lg1:*)" if " keys " in text else ""


def late(deadline_s: float) -> Failure:
    return Failure(
        SLOW,
        f"redis: no answer within {deadline_s * 1000:g} ms",
        "redis is slow or hangs: see its SLOWLOG and its machine",
    )


def away(why: str, remedy: str = "") -> Failure:
    return Failure(AWAY, f"redis: {why}", remedy or f"redis: {why}")


def crowded(bound: int) -> Failure:
    return Failure(
        CROWDED,
        "redis: too many questions without an answer",
        f"redis left {bound} questions unanswered: see its SLOWLOG",
    )


def connecting(error: BaseException, *, tls: bool = False) -> Failure:
    """Of what was raised while connecting. Its text is not used: it may hold anything."""
    name = type(error).__name__
    if isinstance(error, TimeoutError):
        more = " Does it speak TLS there? If not: redis:// in `state`" if tls else ""
        return away(
            "no connection in time",
            f"redis does not take connections in time: is its machine up, is a firewall in between?{more}",
        )
    if isinstance(error, ConnectionRefusedError):
        return away(
            "connection refused", "redis refuses connections: is it started, and do host and port in `state` fit?"
        )
    if name == "gaierror":
        return away("host name not known", "the host name of redis is not known: correct `state`")
    if name.startswith("SSLCert"):
        return away(
            "certificate not trusted",
            "the certificate of redis is not trusted: set `redis.ca` to its authority, and use the name it holds",
        )
    if "SSL" in name or isinstance(error, ConnectionResetError | EOFError):
        return away("connection broken off", BROKEN_OFF)
    return away(f"no connection ({name})")


def unexpected(error: BaseException) -> Failure:
    """Of a mistake of our own, contained where the connection would not come back otherwise."""
    name = type(error).__name__
    return Failure(
        "internal", f"redis: internal error ({name})", f"an error in Leadgate itself while connecting to redis ({name})"
    )

"""Checks of the shared state and store: do workers share what they must, is the way there safe, is the password there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gateway.config.finding import Finding, Setting
from gateway.config.problems import Loc

SHARED = "write state: redis://HOST:6379/0 and store: postgresql://HOST:5432/NAME, or workers: 1"


def check_shared(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    state, store = config.state_place, config.store_place
    whole = not setting.broken(("state",), ("store",), ("workers",))
    if config.workers > 1 and whole:
        if not state.shared and not store.shared:
            yield Finding(
                ("workers",),
                f"{config.workers} workers cannot share counters in memory and a store in one file",
                SHARED,
            )
        elif not state.shared:
            yield Finding(("workers",), f"{config.workers} workers cannot share counters in memory", SHARED)
        elif not store.shared:
            yield Finding(("workers",), f"{config.workers} workers cannot write to one SQLite file", SHARED)
    elif store.shared and not state.shared and whole:
        yield Finding(
            ("state",),
            "counters and sessions live in this process only: a second gateway on the same store would count for itself",
            "write state: redis://HOST:6379/0, or run one gateway",
            "warning",
        )
    yield from _passwords(setting)
    if store.shared:
        if config.postgres.deadline_ms >= config.journal_deadline_ms:
            yield Finding(
                ("postgres", "deadline_ms"),
                "deadline_ms leaves no time for the spool within journal_deadline_ms",
                "lower it, or raise journal_deadline_ms",
            )
        if config.postgres.tls == "off" and not _near(store.host):
            yield _in_clear(("store",), "PostgreSQL", "set postgres.tls: verify")
    if state.shared and not state.tls and not all(_near(host) for host, _ in state.nodes):
        yield _in_clear(("state",), "Redis", "write rediss:// in place of redis://")


def _in_clear(loc: Loc, what: str, remedy: str) -> Finding:
    return Finding(
        loc,
        f"what goes to {what} crosses the network unencrypted",
        f"{remedy}, unless the network is private",
        "warning",
    )


def _near(host: str) -> bool:
    """Nobody else listens on the way: a socket, this machine, or a single-word name, which containers on one host give each other."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.startswith("/") or "." not in host


def _passwords(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    used = (
        ("redis", config.redis, config.state_place.shared),
        ("postgres", config.postgres, config.store_place.shared),
    )
    for section, settings, shared in used:
        if settings.password_env and settings.password_file:
            yield Finding(
                (section, "password_file"), "the password is named twice", "keep password_env or password_file"
            )
        elif shared and settings.password_env and not setting.environ.get(settings.password_env):
            yield Finding(
                (section, "password_env"),
                f"the environment variable {settings.password_env} is not set",
                "set it for the gateway and for its commands, or name a file with password_file",
            )

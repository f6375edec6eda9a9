"""The whole of leadgate.yaml."""

from __future__ import annotations

import hashlib
import os.path
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, PrivateAttr

from gateway.config.anomaly import AnomalyModel
from gateway.config.limits import Limits, UpstreamLimits
from gateway.config.lists import Lists
from gateway.config.outcomes import OutcomeSource
from gateway.config.places import StatePlace, StateUrl, StorePlace, StoreUrl, state_place, store_place
from gateway.config.problems import Problem
from gateway.config.process import (
    Admin,
    Dns,
    GeoIp,
    Keys,
    Listener,
    Log,
    Mail,
    Passport,
    Postgres,
    Redis,
    Reviewer,
    Rules,
    Workers,
)
from gateway.config.sites import Site
from gateway.config.values import Address, AddressRange, ListenAddress, Seconds, Section, Whole

RESTART_KEYS = (
    "listen",
    "listeners",
    "admin",
    "workers",
    "state",
    "redis",
    "store",
    "postgres",
    "keys",
    "limits",
    "evidence_queue",
    "dns",
    "log",
)
"""Settings that sockets, files and queues already open depend on: they change only with a restart."""


class Config(Section):
    """The settings of one gateway. Every path in it counts from the directory of the file unless it is absolute."""

    listen: ListenAddress = Field(
        default=Address("127.0.0.1", 8080),
        description="Address and port visitors connect to. Short for `listeners` with one entry.",
    )
    listeners: tuple[Listener, ...] = Field(
        default=(), max_length=16, description="Several addresses visitors connect to. Give this or `listen`."
    )
    admin: Admin = Field(default_factory=Admin, description="The console and API.")
    workers: Workers = Field(
        default=1,
        description=(
            "Number of processes that serve visitors, about one for each processor core. More than one need a shared state and a shared "
            "store. `limits` on connections and bytes are divided among them. SIGUSR1 replaces them one after another."
        ),
    )
    trusted_proxies: tuple[AddressRange, ...] = Field(
        default=(),
        max_length=10_000,
        description=(
            "Addresses and ranges of your own proxies and CDN. Only they are believed about the visitor's "
            "address (`X-Forwarded-For`). Empty: nobody is."
        ),
    )
    state: StateUrl = Field(
        default="memory://",
        description=(
            "Where counters and sessions live: `memory://` (this process), `redis://HOST:6379/0`, "
            "`redis+sentinel://HOST:26379,HOST2:26379/MASTER/0` or `redis+cluster://HOST:7000,HOST2:7000`; `rediss` in place of `redis` for TLS."
        ),
    )
    redis: Redis = Field(default_factory=Redis, description="How Redis is reached.")
    store: StoreUrl = Field(
        default="sqlite:///var/leadgate.db",
        description=(
            "Where leads and records live: `sqlite:///` with a path from this file (or four slashes and an absolute one), or "
            "`postgresql://HOST:5432/NAME`."
        ),
    )
    postgres: Postgres = Field(default_factory=Postgres, description="How PostgreSQL is reached.")
    keys: Keys = Field(default_factory=Keys, description="Signing and encryption keys.")
    geoip: GeoIp = Field(default_factory=GeoIp, description="Countries and networks of addresses.")
    sites: tuple[Site, ...] = Field(
        min_length=1, max_length=1000, description="The sites behind the gateway, at least one."
    )
    limits: Limits = Field(default_factory=Limits, description="What requests may take.")
    upstream: UpstreamLimits = Field(default_factory=UpstreamLimits, description="Patience with the origin.")
    journal_deadline_ms: Whole = Field(
        default=1000,
        ge=10,
        le=60_000,
        description=(
            "Milliseconds a submission may wait to be on disk. Then it goes to the origin all the same, is "
            "counted as `unjournaled`, and no promise is made."
        ),
    )
    evidence_queue: Whole = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description=(
            "Most records that wait to be written. When it is full, further ones are lost and counted, leads are not; each takes about "
            "4 KiB of memory."
        ),
    )
    rules: Rules = Field(default_factory=Rules, description="Your own rules.")
    model: AnomalyModel = Field(default_factory=AnomalyModel, description="Learning what is usual at each site.")
    lists: Lists = Field(default_factory=Lists, description="Allow and deny lists.")
    reviewer: Reviewer | None = Field(
        default=None, description="Who looks at held leads. Needed as soon as a site is in `enforce`."
    )
    mail: Mail | None = Field(
        default=None, description="How the reviewer is written to about leads that nobody looked at for a day."
    )
    outcomes: tuple[OutcomeSource, ...] = Field(
        default=(),
        max_length=20,
        description="Who may say what became of leads, in signed messages to `outcomes/NAME` below the prefix. Empty: there is no such address.",
    )
    passport: Passport = Field(default_factory=Passport, description="Signed statements for receivers.")
    log: Log = Field(default_factory=Log, description="The program's own log.")
    drain_seconds: Seconds = Field(
        default=30.0, description="Seconds that running requests have to finish when the gateway is stopped."
    )
    dns: Dns = Field(default_factory=Dns, description="Reverse look-ups.")

    _base: Path = PrivateAttr(default=Path())
    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where visitors connect, however it was written; at least one."""
        return tuple(listener.address for listener in self.listeners) or (self.listen,)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What should be looked at, though the settings can be used."""
        return self._warnings

    @property
    def base(self) -> Path:
        """The directory relative paths count from."""
        return self._base

    def resolve(self, path: str) -> Path:
        """A path of this file, absolute or counted from the file's directory."""
        return Path(os.path.normpath(self._base / Path(path).expanduser()))

    @property
    def state_place(self) -> StatePlace:
        return state_place(self.state)

    @property
    def store_place(self) -> StorePlace:
        return store_place(self.store)

    @property
    def store_path(self) -> Path:
        """The SQLite file. Raises ValueError where the store is PostgreSQL."""
        place = self.store_place
        if place.path is None:
            raise ValueError("the store is no file")
        return self.resolve(place.path)

    @property
    def spool_path(self) -> Path:
        return self.resolve(self.postgres.spool)

    @property
    def keys_path(self) -> Path:
        return self.resolve(self.keys.directory)

    @property
    def databases(self) -> tuple[Path | None, ...]:
        """MMDB files in order; None stands for the builtin one."""
        return tuple(None if name == "builtin" else self.resolve(name) for name in self.geoip.database)

    @property
    def feed_files(self) -> tuple[Path, ...]:
        """Where each feed is kept, in the order of the settings; a file is there once it was fetched."""
        return tuple(self.resolve(self.geoip.directory) / f"{feed.name}.feed" for feed in self.geoip.feeds)

    @property
    def models_path(self) -> Path:
        return self.resolve(self.model.directory)

    @property
    def rules_path(self) -> Path | None:
        return None if self.rules.directory is None else self.resolve(self.rules.directory)

    def canonical(self) -> bytes:
        """The effective settings as canonical JSON: equal bytes for equal settings, on every machine.

        It goes into the generation's hash and is stored with it, so it holds no secrets (the model has none), and
        e-mail addresses only as SHA-256.
        """
        tree: dict[str, Any] = self.model_dump(mode="json")
        if tree["reviewer"]:
            tree["reviewer"] = {key: _digest(value) for key, value in tree["reviewer"].items()}
        if tree["mail"]:
            tree["mail"]["sender"] = _digest(tree["mail"]["sender"])
        for entry in (*tree["lists"]["allow"], *tree["lists"]["deny"]):
            entry["emails"] = [_digest(email) for email in entry["emails"]]
        return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def _digest(value: str | None) -> str | None:
    return None if value is None else "sha256:" + hashlib.sha256(value.encode()).hexdigest()

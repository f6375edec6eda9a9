"""Where the shared hot state is, and how to come in."""

from __future__ import annotations

import ssl
from typing import Literal

import msgspec

from gateway.stores.tls import trusting

Address = tuple[str, int]

PREFIX = "lg1:"
"""What all keys begin with; the number is the version of their layout, so that an upgrade that changes it starts beside the old keys."""


class RedisSettings(msgspec.Struct, frozen=True):
    """Raises ValueError where the parts do not fit together.

    mode        single: one server; sentinel: `nodes` are sentinels that know who is `master`; cluster: `nodes` are some of the cluster's nodes
    db          number of the database; a cluster has only 0
    username, password   of an ACL user; a password alone is that of the user `default`
    sentinel_*  the same for the sentinels. Where they are None, sentinels are asked without log-in, and with that of the servers if they want one
    ca_file     certificate authority (PEM) that signed the servers' certificates; None: those the system trusts. Host names are checked
    deadline_s  how long an observation waits; a visitor waits that long at most while Redis is ill
    connect_s   how long connecting, with TLS and log-in, may take
    prefix      what all keys begin with; two installations that share a Redis need different ones
    """

    mode: Literal["single", "sentinel", "cluster"]
    nodes: tuple[Address, ...]
    master: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: str | None = None
    deadline_s: float = 0.01
    connect_s: float = 0.5
    prefix: str = PREFIX
    sentinel_username: str | None = None
    sentinel_password: str | None = None

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("redis: no server is named")
        if self.mode == "single" and len(self.nodes) != 1:
            raise ValueError("redis: exactly one server is expected; several are a cluster or sentinels")
        if self.mode == "sentinel" and not self.master:
            raise ValueError(
                "redis: the name by which the sentinels know the master is missing (redis+sentinel://host/NAME)"
            )
        if self.mode == "cluster" and self.db:
            raise ValueError("redis: a cluster has only database 0")
        if self.username and not self.password:
            raise ValueError("redis: a user name needs a password")
        if not 0 < self.deadline_s <= 10 or not 0 < self.connect_s <= 60:
            raise ValueError("redis: deadlines are more than nothing; at most 10 s for an answer and 60 s to connect")
        if "{" in self.prefix or not self.prefix.isascii():
            raise ValueError("redis: the prefix of keys is ASCII without braces")

    def __repr__(self) -> str:
        return f"RedisSettings({self.mode}, {', '.join(f'{host}:{port}' for host, port in self.nodes)})"

    def ssl_context(self) -> ssl.SSLContext | None:
        """Raises OSError or ssl.SSLError where the file of the authority cannot be used."""
        return trusting(self.ca_file) if self.tls else None

"""Where the shared system of record is, how to come in, and its bounds."""

from __future__ import annotations

import ssl
from typing import Literal

import msgspec

from gateway.stores.tls import trusting


class PostgresSettings(msgspec.Struct, frozen=True):
    """Bounds of the store, each with its reason. Raises ValueError where the parts do not fit together.

    host         name, address, or the directory of a unix socket
    tls          off; require: encrypted, whoever the server is; verify: its certificate and its name are checked
    ca_file      certificate authority (PEM) for `verify`; None: those the system trusts
    queue        records and events that may wait for a commit (about 4 kB each); beyond it they are dropped and counted
    linger_ms    how long a commit waits for more records, where nobody waits for it: fewer, larger commits; a killed
                 process loses at most so much of records (never a lead)
    deadline_s   how long anybody waits for a commit; a visitor waits that long at most while the server is ill
    connect_s    how long connecting, with TLS and log-in, may take
    read_s       how long a look-up may take: a list over millions of records on a slow disk
    lease_s      how long a release may take before its delivery counts as unknown
    readers      connections for reading, made when needed; with the one for writing, what a gateway takes of the
                 server's `max_connections`
    heartbeat_s  how often an idle gateway says that it lives
    dead_after_s a writer that said nothing for so long is gone, and others close what it left open. Several heartbeats,
                 and longer than a fail-over of the server takes
    """

    host: str
    port: int = 5432
    database: str = "leadgate"
    user: str = "leadgate"
    password: str | None = None
    tls: Literal["off", "require", "verify"] = "off"
    ca_file: str | None = None
    queue: int = 20_000
    linger_ms: int = 100
    deadline_s: float = 0.4
    connect_s: float = 2.0
    read_s: float = 10.0
    lease_s: int = 120
    readers: int = 3
    heartbeat_s: float = 20.0
    dead_after_s: float = 180.0

    def __post_init__(self) -> None:
        if not self.host or not self.database or not self.user:
            raise ValueError("postgresql: host, database and user are needed")
        if not 0 < self.deadline_s <= 60 or not 0 < self.connect_s <= 60 or not 0 < self.read_s <= 600:
            raise ValueError("postgresql: deadlines are more than nothing; at most 60 s, and 600 s to read")
        if self.queue < 1 or self.readers < 1 or self.linger_ms < 0:
            raise ValueError("postgresql: there is room for one at least in the queue and in the pool")
        if self.dead_after_s < 3 * self.heartbeat_s:
            raise ValueError("postgresql: a writer is not dead before three heartbeats are missing")

    @property
    def place(self) -> str:
        """For messages: without user and password."""
        if self.host.startswith("/"):
            return f"postgresql:///{self.database}?host={self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}/{self.database}"

    def __repr__(self) -> str:
        return f"PostgresSettings({self.place})"

    def ssl_context(self) -> ssl.SSLContext | bool:
        """False: none. Raises OSError or ssl.SSLError where the file of the authority cannot be used."""
        if self.tls == "off":
            return False
        return trusting(self.ca_file, checked=self.tls == "verify")

"""PostgreSQL and a transaction pooler in front of it, as users other than root."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from authority import Certificates, certificates
from server_process import Server, free_port, give, new_directory, program, run_as, unprivileged

ROLE = "leadgate"
"""Who owns the databases of tests: a plain role, as on a managed service."""
SUPERUSER = "postgres"

_templates: dict[str, Path] = {}


def _template(user: str | None) -> Path:
    """A data directory made once per run; making one takes seconds, copying it does not."""
    if "data" not in _templates:
        base = new_directory("pgtemplate", user)
        data = base / "data"
        command = [program("initdb"), "-D", str(data), "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        command += ["--wal-segsize=1", "--auth=trust"]  # small segments: a small disk is enough
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=base, **run_as(user))
        assert done.returncode == 0, f"initdb: {done.stdout}{done.stderr}"
        _templates["data"] = data
        atexit.register(shutil.rmtree, base, ignore_errors=True)
    return _templates["data"]


class Postgres(Server):
    """A cluster of its own with fsync on; TCP on loopback and a unix socket in its directory.

    password    None: everybody is trusted; else the role's, asked for by scram-sha-256 over TCP
    tls         TLS is on and, over TCP, demanded; `ca` is what a client trusts
    disk_mb     its data lies on a disk of that size, a tmpfs: `fill_disk` and `free_disk`. Skips the test where mounting is not allowed.
                30 MB are in use at the start, each database takes 8
    settings    further settings, as `-c name=value`
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # fast: connections are broken off, what is committed stays

    def __init__(
        self,
        *,
        password: str | None = None,
        tls: bool = False,
        disk_mb: int | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        super().__init__(unprivileged())
        self.password, self.tls, self.settings = password, tls, tuple(settings)
        self.disk = self.directory / "disk"
        self.disk.mkdir()
        self.mounted = False
        if disk_mb is not None:
            self._mount(disk_mb)
        self.data = self.disk / "data"
        self.certificates: Certificates | None = None
        self._numbers = itertools.count(1)
        self._prepared = False
        give(self.directory, self.user)

    def _mount(self, size_mb: int) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "tmpfs", str(self.disk)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            super().close()
            pytest.skip(f"a disk that is full cannot be had here: mounting is not allowed ({done.stderr.strip()})")
        self.mounted = True

    def _prepare(self) -> None:
        source = _template(self.user)
        subprocess.run(["cp", "-a", str(source), str(self.data)], check=True, **run_as(self.user))
        if self.tls:
            self.certificates = certificates(self.directory)
        kind, way = ("hostssl" if self.tls else "host"), ("scram-sha-256" if self.password else "trust")
        (self.data / "pg_hba.conf").write_text(f"local all all trust\n{kind} all all 127.0.0.1/32 {way}\n")
        give(self.directory, self.user)

    def command(self) -> Sequence[str]:
        settings = [
            "listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.directory}",
            "fsync=on", "shared_buffers=32MB", "max_connections=100", "max_wal_size=16MB", "min_wal_size=2MB",
            "log_min_messages=warning", "password_encryption=scram-sha-256", "log_checkpoints=off",
            *(["ssl=on", f"ssl_cert_file={self.certificates.certificate}", f"ssl_key_file={self.certificates.key}"]
              if self.certificates else []),
            *self.settings,
        ]  # fmt: skip
        options = [part for setting in settings for part in ("-c", setting)]
        return [program("postgres"), "-D", str(self.data), *options]

    def spawn(self) -> None:
        if not self.data.exists():
            self._prepare()
        super().spawn()

    def start(self, seconds: float = 60) -> Postgres:
        super().start(seconds)
        if not self._prepared:
            secret = f" PASSWORD '{self.password}'" if self.password else ""
            self.sql(f"CREATE ROLE {ROLE} LOGIN{secret}")
            self._prepared = True
        return self

    def sql(self, text: str, database: str = "postgres", timeout: float = 60) -> str:
        """As the superuser, by the unix socket; what it answers, unaligned."""
        command = [program("psql"), "-h", str(self.directory), "-p", str(self.port), "-U", SUPERUSER, "-d", database]
        command += ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{text}: {done.stderr}"
        return done.stdout.strip()

    def answers(self) -> bool:
        try:
            return self.sql("SELECT 1", timeout=5) == "1"
        except (AssertionError, subprocess.TimeoutExpired):
            return False

    def new_database(self) -> str:
        """The name of a new, empty database that ROLE owns."""
        name = f"leadgate_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER {ROLE}")
        return name

    def fresh_database(self) -> str:
        """A DSN for a new, empty database: `postgresql://leadgate[:password]@127.0.0.1:port/name`."""
        return self.dsn(self.new_database())

    def dsn(self, database: str, port: int | None = None) -> str:
        secret = f":{self.password}" if self.password else ""
        return f"postgresql://{ROLE}{secret}@127.0.0.1:{port or self.port}/{database}"

    def drop_database(self, database: str) -> None:
        """By name or DSN; whoever is connected is thrown out."""
        self.sql(f"DROP DATABASE IF EXISTS {database.rpartition('/')[2]} WITH (FORCE)")

    @property
    def ca(self) -> str | None:
        return str(self.certificates.ca) if self.certificates else None

    @property
    def _ballast(self) -> Path:
        return self.disk / "ballast"

    def fill_disk(self) -> None:
        """The rest of the disk is taken."""
        assert self.mounted, "the disk is the machine's own: say disk_mb"
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:  # until it is full: the server writes meanwhile
                file.write(bytes(64 * 1024))

    def free_disk(self) -> None:
        """What was filled is free again. A server that gave up meanwhile (it may, when its log cannot be written) is started."""
        self._ballast.unlink(missing_ok=True)
        if self.pid is None:
            self.start()

    def close(self) -> None:
        self.kill()
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.disk)], check=False, capture_output=True)
            self.mounted = False
        super().close()


class PgBouncer(Server):
    """Transaction mode: a connection is a client's for one transaction only. It asks for no password itself."""

    name = "pgbouncer"
    stop_signal = signal.SIGINT

    def __init__(self, postgres: Postgres, *, pool_size: int = 5, settings: Sequence[str] = ()) -> None:
        super().__init__(unprivileged())
        self.postgres, self.pool_size, self.settings = postgres, pool_size, tuple(settings)
        self.port = free_port()

    def command(self) -> Sequence[str]:
        users = self.directory / "users.txt"
        users.write_text(f'"{ROLE}" "{self.postgres.password or ""}"\n')
        lines = [
            "[databases]", f"* = host=127.0.0.1 port={self.postgres.port}", "[pgbouncer]",
            "listen_addr = 127.0.0.1", f"listen_port = {self.port}", "unix_socket_dir =", "pool_mode = transaction",
            f"default_pool_size = {self.pool_size}", "max_client_conn = 200", "server_connect_timeout = 2",
            "server_login_retry = 1", f"auth_type = {'scram-sha-256' if self.postgres.password else 'trust'}",
            f"auth_file = {users}", "logfile =", "pidfile =",
            f"server_tls_sslmode = {'require' if self.postgres.tls else 'disable'}", *self.settings,
        ]  # fmt: skip
        file = self.directory / "pgbouncer.ini"
        file.write_text("\n".join(lines) + "\n")
        give(self.directory, self.user)
        return [program("pgbouncer"), str(file)]

    def answers(self) -> bool:
        command = [program("psql"), self.dsn("postgres"), "-X", "-A", "-t", "-c", "SELECT 1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip() == "1"

    def dsn(self, database: str) -> str:
        """By way of the pooler; `database` by name or DSN."""
        return self.postgres.dsn(database.rpartition("/")[2], self.port)

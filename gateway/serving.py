"""`leadgate serve`: one process, or a parent with several workers, as the settings say."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from detectors.reference import Reference
from gateway import backends
from gateway import config as configuration
from gateway import log as logging
from gateway.app import Gateway
from gateway.built import Built
from gateway.config import Address, Config
from gateway.intake.server import require_extensions
from gateway.log import log
from gateway.reload import NeedsRestart, fingerprint, restart_keys, tell_refused, warn
from gateway.stores.errors import StoreError
from gateway.workers.processes import Change
from gateway.workers.snapshots import RunDirectory
from gateway.workers.supervisor import Supervisor
from gateway.workers.worker import FAILED, Worker

OWNED_BY_PARENT = ("listen", "listeners", "admin", "workers")
"""Settings that new workers cannot take up, because the parent's sockets and their number depend on them."""

BACKLOG = 1024
"""Connections that wait to be accepted. It holds more than a burst while a worker is replaced; the system's own limit may be lower."""


def serve(path: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Load, start, serve until told to stop. Raises ConfigError, StoreUnopenable, RulesError, GeoipError, OSError, WorkersFailed before anything is
    served."""
    config = configuration.load(path, environ=environ)
    logging.configure(config.log.level)
    token = configuration.admin_token(config, environ)
    if config.workers == 1:
        return _run(lambda: Gateway(path, config, token, environ=environ))
    return _supervise(path, config, token, environ)


def _run(make: Callable[[], Gateway]) -> int:
    import uvloop

    async def main() -> int:
        return await make().run()

    return uvloop.run(main())


def _supervise(path: Path, config: Config, token: str | None, environ: Mapping[str, str]) -> int:
    require_extensions()
    plan = Settings(path, config, token, environ)
    # First of all, so that the keys are made by one process, and what is wrong with the store is said once.
    asyncio.run(_look_at_store(config, environ))
    public = [sock for address in config.addresses for sock in bind(address)]
    admin = bind(config.admin.listen)
    directory = RunDirectory.make(environ)
    log.info(
        "started",
        listen=[str(Address(*sock.getsockname()[:2])) for sock in public],
        admin=str(config.admin.listen),
        sites=plan.built.sites_in_words(),
        generation=plan.generation,
        workers=config.workers,
    )
    warn(config)
    gc.collect()
    gc.freeze()  # shared by all workers: nobody's garbage collector writes to it
    try:
        code = Supervisor(config.workers, plan, public, admin, directory).run()
    finally:
        directory.remove()
    log.info("stopped")
    return code


async def _look_at_store(config: Config, environ: Mapping[str, str]) -> None:
    await backends.open_keys(config, environ)


def bind(address: Address) -> list[socket.socket]:
    """Listening sockets for every address that a name stands for. Raises OSError, which names the address."""
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, where in dict.fromkeys((family, where) for family, _, _, _, where in found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            made.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(where)
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError as error:
        for sock in made:
            sock.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror or error}") from error
    return made


class Settings:
    """The settings of several workers, kept by their parent: read, judged and built there, so that all workers share what was built."""

    def __init__(self, path: Path, config: Config, token: str | None, environ: Mapping[str, str]) -> None:
        self.path, self.config, self.token, self.environ = path, config, token, environ
        self.built = _build(config, Reference.builtin())
        self._seen = self._looked = fingerprint(path, config)
        self._next: tuple[Config, Built] | None = None

    @property
    def generation(self) -> str:
        return self.built.generation.id

    @property
    def drain_s(self) -> float:
        return self.config.drain_seconds

    def body(self, worker: Worker) -> int:
        logging.configure(self.config.log.level, worker=worker.seat)
        built = self.built

        def make() -> Gateway:
            return Gateway(self.path, self.config, self.token, environ=self.environ, built=built, worker=worker)

        try:
            return _run(make)
        except (StoreError, OSError) as error:
            worker.line.say(FAILED, str(error))
            return 1
        finally:
            if worker.orphaned:
                worker.directory.leave(worker.name)

    def changed(self) -> bool:
        """Looked at twice the same: an editor may write in several steps."""
        before, self._looked = self._looked, fingerprint(self.path, self.config)
        return self._looked == before != self._seen

    def prepare(self) -> Change:
        self._seen = fingerprint(self.path, self.config)
        try:
            config = configuration.load(self.path, environ=self.environ)
            seen = fingerprint(self.path, config)
            differing = restart_keys(self.config, config)
            if owned := tuple(key for key in differing if key in OWNED_BY_PARENT):
                raise NeedsRestart(owned)
            built = _build(config, self.built.reference)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with new settings must not stop what runs; the caller counts it
            tell_refused(error)
            return "refused"
        self._seen = self._looked = seen
        self._next = (config, built)
        return "roll" if differing else "swap"

    def adopt(self) -> None:
        assert self._next is not None
        self._exchange()
        warn(self.config)

    def revert(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        assert self._next is not None
        self._next, (self.config, self.built) = (self.config, self.built), self._next
        logging.configure(self.config.log.level)


def _build(config: Config, reference: Reference) -> Built:
    built = Built(config, {}, reference)
    asyncio.run(built.warm_up())
    return built

"""The composition root: the one file that knows all parts, puts them together, and takes them down in order."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine, Sequence
from functools import cached_property
from pathlib import Path

from aiohttp import web

from detectors import crawlers
from detectors.observation import ReverseName, Unavailable
from detectors.reference import Reference
from gateway import config as configuration
from gateway import log as logging
from gateway.bounds import intake_limits, upstream_settings
from gateway.config import Config, Site
from gateway.console.api import admin_application
from gateway.console.front import put_before
from gateway.delivery.headers import Field, lead_headers
from gateway.delivery.release import Releases
from gateway.edge import Edge
from gateway.edge.submission import Submissions
from gateway.edge.warm_up import warm_up
from gateway.evidence.record import decode
from gateway.facts.collect import Collector
from gateway.facts.reverse import ReverseDns
from gateway.generation import Generation
from gateway.generation import build as build_generation
from gateway.intake.exchange import Exchange
from gateway.intake.keys import Key, KeyRing
from gateway.intake.proxy_suspicion import ProxySuspicion
from gateway.intake.server import Listener, require_extensions
from gateway.log import log, seldom
from gateway.metrics import Metrics
from gateway.model import Mode
from gateway.passport import Passports
from gateway.pipeline import Pipeline
from gateway.reload import NeedsRestart, Reloader
from gateway.stores import keys as stored_keys
from gateway.stores.memory import MemoryState
from gateway.stores.sqlite import SqliteSettings, SqliteStore
from gateway.upstream.client import Upstream
from gateway.visits.arrivals import Arrivals
from gateway.watch import Watch
from geoip.errors import GeoipError
from geoip.network import Network
from geoip.reader import NetworkReader
from rules import loader


class Built:
    """What a configuration is made into before it is put in force: everything that can be wrong with it has come out by then."""

    def __init__(self, config: Config, upstreams: dict[tuple[str, str | None], Upstream], reference: Reference) -> None:
        self.config = config
        self.network = NetworkReader([path for path in config.databases if path is not None])
        self.upstreams: dict[tuple[str, str | None], Upstream] = {}
        known = upstreams

        def upstream(site: Site) -> Upstream:
            key = (site.origin, site.origin_ca)
            made = self.upstreams.get(key) or known.get(key)
            if made is None or made.settings != upstream_settings(config, site):
                made = Upstream(site.origin, upstream_settings(config, site))
            self.upstreams[key] = made
            return made

        self.generation: Generation = build_generation(
            config, loader.load(local_dir=config.rules_path), reference, self.network.content_hash, upstream
        )


class Gateway:
    """One running process. `await run()` serves until SIGTERM or SIGINT."""

    def __init__(self, path: Path, config: Config, admin_token: str | None = None) -> None:
        require_extensions()
        self.path = path
        self.config = config
        self.admin_token = admin_token
        self.metrics = Metrics()
        self.draining = False
        config.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        used = SqliteStore.keys_used(config.store_path)
        self.keys = stored_keys.KeyRing.open(config.keys_path, used)
        self.store = SqliteStore.open(
            config.store_path, self.keys, settings=SqliteSettings(queue=config.evidence_queue)
        )
        self.hot = MemoryState()
        self._reference = Reference.builtin()
        self._built = Built(config, {}, self._reference)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def generation(self) -> Generation:
        return self._built.generation

    @cached_property
    def tokens(self) -> KeyRing:
        """The keys that sign render tokens and session cookies."""
        current, *older = [Key(key.derive("token")) for key in self.keys.all(stored_keys.TOKEN)]
        return KeyRing(current, older)

    async def run(self) -> int:
        """Exit code: 0 after a clean stop."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.start()
        try:
            await stop.wait()
        finally:
            cut_off = await self.stop()
        log.info("stopped", cut_off=cut_off)
        return 0

    async def start(self) -> None:
        self._wire()
        await warm_up(self.generation, self._network_fact, self._wants_reverse)
        _settle_memory()
        await self.store.put_generation(self.generation.id, self.generation.content)
        for address in self.config.addresses:
            await self.listener.start(address.host, address.port)
        await self._start_admin()
        self._tasks = [
            asyncio.create_task(self.reloader.run()),
            asyncio.create_task(self.releases.run()),
            asyncio.create_task(self.watch.run()),
        ]
        log.info(
            "started",
            listen=[f"{host}:{port}" for host, port in self.listener.addresses],
            admin=str(self.config.admin.listen),
            sites=[f"{site.name}: {site.site.mode} in front of {site.site.origin}" for site in self.generation.sites],
            generation=self.generation.id,
        )
        self._warn()

    def _warn(self) -> None:
        for problem in self.config.warnings:
            log.warning("settings warning", problem=str(problem))

    def _wire(self) -> None:
        config, keys = self.config, self.keys
        self.suspicion = ProxySuspicion(lambda address: self._network(address).labels)
        self.reverse = ReverseDns([str(server) for server in config.dns.servers], config.dns.deadline_ms / 1000)
        collector = Collector(
            keys.current(stored_keys.HASH).derive("hot state"),
            self.hot,
            self._network_fact,
            self.reverse_fact,
            self._wants_reverse,
        )
        self.pipeline = Pipeline(collector, self.store.record, self.metrics)
        arrivals = Arrivals(self.tokens, self.suspicion)
        self.passports = Passports(*keys.passport())
        submissions = Submissions(arrivals, self.pipeline, self.store, self.tokens, self.passports, self.metrics)
        self.edge = Edge(
            self.generation, arrivals, self.pipeline, submissions, self.tokens, self.passports, self.metrics
        )
        self.releases = Releases(self.store, self.metrics, self._headers_of, self._upstream_of)
        self.watch = Watch(self.store, self.metrics, self.suspicion, lambda: self.config)
        self.listener = Listener(
            self.edge.handle,
            intake_limits(config),
            self._refused,
            lambda address: self.generation.trusted.trusts(address),
            self._failed,
        )
        self.reloader = Reloader(self.path, config, self._build, self._swap, self._reload_refused)
        gauge = self.metrics.gauge
        gauge("leadgate_in_flight", lambda: self.listener.in_flight)
        gauge("leadgate_connections", lambda: self.listener.connections)
        gauge("leadgate_store_queue", lambda: self.store.lag)
        gauge("leadgate_store_healthy", lambda: float(self.store.healthy))
        gauge("leadgate_hot_state_keys", lambda: self.hot.sizes().keys)
        gauge("leadgate_hot_state_evicted", lambda: self.hot.sizes().evicted)
        gauge("leadgate_held_leads", lambda: self.watch.held)
        gauge("leadgate_held_oldest_seconds", lambda: self.watch.oldest_s)

    async def stop(self) -> int:
        """Unready, finish what is under way, flush, close. Answers how many requests had to be cut off."""
        self.draining = True
        log.info("draining", in_flight=self.listener.in_flight)
        cut_off = await self.listener.drain(self.config.drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._admin.cleanup()
        await self.store.close()
        await self.reverse.close()
        for upstream in self._built.upstreams.values():
            await upstream.close()
        return cut_off

    async def _start_admin(self) -> None:
        self._admin = web.AppRunner(admin_application(self, self.admin_token), access_log=None)
        await self._admin.setup()
        assert self._admin.server is not None
        put_before(self._admin.server, self, self.admin_token)
        address = self.config.admin.listen
        site = web.TCPSite(self._admin, address.host, address.port)
        await site.start()

    # readiness

    def not_ready(self) -> list[str]:
        """Why requests should not be sent here now, in words; empty when ready."""
        return ["stopping: requests under way are finished, no new ones are taken"] if self.draining else []

    def advice(self) -> Sequence[str]:
        """What an operator should mend although requests are served."""
        store = (
            ()
            if self.store.healthy
            else (f"the store cannot commit: {self.store.trouble}; forms go to the site unstored",)
        )
        return (*store, *self.suspicion.advice(), *self.watch.advice())

    # facts

    def _network(self, address: str) -> Network:
        return self._built.network.lookup(address)

    def _network_fact(self, address: str) -> Network | Unavailable:
        try:
            return self._built.network.lookup(address)
        except GeoipError as error:
            return Unavailable(f"network: {error}")

    def _wants_reverse(self, agent: str, network: Network) -> bool:
        return self.config.dns.enabled and crawlers.needs_reverse(agent, network.labels)

    async def reverse_fact(self, address: str) -> ReverseName | Unavailable:
        return await self.reverse(address)

    # leads

    async def _headers_of(self, lead_id: str, body: bytes) -> Sequence[Field]:
        entry = await self.store.get_record(lead_id)
        if entry is None:
            return ()
        record = decode(entry.body)
        if record.mode is Mode.MONITOR:
            return ()
        headers = lead_headers(lead_id, record.verdict)
        if self.config.passport.enabled:
            headers.append((b"X-Lead-Passport", self.passports.sign(lead_id, record.site, body)))
        return headers

    def _upstream_of(self, site: str) -> Upstream | None:
        return next((routes.upstream for routes in self.generation.sites if routes.name == site), None)

    # reload

    def _build(self, config: Config) -> Built:
        return Built(config, self._built.upstreams, self._reference)

    def _swap(self, config: Config, built: Built) -> None:
        old, self._built, self.config = self._built, built, config
        self.edge.generation = built.generation
        self.metrics.count("leadgate_reloads", "applied")
        log.info("reloaded", generation=built.generation.id)
        self._warn()
        self._later(self.store.put_generation(built.generation.id, built.generation.content))
        old.network.close()
        for key, upstream in old.upstreams.items():
            if built.upstreams.get(key) is not upstream:
                self._later(upstream.close())

    def _reload_refused(self, error: Exception) -> None:
        self.metrics.count("leadgate_reloads", "refused")
        problems = (
            [str(problem) for problem in error.problems]
            if isinstance(error, configuration.ConfigError)
            else [str(error)]
        )
        remedy = (
            "restart the gateway"
            if isinstance(error, NeedsRestart)
            else "correct the file; the old settings stay in force"
        )
        log.error("reload refused", problems=problems, remedy=remedy)

    # hooks of the listener

    def _refused(self, status: int, reason: str) -> None:
        self.metrics.count("leadgate_refusals", str(status), reason)

    def _failed(self, exchange: Exchange, error: Exception) -> None:
        self.metrics.count("leadgate_handler_failures")
        seldom("handler failed", type(error).__name__, method=exchange.method, exc_info=error)

    def _later(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        task.add_done_callback(lambda done: self._tasks.remove(done) if done in self._tasks else None)


def _settle_memory() -> None:
    """What was loaded stays: the garbage collector need not walk through lists of a hundred thousand names again and again."""
    gc.collect()
    gc.freeze()


def serve(path: Path, environ: os._Environ[str] = os.environ) -> int:
    """Load, start, serve until told to stop. Raises ConfigError, StoreUnopenable, RulesError, GeoipError, OSError before anything is served."""
    import uvloop

    config = configuration.load(path)
    logging.configure(config.log.level)
    token = configuration.admin_token(config, environ)

    async def main() -> int:
        return await Gateway(path, config, token).run()

    return uvloop.run(main())

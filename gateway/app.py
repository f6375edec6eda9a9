"""The composition root: the one file that knows all parts, puts them together, and takes them down in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from aiohttp import web

from detectors.reference import Reference
from gateway import backends
from gateway.bounds import intake_limits
from gateway.built import Built, settle_memory
from gateway.campaigns.board import Board
from gateway.config import Config
from gateway.console.api import admin_application
from gateway.console.front import HEAD_LIMITS, put_before
from gateway.delivery.headers import Field, lead_headers
from gateway.delivery.release import Releases
from gateway.edge import Edge
from gateway.edge.parts import PageParts
from gateway.edge.submission import Submissions
from gateway.evidence.record import decode
from gateway.facts.collect import Collector
from gateway.facts.mail_dns import MailDns
from gateway.facts.reverse import ReverseDns
from gateway.feeds.reading import DAY_S
from gateway.generation import Generation
from gateway.intake.exchange import Exchange
from gateway.intake.keys import Key, KeyRing
from gateway.intake.proxy_suspicion import ProxySuspicion
from gateway.intake.server import Listener, require_extensions
from gateway.labels.outcomes import Outcomes
from gateway.lasting import lasting
from gateway.log import log, lost, seldom
from gateway.metrics import Metrics, Snapshot, together
from gateway.model import Mode
from gateway.models.background import Trainer
from gateway.passport import Passports
from gateway.pipeline import Pipeline
from gateway.reload import Reloader, tell_refused, warn
from gateway.stores import keys as stored_keys
from gateway.stores.hot import HotState
from gateway.stores.hot.memory import MemoryState
from gateway.stores.records import Store
from gateway.stores.spool.store import SpooledStore
from gateway.upstream.client import Upstream
from gateway.visits.arrivals import Arrivals
from gateway.watch import Watch
from gateway.workers.worker import APPLIED, LEAVE, READY, REFUSED, RELOAD, Worker

IDLE_S = 3.0
"""Seconds that a worker which is replaced keeps idle connections, for a request that may be on its way. The next one is served by others."""


class Gateway:
    """One serving process. `await run()` serves until it is told to stop.

    built   made of `config` already, with everything warmed up, by the parent of several workers
    worker  this process's place among them
    """

    store: Store
    hot: HotState
    keys: stored_keys.KeyRing

    def __init__(
        self,
        path: Path,
        config: Config,
        admin_token: str | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        built: Built | None = None,
        worker: Worker | None = None,
    ) -> None:
        require_extensions()
        self.path = path
        self.config = config
        self.admin_token = admin_token
        self.worker = worker
        self.metrics = Metrics()
        self.draining = False
        self._environ = environ
        self._warm = built is not None
        self._built = built or Built(config, {}, Reference.builtin())
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._leaving = False

    @property
    def generation(self) -> Generation:
        return self._built.generation

    @cached_property
    def tokens(self) -> KeyRing:
        """The keys that sign render tokens and session cookies."""
        current, *older = [Key(key.derive("token")) for key in self.keys.all(stored_keys.TOKEN)]
        return KeyRing(current, older)

    async def run(self) -> int:
        """Exit code: 0 after a clean stop. SIGTERM and SIGINT stop it, and a worker's parent does."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        if self.worker is None:
            loop.add_signal_handler(signal.SIGINT, self._stop.set)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # for a parent of several; by itself it would kill
        else:
            self.worker.attend(loop, self._told)
        await self.start()
        try:
            await self._stop.wait()
        finally:
            cut_off = await self.stop()
        log.info("stopped", cut_off=cut_off)
        return 0

    def _told(self, word: str) -> None:
        if word == RELOAD:
            self.reloader.request()
        else:
            self._leaving = word == LEAVE
            self._stop.set()

    async def open(self) -> None:
        """Keys, store and hot state, and all that works on them. Raises StoreUnopenable."""
        config, worker = self.config, self.worker
        self.keys = await backends.open_keys(config, self._environ)
        writer = backends.writer_name(config, 0 if worker is None else worker.seat)
        self.store = await backends.open_store(config, self.keys, writer, self._environ)
        self.hot = await backends.open_hot_state(config, self.metrics, self._environ)
        self._wire()

    async def start(self) -> None:
        """Raises StoreUnopenable, OSError."""
        config, worker = self.config, self.worker
        await self.open()
        if not self._warm:
            await self._built.warm_up()
        settle_memory()
        await self._put_generation(self.generation)
        if worker is None:
            for address in config.addresses:
                await self.listener.start(address.host, address.port)
        else:
            self.listener.join(worker.public, worker.share)
        await self._start_admin()
        self._tasks += [
            asyncio.create_task(lasting(name, work, self.metrics))
            for name, work in (
                ("reloads", lambda: self.reloader.run(watch=worker is None)),
                ("releases", self.releases.run),
                ("watch", self.watch.run),
                ("models", Trainer(lambda: self.config, self.path, self.store, self.metrics, self._environ).run),
                ("campaigns", self.board.run),
            )
        ]
        if worker is not None:
            publish = partial(worker.keep_published, self._snapshot)
            self._tasks.append(asyncio.create_task(lasting("worker metrics", publish, self.metrics)))
            worker.line.say(READY)
            return
        log.info(
            "started",
            listen=[f"{host}:{port}" for host, port in self.listener.addresses],
            admin=str(config.admin.listen),
            sites=self._built.sites_in_words(),
            generation=self.generation.id,
        )
        warn(config)

    async def _put_generation(self, generation: Generation) -> None:
        await self.store.put_generation(generation.id, generation.content)

    def _wire(self) -> None:
        config, keys, worker = self.config, self.keys, self.worker
        self.suspicion = ProxySuspicion(lambda address: self._built.network.lookup(address).labels)
        self.reverse = ReverseDns([str(server) for server in config.dns.servers], config.dns.deadline_ms / 1000)
        self.mail_dns = MailDns([str(server) for server in config.dns.servers], config.dns.mail_deadline_ms / 1000)
        self.board = Board(self.hot, self.metrics, lambda site: self.generation.zone(site))
        collector = Collector(
            keys.current(stored_keys.HASH).derive("hot state"),
            self.hot,
            lambda address: self._built.network_fact(address),
            lambda address: self.reverse(address),
            lambda agent, network: self._built.wants_reverse(agent, network),
            self.mail_dns, lambda arrival: self._built.mail_domain(arrival),
            self.board, lambda network: self._built.names_company(network),
        )  # fmt: skip
        self.pipeline = Pipeline(collector, self.store.record, self.metrics)
        arrivals = Arrivals(self.tokens, self.suspicion)
        self.passports = Passports(*keys.passport())
        draw = keys.current(stored_keys.HASH).derive("hold-outs")
        submissions = Submissions(arrivals, self.pipeline, self.store, self.tokens, self.passports, self.metrics, draw)
        self.edge = Edge(
            self.generation, arrivals, self.pipeline, submissions, self.tokens, self.passports, self.metrics,
            Outcomes(self.store, self._environ, self.metrics), PageParts(arrivals, collector.fetched),
        )  # fmt: skip
        self.releases = Releases(self.store, self.metrics, self._headers_of, self._upstream_of)
        self.watch = Watch(self.store, self.metrics, self.suspicion, lambda: self.config)
        self.listener = Listener(
            self.edge.handle,
            intake_limits(config, config.workers),
            self._refused,
            lambda address: self.generation.trusted.trusts(address),
            self._failed,
        )
        self.reloader = Reloader(
            self.path, config, self._build, self._swap, self._reload_refused, environ=self._environ
        )
        if worker is not None:
            self.metrics.others = lambda: worker.others(self._snapshot)
        self._gauges()

    def _gauges(self) -> None:
        gauge, hot, store, worker = self.metrics.gauge, self.hot, self.store, self.worker
        gauge("leadgate_in_flight", lambda: self.listener.in_flight)
        gauge("leadgate_connections", lambda: self.listener.connections)
        gauge("leadgate_workers", lambda: 1 if worker is None else len(worker.seats.connections))
        gauge("leadgate_store_queue", lambda: store.lag)
        gauge("leadgate_store_healthy", lambda: float(store.healthy))
        if isinstance(hot, MemoryState):
            gauge("leadgate_hot_state_keys", lambda: hot.sizes().keys)
            gauge("leadgate_hot_state_evicted", lambda: hot.sizes().evicted)
        if isinstance(store, SpooledStore):
            gauge("leadgate_spooled", lambda: store.waiting)
            store.on_spooled = lambda site: self.metrics.count("leadgate_spooled_leads", site)
        gauge("leadgate_geoip_age_days", lambda: self._built.network.age_s / DAY_S)
        gauge("leadgate_feed_age_days", lambda: self._built.network.oldest_feed_s / DAY_S)
        gauge("leadgate_log_lines_lost", lambda: lost.lines)
        gauge("leadgate_held_leads", lambda: self.watch.held)
        gauge("leadgate_held_oldest_seconds", lambda: self.watch.oldest_s)

    async def stop(self) -> int:
        """Unready, finish what is under way, flush, close. Answers how many requests had to be cut off."""
        self.draining = True
        log.info("draining", in_flight=self.listener.in_flight)
        if self._leaving:  # others answer what is asked from now on
            for site in tuple(self._admin.sites):
                await site.stop()
        cut_off = await self.listener.drain(self.config.drain_seconds, IDLE_S if self._leaving else 0.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._admin.cleanup()
        await self.store.close()
        await self.hot.close()
        await self.reverse.close()
        await self.mail_dns.close()
        for upstream in self._built.upstreams.values():
            await upstream.close()
        if self.worker is not None:
            self.worker.publish(self._snapshot())
        return cut_off

    async def _start_admin(self) -> None:
        self._admin = web.AppRunner(admin_application(self, self.admin_token), access_log=None, **HEAD_LIMITS)
        await self._admin.setup()
        assert self._admin.server is not None
        put_before(self._admin.server, self, self.admin_token)
        if self.worker is None:
            address = self.config.admin.listen
            await web.TCPSite(self._admin, address.host, address.port).start()
        else:
            for sock in self.worker.admin:
                await web.SockSite(self._admin, sock).start()

    # readiness

    def not_ready(self) -> list[str]:
        """Why requests should not be sent here now, in words; empty when ready."""
        stops = self.draining and not self._leaving  # who leaves has a successor
        return ["stopping: requests under way are finished, no new ones are taken"] if stops else []

    def advice(self) -> Sequence[str]:
        """What an operator should mend although requests are served."""
        own = self._advice()
        return own if self.worker is None else together([Snapshot(advice=own), *self.metrics.others()]).advice

    def _advice(self) -> tuple[str, ...]:
        store, hot = self.store.trouble, self.hot.trouble
        if store is not None and not (isinstance(self.store, SpooledStore) and self.store.spooling):
            store = f"the store cannot commit: {store}; forms go to the site unstored"
        return (*filter(None, (store, hot)), *self.suspicion.advice(), *self.watch.advice(), *self._built.advice())

    def _snapshot(self) -> Snapshot:
        return self.metrics.snapshot(self._advice())

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
        return Built(config, self._built.upstreams, self._built.reference)

    def _swap(self, config: Config, built: Built) -> None:
        old, self._built, self.config = self._built, built, config
        self.edge.generation = built.generation
        if self.worker is None:
            self.metrics.count("leadgate_reloads", "applied")
            log.info("reloaded", generation=built.generation.id)
            warn(config)
        else:
            self.worker.line.say(APPLIED)
        self._later(self._put_generation(built.generation))
        old.network.close()
        for key, upstream in old.upstreams.items():
            if built.upstreams.get(key) is not upstream:
                self._later(upstream.close())

    def _reload_refused(self, error: Exception) -> None:
        problems = tell_refused(error)
        if self.worker is None:
            self.metrics.count("leadgate_reloads", "refused")
        else:
            self.worker.line.say(REFUSED, "; ".join(problems))

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

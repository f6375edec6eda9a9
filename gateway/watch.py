"""Looks after what waits: held leads nobody looked at, a store that stopped or came back, a proxy nobody trusts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.config import Config
from gateway.delivery.mail import MailFailed, send
from gateway.intake.proxy_suspicion import ProxySuspicion
from gateway.labels.gauges import HoldoutGauges
from gateway.log import log, seldom
from gateway.metrics import Metrics
from gateway.model import LeadState, now_us
from gateway.stores.errors import StoreError
from gateway.stores.records import Store
from gateway.stores.spool.store import SpooledStore

ROUND_S = 15
"""Seconds between two counts of what waits."""

LOOK = "leadgate leads list --state held"
DAY_US = 86_400_000_000


class Watch:
    """held: leads that wait for a person; oldest_s: seconds the oldest of them has waited; accounted: did the last count of leads hold?"""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        suspicion: ProxySuspicion,
        config: Callable[[], Config],
        now: Callable[[], int] = now_us,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._suspicion = suspicion
        self._config = config
        self._now = now
        self._holdouts = HoldoutGauges(store, metrics, config)
        self._healthy = True
        self._failed = 0
        self._advice: tuple[str, ...] = ()
        self._reported_at = 0
        self.held = 0
        self.oldest_s = 0.0
        self.accounted = True

    async def run(self) -> None:
        while True:
            self._proxy()
            try:
                await self._leads()
                await self._holdouts.look()
            except StoreError as error:
                if not self._spooling():  # that was told when it began
                    seldom("store failed", "reading", reason=str(error), remedy="look at the store")
            for _ in range(ROUND_S):
                self._store_state()
                await asyncio.sleep(1)

    def _spooling(self) -> bool:
        return isinstance(self._store, SpooledStore) and self._store.spooling

    def _store_state(self) -> None:
        healthy, failed = self._store.healthy, self._store.stats().failed
        # A failure may begin and end between two looks; it was logged where it was met, so its end is told as well.
        if healthy and (not self._healthy or failed != self._failed):
            log.info("store recovered", queued=self._store.lag)
        elif not healthy and not self._spooling():
            seldom(
                "store failed",
                "commit",
                reason=self._store.trouble,
                queued=self._store.lag,
                remedy="free disk space or look at the store",
            )
        self._healthy, self._failed = healthy, failed

    def _proxy(self) -> None:
        advice = self._suspicion.advice()
        if advice and advice != self._advice:
            log.warning("proxy suspected", remedy="; ".join(advice))
        self._advice = advice

    async def _leads(self) -> None:
        """Counts held leads, reports those nobody looked at for a day, and checks that every submission is accounted for."""
        conservation = await self._store.conservation()
        self.accounted = conservation.holds
        if not conservation.holds:
            log.error(
                "store failed",
                reason=f"{conservation.received} submissions were received, {sum(conservation.by_state.values())} are there",
                remedy="leads are missing from the store: restore it from its backup and compare",
            )
        self.held = conservation.by_state.get(LeadState.HELD, 0)
        oldest = await self._store.oldest(LeadState.HELD) if self.held else None
        now = self._now()
        self.oldest_s = 0.0 if oldest is None else max(0, now - oldest) / 1_000_000
        if oldest is not None and now - oldest > DAY_US and now - self._reported_at > DAY_US:
            # One of all gateways and workers on this store writes; the others ask again in a day.
            if await self._store.take_turn("reviewer mail", now, DAY_US):
                await self._report()
            self._reported_at = now

    async def _report(self) -> None:
        """Tell the reviewer, by mail where the settings name a server, that leads wait which nobody looked at for a day."""
        config = self._config()
        hours = round(self.oldest_s / 3600)
        log.warning("leads waiting", count=self.held, oldest_hours=hours, remedy=LOOK)
        if config.mail is None or config.reviewer is None:
            return
        text = (
            f"{self.held} {'lead waits' if self.held == 1 else 'leads wait'} for a decision, the oldest for {hours} hours.\n\n"
            f"Look at them:  {LOOK}\n"
            "Send one on:   leadgate leads release ID\n"
            "Turn one down: leadgate leads reject ID\n\n"
            "Nothing is lost meanwhile: held leads are kept until somebody decides.\n"
        )
        try:
            await send(config.mail, config.reviewer, f"{self.held} held leads wait for you", text)
        except MailFailed as error:
            log.error("mail failed", error=str(error))

    def advice(self) -> tuple[str, ...]:
        """What `/readyz` tells of leads that wait for longer than a day."""
        if self.oldest_s * 1_000_000 <= DAY_US:
            return ()
        return (f"{self.held} held leads wait, the oldest for {round(self.oldest_s / 3600)} hours: {LOOK}",)

"""What hold-outs measured, for /metrics: counted now and then, and only where a form has a hold-out."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.config import Config
from gateway.labels.holdouts import Estimate, measured
from gateway.metrics import Metrics
from gateway.model import now_us
from gateway.stores.records import Store

EVERY_S = 1800.0
"""Seconds between two counts: labels come by the day, and each count reads the events of DAYS."""
DAYS = 90
"""Older hold-outs are left out: rules and traffic were others."""


class HoldoutGauges:
    """`look` is called often and does something seldom. Nothing is shown before there is something to show."""

    def __init__(
        self, store: Store, metrics: Metrics, config: Callable[[], Config], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._metrics, self._config, self._clock = store, metrics, config, clock
        self._due = clock()
        self._found: Estimate | None = None

    async def look(self) -> None:
        """Raises StoreError."""
        if self._clock() < self._due or not any(
            form.holdout.share for site in self._config().sites for form in site.forms
        ):
            return
        self._due = self._clock() + EVERY_S
        found = (await measured(self._store, now_us() - DAYS * 86_400_000_000)).total
        self._found = found
        gauge = self._metrics.gauge
        gauge("leadgate_holdout_followed", lambda: self._value("followed"))
        gauge("leadgate_holdout_good", lambda: self._value("good"))
        if found.rate is not None:
            gauge("leadgate_holdout_rate", lambda: self._value("rate"))
            gauge("leadgate_holdout_rate_low", lambda: self._value("low"))
            gauge("leadgate_holdout_rate_high", lambda: self._value("high"))

    def _value(self, name: str) -> float:
        return float(getattr(self._found, name) or 0.0)

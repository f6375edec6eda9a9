"""Work that goes on as long as the process does, whatever goes wrong in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.log import seldom
from gateway.metrics import Metrics

PAUSE_S = 5.0
"""Before work that failed begins anew: what fails at once must not fill the processor."""


async def lasting(name: str, work: Callable[[], Awaitable[None]], metrics: Metrics, pause_s: float = PAUSE_S) -> None:
    """Does `work`, and begins it anew where it fails by a fault of ours: a task that ended unseen would leave leads unsent or counts standing still.

    name  of the work, for the log
    """
    while True:
        try:
            await work()
            return
        except Exception as error:  # noqa: BLE001 - counted, told in the log, and begun anew
            metrics.count("leadgate_handler_failures")
            seldom("handler failed", name, type(error).__name__, method=name, exc_info=error)
        await asyncio.sleep(pause_s)

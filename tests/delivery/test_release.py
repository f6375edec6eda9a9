"""The worker that sends released leads, where its store comes and goes. What it sends is tested with the whole gateway."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.delivery.release import Releases
from gateway.metrics import Metrics
from gateway.stores.errors import StoreUnavailable
from gateway.stores.leads import ReleaseJob


class Store:
    """Has two jobs. Reading a lead fails the first time, as it does where the store went away since the job was taken."""

    def __init__(self, closing_fails: bool) -> None:
        self.jobs = [ReleaseJob(n, f"lead-{n}", "ada", 1, 0) for n in (1, 2)]
        self.closed: list[tuple[str, bool, bool]] = []
        self.done = asyncio.Event()
        self._away, self._closing_fails = True, closing_fails

    async def claim_release(self, now: int) -> ReleaseJob | None:
        return self.jobs.pop(0) if self.jobs else None

    async def lead_body(self, lead_id: str) -> None:
        if self._away:
            self._away = False
            raise StoreUnavailable("away")

    async def release_result(
        self, job: ReleaseJob, delivered: bool, status: int | None, detail: str, retry_at: int | None
    ) -> None:
        if job.lead_id == "lead-1" and self._closing_fails:
            raise StoreUnavailable("away")
        self.closed.append((job.lead_id, delivered, retry_at is not None))
        if job.lead_id == "lead-2":
            self.done.set()


@pytest.mark.parametrize("closing_fails", [False, True])
async def test_a_store_that_goes_away_between_a_job_and_its_lead_does_not_end_releases(closing_fails: bool) -> None:
    store: Any = Store(closing_fails)
    releases = Releases(store, Metrics(), SimpleNamespace(), lambda site: None)  # type: ignore[arg-type]
    running = asyncio.create_task(releases.run())
    async with asyncio.timeout(10):
        await asyncio.wait([running, asyncio.create_task(store.done.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not running.done(), "it goes on"
    running.cancel()
    again = [] if closing_fails else [("lead-1", False, True)]
    assert store.closed == [*again, ("lead-2", False, False)]

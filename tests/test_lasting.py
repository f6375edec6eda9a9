from __future__ import annotations

import asyncio

import pytest

from gateway.lasting import lasting
from gateway.metrics import Metrics


async def test_work_that_fails_begins_anew_and_is_counted() -> None:
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("planted")

    metrics = Metrics()
    await asyncio.wait_for(lasting("watch", work, metrics, pause_s=0), 10)
    assert (len(begun), metrics.counts["leadgate_handler_failures",]) == (3, 2)


async def test_it_ends_where_it_is_told_to() -> None:
    task = asyncio.create_task(lasting("watch", asyncio.Event().wait, Metrics()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

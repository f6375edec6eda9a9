"""A shared store that is taken away, and the one in front of it."""

from __future__ import annotations

import pytest
from spooled import Pair


@pytest.fixture
async def pair(tmp_path, keys, clock):
    pair = Pair(tmp_path, keys, clock)
    yield pair
    if pair.store is not None:
        await pair.store.close()
    else:
        await pair.primary.close()


@pytest.fixture
async def store(pair):
    return await pair.open()

"""The gateway as its users meet it: a real process between a raw origin and raw visitors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from origin import Origin
from running import Gateway, Start


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Makes gateways that live as long as the module's tests: hot state stays, so tests use addresses of their own."""
    running: list[Gateway] = []

    def make(config: Mapping[str, Any], directory: Path | None = None, env: Mapping[str, str] | None = None) -> Gateway:
        gateway = Gateway(directory or tmp_path_factory.mktemp("gateway"), config, env)
        running.append(gateway)
        return gateway

    yield make
    for gateway in running:
        gateway.kill() if gateway.pid is not None else None

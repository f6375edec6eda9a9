"""A site, and a gateway set up as the recipes say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import ForkedGateway, Forker
from origin import Origin
from recipes import origin_of_recipes, settings
from running import Gateway


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    made = origin_of_recipes()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway(origin: Origin, tmp_path_factory: pytest.TempPathFactory, forker: Forker) -> Iterator[Gateway]:
    made = ForkedGateway(tmp_path_factory.mktemp("gateway"), settings(origin, "enforce"), forker=forker).start()
    yield made
    made.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path

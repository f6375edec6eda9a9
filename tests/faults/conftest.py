"""Gateways for tests that break something around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forking import ForkedGateway, Forker
from origin import Origin, response
from running import site
from shared_stores import SharedStores, merged


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stores" in metafunc.fixturenames:
        metafunc.parametrize("stores", ["embedded", "shared"], indirect=True)


@pytest.fixture
def stores(request: pytest.FixtureRequest) -> SharedStores | None:
    """None: in the process and in a file. Else Redis and PostgreSQL, which nobody breaks."""
    return request.getfixturevalue("shared_stores") if request.param == "shared" else None


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    made.default = response("", "303 See Other", ("Location", "/thanks"))
    yield made
    made.stop()


Serve = Callable[[SharedStores], ForkedGateway]


@pytest.fixture
def serve(origin: Origin, tmp_path: Path, forker: Forker) -> Iterator[Serve]:
    """Starts a gateway with two workers on these stores."""
    made: list[ForkedGateway] = []

    def start(stores: SharedStores) -> ForkedGateway:
        settings = merged(stores.settings(), {"sites": [site(origin, "enforce")], "workers": 2})
        gateway = ForkedGateway(tmp_path, settings, stores.env, forker)
        made.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in made:
        gateway.close()

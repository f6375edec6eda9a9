"""One gateway for the tests of the admin listener: nothing goes through it, others ask it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asking import DENIED, Asking
from forking import ForkedGateway, Forker
from origin import Origin
from running import QUOTE, Gateway, site


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def gateway(origin: Origin, tmp_path_factory: pytest.TempPathFactory, forker: Forker) -> Iterator[Gateway]:
    """Two sites: `acme` enforces and keeps sessions in a cookie, `quiet` only watches and derives them; `quiet` has two forms."""
    forms = [QUOTE | {"name": name, "path": f"/{name}"} for name in ("call", "letter")]
    quiet = site(origin, "monitor", forms, name="quiet", hosts=["quiet.example"], session="derived")
    config: dict[str, Any] = {
        "sites": [site(origin, "enforce", hosts=["www.acme.example"]), quiet],
        "trusted_proxies": ["10.0.0.0/8"],
        "lists": {"deny": [{"name": "test-range", "addresses": [f"{DENIED}/32"]}]},
    }
    made = ForkedGateway(tmp_path_factory.mktemp("gateway"), config, forker=forker).start()
    yield made
    made.kill()


@pytest.fixture
def asking(gateway: Gateway) -> Asking:
    return Asking(gateway)

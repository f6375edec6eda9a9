"""The gateway as its users meet it: a real process between a raw origin and raw visitors, on either pair of stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from forking import ForkedGateway
from origin import Origin
from running import Gateway, Start
from shared_stores import SharedStores, settings_on

EMBEDDED_ONLY = {
    "test_a_second_gateway_does_not_touch_the_store": "two gateways may share PostgreSQL, and must not share a file",
    "test_a_corrupt_store_is_named_and_left_alone": "it damages the file of an SQLite store",
    "test_a_port_in_use_is_named": "no store is opened that would be another one",
    "test_the_slow_parser_is_refused": "no store is opened",
    "test_settings_that_cannot_be_used_end_with_two": "no store is opened",
    "test_what_nobody_trusted_says_is_not_believed_and_the_line_to_add_is_named": "it waits for the watch, and no store is looked at",
    "test_log_events_are_those_that_are_documented": "it reads the source",
}
"""Tests that a second pair of stores would tell nothing new, and why. All others run on both."""

WHOLE_PROGRAM = ("test_operations",)
"""Modules whose gateways are started as an operator starts them, not forked: how the program starts and ends is what they test."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "gateways" in metafunc.fixturenames:
        pairs = ["embedded"] if metafunc.function.__name__ in EMBEDDED_ONLY else ["embedded", "shared"]
        metafunc.parametrize("stores", pairs, indirect=True, scope="module")


@pytest.fixture(scope="module")
def stores(request: pytest.FixtureRequest) -> SharedStores | None:
    """None: in the process and in a file, as a gateway has them without settings. Else Redis and PostgreSQL."""
    shared = getattr(request, "param", "embedded") == "shared"
    return request.getfixturevalue("shared_stores") if shared else None


@pytest.fixture(scope="module")
def origin(stores: SharedStores | None) -> Iterator[Origin]:
    made = Origin()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateways(
    stores: SharedStores | None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Makes gateways that live as long as the module's tests: hot state stays, so tests use addresses of their own."""
    running: list[Gateway] = []

    def make(
        config: Mapping[str, Any],
        directory: Path | None = None,
        env: Mapping[str, str] | None = None,
        own_clock: bool = False,
    ) -> Gateway:
        place = directory or tmp_path_factory.mktemp("gateway")
        settings = settings_on(stores, config)
        environ = {**(stores.env if stores else {}), **(env or {})}
        if own_clock:
            gateway: Gateway = ForkedGateway(place, settings, environ)
        elif env or request.module.__name__.rpartition(".")[2] in WHOLE_PROGRAM:
            gateway = Gateway(place, settings, environ)
        else:
            gateway = ForkedGateway(place, settings, environ, request.getfixturevalue("forker"))
        running.append(gateway)
        return gateway

    yield make
    for gateway in running:
        if isinstance(gateway, ForkedGateway):
            gateway.close()
        elif gateway.pid is not None:
            gateway.kill()

"""docs/install/caddy.md, run by Caddy itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from origin import Origin
from recipes import CADDY, Beside, Program, addresses, block, caddy, put
from running import TOKEN, Gateway, free_port

pytestmark = pytest.mark.skipif(not CADDY.exists(), reason="Caddy is not installed")


def start(folder: Path, gateway: Gateway, origin: Origin, token: str) -> Program:
    recipe = put(block("install/caddy.md", "text", "# Caddyfile"), addresses(gateway, origin))
    return caddy(folder, free_port(), recipe, token)


@pytest.fixture(scope="module")
def beside(gateway: Gateway, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    proxy = start(tmp_path_factory.mktemp("caddy"), gateway, origin, TOKEN)
    yield Beside(gateway, origin, proxy)
    proxy.stop()


def test_a_persons_page_view_passes_with_the_verdict(beside: Beside) -> None:
    beside.passes()


def test_who_is_declined_sees_our_page(beside: Beside) -> None:
    beside.declines()


def test_every_form_goes_through_the_gateway_and_is_a_lead(beside: Beside) -> None:
    for _ in range(3):
        beside.takes_forms()


def test_a_visitor_with_many_cookies_is_judged(beside: Beside) -> None:
    beside.takes_large_heads()


def test_what_is_no_landing_page_is_not_recorded(beside: Beside) -> None:
    beside.records_no_assets()


def test_without_leadgate_pages_and_forms_reach_the_site(beside: Beside) -> None:
    beside.goes_on_alone()


def test_a_wrong_token_does_not_take_the_site_down(gateway: Gateway, origin: Origin, folder: Path) -> None:
    proxy = start(folder, gateway, origin, "wrong")
    try:
        assert Beside(gateway, origin, proxy).visit("/offer").status == 200
    finally:
        proxy.stop()


def test_the_sites_own_failure_is_not_sent_twice(beside: Beside) -> None:
    def breaks_off(side: object, request: object) -> None:
        return None

    beside.origin.scripts["/order"] = breaks_off
    answer = beside.visit("/order", method="POST")
    assert answer.status == 502
    assert len(beside.origin.to("/order")) == 1

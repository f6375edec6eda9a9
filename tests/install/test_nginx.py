"""docs/install/nginx.md, run by nginx itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from origin import Origin
from recipes import NGINX, Beside, Program, addresses, block, nginx, put
from running import TOKEN, Gateway, free_port

pytestmark = pytest.mark.skipif(not NGINX.exists(), reason="nginx is not installed")


def start(folder: Path, gateway: Gateway, origin: Origin, token: str) -> Program:
    secret = folder / "leadgate-token.conf"
    secret.write_text(put(block("install/nginx.md", "nginx", "# /etc/nginx/leadgate-token.conf"), {"TOKEN": token}))
    recipe = block("install/nginx.md", "nginx", "# /etc/nginx/conf.d/acme.conf")
    replaced = addresses(gateway, origin) | {"/etc/nginx/leadgate-token.conf": str(secret)}
    return nginx(folder, free_port(), put(recipe, replaced))


@pytest.fixture(scope="module")
def beside(gateway: Gateway, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    proxy = start(tmp_path_factory.mktemp("nginx"), gateway, origin, TOKEN)
    yield Beside(gateway, origin, proxy)
    proxy.stop()


def test_a_persons_page_view_passes_with_the_verdict(beside: Beside) -> None:
    beside.passes()


def test_who_is_declined_sees_our_page(beside: Beside) -> None:
    assert beside.declines().field("Content-Type") == "text/html; charset=utf-8"


def test_every_form_goes_through_the_gateway_and_is_a_lead(beside: Beside) -> None:
    for _ in range(3):
        beside.takes_forms()


def test_what_is_no_landing_page_is_not_recorded(beside: Beside) -> None:
    beside.records_no_assets()


def test_a_session_begins_in_a_cookie(beside: Beside) -> None:
    beside.begins_sessions()


def test_connections_to_the_gateway_are_kept(beside: Beside) -> None:
    """Each question on a connection of its own would cost three times as much."""
    port = beside.gateway.admin_port
    for _ in range(3):
        beside.visit("/offer")
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    ports = [(int(row[2].rpartition(":")[2], 16), row[3]) for row in rows]
    assert (port, "01") in ports  # established, with nobody's question on it


def test_without_leadgate_pages_and_forms_reach_the_site(beside: Beside) -> None:
    beside.goes_on_alone()
    beside.passes()


def test_a_wrong_token_does_not_take_the_site_down(gateway: Gateway, origin: Origin, folder: Path) -> None:
    proxy = start(folder, gateway, origin, "wrong")
    try:
        assert Beside(gateway, origin, proxy).visit("/offer").status == 200
    finally:
        proxy.stop()

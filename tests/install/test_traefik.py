"""docs/install/traefik.md, run by Traefik itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from origin import Origin
from recipes import TRAEFIK, Beside, Program, addresses, block, put
from running import TOKEN, Gateway, free_port, until

pytestmark = pytest.mark.skipif(not TRAEFIK.exists(), reason="Traefik is not installed")


def start(folder: Path, gateway: Gateway, origin: Origin, token: str) -> Program:
    port, inner = free_port(), free_port()
    routes = folder / "acme.yml"
    static = put(
        block("install/traefik.md", "yml", "# /etc/traefik/traefik.yml"),
        {'":80"': f'"127.0.0.1:{port}"', "127.0.0.1:8082": f"127.0.0.1:{inner}", "/etc/traefik/acme.yml": str(routes)},
    )
    recipe = block("install/traefik.md", "yml", "# /etc/traefik/acme.yml")
    routes.write_text(put(recipe, addresses(gateway, origin) | {"127.0.0.1:8082": f"127.0.0.1:{inner}"}))
    (folder / "traefik.yml").write_text(static)
    env = dict(os.environ) | {"LEADGATE_ADMIN_TOKEN": token}
    return Program([str(TRAEFIK), f"--configFile={folder / 'traefik.yml'}"], port, folder, env)


@pytest.fixture(scope="module")
def beside(gateway: Gateway, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    proxy = start(tmp_path_factory.mktemp("traefik"), gateway, origin, TOKEN)
    found = Beside(gateway, origin, proxy)
    until(lambda: found.visit("/ready").status == 200, what=proxy.log.read_text("utf-8"))
    yield found
    proxy.stop()


def test_a_persons_page_view_passes_with_the_verdict(beside: Beside) -> None:
    beside.passes()


def test_the_visitors_own_authorization_reaches_the_site(beside: Beside) -> None:
    beside.visit("/offer?utm_campaign=own", ("Authorization", "Basic dGVzdA=="))
    assert beside.arrived("utm_campaign=own").field("Authorization") == "Basic dGVzdA=="


def test_who_is_declined_sees_our_page(beside: Beside) -> None:
    beside.declines()


def test_a_form_goes_through_the_gateway_and_is_a_lead(beside: Beside) -> None:
    beside.takes_forms()


def test_a_visitor_with_many_cookies_is_judged_and_one_with_too_many_passes(beside: Beside) -> None:
    beside.takes_large_heads()
    beside.takes_huge_heads()


def test_what_is_no_landing_page_is_not_recorded(beside: Beside) -> None:
    beside.records_no_assets()


def test_a_session_begins_in_a_cookie(beside: Beside) -> None:
    beside.begins_sessions()


def test_without_leadgate_pages_and_forms_reach_the_site(beside: Beside) -> None:
    beside.goes_on_alone(forms_at_once=False)


def test_a_wrong_token_does_not_take_the_site_down(gateway: Gateway, origin: Origin, folder: Path) -> None:
    proxy = start(folder, gateway, origin, "wrong")
    try:
        other = Beside(gateway, origin, proxy)
        until(lambda: other.visit("/offer").status == 200, what=proxy.log.read_text("utf-8"))
    finally:
        proxy.stop()

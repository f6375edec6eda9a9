"""docs/install/nginx.md, run by nginx itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from origin import Origin
from recipes import TOKEN, Beside, Program, addresses, block, put
from running import Gateway, free_port

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
pytestmark = pytest.mark.skipif(not Path(NGINX).exists(), reason="nginx is not installed")

AROUND = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  include {folder}/acme.conf;
}}
"""


def start(folder: Path, gateway: Gateway, origin: Origin, token: str) -> Program:
    port = free_port()
    recipe = block("nginx.md", "nginx", "# /etc/nginx/conf.d/acme.conf")
    secret = folder / "leadgate-token.conf"
    replaced = {"listen 80;": f"listen 127.0.0.1:{port};", "/etc/nginx/leadgate-token.conf": str(secret)}
    (folder / "acme.conf").write_text(put(recipe, addresses(gateway, origin) | replaced))
    secret.write_text(put(block("nginx.md", "nginx", "# /etc/nginx/leadgate-token.conf"), {"TOKEN": token}))
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    return Program([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder, os.environ)


@pytest.fixture(scope="module")
def beside(gateway: Gateway, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    proxy = start(tmp_path_factory.mktemp("nginx"), gateway, origin, TOKEN)
    yield Beside(gateway, origin, proxy)
    proxy.stop()


def test_a_persons_page_view_passes_with_the_verdict(beside: Beside) -> None:
    beside.passes()


def test_who_is_declined_sees_our_page(beside: Beside) -> None:
    assert beside.declines().field("Content-Type") == "text/html; charset=utf-8"


def test_a_form_goes_through_the_gateway_and_is_a_lead(beside: Beside) -> None:
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

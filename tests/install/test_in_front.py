"""docs/operators/in-front.md: all requests pass through the gateway, which stands behind nginx or Caddy."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from origin import Origin
from recipes import CADDY, CLAIMS, NGINX, Beside, addresses, block, caddy, nginx, put
from running import Gateway, free_port
from visitor import person

PAGE = "operators/in-front.md"


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def behind(
    request: pytest.FixtureRequest, gateway: Gateway, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Beside]:
    program = NGINX if request.param == "nginx" else CADDY
    if not program.exists():
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp("front")
    here = {"127.0.0.1:8080": addresses(gateway, origin)["127.0.0.1:8080"]}
    if request.param == "nginx":
        proxy = nginx(folder, free_port(), put(block(PAGE, "nginx", "# /etc/nginx"), here))
    else:
        proxy = caddy(folder, free_port(), put(block(PAGE, "text", "# Caddyfile"), here))
    yield Beside(gateway, origin, proxy)
    proxy.stop()


def test_a_page_view_carries_the_visitors_address_and_not_his_claims(behind: Beside) -> None:
    mark = f"front{behind.proxy.port}"
    answer = behind.visit(f"/offer?utm_campaign={mark}", *CLAIMS, ("X-Forwarded-For", "192.0.2.9"), source="127.0.0.41")
    assert answer.status == 200
    got = behind.lead_headers(mark)
    assert "made-up" not in got.values()
    record = behind.gateway.record(got["X-Lead-Id"])
    assert record["personal"]["network"]["client"]["address"] == "127.0.0.41"
    assert record["answered"] == {"status": 200, "by": "origin"}


def test_a_form_is_a_lead(behind: Beside) -> None:
    form = person()
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    assert behind.visit("/lead", kind, method="POST", body=urlencode(form).encode()).status == 303
    got = behind.lead_headers(form["email"].partition("@")[0])
    behind.gateway.lead(got["X-Lead-Id"], "delivered")

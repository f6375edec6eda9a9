"""What docker-compose.yml describes, without containers: Debian's Redis and PostgreSQL, the gateway with the mounted settings, the example site."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from running import ROOT, Gateway, free_port, until
from servers import ROLE, Postgres, Redis
from visitor import Browser, person, request

from gateway import backends
from gateway import config as configuration

PASSWORD = "of-this-test-only"
VISITS = 60


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(ROOT / "examples/site/site.py"), "--port", str(port)])
    try:
        until(lambda: _answers(port), what="the example site does not start")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        return request(port, "GET", "/offer", [("Host", "a")]).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def gateway(site: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("trio")
    with Redis() as redis, Postgres(password=PASSWORD) as postgres:
        database = postgres.new_database()
        text = (ROOT / "examples/docker/leadgate.yaml").read_text("utf-8").replace("/var/lib/leadgate", str(place))
        text = text.replace("redis://redis:6379", f"redis://127.0.0.1:{redis.port}")
        text = text.replace("@", "").replace("//postgres:5432/leadgate", f"//127.0.0.1:{postgres.port}/{database}")
        settings = YAML(typ="safe").load(text)
        del settings["listen"], settings["admin"]["listen"]
        settings["postgres"]["username"] = ROLE
        (place / "admin-token").write_text("replaced-by-the-environment")
        environ = {"POSTGRES_PASSWORD": PASSWORD}
        gateway = Gateway(place, settings | {"trusted_proxies": ["127.0.0.1"]}, environ)
        gateway.environ["LEADGATE_ORIGIN"] = f"http://127.0.0.1:{site}"
        gateway.config["admin"] |= {"listen": f"127.0.0.1:{gateway.admin_port}"}
        gateway.write(gateway.config)
        gateway.start(90)
        try:
            yield gateway
        finally:
            if gateway.pid is not None:
                gateway.kill()


def test_two_workers_serve_the_example_site(gateway: Gateway) -> None:
    until(lambda: gateway.metric("leadgate_workers") == 2, 30, "two workers are expected")
    for number in range(VISITS):
        page = gateway.browser().get(f"/offer?gclid=trio{number}")
        assert page.status == 200
        assert b"<form" in page.body
    visitor = gateway.browser()
    visitor.get("/offer")
    thanked = visitor.post("/lead", person())
    assert thanked.status == 303
    assert thanked.field("location") == "/thanks"
    lead = gateway.lead(gateway_newest(gateway), "delivered")
    assert lead["record"]["verdict"] == "accept"
    gateway.conserved()


def gateway_newest(gateway: Gateway) -> str:
    until(lambda: gateway.api("/leads?limit=1")["items"], what="no lead is there")
    return str(gateway.newest_lead()["id"])


def test_every_visit_is_counted_once_whoever_served_it(gateway: Gateway) -> None:
    """The counters of both workers, added up by whichever answers."""
    until(lambda: gateway.metric("leadgate_observations_total", kind="landing") >= VISITS + 1, 20)
    time.sleep(1.2)  # a snapshot later
    assert gateway.metric("leadgate_observations_total", kind="landing") == VISITS + 1
    assert gateway.metric("leadgate_observations_total", kind="submission") == 1
    assert gateway.metric("leadgate_hot_state_partial_total") == 0


def test_limits_are_those_of_one_gateway(gateway: Gateway) -> None:
    """One address, many visits, spread over both workers: the counter stands in the verdict as one process would have counted."""
    visitor = Browser(gateway.port, "198.51.100.77")
    for _ in range(30):
        assert visitor.get("/offer?utm_source=limits").status == 200

    def counted() -> int:
        items = gateway.api("/records?kind=landing&q=198.51.100.77&limit=50")["items"]
        details = [gateway.record(item["id"]) for item in items]
        return max((detail["facts"]["velocity"]["counts"]["address"][3][0] for detail in details), default=0)

    until(lambda: counted() == 30, 20, "the busiest verdict counts 30 visits")


def test_both_workers_wrote_their_chains_and_the_container_stops_cleanly(gateway: Gateway, tmp_path: Path) -> None:
    assert gateway.stop() == 0

    async def writers() -> dict[str, tuple[int, str]]:
        environ = os.environ | {"POSTGRES_PASSWORD": PASSWORD}
        store = await backends.operator_store(configuration.load(gateway.path, environ=environ), environ)
        try:
            return await store.writers()
        finally:
            await store.close()

    found = asyncio.run(writers())
    assert len([name for name, (entries, _) in found.items() if entries > 5]) >= 2, found

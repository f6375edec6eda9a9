"""A feed that was fetched reaches a running gateway by itself, and records say what addresses were looked up in."""

from __future__ import annotations

from typing import Any

import pytest
from origin import Origin
from running import Gateway, Start, site, until

ADDRESS = "84.160.77.1"


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    feeds = [{"name": "exits", "kind": "vpn", "file": "exits.txt"}]
    return gateways({"sites": [site(origin)], "geoip": {"feeds": feeds}}).start()


def seen(gateway: Gateway, origin: Origin) -> dict[str, Any]:
    """The record of a new visit from ADDRESS."""
    gateway.browser(ADDRESS).get("/offer")
    received = origin.to("/offer")[-1]
    return gateway.record(received.field("X-Lead-Id"))


def test_fetched_while_running(gateway: Gateway, origin: Origin) -> None:
    before = seen(gateway, origin)
    assert before["facts"]["network"]["asn"] == 3320 and before["facts"]["network"]["kind"] == "consumer"
    assert not before["facts"]["network"].get("labels")
    assert any("the feed exits was never fetched" in line for line in gateway.open("/readyz").json()["advice"])
    assert gateway.metric("leadgate_geoip_age_days") > 100

    (gateway.directory / "exits.txt").write_text("84.160.77.0/24\n")
    done = gateway.cli("geoip", "refresh")
    assert (done.returncode, done.stdout) == (0, "exits: 1 networks\n")
    until(lambda: gateway.metric("leadgate_reloads_total", result="applied") >= 1, 40, "the feed is taken up by itself")

    after = seen(gateway, origin)
    assert list(after["facts"]["network"]["labels"]) == ["vpn:exits"] and after["facts"]["network"]["kind"] == "vpn"
    assert after["generation"] != before["generation"]
    assert [one["label"] for one in after["networks"]["feeds"]] == ["vpn:exits"]
    assert before["networks"]["feeds"] == [] and "https://db-ip.com/" in before["networks"]["credit"]
    assert gateway.open("/readyz").json()["advice"] == []
    told = gateway.cli("explain", after["id"]).stdout
    assert "Networks looked up in" in told and "feed vpn:exits, content " in told and "https://db-ip.com/" in told

"""Whose address it is: believed only from proxies that are named, and not used at all where it can only be a proxy's own."""

from __future__ import annotations

import json

import pytest
from origin import Origin
from running import Gateway, Start, site, until
from visitor import Browser, new_address, person, request


@pytest.fixture(scope="module")
def trusting(origin: Origin, gateways: Start) -> Gateway:
    return gateways({"sites": [site(origin)], "trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]}).start()


@pytest.fixture(scope="module")
def wary(origin: Origin, gateways: Start) -> Gateway:
    return gateways({"sites": [site(origin)], "trusted_proxies": []}).start()


def client_of(gateway: Gateway, origin: Origin, mark: str) -> dict[str, object]:
    got = origin.wait_for(mark)
    facts = gateway.record(str(got.field("X-Lead-Id")))["facts"]
    return {"client": facts["client"], "xff": got.field("X-Forwarded-For")}


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.9:4711", "203.0.113.9"),
    ],
)
def test_the_rightmost_untrusted_hop_is_the_visitor(trusting: Gateway, origin: Origin, chain: str, client: str) -> None:
    mark = f"chain={abs(hash(chain))}"
    Browser(trusting.port, chain).get(f"/offer?{mark}")
    found = client_of(trusting, origin, mark)
    record = trusting.record(str(origin.wait_for(mark).field("X-Lead-Id")))
    assert record["personal"]["network"]["client"]["address"] == client
    assert found["xff"] == f"{chain}, 127.0.0.1"


def test_a_chain_that_names_nobody_is_said_to_be_unknown(trusting: Gateway, origin: Origin) -> None:
    Browser(trusting.port, "unknown").get("/offer?chain=nobody")
    record = trusting.record(str(origin.wait_for("chain=nobody").field("X-Lead-Id")))
    assert "client" in [each["fact"] for each in record["unavailable"]]


def test_what_nobody_trusted_says_is_not_believed_and_the_line_to_add_is_named(wary: Gateway, origin: Origin) -> None:
    """Behind a proxy that is not named everybody has the proxy's address: no counter may flag them for it."""
    for number in range(60):
        wary.browser().get(f"/offer?wary={number}")
    got = origin.wait_for("wary=59")
    assert got.field("X-Forwarded-For") == "127.0.0.1", "what a stranger claims is not passed on"
    record = wary.record(str(got.field("X-Lead-Id")))
    assert record["verdict"] == "accept"
    missing = {each["fact"]: each["reason"] for each in record["unavailable"]}
    assert "client" in missing
    assert 'add "127.0.0.1" under trusted_proxies' in missing["client"]
    assert not [signal for signal in record["signals"] if signal["id"].startswith("velocity.address")]
    assert not [signal for signal in record["signals"] if signal["id"].startswith("velocity.prefix")]

    ready = wary.open("/readyz")
    assert ready.status == 200, "visitors are served all the same"
    assert ready.json()["advice"] == ['add "127.0.0.1" under trusted_proxies']  # type: ignore[index]
    until(lambda: wary.logged("proxy suspected"), 25)
    assert 'add "127.0.0.1" under trusted_proxies' in wary.logged("proxy suspected")[0]["remedy"]

    checked = wary.cli("check")
    assert checked.returncode == 0
    assert 'add "127.0.0.1" under trusted_proxies' in checked.stdout
    told = json.loads(wary.cli("check", "--json").stdout)
    assert "127.0.0.1" in str(told["advice"])


def test_the_line_helps(wary: Gateway, origin: Origin) -> None:
    wary.config["trusted_proxies"] = ["127.0.0.1"]
    wary.write(wary.config)
    until(lambda: wary.logged("reloaded"))
    address = new_address()
    Browser(wary.port, address).post("/lead", person() | {"mark": "helped"})
    record = wary.record(str(origin.wait_for("mark=helped").field("X-Lead-Id")))
    assert record["personal"]["network"]["client"]["address"] == address


def test_direct_visitors_are_believed_to_be_who_they_are(gateways: Start, origin: Origin) -> None:
    direct = gateways({"sites": [site(origin)], "trusted_proxies": []}).start()
    for number in range(12):
        request(direct.port, "GET", f"/offer?direct={number}", [("Host", "a"), ("User-Agent", "curl/8")])
    record = direct.record(str(origin.wait_for("direct=11").field("X-Lead-Id")))
    assert record["personal"]["network"]["client"]["address"] == "127.0.0.1"
    assert direct.open("/readyz").json()["advice"] == []  # type: ignore[index]

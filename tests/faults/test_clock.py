"""The wall clock jumps: a virtual machine wakes, somebody sets the time. Leads are taken and kept, and nobody is blamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import ForkedGateway
from origin import Origin, response
from running import site, until
from visitor import Browser, person

from gateway.evidence.chain import verify
from gateway.stores.keys import KeyRing
from gateway.stores.sqlite import OPERATOR, SqliteStore

HOUR, DAY = 3600, 86_400
FORM = '<html><form action="/lead" method="post"><input name="email"></form></html>'


@pytest.fixture
def gateway(origin: Origin, tmp_path: Path) -> Iterator[ForkedGateway]:
    origin.scripts["/offer"] = response(FORM)
    made = ForkedGateway(tmp_path, {"sites": [site(origin, "enforce")]})
    made.start()
    yield made
    made.close()


def visit(gateway: ForkedGateway, origin: Origin, browser: Browser | None = None, jump: int | None = None) -> list[str]:
    """A person opens the page, the clock jumps, the form is sent: the reasons against the accepted lead."""
    browser = browser or gateway.browser()
    page = browser.get("/offer")
    token = re.search(r'name="_lg_t" value="([^"]+)"', page.text)
    assert token
    if jump is not None:
        gateway.turn_clock(jump)
    form = person() | {"_lg_t": token[1]}
    answer = browser.post("/lead", form)
    assert answer.status == 303, answer.text
    got = origin.wait_for(form["email"].replace("@", "%40"))
    gateway.lead(str(got.field("X-Lead-Id")), "delivered")
    gateway.conserved()
    return [reason for reason in str(got.field("X-Lead-Reasons")).split(",") if reason]


async def test_jumps_cost_no_lead_and_accuse_nobody(gateway: ForkedGateway, origin: Origin) -> None:
    known = gateway.browser()
    visit(gateway, origin, known)
    assert visit(gateway, origin, jump=12 * HOUR) == []
    assert visit(gateway, origin, known, jump=400 * DAY) in (["token.expired"], []), "old is not forged"
    assert "token.forged" not in visit(gateway, origin, jump=-30 * DAY), "issued in the future is not forged either"
    assert visit(gateway, origin, known, jump=5 * HOUR) is not None
    gateway.kill()
    gateway.turn_clock(-90 * DAY)
    gateway.start()
    visit(gateway, origin)
    assert (
        len(gateway.api("/records?limit=500")["items"])
        == len(gateway.api("/records?limit=500&kind=landing")["items"]) * 2
    )
    assert gateway.metric("leadgate_handler_failures_total") == 0
    assert gateway.metric("leadgate_fail_open_total") == 0
    assert gateway.metric("leadgate_detector_failures_total") == 0
    assert gateway.stop() == 0
    keys = KeyRing.open(gateway.directory / "var/keys", SqliteStore.keys_used(gateway.directory / "var/leadgate.db"))
    store = SqliteStore.open(gateway.directory / "var/leadgate.db", keys, writer=OPERATOR)
    try:
        for writer in await store.writers():
            assert verify(await store.entries(writer, 0, 1000)).ok
    finally:
        await store.close()


def test_a_lead_that_waits_for_a_day_is_reported(gateway: ForkedGateway, origin: Origin) -> None:
    held = gateway.browser().post("/lead", person() | {"email": "wait@mailinator.com"})
    assert held.status == 200
    gateway.turn_clock(26 * HOUR)
    until(lambda: gateway.logged("leads waiting"), 40)
    told = gateway.logged("leads waiting")[0]
    assert told["count"] == 1
    assert "leadgate leads list --state held" in told["remedy"]
    assert gateway.metric("leadgate_held_oldest_seconds") >= 25 * HOUR

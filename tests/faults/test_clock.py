"""The wall clock jumps: a virtual machine wakes, somebody sets the time. Leads are taken and kept, and nobody is blamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from books import read_books
from forking import ForkedGateway
from origin import Origin, response
from running import site, until
from shared_stores import SharedStores, settings_on
from visitor import Browser, person

HOUR, DAY = 3600, 86_400
FORM = '<html><form action="/lead" method="post"><input name="email"></form></html>'


@pytest.fixture
def gateway(origin: Origin, tmp_path: Path, stores: SharedStores | None) -> Iterator[ForkedGateway]:
    origin.scripts["/offer"] = response(FORM)
    settings = settings_on(stores, {"sites": [site(origin, "enforce")]})
    made = ForkedGateway(tmp_path, settings, stores.env if stores else None)
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
    assert (await read_books(gateway.path, gateway.environ)).chains


def test_a_lead_that_waits_for_a_day_is_reported(gateway: ForkedGateway, origin: Origin) -> None:
    held = gateway.browser().post("/lead", person() | {"email": "wait@mailinator.com"})
    assert held.status == 200
    gateway.turn_clock(26 * HOUR)
    until(lambda: gateway.logged("leads waiting"), 40)
    told = gateway.logged("leads waiting")[0]
    assert told["count"] == 1
    assert "leadgate leads list --state held" in told["remedy"]
    assert gateway.metric("leadgate_held_oldest_seconds") >= 25 * HOUR

"""The way through the site as a fact: measured by real hot states, unknown where nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.behaviour import Journey
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Page,
    Request,
    Unavailable,
)
from gateway.campaigns.board import Board
from gateway.facts.arrival import Arrival
from gateway.facts.collect import SETTLED_US, Collector
from gateway.facts.journey import carried_click
from gateway.intake.clicks import FoundClick
from gateway.model import new_id
from gateway.stores.hot.memory import MemoryState
from geoip.network import Network

START = 1_780_012_800_000_000
SECOND = 1_000_000
CLICK = FoundClick("google", "gclid", "CjwKCAjw-one-click-id", 1, 21)


def arrival(at: float = 0, kind: Kind = Kind.LANDING, referer: str = "", **changes: Any) -> Arrival:
    headers = [("Host", "acme.example"), ("User-Agent", "a browser"), ("Accept-Language", "en-GB")]
    if referer:
        headers.append(("Referer", referer))
    given: dict[str, Any] = {
        "id": new_id(),
        "kind": kind,
        "site": "acme",
        "at": START + int(at * SECOND),
        "client": Client("198.51.100.7"),
        "request": Request("GET", "/offer", tuple(headers)),
        "page": Page("acme.example", "/offer"),
        "lead": Lead("quote", ()) if kind is Kind.SUBMISSION else None,
    }
    return Arrival(**(given | changes))


async def _no_reverse(address: str) -> Unavailable:
    return Unavailable("not asked")


class Facts:
    def __init__(self, usual: int = 950) -> None:
        self.hot = MemoryState()
        self.board = Board(self.hot)
        self.board.assets_usual = lambda site: usual  # type: ignore[method-assign]
        self.collector = Collector(
            bytes(32), self.hot, lambda _: Network(), _no_reverse, lambda *_: False, board=self.board
        )

    async def __call__(self, at: float = 0, kind: Kind = Kind.LANDING, **changes: Any) -> Journey:
        found = (await self.collector.gather(arrival(at, kind, **changes))).journey
        assert isinstance(found, Journey)
        return found


async def test_intervals_between_page_views_and_posts() -> None:
    facts = Facts()
    assert (await facts()).dwell_ms == -1
    for at in (10, 20, 30):
        found = await facts(at)
    assert (found.beats, found.beat_ms, found.beat_spread, found.dwell_ms) == (3, 10_000, 0, 10_000)
    found = await facts(50, Kind.SUBMISSION)
    assert (found.beats, found.beat_ms, found.dwell_ms) == (4, 12_500, 20_000)
    assert found.beat_spread == 346  # deviation 4.33 s of 12.5


async def test_parts_of_pages_are_known_at_the_next_page() -> None:
    facts = Facts()
    assert (await facts()).assets == 0
    facts.collector.fetched(arrival(1), False)
    await facts.board.tick(START + 2 * SECOND)
    found = await facts(30)
    assert (found.assets, found.assets_usual) == (1, 950)
    assert (await facts(40, client=Client("203.0.113.9"))).assets == 0  # somebody else


async def test_a_second_page_is_known_when_the_form_comes() -> None:
    facts = Facts()
    assert (await facts()).second is None  # nobody asks at a page view
    assert (await facts(5, Kind.SUBMISSION)).second is False
    facts.collector.fetched(arrival(6), True)
    await facts.board.tick(START + 7 * SECOND)
    assert (await facts(9, Kind.SUBMISSION)).second is True


async def test_parts_of_pages_of_a_cookie_session() -> None:
    facts, cookie = Facts(), {"session_mode": "cookie", "cookie": ("a" * 32, START)}
    await facts(**cookie)
    facts.collector.fetched(arrival(1, client=Client("203.0.113.9"), **cookie), False)
    await facts.board.tick(START + 2 * SECOND)
    assert (await facts(30, **cookie)).assets == 1
    assert (await facts(30)).assets == 0


async def test_where_no_parts_come_past_nobody_misses_them() -> None:
    facts = Facts(usual=-1)
    await facts()
    assert (await facts(30)).assets == -1


async def test_networks_of_a_cookie_session() -> None:
    facts = Facts()
    for number in range(5):
        found = await facts(
            number, client=Client(f"198.51.{number}.7"), session_mode="cookie", cookie=("a" * 32, START)
        )
    assert found.networks == 5
    assert (await facts()).networks == 0


async def test_a_click_id_that_landed_and_one_that_never_did() -> None:
    facts = Facts()
    await facts(click=CLICK)
    late = SETTLED_US / SECOND + 1
    known, unknown = [("gclid", CLICK.value)], [("gclid", "CjwKCAjw-another-one-0")]
    assert (await facts(late, Kind.SUBMISSION, lead=Lead("quote", tuple(known)))).click_landed is True
    assert (await facts(late, Kind.SUBMISSION, lead=Lead("quote", tuple(unknown)))).click_landed is False
    assert (await facts(late, Kind.SUBMISSION)).click_landed is None
    referer = f"https://acme.example/offer?utm_source=google&gclid={CLICK.value}"
    assert (await facts(late, Kind.SUBMISSION, referer=referer)).click_landed is True


async def test_a_young_process_may_have_missed_the_landing() -> None:
    unknown = Lead("quote", (("gclid", "CjwKCAjw-another-one-0"),))
    assert (await Facts()(0, Kind.SUBMISSION, lead=unknown)).click_landed is None


async def test_without_a_session_there_is_no_journey() -> None:
    facts = Facts()
    assert (await facts.collector.gather(arrival(session_mode="off"))).journey is None


async def test_a_dry_run_leaves_no_step() -> None:
    facts = Facts()
    await facts()
    await facts.collector.gather(arrival(10), dry=True)
    assert (await facts(30)).dwell_ms == 30_000
    assert sum(sum(counts.values()) for counts in facts.board._clicks.values()) == 2


@pytest.mark.parametrize(
    "referer", ["", "https://acme.example/offer", "?" + "&" * 5000, "https://x/?" + "gclid=%ff" * 3, "\x00?gclid="]
)
def test_hostile_referers(referer: str) -> None:
    found = carried_click(arrival(0, Kind.SUBMISSION, referer=referer))
    assert found is None or found.parameter == "gclid"

"""The board: what landings leave behind comes together, in one process and in several, and nobody waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.behaviour import Journey
from detectors.campaign import flood
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Session, Unavailable
from gateway.campaigns import board as boards
from gateway.campaigns import cells
from gateway.campaigns.board import Board
from gateway.campaigns.buckets import LEAST, READ
from gateway.campaigns.cells import SEPARATOR, whole_site
from gateway.campaigns.history import BUCKET_S
from gateway.metrics import Metrics
from gateway.stores.hot import FIELDS_CAP, Answers, Look, Operation, Seal, sums
from gateway.stores.hot.memory import MemoryState

US = 1_000_000
START = 1_780_012_800  # on the edge of a day
ROOFS = {"utm_campaign": "roofs"}
PARTS = cells.parts("acme", ROOFS, "google")
KEY = f"acme{SEPARATOR}campaign{SEPARATOR}roofs"


def landing(
    at: float, number: int = 0, campaign: dict[str, str] | None = None, landings: int = 1, age_s: int = 0
) -> Observation:
    return Observation(
        Kind.LANDING, "acme", int(at * US), Page("acme.example", "/offer", ROOFS if campaign is None else campaign), Client("192.0.2.1"),
        Request("GET", "/offer", ()), Unavailable("test"), Unavailable("test"), Session("derived", f"{number:04x}", age_s, landings),
    )  # fmt: skip


def keys(number: int) -> tuple[tuple[bytes, ...], bytes]:
    page = b"P%d" % number
    return (b"J%d" % number, page, b"S%d" % number), page


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))


async def visit(board: Board, at: float, number: int, *, parts: bool, **landing_: Any) -> None:
    looks, page = keys(number)
    seen = landing(at, number, **landing_)
    board.saw(seen, cells.parts(seen.site, seen.page.campaign, "google"), looks, page)
    if parts:
        board.note(looks[0])


async def days(board: Board, count: int, *, each: int = 4, engaged: float = 0.75) -> int:
    """`each` visitors every ten minutes for so many days; answers when that ends."""
    number = 0
    for step in range(count * 86_400 // BUCKET_S):
        at = START + step * BUCKET_S
        for place in range(each):
            number += 1
            await visit(board, at + place, number, parts=place < each * engaged)
        await board.tick((at + 5) * US)
        await board.tick((at + 200) * US)
    return START + count * 86_400


async def test_clicks_come_back_as_cells() -> None:
    board = Board(MemoryState(), zone=lambda site: "Europe/Berlin")
    end = await days(board, 4, each=12)
    fact = board.campaign("acme", PARTS, end * US)
    assert fact is not None
    (roofs, google) = fact.cells
    assert (roofs.name, google.name) == ("campaign roofs", "publisher google")
    assert roofs.windows >= 14 and roofs.usual == roofs.clicks
    assert 740 <= roofs.engaged <= 760 and 740 <= roofs.engaged_usual <= 760
    assert fact.local_hour == 2  # midnight in London
    assert board.campaign("acme", (), end * US) is None
    assert 740 <= board.assets_usual("acme") <= 760
    assert board.assets_usual("other") == -1


async def test_a_flood_begins_and_ends_in_log_and_metrics() -> None:
    told, metrics = Told(), Metrics()
    board = Board(MemoryState(), metrics, on_event=told)
    end = await days(board, 4)
    for second in range(0, 900, 2):
        await visit(board, end + second, 100_000 + second, parts=False)
        await board.tick((end + second) * US)
    assert [event for event, _ in told.events] == ["campaign flooded"] * 2
    fields = told.events[0][1]
    assert fields["site"] == "acme" and fields["usual"] == 8 and fields["clicks"] > 50  # type: ignore[operator]
    assert board.seen.floods.keys() >= {KEY} and whole_site("acme") not in board.seen.floods
    assert b"leadgate_campaigns_flooded 2.0" in metrics.exposition()
    assert board.seen.cells[KEY].made > 800  # and each of its clicks is one of them
    for step in range(1, 60):
        at = end + 900 + step * BUCKET_S
        for place in range(4):
            await visit(board, at + place, 200_000 + step * 10 + place, parts=place < 3)
        await board.tick((at + 5) * US)
        await board.tick((at + 200) * US)
        if step == 9:  # six hours remember the flood; what comes now is none of it
            assert KEY in board.seen.floods and board.seen.cells[KEY].made == -1
    assert [event for event, _ in told.events[2:]] == ["campaign calm"] * 2
    assert metrics.counts["leadgate_campaign_floods", "acme", "ended"] == 2


async def test_twice_the_people_are_no_flood() -> None:
    told = Told()
    board = Board(MemoryState(), on_event=told)
    end = await days(board, 4)
    for second in range(0, 900, 2):
        await visit(board, end + second, 100_000 + second, parts=second % 8 != 0)
        await board.tick((end + second) * US)
    assert not told.events and not board.seen.floods


async def test_two_processes_see_one_campaign_and_one_of_them_tells() -> None:
    shared, told = MemoryState(), Told()
    one, two = Board(shared, on_event=told), Board(shared, on_event=told)
    end = await days(one, 3)
    await two.tick(end * US)
    assert two.seen.cells.keys() == one.seen.cells.keys() != set()
    for second in range(0, 900, 2):
        await visit(one if second % 4 else two, end + second, 100_000 + second, parts=False)
        await one.tick((end + second) * US)
        await two.tick((end + second) * US)
    assert KEY in one.seen.floods and KEY in two.seen.floods
    assert len([event for event, fields in told.events if fields["part"] == "campaign roofs"]) == 1


async def test_a_second_page_is_noted_where_no_ad_led_to_it() -> None:
    board = Board(MemoryState())
    looks, page = keys(1)
    board.saw(landing(START, 1, campaign={}, landings=2, age_s=9), (), looks, page)
    assert list(board._seals) == [page]
    board.saw(landing(START, 2, landings=2, age_s=9), PARTS, *keys(2))  # a second click on an ad is no second page
    assert list(board._seals) == [page]


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "FOLLOWING", 10)
    monkeypatch.setattr(boards, "NOTED", 10)
    board = Board(MemoryState())
    for number in range(500):
        await visit(board, START + number * 7, number, parts=True)
    assert len(board._following) == 10 and len(board._seals) == 10


async def test_a_flood_is_followed_by_sample() -> None:
    board = Board(MemoryState())
    for number in range(1000):
        await visit(board, START + number / 50, number, parts=False)
    assert len(board._following) <= boards.FOLLOWED_MOST + 20


class Away(MemoryState):
    """Answers, and says that it knows only a part."""

    async def observe(self, ops: list[Operation], now: int, *, dry: bool = False) -> Answers:  # type: ignore[override]
        answers = await super().observe(ops, now, dry=dry)
        return Answers(answers.results, dict.fromkeys(range(len(ops)), "redis: timeout; counted in this process only"))


async def test_a_state_that_stands_in_says_nothing_of_campaigns() -> None:
    board = Board(Away())
    end = await days(board, 1)
    assert not board.seen.cells
    assert board.campaign("acme", PARTS, end * US) is not None


async def test_calls_are_small() -> None:
    sizes: list[int] = []

    class Watched(MemoryState):
        async def observe(self, ops: list[Operation], now: int, *, dry: bool = False) -> Answers:  # type: ignore[override]
            sizes.append(len(ops))
            assert not dry
            assert not [op for op in ops if isinstance(op, Look | Seal) and len(op.key) > 60]
            return await super().observe(ops, now)

    board = Board(Watched())
    for number in range(3000):
        await visit(board, START + number, number, parts=True)
    await board.tick((START + 4000) * US)
    assert max(sizes) <= boards.BATCH + 2


async def test_an_unknown_zone_has_no_hour() -> None:
    board = Board(MemoryState(), zone=lambda site: "Nowhere/Land")
    fact = board.campaign("acme", PARTS, START * US)
    assert fact is not None and fact.local_hour == -1 and fact.cells == ()


def post(at: float, assets: int, second: bool = False) -> Observation:
    return Observation(
        Kind.SUBMISSION, "acme", int(at * US), Page("acme.example", "/lead"), Client("192.0.2.1"), Request("POST", "/lead", ()),
        Unavailable("test"), Unavailable("test"), Session("derived", "00ff", 60, 1, 1), lead=Lead("quote", ()), journey=Journey(assets, 950, second=second),
    )  # fmt: skip


async def forms(board: Board, count: int = 4) -> int:
    """Three posts an hour for so many days, one in thirty-two from a browser with the page in its cache; answers when that ends."""
    for step in range(count * 72):
        board.saw(post(START + step * 1_200, int(step % 32 > 0), step % 5 < 2), (), (), b"")
        await board.tick((START + step * 1_200 + 5) * US)
    return START + count * 86_400


async def test_a_form_has_a_past_of_its_own() -> None:
    board = Board(MemoryState())
    end = await forms(board)
    fact = board.form("acme", "quote", end * US)
    assert fact is not None
    (quote,) = fact.cells
    assert quote.name == "form quote" and quote.windows >= 14 and quote.engaged_usual > 940
    assert board.form("acme", "other", end * US) is None and flood(quote) is None


@pytest.mark.parametrize(("assets", "flooded"), [(0, True), (1, False), (-1, False)])
async def test_made_up_leads_flood_a_form_and_people_do_not(assets: int, flooded: bool) -> None:
    told = Told()
    board = Board(MemoryState(), on_event=told)
    end = await forms(board)
    for second in range(0, 3_000, 50):
        board.saw(post(end + second, assets, second % 150 == 0), (), (), b"")
        await board.tick((end + second) * US)
    assert [event for event, _ in told.events] == (["campaign flooded"] if flooded else [])
    fact = board.form("acme", "quote", (end + 3_000) * US)
    assert fact is not None and (flood(fact.cells[0]) is not None) is flooded


@pytest.mark.parametrize(("one_in", "flooded"), [(0, True), (3, False)])
async def test_forms_of_whole_browsers_that_see_one_page(one_in: int, flooded: bool) -> None:
    """Programs that drive browsers, or people for pay, fetch the page and send the form; of people some look at a second page."""
    board = Board(MemoryState())
    end = await forms(board)
    for number in range(90):
        board.saw(post(end + number * 33, 1, bool(one_in) and number % one_in == 0), (), (), b"")
        await board.tick((end + number * 33) * US)
    fact = board.form("acme", "quote", (end + 3_000) * US)
    assert fact is not None and (flood(fact.cells[0]) is not None) is flooded
    assert fact.cells[0].deep is flooded or not flooded


async def test_answers_are_small_however_many_names_there_are() -> None:
    """A shared state answers within milliseconds or is left alone: names that somebody makes up must not make its answers long."""
    answered: list[int] = []

    class Watched(MemoryState):
        async def observe(self, ops: list[Operation], now: int, *, dry: bool = False) -> Answers:  # type: ignore[override]
            answers = await super().observe(ops, now, dry=dry)
            answered.append(sum(len(each) for each in answers.results if isinstance(each, dict)))
            return answers

    board = Board(Watched())
    for number in range(6000):
        await visit(board, START, number, parts=True, campaign={"utm_campaign": f"made up {number // 10}"})
    for second in (1, 7, 130, 137, 144, 601, 607, 613):
        before = len(answered)
        await board.tick((START + second) * US)
    assert len(board.history.series) > 300 and sum(answered[before:]) > 1000
    assert max(answered) <= READ // LEAST * FIELDS_CAP <= 1024
    assert max(answered[before:]) <= READ


@pytest.mark.parametrize("room", range(12))
async def test_where_there_is_no_room_for_all_counts_nobody_seems_to_have_gone_away(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fills a bucket with made-up names must not turn the people of another campaign into a flood."""
    monkeypatch.setattr(sums, "FIELDS_CAP", room)
    board = Board(MemoryState())
    for number in range(60):
        await visit(board, START + number / 10, number, parts=True)
    await board.tick((START + 7) * US)
    await board.tick((START + 200) * US)
    now = board.history.now
    for series in board.history.series.values():
        assert series.total("f", now, 3) <= series.total("e", now, 3)


async def test_a_past_that_could_not_be_read_at_the_start_is_read_later() -> None:
    class Comes(MemoryState):
        away = False

        async def observe(self, ops: list[Operation], now: int, *, dry: bool = False) -> Answers:  # type: ignore[override]
            answers = await super().observe(ops, now, dry=dry)
            told = dict.fromkeys(range(len(ops)), "redis: timeout; counted in this process only") if self.away else {}
            return Answers(answers.results, told)

    shared = Comes()
    one, two = Board(shared), Board(shared)
    end = await days(one, 3)
    shared.away = True
    await two.tick(end * US)
    shared.away = False
    await two.tick((end + 10) * US)
    assert two.seen.cells[KEY].windows >= 14


async def test_a_clock_that_is_put_back_stops_nothing() -> None:
    board = Board(MemoryState())
    end = await days(board, 3)
    usual = board.seen.cells[KEY].windows
    assert usual >= 14
    await board.tick((end + 12 * 3600) * US)  # somebody took noon for midnight
    assert KEY not in board.seen.cells
    await visit(board, end + 12 * 3600, 9, parts=False)
    await board.tick((end + 10) * US)
    assert board.seen.cells[KEY].windows >= 14
    assert not board._following

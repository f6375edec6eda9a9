"""GET /api/v1/reports/campaigns: what is flooded first, and nothing made up where nothing is known."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from detectors.behaviour import Cell
from gateway.campaigns.board import Board, Seen
from gateway.console.campaigns import CampaignApi
from gateway.console.problems import Problem
from gateway.stores.hot.memory import MemoryState

FLOODED = Cell("campaign roofs", 412, 38, 9, 90, 610, 49, 60, 300)
BUSY = Cell("publisher news", 80, 30, 4, 600, 610, 49, 20, 70, deep=True)
YOUNG = Cell("campaign doors", 12, 0, 0, -1, -1, 0, 20, 4)


@pytest.fixture
def api() -> CampaignApi:
    board = Board(MemoryState())
    cells = {
        "acme\x1fcampaign\x1fdoors": YOUNG,
        "acme\x1fpublisher\x1fnews": BUSY,
        "other\x1fcampaign\x1froofs": FLOODED,
    }
    board.seen = Seen(cells, {}, {"other\x1fcampaign\x1froofs": 0.85})
    return CampaignApi(board)


async def rows(api: CampaignApi, query: str = "") -> list[dict[str, Any]]:
    answer = await api.campaigns(make_mocked_request("GET", f"/api/v1/reports/campaigns{query}"))
    body = orjson.loads(cast(bytes, answer.body))  # type: ignore[attr-defined]
    assert body["next_cursor"] is None
    return cast(list[dict[str, Any]], body["items"])


async def test_what_is_flooded_comes_first(api: CampaignApi) -> None:
    found = await rows(api)
    assert [row["part"] for row in found] == ["campaign roofs", "publisher news", "campaign doors"]
    assert found[0] == {
        "site": "other",
        "part": "campaign roofs",
        "minutes": 60,
        "clicks": 412,
        "usual": 38,
        "spread": 9,
        "windows": 49,
        "followed": 300,
        "engaged": 0.09,
        "engaged_usual": 0.61,
        "engaged_by": "anything",
        "flood": 0.85,
    }


async def test_what_is_not_known_is_null(api: CampaignApi) -> None:
    young = (await rows(api, "?site=acme"))[-1]
    assert (young["usual"], young["engaged"], young["flood"]) == (None, None, None)


async def test_one_site(api: CampaignApi) -> None:
    assert [row["site"] for row in await rows(api, "?site=other")] == ["other"]
    assert await rows(api, "?site=nobody") == []


@pytest.mark.parametrize("query", ["?sites=acme", "?site=a&site=b"])
async def test_wrong_questions_are_refused(api: CampaignApi, query: str) -> None:
    with pytest.raises(Problem):
        await rows(api, query)

"""How campaigns do now against their own past, as the board of the process that is asked knows it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from detectors.behaviour import Cell
from gateway.campaigns.board import Board
from gateway.campaigns.cells import in_words, site_of
from gateway.console.problems import Problem, reply


class CampaignApi:
    def __init__(self, board: Board) -> None:
        self._board = board

    async def campaigns(self, request: web.Request) -> web.Response:
        """Flooded parts first, then by clicks above what is usual."""
        query = dict(request.query)
        if len(query) != len(request.query) or query.keys() - {"site"}:
            raise Problem(400, "Unknown parameter", "This report takes site, once.")
        seen, wanted = self._board.seen, query.get("site")
        rows = [
            _row(key, cell, seen.floods.get(key))
            for key, cell in seen.cells.items()
            if wanted is None or site_of(key) == wanted
        ]
        rows.sort(key=_order)
        return reply({"items": rows, "next_cursor": None})


def _order(row: dict[str, Any]) -> tuple[float, int, str, str]:
    return -(row["flood"] or 0.0), (row["usual"] or 0) - row["clicks"], row["site"], row["part"]


def _row(key: str, cell: Cell, flood: float | None) -> dict[str, Any]:
    known = cell.windows > 0
    return {
        "site": site_of(key),
        "part": in_words(key),
        "minutes": cell.minutes,
        "clicks": cell.clicks,
        "usual": cell.usual if known else None,
        "spread": cell.spread if known else None,
        "windows": cell.windows,
        "followed": cell.followed,
        "engaged": _share(cell.engaged),
        "engaged_usual": _share(cell.engaged_usual),
        "engaged_by": "second page or form" if cell.deep else "anything",
        "flood": None if flood is None else round(flood, 3),
    }


def _share(thousandths: int) -> float | None:
    return None if thousandths < 0 else thousandths / 1000

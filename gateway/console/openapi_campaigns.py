"""The part of the OpenAPI document about campaigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

_COUNT: Json = {"type": ["integer", "null"]}
_SHARE: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}


def paths(operation: Callable[..., Json], answer: Callable[[str, str], Json]) -> Json:
    site = {
        "name": "site",
        "in": "query",
        "description": "Only this site's.",
        "schema": {"type": "string"},
    }
    return {
        "/api/v1/reports/campaigns": {
            "get": operation(
                "How campaigns, publishers and creatives do now against their own past; what is flooded first",
                "getCampaigns",
                answer("As the process that answers knows it.", "Campaigns"),
                parameters=[site],
            )
        }
    }


SCHEMAS: Json = {
    "Campaigns": {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "site": {"type": "string"},
                        "part": {"type": "string", "description": '"campaign roofs"; "site" is all of it.'},
                        "minutes": {"type": "integer", "description": "Length of the window that differs most."},
                        "clicks": {"type": "integer", "description": "In that window."},
                        "usual": _COUNT | {"description": "Median of earlier windows at this time of day."},
                        "spread": _COUNT | {"description": "Scaled median absolute deviation."},
                        "windows": {"type": "integer", "description": "Earlier windows; 0: no past yet."},
                        "followed": {"type": "integer", "description": "Visitors whose first two minutes are known."},
                        "engaged": _SHARE | {"description": "Of these, the share that went on."},
                        "engaged_usual": _SHARE,
                        "engaged_by": {"type": "string", "enum": ["anything", "second page or form"]},
                        "flood": _SHARE | {"description": "Share of clicks in excess and unengaged; null: no flood."},
                    },
                },
            },
            "next_cursor": {"type": "null"},
        },
    }
}

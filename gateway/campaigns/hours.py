"""The hour of day where a site's customers live."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

US = 1_000_000


class LocalHours:
    """zone: site → IANA time zone of its customers, "" where it is not told. Remembers a site's hour for the quarter of an hour: no zone changes
    within one. One entry a site."""

    def __init__(self, zone: Callable[[str], str]) -> None:
        self._zone = zone
        self._known: dict[str, tuple[int, int]] = {}

    def at(self, site: str, at: int) -> int:
        """0-23, -1 unknown. at: UTC microseconds."""
        quarter = at // (900 * US)
        known = self._known.get(site)
        if known is None or known[0] != quarter:
            known = self._known[site] = (quarter, _hour_in(self._zone(site), at))
        return known[1]


def _hour_in(zone: str, at: int) -> int:
    if not zone:
        return -1
    try:
        return datetime.fromtimestamp(at / US, ZoneInfo(zone)).hour
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return -1

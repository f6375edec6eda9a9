"""One line of an access log, as every format is read into it, and the clock of logs."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

MAX_LINE = 65_536
"""Bytes of one line that are read; longer lines are reported and skipped. Servers cut requests off at 8 to 32 kB."""

_FIRST, _LAST = 631_152_000, 4_102_444_800  # 1990 and 2100: outside of it a clock was wrong, or it is no time
_IMPLAUSIBLE = "the time lies before 1990 or after 2100"
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_VERSIONS = {"HTTP/1.1": "1.1", "HTTP/1.0": "1.0", "HTTP/2.0": "2", "HTTP/2": "2", "HTTP/3.0": "3", "HTTP/3": "3"}


class Unreadable(ValueError):
    """A line that cannot be read; the text says why, in words that fit behind "line 12: ". No personal values."""


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """What one line says of one request. All text that came from the visitor is bytes decoded as latin-1.

    format     "combined", "common", "vhost_combined", "Caddy JSON", "JSON"
    at         UTC microseconds
    address    the client as logged: an address, or a host name where the server looked names up
    method     "" where the line holds something that is no HTTP request
    target     request target as logged, escapes of the log undone
    version    "1.0", "1.1", "2" or "3"
    status     status of the answer, 0 where unknown
    headers    request headers that the log tells, names spelled as usual; a header the log tells to be absent has the value ""
               where that means something (User-Agent), else it is left out
    host       host the request went to, "" where unknown
    scheme     "http" or "https"; "http" where unknown
    forwarded  X-Forwarded-For as logged, or None
    resolved   the server had already found the client behind its own proxies
    """

    format: str
    at: int
    address: str
    method: str
    target: str
    version: str = "1.1"
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    host: str = ""
    scheme: str = "http"
    forwarded: str | None = None
    resolved: bool = False

    @property
    def agent(self) -> str:
        """The user agent, "" where there was none or nobody knows. Text formats have it last."""
        for name, value in reversed(self.headers):
            if name == "User-Agent" or (len(name) == 10 and name.lower() == "user-agent"):
                return value
        return ""


def request_line(text: str) -> tuple[str, str, str]:
    """(method, target, version) of "GET /offer HTTP/1.1"; ("", "", "1.1") of what is no request line."""
    method, _, rest = text.partition(" ")
    target, space, protocol = rest.rpartition(" ")
    version = _VERSIONS.get(protocol)
    if version is None:
        if space or not rest.startswith("/"):  # HTTP/0.9 has no version; anything else is noise
            return "", "", "1.1"
        target, version = rest, "1.0"
    if not (method.isalpha() and method.isupper()) or not target:
        return "", "", "1.1"
    return method, target, version


def protocol_version(text: str) -> str:
    return _VERSIONS.get(text, "1.1")


@lru_cache(1024)
def _day(day: str, zone: str) -> int:
    """Seconds of "17/May/2015" at midnight in the zone "+0200". Raises Unreadable."""
    try:
        number, name, year = day.split("/")
        midnight = datetime(int(year), _MONTHS[name.title()], int(number), tzinfo=UTC)
        offset = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
    except (ValueError, KeyError) as error:
        raise Unreadable(f"there is no day {day}") from error
    return int(midnight.timestamp()) - (offset if zone[0] == "+" else -offset)


def log_time(day: str, hour: str, minute: str, second: str, zone: str) -> int:
    """UTC microseconds of the parts of "17/May/2015:10:05:03 +0000". Raises Unreadable."""
    h, m, s = int(hour), int(minute), int(second)
    if h > 23 or m > 59 or s > 60:  # 60: a leap second
        raise Unreadable(f"there is no time of day {hour}:{minute}:{second}")
    return _bounded(_day(day, zone) + h * 3600 + m * 60 + s)


def iso_time(text: str) -> int:
    """UTC microseconds of an RFC 3339 time; without zone it is taken as UTC. Raises Unreadable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unreadable("the time is not one that is known") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return _bounded(int(whole.timestamp())) + moment.microsecond


def unix_time(value: float) -> int:
    """UTC microseconds of seconds since 1970; milliseconds, microseconds and nanoseconds are known by their size. Raises Unreadable."""
    for _ in range(3):
        if value >= _LAST:
            value /= 1000
    if not _FIRST <= value < _LAST:  # also where it is no number at all
        raise Unreadable(_IMPLAUSIBLE)
    return round(value * 1_000_000)


def _bounded(seconds: int) -> int:
    if not _FIRST <= seconds < _LAST:
        raise Unreadable(_IMPLAUSIBLE)
    return seconds * 1_000_000

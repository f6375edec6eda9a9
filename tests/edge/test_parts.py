"""Who fetches parts of pages is noted once in a while, and cheaply."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.edge import parts
from gateway.edge.parts import PageParts
from gateway.generation import Generation, SiteRoutes
from gateway.intake.exchange import Exchange
from gateway.intake.target import parse
from gateway.visits.arrivals import Arrivals

CHROME = {b"user-agent": b"a browser", b"sec-fetch-dest": b"image"}


class Noted:
    """Page parts with everything around them made up."""

    def __init__(self, mode: str = "derived") -> None:
        self.told: list[bool] = []
        self.read = 0

        def read(*_: Any) -> Any:
            self.read += 1
            return SimpleNamespace(arrival="an arrival")

        self.parts = PageParts(cast(Arrivals, SimpleNamespace(read=read)), lambda _, page: self.told.append(page))
        self.site = cast(SiteRoutes, SimpleNamespace(name="acme", site=SimpleNamespace(session=mode)))

    def seen(self, path: bytes, headers: dict[bytes, bytes], method: str = "GET", peer: str = "192.0.2.1") -> None:
        exchange = cast(
            Exchange, SimpleNamespace(method=method, upgrade=None, index=headers, peer=(peer, 4711), target=path)
        )
        self.parts.seen(exchange, cast(Generation, None), self.site, parse(path, method, ()))


@pytest.mark.parametrize(
    ("path", "headers", "told"),
    [
        (b"/a.png", {}, [False]),
        (b"/A.PNG?v=2", {}, [False]),
        (b"/picture/7", CHROME, [False]),
        (b"/about", {b"sec-fetch-dest": b"document"}, [True]),
        (b"/about", {}, []),
        (b"/api/data.json", {b"sec-fetch-dest": b"empty"}, []),
    ],
)
def test_what_is_a_part_of_a_page(path: bytes, headers: dict[bytes, bytes], told: list[bool]) -> None:
    noted = Noted()
    noted.seen(path, headers)
    assert noted.told == told


def test_only_what_is_fetched_counts() -> None:
    noted = Noted()
    noted.seen(b"/a.png", CHROME, "HEAD")
    noted.seen(b"/a.png", CHROME, "POST")
    assert noted.told == []


def test_a_visitor_is_looked_at_once() -> None:
    noted = Noted()
    for number in range(50):
        noted.seen(b"/%d.png" % number, CHROME)
    assert (noted.told, noted.read) == ([False], 1)
    noted.seen(b"/a.png", CHROME, peer="192.0.2.2")
    assert noted.read == 2


def test_who_stays_is_noted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    noted, now = Noted(), 1_780_012_800_000_000
    for later, read in ((0, 1), (599, 1), (600, 2)):
        monkeypatch.setattr(parts, "now_us", lambda later=later: now + later * 1_000_000)
        noted.seen(b"/a.png", CHROME)
        assert noted.read == read


def test_sessions_of_the_site_decide() -> None:
    off, cookie = Noted("off"), Noted("cookie")
    off.seen(b"/a.png", CHROME)
    cookie.seen(b"/a.png", CHROME)
    assert off.read == cookie.read == 0
    cookie.seen(b"/a.png", CHROME | {b"cookie": b"_lg_s=abc"})
    assert cookie.read == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "VISITORS", 100)
    noted = Noted()
    for number in range(1000):
        noted.seen(b"/a.png", CHROME, peer=f"192.0.{number // 250}.{number % 250}")
    assert noted.read == 1000
    assert len(noted.parts._young) + len(noted.parts._old) <= 200
    noted.seen(b"/a.png", CHROME, peer="192.0.3.249")
    assert noted.read == 1000  # still known

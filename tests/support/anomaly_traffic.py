"""Made-up days of one site, with the counters a gateway would have counted: people, and programs that keep below every limit and copy a browser's headers.

People come from homes (an address each), from phones behind a carrier's few addresses, and from offices; they look at one to seven pages, some write.
Programs (each a kind of its own, `PROGRAMS`) are evasive: ordinary headers, ordinary networks, a pace that no limit minds.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from bench import visitors
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.intake.clicks import FoundClick
from gateway.intake.render_token import TokenReading
from gateway.model import new_id
from gateway.stores.hot.memory import MemoryState
from geoip.network import Network

START = 1_790_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
PERSON = "person"
HOME = Network(3320, "Deutsche Telekom AG", "DE", (), "consumer")
CARRIER = Network(12638, "Telefonica Germany", "DE", (), "mobile")
OFFICE = Network(680, "An Office", "DE", (), "business")

_WORDS = (
    "roof", "house", "south", "heating", "old", "new", "please", "call", "offer", "price", "panels", "metre", "garden", "flat", "storage",
    "battery", "car", "evening", "morning", "winter", "summer", "bill", "north", "east", "west", "estimate", "street", "village", "town",
    "family", "neighbour", "insulation", "window", "door", "kitchen", "cellar", "attic",
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """who: PERSON or the name of a program."""

    who: str
    observation: Observation


Step = tuple[int, int, str, Arrival]


class Town:
    """`people` a day for `days` days, and `programs` visits of each kind in PROGRAMS a day. The same seed gives the same town."""

    def __init__(self, people: int, days: int = 3, programs: int = 0, seed: int = 1, site: str = "acme") -> None:
        self.random = random.Random(seed)
        self.site = site
        self._serial = 0
        self._steps: list[Step] = []
        for number in range(people * days):
            self._person(number, days)
        for name in PROGRAMS:
            for number in range(programs * days):
                PROGRAMS[name](self, number, START + self.random.randrange(days * DAY))

    def visits(self) -> list[Visit]:
        """In the order of time, each with the counters of those before it."""
        return asyncio.run(self._observe())

    async def _observe(self) -> list[Visit]:
        async def no_dns(address: str) -> Unavailable:
            return Unavailable("no dns")

        collector = Collector(bytes(32), MemoryState(), _network, no_dns, lambda agent, network: False)
        found = []
        heapq.heapify(self._steps)
        while self._steps:
            _, _, who, arrival = heapq.heappop(self._steps)
            found.append(Visit(who, await collector.gather(arrival)))
        return found

    # who comes

    def _person(self, number: int, days: int) -> None:
        rnd = self.random
        kind = rnd.random()
        if kind < 0.7:
            address = f"84.{rnd.randrange(100, 190)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}"
        elif kind < 0.9:
            address = f"176.2.{rnd.randrange(4)}.{rnd.randrange(1, 12)}"
        else:
            address = f"194.25.{rnd.randrange(12)}.10"
        at = START + rnd.randrange(days) * DAY + int(rnd.triangular(6, 24, 20) * 3600 * SECOND)
        click = f"CjwK{rnd.getrandbits(80):020x}" if rnd.random() < 0.7 else None
        browser = rnd.randrange(visitors.SETS)
        for _ in range(1 + (rnd.random() < 0.12) + (rnd.random() < 0.03)):
            pages = min(12, 1 + int(rnd.expovariate(0.7)))
            for page in range(pages):
                if rnd.random() < 0.04:
                    self.look(PERSON, at, address, browser, click)  # reloads
                self.look(PERSON, at, address, browser, click if page == 0 else None)
                at += int((3 + rnd.lognormvariate(3.0, 1.0)) * SECOND)
            if rnd.random() < 0.25:
                self._write(
                    PERSON, at, address, browser, rnd.lognormvariate(4.2, 0.7), str(rnd.getrandbits(40)), self._prose()
                )
            at += int(rnd.lognormvariate(8.5, 1.5)) * SECOND

    def _prose(self) -> str:
        words = max(0, int(self.random.gauss(14, 9)))
        text = " ".join(self.random.choices(_WORDS, k=words))
        return text + (f" {self.random.randrange(1, 400)}" if self.random.random() < 0.3 else "")

    def _write(self, who: str, at: int, address: str, browser: int, seconds: float, contact: str, text: str) -> None:
        content = sha256(f"{contact}{text}".encode()).digest()
        token = TokenReading(
            "valid", None, at - int(seconds * SECOND), f"{self.random.getrandbits(64):016x}", int(seconds * 1000)
        )
        self.post(who, at, address, browser, token, contact, text, content)
        if self.random.random() < 0.03:  # clicks twice
            self.post(who, at + 2 * SECOND, address, browser, token, contact, text, content)

    # what they send

    def look(self, who: str, at: int, address: str, browser: int, click: str | None = None) -> None:
        found = FoundClick("google", "gclid", click, 1, len(click)) if click else None
        self._add(who, Kind.LANDING, at, address, browser, click=found)

    def post(
        self,
        who: str,
        at: int,
        address: str,
        browser: int,
        token: TokenReading,
        contact: str,
        text: str,
        content: bytes,
    ) -> None:
        email, phone = f"a{contact}@posteo.de", f"+4915{int(contact) % 10**9:09d}"
        fields = (("full_name", f"Anna W{contact}"), ("email", email), ("phone", phone), ("message", text))
        lead = Lead("quote", fields, {name: (value,) for name, value in fields if value})
        self._add(
            who, Kind.SUBMISSION, at, address, browser, token=token, lead=lead, content=content, form="quote",
            contacts=(("email", email), ("phone", phone)),
        )  # fmt: skip

    def _add(self, who: str, kind: Kind, at: int, address: str, browser: int, **more: object) -> None:
        host = visitors.HOST
        landing = kind is Kind.LANDING
        head = visitors.browser_head(browser, host)
        headers = tuple((name.decode(), value.decode()) for name, value in head)
        if not landing:
            headers += (
                ("Content-Length", "200"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Origin", "https://offers.example"),
            )
        path = "/offer" if landing else "/lead"
        request = Request("GET" if landing else "POST", path, headers, "1.1", "https")
        self._serial += 1
        arrival = Arrival(
            new_id(),
            kind,
            self.site,
            at,
            Client(address, 50_000),
            request,
            Page("offers.example", path),
            **more,  # type: ignore[arg-type]
        )
        self._steps.append((at, self._serial, who, arrival))


def _network(address: str) -> Network:
    return CARRIER if address.startswith("176.") else OFFICE if address.startswith("194.25.") else HOME


def _slow_reader(town: Town, number: int, at: int) -> None:
    """One address that opens a page every few minutes for hours, below every limit."""
    rnd = town.random
    address, browser = (
        f"91.{rnd.randrange(10, 60)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}",
        rnd.randrange(visitors.SETS),
    )
    for _ in range(25):
        town.look("slow reader", at, address, browser)
        at += int(rnd.uniform(150, 420) * SECOND)


def _click_replay(town: Town, number: int, at: int) -> None:
    """One real-looking click id, sent again by the machines of a farm over days."""
    rnd = town.random
    click = f"CjwR{rnd.getrandbits(80):020x}"
    for _ in range(10):
        town.look(
            "click replay",
            at,
            f"92.{rnd.randrange(20, 60)}.{rnd.randrange(256)}.7",
            rnd.randrange(visitors.SETS),
            click,
        )
        at += int(rnd.uniform(0.2, 6) * 3600 * SECOND)


def _swarm(town: Town, number: int, at: int) -> None:
    """Rented home addresses, one browser image: each opens three pages at once and leaves."""
    rnd = town.random
    browser = rnd.randrange(visitors.SETS)
    for _ in range(8):
        address = f"93.{rnd.randrange(20, 99)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}"
        for step in range(3):
            town.look("swarm", at + step * 2 * SECOND, address, browser)
        at += int(rnd.uniform(60, 400) * SECOND)


def _stuffer(town: Town, number: int, at: int) -> None:
    """Sends leads with fresh contacts from a few addresses of one neighbourhood: opens the form, waits a few seconds, posts a text of its template."""
    rnd = town.random
    net, browser = f"95.{rnd.randrange(20, 99)}.{rnd.randrange(256)}", rnd.randrange(visitors.SETS)
    for _ in range(6):
        address = f"{net}.{rnd.randrange(1, 5)}"
        town.look("stuffer", at, address, browser)
        seconds = rnd.uniform(5, 11)
        text = (
            f"please call me about an offer for my {rnd.choice(_WORDS)} house with a new south roof in the old village"
        )
        town._write("stuffer", at + int(seconds * SECOND), address, browser, seconds, str(rnd.getrandbits(40)), text)
        at += int(rnd.uniform(240, 900) * SECOND)


PROGRAMS: dict[str, Callable[[Town, int, int], None]] = {
    "slow reader": _slow_reader,
    "click replay": _click_replay,
    "swarm": _swarm,
    "stuffer": _stuffer,
}


def of_kind(visits: list[Visit], kind: Kind) -> Iterator[Visit]:
    return (visit for visit in visits if visit.observation.kind is kind)

"""The world of bench/campaign.py: a shop's ad campaigns over several simulated days, its people and its attackers, and the real pipeline by a
simulated clock. No sockets, no waiting.

People live in networks of real access providers, phone carriers and universities (their address ranges and operators are public facts), use the
browsers of bench/visitors.py, come by the rhythm of a day, mostly by ads, and behave as visitors of such pages do: nearly all fetch the page's parts,
some go on to a second page, a few send the form after a minute or two. The shares are assumptions, written here as constants, not measurements.
"""

from __future__ import annotations

import copy
import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

from bench import visitors
from detectors.observation import Client, Kind, Lead, Page, Request, ReverseName, Unavailable
from detectors.reference import CampaignSettings, FormSettings, Reference, SiteSettings
from gateway.campaigns.board import Board
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.intake.clicks import FoundClick
from gateway.intake.render_token import TokenReading
from gateway.metrics import Metrics
from gateway.model import Mode
from gateway.pipeline import Judged, Judgement, Pipeline
from gateway.stores.hot.memory import MemoryState
from geoip.network import Network
from rules import loader
from rules.lists import Lists

US = 1_000_000
HOUR, DAY = 3600, 86_400
MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
HOST = "offers.example"
RHYTHM = (2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 9, 10, 10, 9, 6, 3)
"""Visitors by hour of day, relative."""


class Habits(NamedTuple):
    """What people do, as shares of them: whose browser fetches the page's parts from us (others have them cached), who see a second page, who send the
    form, who come by an ad, who have a phone in a carrier's network; mean logarithm and spread of the seconds over the form. cookies: does the site join
    visits by a cookie; forgetful: of those with a cached page, who have no cookie of the visit it is from."""

    fetch: float = 0.96
    second: float = 0.42
    form: float = 0.03
    by_ad: float = 0.75
    phones: float = 0.4
    writing: tuple[float, float] = (4, 0.6)
    cookies: bool = False
    forgetful: float = 0.05


USUAL = Habits()
HABITS = {
    "usual": USUAL,
    "hurried": Habits(0.90, 0.24, 0.02, 0.9, 0.65, (3.5, 0.5)),
    "thorough": Habits(0.98, 0.6, 0.06, 0.5, 0.2, (4.6, 0.8)),
    "cookies": Habits(cookies=True),
    "hurried, cookies": Habits(0.90, 0.24, 0.02, 0.9, 0.65, (3.5, 0.5), cookies=True),
}
"""Worlds beside the one that numbers were looked at in while the rules were written."""

CAMPAIGNS = ({"utm_source": "google", "utm_campaign": "roofs-brand"}, {"utm_source": "google", "utm_campaign": "roofs-north"},
             {"utm_source": "google", "utm_campaign": "roofs-display", "placement": "home.example"},
             {"utm_source": "google", "utm_campaign": "roofs-display", "placement": "news.example"})  # fmt: skip
HOMES = (("84.160", 12, 3320, "Deutsche Telekom AG"), ("91.0", 60, 3320, "Deutsche Telekom AG"), ("88.64", 14, 3209, "Vodafone GmbH"),
         ("95.88", 6, 3209, "Vodafone GmbH"), ("79.192", 40, 3320, "Deutsche Telekom AG"), ("77.176", 15, 8881, "1&1 Versatel Deutschland GmbH"))  # fmt: skip
"""First two numbers of an address, how many such blocks follow, operator."""

PHONES = (("80.187", 6805), ("109.40", 3209), ("46.114", 6805))
CARRIERS = {6805: "Telefonica Germany GmbH & Co. OHG", 3209: "Vodafone GmbH"}
UNIVERSITY, OFFICE, FARM, SMALL_ISP = "141.20.5.9", "88.64.200.77", "95.88.17.20", "77.176.9."
SCHOOL, COMPANY, FIRM, ABROAD = "141.20.6.10", "141.91.1.1", "141.91.2.2", "91.112."
_GIVEN = """
Anna Maria Julia Laura Lea Lena Lisa Sarah Katharina Sabine Petra Monika Paul Jonas Lukas Felix Max Leon Tim Jan Thomas Michael Andreas Stefan Martin Peter
Klaus Uwe Mehmet Ayse Elif Can Nikos Olga Ivan Piotr Agnieszka Luca Giulia Ahmed Claudia Birgit Heike Frank Jürgen Ralf Emma Mia Finn Ben Karim Fatma
"""
_FAMILY = """
Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun
Krüger Hofmann Hartmann Lange Werner Krause Lehmann Maier Köhler Yilmaz Kaya Demir Nowak Kowalski Petrov Rossi Nguyen Huber Fuchs Vogel Keller Frank Berger
"""
GIVEN, FAMILY = tuple(_GIVEN.split()), tuple(_FAMILY.split())
MAIL = ("web.de", "gmx.de", "gmail.com", "t-online.de", "outlook.de", "posteo.de")
_numbers = count()


def network(address: str) -> Network:
    """What a database says of the world's addresses."""
    first, second, *_ = address.split(".")
    if address in (UNIVERSITY, SCHOOL):
        return Network(2857, "Humboldt-Universitaet zu Berlin", "DE", kind="education")
    if address in (COMPANY, FIRM):
        return Network(8263, "Dataport AoeR", "DE", kind="business")
    if address.startswith(ABROAD):
        return Network(8447, "A1 Telekom Austria AG", "AT", kind="consumer")
    block = f"{first}.{second}"
    for phone, asn in PHONES:
        if block == phone:
            return Network(asn, CARRIERS[asn], "DE", kind="mobile")
    for start, blocks, asn, organisation in HOMES:
        one, two = start.split(".")
        if first == one and int(two) <= int(second) < int(two) + blocks:
            return Network(asn, organisation, "DE", kind="consumer")
    return Network(kind="")


class Step(NamedTuple):
    """What a visitor does `after` so many seconds: landing, parts (of a page), page (one more), lead."""

    after: float
    does: str


@dataclass(slots=True)
class Visitor:
    """attack: its name, "" for a person. phone: the lead's number, "" for one of its own."""

    start: float
    address: str
    browser: int
    campaign: dict[str, str]
    steps: tuple[Step, ...]
    attack: str = ""
    gclid: str = ""
    landed: float = 0.0
    lead: dict[str, str] = field(default_factory=dict)
    known_s: float = 0.0  # seconds since the browser has the site's cookie


def home(chance: random.Random) -> str:
    start, blocks, _, _ = chance.choice(HOMES)
    one, two = start.split(".")
    return f"{one}.{int(two) + chance.randrange(blocks)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def phone_gateway(chance: random.Random, addresses: int = 40) -> str:
    """One of the few addresses behind which a carrier's phones stand."""
    number = chance.randrange(addresses)
    return f"{chance.choice(PHONES)[0]}.{100 + number // 20}.{1 + number % 20}"


def click_id(chance: random.Random) -> str:
    return (
        "CjwKCAiA"
        + "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", k=60))
        + "_BwE"
    )


def person(
    chance: random.Random, start: float, address: str = "", habits: Habits = USUAL, browser: int = -1
) -> Visitor:
    """One visit of somebody."""
    if not address:
        address = phone_gateway(chance) if chance.random() < habits.phones else home(chance)
    steps, known_s = [Step(0, "landing")], 0.0
    if chance.random() < habits.fetch:
        steps.append(Step(1, "parts"))
    elif chance.random() >= habits.forgetful:  # it has the page from an earlier visit
        known_s = chance.uniform(0.1, 20) * DAY
    if chance.random() < habits.second:
        steps.append(Step(chance.lognormvariate(3.3, 0.7), "page"))
    if chance.random() < habits.form:
        steps.append(Step(30 + chance.lognormvariate(*habits.writing), "lead"))
    ad = chance.random() < habits.by_ad
    return Visitor(
        start, address, chance.randrange(visitors.SETS) if browser < 0 else browser,
        chance.choices(CAMPAIGNS, (2, 4, 2, 2))[0] if ad else {}, tuple(steps), gclid=click_id(chance) if ad else "", known_s=known_s,
    )  # fmt: skip


def people(chance: random.Random, day: int, visits: int, habits: Habits = USUAL) -> Iterator[Visitor]:
    """A day's visits by the rhythm of the day."""
    for hour in chance.choices(range(24), RHYTHM, k=round(visits * chance.uniform(0.9, 1.1))):
        yield person(chance, MONDAY + day * DAY + hour * HOUR + chance.uniform(0, HOUR), habits=habits)


def made_up_lead(chance: random.Random) -> dict[str, str]:
    """A name, an address made of it, a mobile number that could exist."""
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    plain = family.lower().translate(str.maketrans({"ü": "ue", "ä": "ae", "ö": "oe"}))
    mail = f"{given.lower()}{chance.choice(('.', '_', ''))}{plain}{chance.choice(('', str(chance.randrange(60, 99))))}@{chance.choice(MAIL)}"
    number = f"+49 17{chance.choice('01234567')} {chance.randrange(2_000_000, 9_999_999)}"
    return {"full_name": f"{given} {family}", "email": mail, "phone": number}


class Outcome(NamedTuple):
    """One judged landing or lead. flagged: is it held or declined; invalid: is it counted as invalid traffic; marked: does anything found count against it."""

    at: float
    attack: str
    kind: Kind
    flagged: bool
    invalid: bool
    marked: bool
    signals: tuple[str, ...]


class World:
    """The gateway by a clock of its own. `events` are what its log would hold: (seconds, event, fields)."""

    def __init__(self, habits: Habits = USUAL) -> None:
        self.habits = habits
        self.hot = MemoryState()
        self.events: list[tuple[float, str, dict[str, object]]] = []
        self.now = float(MONDAY)
        self.board = Board(self.hot, None, _berlin, self._tell)

    def _tell(self, event: str, **fields: object) -> None:
        self.events.append((self.now, event, fields))

    def copied(self) -> World:
        """The same past, a future of its own."""
        return copy.deepcopy(self)

    async def run(self, visits: Iterable[Visitor], every_s: float) -> list[Outcome]:
        """All that these visitors do, in the order of time. every_s: how often the background works, in simulated seconds."""
        collector = Collector(bytes(32), self.hot, network, _no_reverse, lambda *_: False, board=self.board)
        pipeline = Pipeline(collector, lambda _: True, Metrics())
        steps = [
            (each.start + step.after, number, step.does, each)
            for number, each in enumerate(visits)
            for step in each.steps
        ]
        heapq.heapify(steps)
        outcomes = []
        tick = self.now
        while steps:
            at, _, does, visitor = heapq.heappop(steps)
            while tick <= at:
                self.now = tick
                await self.board.tick(int(tick * US))
                tick += every_s
            self.now = at
            arrival = _arrival(visitor, at, does, self.habits.cookies)
            if does in ("parts", "page"):
                collector.fetched(arrival, does == "page")
                continue
            if does == "landing":
                visitor.landed = at
            outcomes.append(_outcome(at, visitor.attack, await pipeline.judge(arrival, _judgements()[arrival.kind])))
        return outcomes


def _outcome(at: float, attack: str, judged: Judged) -> Outcome:
    verdict = judged.verdict
    signals = tuple(signal.id for signal in judged.signals)
    flagged, invalid = verdict.decision.value != "accept", verdict.ivt.value in ("givt", "sivt")
    marked = any(reason.counted > 0 for reason in verdict.reasons)
    return Outcome(at, attack, judged.arrival.kind, flagged, invalid, marked, signals)


def _berlin(site: str) -> str:
    return "Europe/Berlin"


async def _no_reverse(address: str) -> ReverseName | Unavailable:
    return Unavailable("not asked here")


@cache
def _judgements() -> dict[Kind, Judgement]:
    rules = loader.load()
    campaigns = tuple(
        CampaignSettings(each["utm_campaign"], (("utm_campaign", each["utm_campaign"]),), ("DE", "AT"))
        for each in CAMPAIGNS
    )
    reference = (
        Reference.builtin()
        .with_site(SiteSettings(timezone="Europe/Berlin", campaigns=campaigns))
        .with_form(FormSettings())
    )
    return {
        kind: Judgement("bench", Mode.ENFORCE, "bench", reference, rules, rules.policy(kind), Lists((), ())) for kind in Kind
    }  # fmt: skip


@cache
def _headers(number: int, post: bool) -> tuple[tuple[str, str], ...]:
    template = visitors.submission(number, HOST.encode()) if post else visitors.landing(number, HOST.encode())
    lines = template.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = [line.decode("latin-1").partition(": ") for line in lines]
    head = [
        (name, value.replace("http://", "https://"))
        for name, _, value in pairs
        if name not in ("X-Forwarded-For", "Origin")
    ]
    if post:  # where browsers put it
        head.insert([name for name, _ in head].index("User-Agent") + 1, ("Origin", f"https://{HOST}"))
    return tuple(head)


def _arrival(visitor: Visitor, at: float, does: str, cookies: bool) -> Arrival:
    now = int(at * US)
    post = does == "lead"
    query = "&".join(
        [f"{name}={value}" for name, value in visitor.campaign.items()]
        + ([f"gclid={visitor.gclid}"] if visitor.gclid else [])
    )
    landing = does == "landing"
    target = "/lead" if post else f"/offer?{query}" if landing and query else "/offer" if landing else "/more"
    request = Request("POST" if post else "GET", target, _headers(visitor.browser, post), scheme="https")
    click = FoundClick("google", "gclid", visitor.gclid, 1, len(visitor.gclid)) if landing and visitor.gclid else None
    arrival = Arrival(
        f"{next(_numbers)}", Kind.SUBMISSION if post else Kind.LANDING, "roofs", now, Client(visitor.address, 40_000), request,
        Page(HOST, "/lead" if post else "/offer", visitor.campaign if landing else {}), click=click,
        session_mode="cookie" if cookies else "derived",
        cookie=(f"{visitor.address} {visitor.start}", int((visitor.start - visitor.known_s) * US)) if cookies else None,
    )  # fmt: skip
    if not post:
        return arrival
    contact = visitor.lead or made_up_lead(random.Random(f"{visitor.address}{visitor.start}"))
    fields = tuple(contact.items())
    nonce = blake2b(f"{visitor.address}{visitor.landed}".encode(), digest_size=8).hexdigest()
    age_ms = int((at - visitor.landed) * 1000)
    return Arrival(
        arrival.id, arrival.kind, arrival.site, now, arrival.client, request, arrival.page, arrival.session_mode, arrival.cookie,
        token=TokenReading("valid", None, int(visitor.landed * US), nonce, age_ms),
        lead=Lead("quote", fields, {name: (value,) for name, value in fields}),
        content=blake2b(repr(fields).encode(), digest_size=32).digest(),
        contacts=(("email", contact["email"]), ("phone", contact["phone"].replace(" ", ""))), form="quote",
    )  # fmt: skip

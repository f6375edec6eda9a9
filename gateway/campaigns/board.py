"""The board: what landings leave behind while they pass, brought together in the background, and what is known of each campaign at this moment.

A landing only adds to dictionaries of this process and reads a snapshot that is replaced whole; it never waits here. Every second what was added goes to
the hot state (so that several processes see the same campaign), and every few seconds the sums of all come back from there. Two minutes after a
landing the visitor is looked at once more: did the session fetch parts of the page, see a second page, send a form?
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

import msgspec

from detectors.behaviour import Campaign, Cell, Journey
from detectors.campaign import flood, made
from detectors.observation import (
    Kind,
    Lead,
    Observation,
    Session,
    Unavailable,
)
from gateway.campaigns.buckets import BATCH, Buckets
from gateway.campaigns.cells import Candidates, form_part, in_words, site_of, whole_site
from gateway.campaigns.history import BUCKET_S, CELLS, CLICKS, DEEP, ENGAGED, FOLLOWED, LATELY, PARTS, SPAN, History
from gateway.campaigns.hours import LocalHours
from gateway.log import log
from gateway.metrics import Metrics
from gateway.model import now_us
from gateway.stores.hot import HotState, Look, Seal, Sealed

FLUSH_S = 1.0
"""How often what was noted is brought to the hot state."""

REFRESH_S = 5.0
"""How often the sums of all processes are read back and the snapshot is made anew."""

FOLLOW_S = 120
"""How long after a landing the visitor is looked at: by then a page is loaded and most who go on have begun to."""

FOLLOWED_MOST = 30
"""Visitors of one cell that are followed in a minute: enough for a share, whatever the flood."""

FOLLOWING = 20_000
"""Visitors that wait to be looked at."""

NOTED = 20_000
"""Sessions whose seal waits for the next second."""

SEAL_S = 86_400
TOLD = 3_600
"""Seconds for which the beginning of a flood is told by one process only."""

US = 1_000_000


class Tells(Protocol):
    """Takes an event of gateway.log.EVENTS with its fields."""

    def __call__(self, event: str, **fields: object) -> None: ...


def _log(event: str, **fields: object) -> None:
    log.warning(event, **fields)


class Seen(msgspec.Struct, frozen=True):
    """What the snapshot says: cells by key, usual share of visitors who fetch parts of pages by site, flooded cells with their strength."""

    cells: Mapping[str, Cell] = {}
    assets: Mapping[str, int] = {}
    floods: Mapping[str, float] = {}


class _Visitor(msgspec.Struct, frozen=True, gc=False):
    due: int
    bucket: int
    keys: tuple[str, ...]
    looks: tuple[bytes, ...]


class Board:
    """One for the process.

    metrics  None: nobody counts
    zone     site → IANA time zone of its customers, "" where it is not told, for the local hour
    on_event told "campaign flooded" (site, part, clicks, usual, minutes, engaged, engaged_usual, share) and "campaign calm" (site, part, minutes)

    seen   the snapshot
    """

    def __init__(
        self,
        hot: HotState,
        metrics: Metrics | None = None,
        zone: Callable[[str], str] = lambda _: "",
        on_event: Tells = _log,
    ) -> None:
        self._hot, self._metrics, self._on_event = hot, metrics, on_event
        if metrics is not None:
            metrics.gauge("leadgate_campaigns_flooded", lambda: float(len(self.seen.floods)))
        self.seen = Seen()
        self.history = History()
        self._buckets = Buckets(hot)
        self._candidates = Candidates()
        self._followed_names: set[str] = set()
        self._clicks: dict[int, dict[str, int]] = {}
        self._adds: dict[int, Counter[bytes]] = {}
        self._seals: dict[bytes, None] = {}
        self._following: deque[_Visitor] = deque()
        self._minute = 0
        self._in_minute: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._read_at = self._loaded = 0
        self._whole = False  # was all of the past read?
        self._hours = LocalHours(zone)

    # what landings do; nothing here waits

    def campaign(self, site: str, keys: Sequence[str], at: int) -> Campaign | None:
        """The fact for a landing; None where no campaign brought it. keys: of the parts it belongs to (`cells.parts`)."""
        if not keys:
            return None
        cells = self.seen.cells
        return Campaign(tuple([cells[key] for key in keys if key in cells]), self._hours.at(site, at))

    def form(self, site: str, form: str, at: int) -> Campaign | None:
        """The same for a form post: how the form does; None where too little of it was sent."""
        cell = self.seen.cells.get(form_part(site, form))
        return None if cell is None else Campaign((cell,), self._hours.at(site, at))

    def assets_usual(self, site: str) -> int:
        return self.seen.assets.get(site, -1)

    def saw(self, obs: Observation, parts: Sequence[str], looks: tuple[bytes, ...], page: bytes) -> None:
        """A landing or a form post was judged.

        parts   keys of the parts of a campaign that a landing belongs to; () where no campaign brought it
        looks   keys of the seals that tell whether the session went on: to parts of the page, then to a second page and a form; () where there is
                no session
        page    key of the seal that says that the session saw a second page
        """
        if obs.kind is not Kind.LANDING:
            self._sent(obs)
            return
        site, bucket = whole_site(obs.site), obs.at // US // BUCKET_S
        clicks = self._clicks.get(bucket)
        if clicks is None:
            clicks = self._clicks[bucket] = {}
        session = obs.session if isinstance(obs.session, Session) else None
        keys = (site, *[key for key in parts if self._followed(key)])
        for key in keys:
            clicks[key] = clicks.get(key, 0) + 1
        if session is None or not looks:
            return
        if session.landings > 1 and not parts:
            self.note(page)
        if parts or session.landings == 1:
            self._follow(obs.at, bucket, keys, looks)

    def _sent(self, obs: Observation) -> None:
        """A form was posted. What its visitor did before is known by now: nothing is followed. Who fetched parts of a page went on,
        who saw a second page went deeper."""
        if not isinstance(obs.lead, Lead):
            return
        bucket, key = obs.at // US // BUCKET_S, form_part(obs.site, obs.lead.form)
        adds = self._adds.setdefault(bucket, Counter())
        adds[f"{key}{CLICKS}".encode()] += 1
        journey = obs.journey
        if isinstance(journey, Journey) and journey.assets >= 0 and not obs.is_partial("journey"):
            adds[f"{key}{DEEP}".encode()] += journey.second is True
            adds[f"{key}{ENGAGED}".encode()] += journey.assets > 0
            adds[f"{key}{FOLLOWED}".encode()] += 1

    def note(self, key: bytes) -> None:
        """Bind a seal with the next second."""
        if len(self._seals) < NOTED:
            self._seals[key] = None

    def _followed(self, key: str) -> bool:
        names = self._followed_names
        if key in names:
            return True
        if len(names) < CELLS and self._candidates.often(key):
            names.add(key)
            return True
        return False

    def _follow(self, at: int, bucket: int, keys: tuple[str, ...], looks: tuple[bytes, ...]) -> None:
        minute = at // (60 * US)
        if minute != self._minute:
            self._minute = minute
            self._in_minute.clear()
        counted = self._in_minute
        chosen = tuple([key for key in keys if counted.get(key, 0) < FOLLOWED_MOST])
        if chosen and len(self._following) < FOLLOWING:
            for key in chosen:
                counted[key] = counted.get(key, 0) + 1
            self._following.append(_Visitor(at + FOLLOW_S * US, bucket, chosen, looks))

    # the background

    async def run(self) -> None:
        while True:
            await self.tick(now_us())
            await asyncio.sleep(FLUSH_S)

    async def tick(self, now: int) -> None:
        """One round at `now`: bring what was noted, look at visitors, and from time to time read it all back."""
        await self._bind(now)
        await self._look(now)
        await self._flush(now)
        if not 0 <= now - self._read_at < REFRESH_S * US:
            self._read_at = now
            await self._refresh(now)

    async def _look(self, now: int) -> None:
        due: list[_Visitor] = []
        if self._following and self._following[0].due > now + 2 * FOLLOW_S * US:
            self._following.clear()  # the clock was put back: they would keep all others waiting
        while self._following and self._following[0].due <= now:
            due.append(self._following.popleft())
            if sum(len(visitor.looks) for visitor in due) >= BATCH:
                await self._look_at(due, now)
                due = []
        if due:
            await self._look_at(due, now)

    async def _look_at(self, visitors: Sequence[_Visitor], now: int) -> None:
        answers = await self._hot.observe([Look(key) for each in visitors for key in each.looks], now)
        place = 0
        for visitor in visitors:
            places = range(place, place + len(visitor.looks))
            place = places.stop
            found = [answers.results[at] for at in places]
            if any(isinstance(each, Unavailable) for each in found) or any(at in answers.partial for at in places):
                continue  # nobody can tell
            went = [isinstance(each, Sealed) for each in found]
            adds = self._adds.setdefault(visitor.bucket, Counter())
            for key in visitor.keys:
                # Those who were followed come last, and zeros are told: where a full key takes no more, the share of those who went on must not fall.
                adds[f"{key}{PARTS}".encode()] += went[0]
                adds[f"{key}{DEEP}".encode()] += any(went[1:])
                adds[f"{key}{ENGAGED}".encode()] += any(went)
                adds[f"{key}{FOLLOWED}".encode()] += 1

    async def _bind(self, now: int) -> None:
        seals, self._seals = list(self._seals), {}
        for at in range(0, len(seals), BATCH):
            await self._hot.observe([Seal(key, b"", SEAL_S) for key in seals[at : at + BATCH]], now)

    async def _flush(self, now: int) -> None:
        clicks, self._clicks = self._clicks, {}
        for bucket, counted in clicks.items():
            into = self._adds.setdefault(bucket, Counter())
            for key, number in counted.items():
                into[f"{key}{CLICKS}".encode()] += number
        adds, self._adds = self._adds, {}
        for bucket, counts in adds.items():
            await self._buckets.add(bucket, counts, now)

    async def _refresh(self, now: int) -> None:
        bucket = now // US // BUCKET_S
        if self.history.turn(bucket):
            self.seen, self._whole, self._loaded = Seen(), False, 0
        self._loaded = max(self._loaded, bucket - SPAN + 1)
        # Also what was missed while the state was away, and once more what has just become the last bucket but one.
        while self._loaded < bucket - 1 and await self._read(self._loaded, now):
            self._loaded += 1
            await asyncio.sleep(0)
        if self._loaded == bucket - 1:
            self._whole = True
            await self._read(bucket - 1, now)
            await self._read(bucket, now)
        if self._whole:  # half a past would be a quiet one
            await self._show(now)

    async def _read(self, bucket: int, now: int) -> bool:
        """Was all of it told?"""
        found = await self._buckets.read(bucket, now)
        for sums in found or ():
            self.history.put(bucket, sums)
        return found is not None

    async def _show(self, now: int) -> None:
        cells: dict[str, Cell] = {}
        for number, key in enumerate(list(self.history.series)):
            cell = self.history.cell(key)
            if cell is not None:
                cells[key] = cell
            if number % 20 == 19:
                await asyncio.sleep(0)  # visitors first
        known = set(self.history.series)
        self._followed_names = known | {key for counts in self._clicks.values() for key in counts}
        sites = {site_of(key) for key in known}
        assets = {site: self.history.assets_usual(whole_site(site)) for site in sites}
        floods = {
            key: share
            for key, cell in cells.items()
            if key != whole_site(site_of(key)) and (share := flood(cell)) is not None
        }
        for key in floods:
            lately = self.history.cell(key, LATELY)
            if lately is not None and (share := made(lately)) is not None:
                cells[key] = msgspec.structs.replace(cells[key], made=round(share * 1000))
        before, self.seen = self.seen, Seen(cells, assets, floods)
        for key in floods.keys() - before.floods.keys():
            await self._began(key, cells[key], floods[key], now)
        for key in before.floods.keys() - floods.keys():
            minutes = (now - self._since.pop(key, now)) // (60 * US)
            self._count(site_of(key), "ended")
            self._on_event("campaign calm", site=site_of(key), part=in_words(key), minutes=minutes)

    def _count(self, site: str, change: str) -> None:
        if self._metrics is not None:
            self._metrics.count("leadgate_campaign_floods", site, change)

    async def _began(self, key: str, cell: Cell, share: float, now: int) -> None:
        self._since[key] = now
        self._count(site_of(key), "began")
        mark = b"X" + blake2b(key.encode(), digest_size=16).digest()
        (sealed,) = (await self._hot.observe([Seal(mark, b"", TOLD)], now)).results
        if isinstance(sealed, Sealed) and sealed.count > 1:
            return  # another process told it
        self._on_event(
            "campaign flooded",
            site=site_of(key),
            part=cell.name,
            clicks=cell.clicks,
            usual=cell.usual,
            minutes=cell.minutes,
            engaged=cell.engaged / 1000,
            engaged_usual=cell.engaged_usual / 1000,
            share=round(share, 3),
        )

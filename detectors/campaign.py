"""The campaign this click belongs to, against its own past.

A flood shows in a campaign, not in a single click: far more clicks than usual at this time of day, of which far fewer than usual go on to anything. A
television spot multiplies clicks as well, but the people it brings read, look around and write, so their share stays what it was. Each click of a
flooded campaign is told how much of the campaign is flood: that is a property of the crowd, so it never decides on anybody alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.behaviour import Campaign, Cell, Journey
from detectors.observation import (
    Kind,
    Observation,
)
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import CampaignSettings, Reference

LEAST_WINDOWS = 14
"""Earlier windows below which nothing is said: two days."""

LEAST_CLICKS = 30
"""Clicks of a window below which chance explains too much."""

DEVIATIONS = 5.0
"""Standard deviations (or what stands for them) above what is usual."""

LEAST_SHARE = 0.25
"""Share of the clicks that is in excess, at least."""

LEAST_USUAL = 150
"""Engaged visitors, in thousandths, below which their share says nothing: the site is cached elsewhere, or nobody ever goes on."""

FALLEN, FALLEN_DEEP = 0.75, 0.4
"""The engaged share is at most so much of what is usual. Fewer second pages and forms are less of a sign than pages of which nothing is fetched: who
is curious after a television spot looks and leaves."""

CERTAIN = 4.0
"""By so many standard errors."""

MADE = 800
"""Share of the present clicks, in thousandths, that goes nowhere, from which on a single click is taken for one of them: four in five at least."""

ONE_PAGE = 0.5
"""How much of a flood of forms is left where its visitors fetch the page and see no second one: so do people who are sent right to a form."""

NIGHT = range(1, 5)
"""Hours in which few people look for anything: from one to five in the morning."""

BURST = 4
"""Times what is usual at this time of night."""

ELSEWHERE = frozenset(
    {
        "relay",
        "vpn",
        "tor",
        "proxy",
        "mobile",
        "cdn",
        "hosting",
        "reserved",
        "crawler",
        "fetcher",
        "monitor",
        "business",
        "education",
    }
)
"""Kinds of network whose place says little of where its user is: relays and tunnels, phones abroad, companies with one exit for many countries."""


_CAME = {False: "fetched anything of a page", True: "saw a second page"}
_WENT_ON = {False: "go on", True: "go on to a second page or a form"}


def flood(cell: Cell) -> float | None:
    """Share of the cell's clicks that is in excess and unengaged, 0..1; None where it is not flooded or nobody can tell."""
    if not _more(cell):
        return None
    if fell(cell.engaged, cell.engaged_usual, cell.followed, deep=cell.deep) < CERTAIN:
        return None
    return min((cell.clicks - cell.usual) / cell.clicks, 1 - cell.engaged / cell.engaged_usual)


def fell(now: int, usual: int, followed: int, *, deep: bool) -> float:
    """By how many standard errors a share of engaged visitors (in thousandths, -1 unknown) is below what is usual; 0 where it is not far below, or tells
    nothing. deep: the share of those who went on to a second page or a form."""
    if now < 0 or followed < 1 or usual < LEAST_USUAL or now > (FALLEN_DEEP if deep else FALLEN) * usual:
        return 0.0
    share = usual / 1000
    return (usual - now) / 1000 / math.sqrt(max(share * (1 - share), 0.01) / followed)


def _more(cell: Cell) -> bool:
    """Are there far more clicks than usual, whoever brings them?"""
    excess = cell.clicks - cell.usual
    if cell.windows < LEAST_WINDOWS or cell.clicks < LEAST_CLICKS or excess < LEAST_SHARE * cell.clicks:
        return False
    return excess >= DEVIATIONS * max(cell.spread, math.sqrt(max(1, cell.usual)))


def made(cell: Cell) -> float | None:
    """Share of a flooded cell's clicks that nobody made who goes on as the cell's visitors do, 0..1, at least; None where it is not flooded.

    A crowd of real people goes on less than usual after a spectacle, but some of it always does. Where next to nobody in the excess does, each of its
    clicks is made up with about this probability, whoever carries it.
    """
    if flood(cell) is None:
        return None
    usual, now = cell.engaged_usual / 1000, cell.engaged / 1000
    error = math.sqrt(max(now * (1 - now), 1 / cell.followed) / cell.followed)
    return max(0.0, min((cell.clicks - cell.usual) / cell.clicks, 1 - (now + 2 * error) / usual))


def _of_excess(campaign: Campaign) -> Iterator[Signal]:
    """Is the click one of a flood's, by every part of the campaign that can be judged? A publisher whose clicks are as usual has none of it; one that is
    too small for a usual share of engaged visitors must at least have far more clicks than usual."""
    told = [cell for cell in campaign.cells if cell.made >= MADE]
    for cell in campaign.cells:
        if cell.made < MADE and cell.windows >= LEAST_WINDOWS and (cell.engaged_usual >= 0 or not _more(cell)):
            return
    if told:
        least = min(told, key=lambda cell: cell.made)
        yield Signal("campaign.excess_click", evidence=(least.name, str(least.made // 10)), strength=least.made / 1000)


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    if obs.kind is not Kind.LANDING:
        yield from _form(obs)
        return
    if ref.site.campaigns and (obs.click is not None or obs.page.campaign):
        yield from _geography(obs, ref.site.campaigns)
    campaign = obs.campaign
    if not isinstance(campaign, Campaign):
        return
    worst: tuple[float, Cell] | None = None
    for cell in campaign.cells:
        found = flood(cell)
        if found is not None and (worst is None or found > worst[0]):
            worst = (found, cell)
    if worst is not None:
        strength, cell = worst
        yield Signal(
            "campaign.flood",
            evidence=(
                cell.name,
                f"{cell.clicks} clicks in {_span(cell.minutes)}, usual is {cell.usual}",
                f"{cell.engaged / 10:.0f} % of the visitors {_WENT_ON[cell.deep]}, usual is {cell.engaged_usual / 10:.0f} %",
            ),
            strength=round(strength, 3),
        )
        yield from _of_excess(campaign)
    elif campaign.local_hour in NIGHT:
        yield from _night(campaign)


def _form(obs: Observation) -> Iterator[Signal]:
    """The form against its own past: far more is sent than usual, by visitors of whom far fewer ever fetched parts of a page, or saw a second one. A
    lead of a visitor who did, or of whom that is not known, has nothing of the flood."""
    journey = obs.journey
    if not isinstance(journey, Journey):
        return
    for cell in obs.campaign.cells if isinstance(obs.campaign, Campaign) else ():
        found = flood(cell)
        if found is None or (journey.second is not False if cell.deep else journey.assets != 0):
            continue
        yield Signal(
            "campaign.form_flood",
            evidence=(
                f"{cell.clicks} in {_span(cell.minutes)}, usual is {cell.usual}",
                f"{cell.engaged / 10:.0f} % of those who send it {_CAME[cell.deep]}",
                f"{cell.engaged_usual / 10:.0f} %",
            ),
            strength=round(found * (ONE_PAGE if cell.deep else 1), 3),
        )


def _night(campaign: Campaign) -> Iterator[Signal]:
    for cell in campaign.cells:
        if cell.windows < LEAST_WINDOWS or cell.clicks < LEAST_CLICKS or cell.clicks < BURST * max(1, cell.usual):
            continue
        if cell.clicks - cell.usual < DEVIATIONS * max(cell.spread, math.sqrt(max(1, cell.usual))):
            continue
        if 0 <= FALLEN * cell.engaged_usual <= cell.engaged:
            continue  # they go on as people do: a late show, a sale that begins at midnight
        yield Signal(
            "campaign.night_burst",
            evidence=(
                cell.name,
                f"{cell.clicks} clicks in {_span(cell.minutes)}, usual is {cell.usual}",
                str(campaign.local_hour),
            ),
        )
        return


def _geography(obs: Observation, campaigns: tuple[CampaignSettings, ...]) -> Iterator[Signal]:
    network = obs.network
    if not isinstance(network, Network) or not network.country:
        return
    settings = next((each for each in campaigns if each.matches(obs.page.campaign)), None)
    if settings is None or not settings.countries or network.country in settings.countries:
        return
    if network.kind in ELSEWHERE or any(label.partition(":")[0] in ELSEWHERE for label in network.labels):
        return
    yield Signal("campaign.geo", evidence=(settings.name, network.country, ", ".join(settings.countries[:8])))


def _span(minutes: int) -> str:
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"

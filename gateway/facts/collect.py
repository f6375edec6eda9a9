"""Gathers the facts detectors need: one look-up of the network, one wait on the hot state, and reverse DNS where it is worth it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from detectors.behaviour import Campaign, Company, MailDomain
from detectors.employer import company_of
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Observation,
    ReverseName,
    Unavailable,
)
from gateway.campaigns.board import Board
from gateway.campaigns.cells import parts
from gateway.facts.arrival import Arrival
from gateway.facts.identity import Hashes, browser_of, places, session_hash
from gateway.facts.journey import asset_key, page_key
from gateway.facts.plan import Plan
from gateway.stores.hot import HotState
from geoip.network import Network

ReverseLookup = Callable[[str], Awaitable[ReverseName | Unavailable]]
MailLookup = Callable[[str], Awaitable[MailDomain | Unavailable]]

SETTLED_US = 3_600_000_000
"""From the first arrival on: earlier landings of a click may have been forgotten with the process before."""


class Collector:
    """Turns an arrival into an observation.

    hash_key  32 bytes; hot state holds hashes keyed with it, never addresses or contacts
    hot       counters and seals
    network   address → Network, or Unavailable; a look-up in memory
    reverse   address → forward-confirmed reverse name; asked only where `wants_reverse(user_agent, network)` says so
    mail      domain → where its mail goes; asked for the domain that `mail_domain(arrival)` names, beside the hot state. None: never
    names_company  is the reverse name asked for too, to learn a company's domain? Where not, a company is told without
    board     how campaigns do; told of each landing, and asked without waiting. None: not known
    """

    def __init__(
        self,
        hash_key: bytes,
        hot: HotState,
        network: Callable[[str], Network | Unavailable],
        reverse: ReverseLookup,
        wants_reverse: Callable[[str, Network], bool],
        mail: MailLookup | None = None,
        mail_domain: Callable[[Arrival], str | None] = lambda _: None,
        board: Board | None = None,
        names_company: Callable[[Network], bool] = lambda _: False,
    ) -> None:
        self._hashes = Hashes(hash_key)
        self._hot = hot
        self._network = network
        self._reverse = reverse
        self._wants_reverse = wants_reverse
        self._mail = mail
        self._mail_domain = mail_domain
        self._board = board
        self._names_company = names_company
        self._began = 0

    async def gather(self, arrival: Arrival, *, dry: bool = False) -> Observation:
        """dry: as if, and nothing is counted or sealed."""
        client = arrival.client
        if isinstance(client, Client):
            network = self._network(client.address)
            address, prefix = places(client.address)
        else:
            network = Unavailable(client.reason)
            address = prefix = ""
        plan = Plan(self._hashes, arrival, network, address, prefix)
        asked = self._ask_mail(arrival)
        try:
            answers = await self._hot.observe(plan.ops, arrival.at, dry=dry)
            mail = None if asked is None else await asked
        finally:
            if asked is not None:
                asked.cancel()  # nothing where it is done
        results = answers.results
        reverse: ReverseName | Unavailable | None = None
        company: Company | None = None
        if isinstance(network, Network) and isinstance(client, Client):
            agent = arrival.request.header("user-agent") or ""
            for_crawler = self._wants_reverse(agent, network)
            named = await self._reverse(client.address) if for_crawler or self._names_company(network) else None
            reverse = named if for_crawler else None  # a company's missing name says nothing of the visitor
            company = company_of(network, named)
        if not self._began:
            self._began = arrival.at
        board, site, click = self._board, arrival.site, arrival.click
        usual = -1 if board is None else board.assets_usual(site)
        brought_by: tuple[str, ...] = ()
        if board is not None and arrival.kind is Kind.LANDING:
            brought_by = parts(site, arrival.page.campaign, "" if click is None else click.platform)
        form = plan.form
        found = Observation(
            arrival.kind,
            site,
            arrival.at,
            arrival.page,
            client,
            arrival.request,
            network,
            plan.velocity(results),
            plan.session(results),
            plan.click(results, answers.partial),
            reverse,
            arrival.lead,
            None if form is None else form.token(results, answers.partial),
            None if form is None else form.duplicate(results, answers.partial),
            plan.partial(answers) if answers.partial else (),
            mail,
            None if form is None else form.similar(results),
            plan.journey.read(results, answers.partial, usual, arrival.at - self._began >= SETTLED_US),
            self._campaign(arrival, brought_by),
            company=company,
            pointer=arrival.pointer,
        )
        if board is not None and not dry:
            board.saw(found, brought_by, plan.journey.looks, plan.journey.page)
        return found

    def _campaign(self, arrival: Arrival, brought_by: Sequence[str]) -> Campaign | None:
        """Of a landing its campaign, of a post its form. brought_by: keys of the campaign's parts."""
        if self._board is None:
            return None
        if arrival.kind is Kind.LANDING:
            return self._board.campaign(arrival.site, brought_by, arrival.at)
        return self._board.form(arrival.site, arrival.lead.form, arrival.at) if isinstance(arrival.lead, Lead) else None

    def fetched(self, arrival: Arrival, page: bool) -> None:
        """The session of `arrival` fetched a part of a page (a picture, a style, a script), or a whole page that is not judged: noted in the
        background."""
        if self._board is None:
            return
        network_mark = b""
        if isinstance(arrival.client, Client):
            network_mark = self._hashes.stable(places(arrival.client.address)[1])[:8]
        browser_mark = self._hashes.stable(browser_of(arrival.request))[:8]
        session = session_hash(arrival, self._hashes.fresh, network_mark, browser_mark)
        if session:
            self._board.note((page_key if page else asset_key)(self._hashes.scopes(arrival.site)[0], session))

    def _ask_mail(self, arrival: Arrival) -> asyncio.Future[MailDomain | Unavailable] | None:
        """Under way, or None where there is nothing to ask."""
        if self._mail is None or arrival.lead is None:
            return None
        domain = self._mail_domain(arrival)
        return None if domain is None else asyncio.ensure_future(self._mail(domain))

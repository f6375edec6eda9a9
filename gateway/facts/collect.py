"""Gathers the facts detectors need: one look-up of the network, one wait on the hot state, and reverse DNS where it is worth it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address, ip_network

from detectors.observation import (
    Click,
    Client,
    Counts,
    Duplicate,
    Kind,
    Observation,
    RenderToken,
    Request,
    ReverseName,
    Session,
    Unavailable,
    Velocity,
)
from gateway.facts.arrival import Arrival
from gateway.stores.hot import Answers, Hit, HotState, Look, Operation, Result, Seal, Sealed
from geoip.network import Network

DAY_S = 86_400
CLICK_TTL_S = 90 * DAY_S  # an ad platform's own record of a click reaches back 90 days
LEAD_TTL_S = 30 * DAY_S
TOKEN_TTL_S = 3 * DAY_S
SESSION_TTL_S = DAY_S
UNKNOWN = b"\0" * 8
_FACTS = {"session": "session", "click": "click", "token": "token", "body": "duplicate", "contact": "duplicate"}
"""Which fact an operation belongs to, by the first word of its mark; those without a mark count velocity."""
_SESSION_MARKS = {kind: f"session-{kind}" for kind in Kind}  # landings first

ReverseLookup = Callable[[str], Awaitable[ReverseName | Unavailable]]


@lru_cache(maxsize=65_536)
def places(address: str) -> tuple[str, str]:
    """The unit that counts as one address and the neighbourhood around it: address and /24 for IPv4, /64 and /48 for IPv6."""
    ip = ip_address(address)
    if ip.version == 4:
        return address, address.rpartition(".")[0]
    return str(ip_network((int(ip) >> 64 << 64, 64))), str(ip_network((int(ip) >> 80 << 80, 48)))


def browser_of(request: Request) -> str:
    """What stays the same for one browser on one device from request to request; two people with the same phone model share it."""
    first = request.first
    return f"{first.get('user-agent', '')}\n{first.get('accept-language', '')}\n{first.get('sec-ch-ua-platform', '')}"


class Collector:
    """Turns an arrival into an observation.

    hash_key  32 bytes; hot state holds hashes keyed with it, never addresses or contacts
    hot       counters and seals
    network   address → Network, or Unavailable; a look-up in memory
    reverse   address → forward-confirmed reverse name; asked only where `wants_reverse(user_agent, network)` says so
    """

    def __init__(
        self,
        hash_key: bytes,
        hot: HotState,
        network: Callable[[str], Network | Unavailable],
        reverse: ReverseLookup,
        wants_reverse: Callable[[str, Network], bool],
    ) -> None:
        self._hash_key = hash_key
        self._hot = hot
        self._network = network
        self._reverse = reverse
        self._wants_reverse = wants_reverse
        # addresses and browsers come again; contacts and ids do not
        self._stable = lru_cache(maxsize=65_536)(self._hash)
        self._scope = lru_cache(maxsize=4_096)(self._hash_scope)

    def _hash_scope(self, site: str, kind: Kind) -> bytes:
        return self._hash(f"{site}\n{kind}")[:7]

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16, key=self._hash_key).digest()

    async def gather(self, arrival: Arrival, *, dry: bool = False) -> Observation:
        """dry: as if, and nothing is counted or sealed."""
        client = arrival.client
        if isinstance(client, Client):
            network = self._network(client.address)
            address, prefix = places(client.address)
        else:
            network = Unavailable(client.reason)
            address = prefix = ""
        plan = _Plan(self, arrival, network, address, prefix)
        answers = await self._hot.observe(plan.ops, arrival.at, dry=dry)
        results = answers.results
        partial = plan.partial(answers) if answers.partial else ()
        reverse: ReverseName | Unavailable | None = None
        if isinstance(network, Network) and isinstance(client, Client):
            agent = arrival.request.header("user-agent") or ""
            if self._wants_reverse(agent, network):
                reverse = await self._reverse(client.address)
        return Observation(
            arrival.kind,
            arrival.site,
            arrival.at,
            arrival.page,
            client,
            arrival.request,
            network,
            plan.velocity(results),
            plan.session(results),
            plan.click(results),
            reverse,
            arrival.lead,
            plan.token(results),
            plan.duplicate(results),
            partial,
        )


class _Plan:
    """The hot-state operations of one observation, and how to read their results back. Places in `ops` are remembered as they are added."""

    __slots__ = (
        "_arrival",
        "_browser_mark",
        "_click_id",
        "_dimensions",
        "_first_use",
        "_marks",
        "_network_mark",
        "_partial",
        "_session_id",
        "ops",
    )

    def __init__(
        self, hashes: Collector, arrival: Arrival, network: Network | Unavailable, address: str, prefix: str
    ) -> None:
        # A key is one letter for what is counted (capitals are seals), the site and kind of observation, and the hash of a value:
        # each value is hashed once, however many keys it is part of.
        self._arrival = arrival
        scope = hashes._scope(arrival.site, arrival.kind)
        stable, fresh = hashes._stable, hashes._hash
        request = arrival.request
        # A source that does not tell the agent cannot tell browsers apart: to count all its visitors as one would make a crowd of each pair.
        told = request.complete or "user-agent" in request.first
        browser = stable(browser_of(request)) if told else b""
        browser_mark = browser[:8] or None
        self._browser_mark = browser_mark or UNKNOWN
        ops: list[Operation] = []
        dimensions: list[str] = []
        self.ops, self._dimensions = ops, dimensions
        self._marks: dict[str, int] = {}
        self._partial: Mapping[int, str] = {}
        network_mark = b""
        if address:
            address_hash, prefix_hash = stable(address), stable(prefix)
            network_mark = prefix_hash[:8]
            dimensions += ("address", "prefix")
            ops.append(Hit(b"a" + scope + address_hash, browser_mark))
            ops.append(Hit(b"p" + scope + prefix_hash, browser_mark))
            if told:
                dimensions.append("browser")
                ops.append(Hit(b"b" + scope + browser, address_hash[:8]))
            if isinstance(network, Network) and network.asn is not None:
                dimensions.append("network")
                ops.append(Hit(b"n%b%d" % (scope, network.asn), browser_mark))
        self._network_mark = network_mark
        session = self._session_hash(hashes, network_mark, browser_mark)
        self._session_id = session.hex()
        if session:
            dimensions.append("session")
            ops.append(Hit(b"s" + scope + session, browser_mark))
        click = arrival.click
        self._click_id = ""
        click_hash = b""
        if click is not None:
            click_hash = fresh(f"click\n{click.platform}\n{click.value}")
            self._click_id = click_hash.hex()
            dimensions.append("click")
            ops.append(Hit(b"c" + scope + click_hash, browser_mark))
        contacts = [fresh(f"{name}\n{value}") for name, value in arrival.contacts]
        for (name, _), contact in zip(arrival.contacts, contacts, strict=True):
            dimensions.append(name)
            ops.append(Hit(b"k" + scope + contact, network_mark))
        if session:
            for each, mark in _SESSION_MARKS.items():
                key = b"S" + hashes._scope(arrival.site, each) + session
                self._mark(mark, Seal(key, b"", SESSION_TTL_S) if each is arrival.kind else Look(key))
        if click_hash and arrival.kind is Kind.LANDING:
            first = (network_mark or UNKNOWN) + self._browser_mark
            self._mark("click", Seal(b"C" + scope + click_hash, first, CLICK_TTL_S))
        if arrival.token is not None and arrival.token.nonce:
            self._first_use = (
                (arrival.content or b"")[:8].ljust(8, b"\0") + (session[:8] or UNKNOWN) + (network_mark or UNKNOWN)
            )
            self._mark("token", Seal(b"T" + scope + fresh(f"{arrival.token.nonce}"), self._first_use, TOKEN_TTL_S))
        if arrival.content is not None:
            body = fresh(f"{arrival.form}\n{arrival.content.hex()}")
            self._mark("body", Seal(b"B" + scope + body, b"", LEAD_TTL_S))
            for place, contact in enumerate(contacts):
                self._mark(f"contact-{place}", Seal(b"K" + scope + contact, b"", LEAD_TTL_S))

    def _mark(self, name: str, operation: Operation) -> None:
        self._marks[name] = len(self.ops)
        self.ops.append(operation)

    def _session_hash(self, hashes: Collector, network_mark: bytes, browser_mark: bytes | None) -> bytes:
        """Empty where there is no session."""
        arrival = self._arrival
        if arrival.session_mode == "off":
            return b""
        if arrival.cookie is not None:
            return hashes._hash(f"session\n{arrival.cookie[0]}")
        if arrival.session_mode == "cookie" or not network_mark or browser_mark is None:
            return b""
        day = arrival.at // (DAY_S * 1_000_000)
        return hashes._hash(f"derived\n{day}\n{arrival.site}\n{network_mark.hex()}\n{browser_mark.hex()}")

    def partial(self, answers: Answers) -> tuple[tuple[str, str], ...]:
        """Which facts know less than they should, each with the first reason. Called before the facts are read: they then say of nothing that it
        is here for the first time."""
        self._partial = answers.partial
        names = {place: _FACTS[mark.partition("-")[0]] for mark, place in self._marks.items()}
        found: dict[str, str] = {}
        for place in sorted(answers.partial):
            if not isinstance(answers.results[place], Unavailable):  # else the whole fact is
                found.setdefault(names.get(place, "velocity"), answers.partial[place])
        return tuple(found.items())

    def _seen(self, name: str, count: int) -> int:
        """`count`, or 0 where nothing is known of earlier ones and there may have been some."""
        return 0 if count <= 1 and self._marks.get(name) in self._partial else count

    def velocity(self, results: Sequence[Result]) -> Velocity | Unavailable:
        counts: dict[str, Counts] = {}
        for dimension, found in zip(self._dimensions, results, strict=False):
            if not isinstance(found, tuple):
                return found if isinstance(found, Unavailable) else Unavailable("counters: no answer")
            known = counts.get(dimension)
            if (
                known is None or known[-1].count < found[-1].count
            ):  # several e-mail addresses in one form: the busiest counts
                counts[dimension] = found
        return Velocity(counts)

    def _sealed(self, name: str, results: Sequence[Result]) -> Sealed | Unavailable | None:
        place = self._marks.get(name)
        return None if place is None else results[place]  # type: ignore[return-value]  # a Seal or Look answers Sealed

    def session(self, results: Sequence[Result]) -> Session | Unavailable | None:
        arrival = self._arrival
        if arrival.session_mode == "off":
            return None
        if not self._session_id:
            return Unavailable(
                arrival.client.reason
                if isinstance(arrival.client, Unavailable)
                else "no session cookie"
                if arrival.session_mode == "cookie"
                else "no user agent is known that would tell one browser from another"
            )
        counted: list[int] = []
        first_at = arrival.at
        for mark in _SESSION_MARKS.values():
            seen = self._sealed(mark, results)
            if isinstance(seen, Unavailable):
                return seen
            counted.append(seen.count if seen else 0)
            if seen:
                first_at = min(first_at, seen.first_at)
        if arrival.cookie is not None:
            first_at = min(first_at, arrival.cookie[1])
        kind = "cookie" if arrival.cookie is not None else "derived"
        return Session(kind, self._session_id, _seconds(arrival.at - first_at), counted[0], counted[1])

    def click(self, results: Sequence[Result]) -> Click | Unavailable | None:
        click = self._arrival.click
        seal = self._sealed("click", results)
        if click is None or isinstance(seal, Unavailable):
            return seal if isinstance(seal, Unavailable) else None
        length = click.length
        if seal is None or seal.count <= 1:
            seen = self._seen("click", 1)
            return Click(click.platform, click.parameter, self._click_id, length, seen, values=click.values)
        return Click(
            click.platform,
            click.parameter,
            self._click_id,
            length,
            seal.count,
            _seconds(self._arrival.at - seal.first_at),
            _same(seal.value[:8], self._network_mark or UNKNOWN),
            _same(seal.value[-8:], self._browser_mark),
            click.values,
        )

    def token(self, results: Sequence[Result]) -> RenderToken | Unavailable | None:
        token = self._arrival.token
        if token is None:
            return None
        seal = self._sealed("token", results)
        if isinstance(seal, Unavailable):
            return seal
        if seal is None or seal.count <= 1:
            return RenderToken(token.state, token.age_ms, self._seen("token", 1) if seal else 0)
        first, mine = seal.value, self._first_use
        return RenderToken(
            token.state,
            token.age_ms,
            seal.count,
            first[:8] == mine[:8],
            _same(first[8:16], mine[8:16]),
            _same(first[16:], mine[16:]),
        )

    def duplicate(self, results: Sequence[Result]) -> Duplicate | Unavailable | None:
        body = self._sealed("body", results)
        if body is None or isinstance(body, Unavailable):
            return body
        seen, first_at = 1, self._arrival.at
        unsure = False
        for place in range(len(self._arrival.contacts)):
            contact = self._sealed(f"contact-{place}", results)
            if isinstance(contact, Unavailable):
                return contact
            if contact:
                seen, first_at = max(seen, contact.count), min(first_at, contact.first_at)
                unsure = unsure or self._seen(f"contact-{place}", contact.count) == 0
        if unsure and seen <= 1:
            seen = 0
        return Duplicate(self._seen("body", body.count), seen, _seconds(self._arrival.at - first_at) // DAY_S)


def _same(first: bytes, mine: bytes) -> bool | None:
    return None if UNKNOWN in (first, mine) else first == mine


def _seconds(microseconds: int) -> int:
    return max(0, microseconds) // 1_000_000

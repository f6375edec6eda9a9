"""What the hot state is asked about one arrival, and how its answers become facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.observation import Click, Counts, Kind, Session, Unavailable, Velocity
from gateway.facts.answers import DAY_S, NO_ANSWER, NOWHERE, UNKNOWN, same, sealed, seconds, seen
from gateway.facts.arrival import Arrival
from gateway.facts.form import FormPlan
from gateway.facts.identity import Hashes, browser_of, session_hash
from gateway.facts.journey import JourneyPlan
from gateway.stores.hot import Answers, Hit, Look, Operation, Result, Seal, Sealed
from geoip.network import Network

CLICK_TTL_S = 90 * DAY_S  # an ad platform's own record of a click reaches back 90 days
SESSION_TTL_S = DAY_S


class Plan:
    """The hot-state operations of one observation, and how to read their results back. Places in `ops` are remembered as they are added.

    form     what a form post is asked about beside; None for a landing
    journey  what is asked about the way through the site
    """

    __slots__ = (
        "_arrival",
        "_browser_mark",
        "_click_at",
        "_click_id",
        "_dimensions",
        "_network_mark",
        "_session_at",
        "_session_id",
        "form",
        "journey",
        "ops",
    )

    def __init__(
        self, hashes: Hashes, arrival: Arrival, network: Network | Unavailable, address: str, prefix: str
    ) -> None:
        # A key is one letter for what is counted (capitals are seals), the site and kind of observation, and the hash of a value:
        # each value is hashed once, however many keys it is part of.
        self._arrival = arrival
        landings, submissions = hashes.scopes(arrival.site)
        landing = arrival.kind is Kind.LANDING
        scope = landings if landing else submissions
        stable, fresh = hashes.stable, hashes.fresh
        request = arrival.request
        # A source that does not tell the agent cannot tell browsers apart: to count all its visitors as one would make a crowd of each pair.
        told = request.complete or "user-agent" in request.first
        browser = stable(browser_of(request)) if told else b""
        browser_mark = browser[:8] or None
        self._browser_mark = browser_mark or UNKNOWN
        self._session_at = self._click_at = NOWHERE

        # Counters first: their places are those of their dimensions.
        ops: list[Operation] = []
        dimensions: list[str] = []
        self.ops, self._dimensions = ops, dimensions
        network_mark = address_hash = b""
        if address:
            address_hash, prefix_hash = fresh(address), stable(prefix)
            network_mark = prefix_hash[:8]
            dimensions += ("address", "prefix")
            ops += (Hit(b"a" + scope + address_hash, browser_mark), Hit(b"p" + scope + prefix_hash, browser_mark))
            if told:
                dimensions.append("browser")
                ops.append(Hit(b"b" + scope + browser, address_hash[:8]))
            if isinstance(network, Network) and network.asn is not None:
                dimensions.append("network")
                ops.append(Hit(b"n%b%d" % (scope, network.asn), browser_mark))
        self._network_mark = network_mark or UNKNOWN
        session = session_hash(arrival, fresh, network_mark, browser_mark)
        self._session_id = session.hex()
        if session:
            dimensions.append("session")
            ops.append(Hit(b"s" + scope + session, browser_mark))
        click = arrival.click
        click_hash = b""
        if click is not None:
            click_hash = fresh(f"click\n{click.platform}\n{click.value}")
            dimensions.append("click")
            ops.append(Hit(b"c" + scope + click_hash, browser_mark))
            if landing and address_hash:
                dimensions.append("paid")
                ops.append(Hit(b"y" + scope + address_hash, click_hash[:8]))
        if landing:
            dimensions.append("site")
            ops.append(Hit(b"z" + scope))
        self._click_id = click_hash.hex()
        form: FormPlan | None = None
        if not landing:
            form = FormPlan(ops, dimensions, arrival, hashes, scope, session, network_mark)
        self.form = form

        if session:
            self._session_at = len(ops)
            landed, submitted = b"S" + landings + session, b"S" + submissions + session
            if landing:
                ops += (Seal(landed, b"", SESSION_TTL_S), Look(submitted))
            else:
                ops += (Look(landed), Seal(submitted, b"", SESSION_TTL_S))
        if click_hash and landing:
            self._click_at = len(ops)
            ops.append(Seal(b"C" + scope + click_hash, self._network_mark + self._browser_mark, CLICK_TTL_S))
        if form is not None:
            form.seal(ops)
        self.journey = JourneyPlan(ops, arrival, fresh, (landings, submissions), session, network_mark)

    def partial(self, answers: Answers) -> tuple[tuple[str, str], ...]:
        """Which facts know less than they should, each with the first reason."""
        form = self.form
        begins = (
            (self._session_at, "session"),
            (self._click_at, "click"),
            *(() if form is None else form.begins()),
            (self.journey.at, "journey"),
        )
        found: dict[str, str] = {}
        for place in sorted(answers.partial):
            if not isinstance(answers.results[place], Unavailable):  # else the whole fact is
                facts = [fact for begin, fact in begins if NOWHERE < begin <= place]
                found.setdefault(facts[-1] if facts else "velocity", answers.partial[place])
        return tuple(found.items())

    def velocity(self, results: Sequence[Result]) -> Velocity | Unavailable:
        counts: dict[str, Counts] = {}
        for dimension, answer in zip(self._dimensions, results, strict=False):
            if not isinstance(answer, tuple):
                return answer if isinstance(answer, Unavailable) else NO_ANSWER
            # several e-mail addresses in one form: the busiest counts
            if dimension not in counts or counts[dimension][-1].count < answer[-1].count:
                counts[dimension] = answer
        return Velocity(counts)

    def session(self, results: Sequence[Result]) -> Session | Unavailable | None:
        arrival, place = self._arrival, self._session_at
        if place == NOWHERE:
            return _no_session(arrival)
        landed, submitted = results[place], results[place + 1]
        first_at = arrival.at
        landings = submissions = 0
        if isinstance(landed, Sealed):
            landings, first_at = landed.count, min(first_at, landed.first_at)
        elif isinstance(landed, Unavailable):
            return landed
        if isinstance(submitted, Sealed):
            submissions, first_at = submitted.count, min(first_at, submitted.first_at)
        elif isinstance(submitted, Unavailable):
            return submitted
        kind = "derived"
        if arrival.cookie is not None:
            kind, first_at = "cookie", min(first_at, arrival.cookie[1])
        return Session(kind, self._session_id, seconds(arrival.at - first_at), landings, submissions)

    def click(self, results: Sequence[Result], partial: Mapping[int, str]) -> Click | Unavailable | None:
        click, place = self._arrival.click, self._click_at
        if click is None:
            return None
        seal = sealed(place, results)
        if isinstance(seal, Unavailable):
            return seal
        length = click.length
        if seal is None or seal.count <= 1:
            count = seen(1, place, partial)
            return Click(click.platform, click.parameter, self._click_id, length, count, values=click.values)
        return Click(
            click.platform,
            click.parameter,
            self._click_id,
            length,
            seal.count,
            seconds(self._arrival.at - seal.first_at),
            same(seal.value[:8], self._network_mark),
            same(seal.value[-8:], self._browser_mark),
            click.values,
        )


def _no_session(arrival: Arrival) -> Unavailable | None:
    """Why there is none."""
    if arrival.session_mode == "off":
        return None
    if isinstance(arrival.client, Unavailable):
        return Unavailable(arrival.client.reason)
    if arrival.session_mode == "cookie":
        return Unavailable("no session cookie")
    return Unavailable("no user agent is known that would tell one browser from another")

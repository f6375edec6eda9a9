"""What the hot state is asked about one arrival, and how its answers become facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.behaviour import Journey, Similar
from detectors.observation import (
    Click,
    Counts,
    Duplicate,
    Kind,
    Lead,
    RenderToken,
    Session,
    Unavailable,
    Velocity,
)
from gateway.facts.arrival import Arrival
from gateway.facts.identity import Hashes, browser_of, session_hash
from gateway.facts.journey import JourneyPlan
from gateway.facts.similar import Sketch, name_of, sketch
from gateway.stores.hot import Answers, Hit, Look, Operation, Result, Seal, Sealed
from geoip.network import Network

DAY_S = 86_400
CLICK_TTL_S = 90 * DAY_S  # an ad platform's own record of a click reaches back 90 days
LEAD_TTL_S = 30 * DAY_S
TOKEN_TTL_S = 3 * DAY_S
SESSION_TTL_S = DAY_S
UNKNOWN = b"\0" * 8
_NOWHERE = -1
"""The place of an operation that is not asked for."""


class Plan:
    """The hot-state operations of one observation, and how to read their results back. Places in `ops` are remembered as they are added."""

    __slots__ = (
        "_arrival",
        "_body_at",
        "_browser_mark",
        "_click_at",
        "_click_id",
        "_dimensions",
        "_first_use",
        "_network_mark",
        "_partial",
        "_session_at",
        "_session_id",
        "_similar_at",
        "_sketch",
        "_token_at",
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
        mark = self._browser_mark = browser_mark or UNKNOWN
        self._partial: Mapping[int, str] = {}
        self._session_at = self._click_at = self._token_at = self._body_at = self._similar_at = _NOWHERE

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
        contacts: list[bytes] = []
        for name, value in arrival.contacts:
            contact = fresh(f"{name}\n{value}")
            contacts.append(contact)
            dimensions.append(name)
            ops.append(Hit(b"k" + scope + contact, network_mark))
        if session and contacts:
            dimensions.append("contacts")
            ops.append(Hit(b"v" + scope + session, contacts[0][:8]))
        lead = arrival.lead
        self._sketch: Sketch | None = None
        form = text = b""
        if isinstance(lead, Lead):
            self._sketch = sketch(lead)
            form, text = stable(f"form\n{lead.form}"), b"" if self._sketch is None else fresh(self._sketch.exact.hex())
            crossed = _crossings(arrival.contacts, contacts, fresh(name) if (name := name_of(lead)) else b"", text)
            dimensions += ("form", *[dimension for dimension, _, _ in crossed])
            ops.append(Hit(b"f" + scope + form, network_mark))
            ops += [Hit(_CROSSED[dimension] + scope + key, member[:8]) for dimension, key, member in crossed]

        if session:
            self._session_at = len(ops)
            landed, submitted = b"S" + landings + session, b"S" + submissions + session
            if landing:
                ops += (Seal(landed, b"", SESSION_TTL_S), Look(submitted))
            else:
                ops += (Look(landed), Seal(submitted, b"", SESSION_TTL_S))
        if click_hash and landing:
            self._click_at = len(ops)
            ops.append(Seal(b"C" + scope + click_hash, self._network_mark + mark, CLICK_TTL_S))
        if arrival.token is not None and arrival.token.nonce:
            self._token_at = len(ops)
            body = (arrival.content or b"")[:8].ljust(8, b"\0")
            self._first_use = body + (session[:8] or UNKNOWN) + self._network_mark
            ops.append(Seal(b"T" + scope + fresh(f"{arrival.token.nonce}"), self._first_use, TOKEN_TTL_S))
        if arrival.content is not None:  # the body, and the contacts right behind it
            self._body_at = len(ops)
            hashed = fresh(f"{arrival.form}\n{arrival.content.hex()}")
            ops.append(Seal(b"B" + scope + hashed, b"", LEAD_TTL_S))
            ops += [Seal(b"K" + scope + contact, b"", LEAD_TTL_S) for contact in contacts]
        if self._sketch is not None:  # when text and form were first seen, then the keys that texts like it share
            self._similar_at = len(ops)
            ops += (Seal(b"D" + scope + text, b"", LEAD_TTL_S), Seal(b"F" + scope + form, b"", LEAD_TTL_S))
            ops += [Hit(b"d" + scope + fresh(band.hex()), network_mark) for band in self._sketch.bands]
        self.journey = JourneyPlan(ops, arrival, fresh, (landings, submissions), session, network_mark)

    def partial(self, answers: Answers) -> tuple[tuple[str, str], ...]:
        """Which facts know less than they should, each with the first reason. Called before the facts are read: they then say of nothing that it
        is here for the first time."""
        self._partial = answers.partial
        begins = (
            (self._session_at, "session"),
            (self._click_at, "click"),
            (self._token_at, "token"),
            (self._body_at, "duplicate"),
            (self._similar_at, "similar"),
            (self.journey.at, "journey"),
        )
        found: dict[str, str] = {}
        for place in sorted(answers.partial):
            if not isinstance(answers.results[place], Unavailable):  # else the whole fact is
                facts = [fact for begin, fact in begins if _NOWHERE < begin <= place]
                found.setdefault(facts[-1] if facts else "velocity", answers.partial[place])
        return tuple(found.items())

    def _seen(self, place: int, count: int) -> int:
        """`count`, or 0 where nothing is known of earlier ones and there may have been some."""
        return 0 if count <= 1 and place in self._partial else count

    def velocity(self, results: Sequence[Result]) -> Velocity | Unavailable:
        counts: dict[str, Counts] = dict(zip(self._dimensions, results, strict=False))  # type: ignore[arg-type]
        if len(counts) == len(self._dimensions) and {tuple}.issuperset(map(type, counts.values())):
            return Velocity(counts)  # nearly always
        counts = {}
        for dimension, found in zip(self._dimensions, results, strict=False):
            if not isinstance(found, tuple):
                return found if isinstance(found, Unavailable) else Unavailable("counters: no answer")
            # several e-mail addresses in one form: the busiest counts
            if dimension not in counts or counts[dimension][-1].count < found[-1].count:
                counts[dimension] = found
        return Velocity(counts)

    def session(self, results: Sequence[Result]) -> Session | Unavailable | None:
        arrival = self._arrival
        if arrival.session_mode == "off":
            return None
        place = self._session_at
        if place == _NOWHERE:
            return Unavailable(
                arrival.client.reason
                if isinstance(arrival.client, Unavailable)
                else "no session cookie"
                if arrival.session_mode == "cookie"
                else "no user agent is known that would tell one browser from another"
            )
        landed, submitted = _sealed(place, results), _sealed(place + 1, results)
        first_at = arrival.at
        landings = submissions = 0
        if isinstance(landed, Sealed):
            landings, first_at = landed.count, min(first_at, landed.first_at)
        elif landed is not None:
            return landed
        if isinstance(submitted, Sealed):
            submissions, first_at = submitted.count, min(first_at, submitted.first_at)
        elif submitted is not None:
            return submitted
        kind = "derived"
        if arrival.cookie is not None:
            kind, first_at = "cookie", min(first_at, arrival.cookie[1])
        return Session(kind, self._session_id, _seconds(arrival.at - first_at), landings, submissions)

    def click(self, results: Sequence[Result]) -> Click | Unavailable | None:
        click, place = self._arrival.click, self._click_at
        seal = _sealed(place, results)
        if seal is not None and not isinstance(seal, Sealed):
            return seal
        if click is None:
            return None
        length = click.length
        if seal is None or seal.count <= 1:
            seen = self._seen(place, 1)
            return Click(click.platform, click.parameter, self._click_id, length, seen, values=click.values)
        return Click(
            click.platform,
            click.parameter,
            self._click_id,
            length,
            seal.count,
            _seconds(self._arrival.at - seal.first_at),
            _same(seal.value[:8], self._network_mark),
            _same(seal.value[-8:], self._browser_mark),
            click.values,
        )

    def token(self, results: Sequence[Result]) -> RenderToken | Unavailable | None:
        token, place = self._arrival.token, self._token_at
        if token is None:
            return None
        seal = _sealed(place, results)
        if isinstance(seal, Unavailable):
            return seal
        if seal is None or seal.count <= 1:
            return RenderToken(token.state, token.age_ms, self._seen(place, 1) if seal else 0)
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
        place = self._body_at
        body = _sealed(place, results)
        if body is None or isinstance(body, Unavailable):
            return body
        seen, first_at = 1, self._arrival.at
        unsure = False
        for behind in range(place + 1, place + 1 + len(self._arrival.contacts)):
            contact = _sealed(behind, results)
            if isinstance(contact, Unavailable):
                return contact
            if contact:
                seen, first_at = max(seen, contact.count), min(first_at, contact.first_at)
                unsure = unsure or self._seen(behind, contact.count) == 0
        if unsure and seen <= 1:
            seen = 0
        return Duplicate(self._seen(place, body.count), seen, _seconds(self._arrival.at - first_at) // DAY_S)

    def journey_fact(self, results: Sequence[Result], assets_usual: int, settled: bool) -> Journey | Unavailable | None:
        return self.journey.read(results, self._partial, assets_usual, settled)

    def similar(self, results: Sequence[Result]) -> Similar | Unavailable | None:
        place, text = self._similar_at, self._sketch
        if place == _NOWHERE or text is None:
            return None
        seals, seen, networks = (_sealed(place, results), _sealed(place + 1, results)), 1, 1
        for found in results[place + 2 : place + 2 + len(text.bands)]:
            if not isinstance(found, tuple):
                return found if isinstance(found, Unavailable) else Unavailable("counters: no answer")
            if found[-1].count > seen:
                seen, networks = found[-1].count, max(networks, found[-1].distinct)
        known = []
        for seal in seals:
            if isinstance(seal, Unavailable):
                return seal
            known.append(0 if seal is None else _seconds(self._arrival.at - seal.first_at))
        form = results[self._dimensions.index("form")]
        count = form[-1].count if isinstance(form, tuple) else 0
        return Similar(seen, networks, text.words, count, *known)


_CROSSED = {"email_phones": b"e", "phone_emails": b"q", "phone_names": b"m", "name_emails": b"g", "text_emails": b"t"}
"""Letter of the counter's key, by dimension."""


def _crossings(
    contacts: Sequence[tuple[str, str]], hashes: Sequence[bytes], name: bytes, text: bytes
) -> list[tuple[str, bytes, bytes]]:
    """(dimension, hash that is counted by, hash of the member) for whatever the lead has two of: its first address and number, name and text."""
    first = {kind: hashed for (kind, _), hashed in zip(reversed(contacts), reversed(hashes), strict=True)}
    email, phone = first.get("email", b""), first.get("phone", b"")
    found = (
        ("email_phones", email, phone),
        ("phone_emails", phone, email),
        ("phone_names", phone, name),
        ("name_emails", name, email),
        ("text_emails", text, email),
    )
    return [(dimension, key, member) for dimension, key, member in found if key and member]


def _sealed(place: int, results: Sequence[Result]) -> Sealed | Unavailable | None:
    """What a Seal or Look was answered; None where there is none at this place."""
    return None if place == _NOWHERE else results[place]  # type: ignore[return-value]


def _same(first: bytes, mine: bytes) -> bool | None:
    return None if UNKNOWN in (first, mine) else first == mine


def _seconds(microseconds: int) -> int:
    return max(0, microseconds) // 1_000_000

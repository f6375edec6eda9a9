"""What the hot state is asked about a form post beside what it is asked about every visit, and how its answers become facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.behaviour import Similar
from detectors.observation import Duplicate, Lead, RenderToken, Unavailable
from gateway.facts.answers import DAY_S, NO_ANSWER, NOWHERE, UNKNOWN, same, sealed, seconds, seen
from gateway.facts.arrival import Arrival
from gateway.facts.identity import Hashes
from gateway.facts.similar import Sketch, name_of, sketch
from gateway.stores.hot import Hit, Operation, Result, Seal

LEAD_TTL_S = 30 * DAY_S
TOKEN_TTL_S = 3 * DAY_S


class FormPlan:
    """Operations of one form post. Its counters come with those of the visit, its seals (`seal`) behind the visit's seals.

    Facts are read from the answers and from `partial`: places whose answer may know less than it should. They then say of nothing that it is here
    for the first time.
    """

    __slots__ = (
        "_arrival",
        "_body_at",
        "_contacts",
        "_first_use",
        "_form",
        "_form_at",
        "_fresh",
        "_mark",
        "_scope",
        "_session",
        "_similar_at",
        "_sketch",
        "_text",
        "_token_at",
    )

    def __init__(
        self,
        ops: list[Operation],
        dimensions: list[str],
        arrival: Arrival,
        hashes: Hashes,
        scope: bytes,
        session: bytes,
        network_mark: bytes,
    ) -> None:
        """Adds counters to `ops` and their names to `dimensions`.

        scope    what keys of the site's submissions have in common
        session  hash, empty where there is none; network_mark: likewise
        """
        fresh = self._fresh = hashes.fresh
        self._arrival, self._scope, self._session, self._mark = arrival, scope, session, network_mark
        self._token_at = self._body_at = self._similar_at = self._form_at = NOWHERE
        contacts = self._contacts = [fresh(f"{name}\n{value}") for name, value in arrival.contacts]
        dimensions += [name for name, _ in arrival.contacts]
        ops += [Hit(b"k" + scope + contact, network_mark) for contact in contacts]
        if session and contacts:
            dimensions.append("contacts")
            ops.append(Hit(b"v" + scope + session, contacts[0][:8]))
        lead = arrival.lead
        self._sketch: Sketch | None = None
        self._form = self._text = b""
        if isinstance(lead, Lead):
            self._sketch = sketch(lead)
            form = self._form = hashes.stable(f"form\n{lead.form}")
            text = self._text = b"" if self._sketch is None else fresh(self._sketch.exact.hex())
            crossed = _crossings(arrival.contacts, contacts, fresh(name) if (name := name_of(lead)) else b"", text)
            self._form_at = len(ops)
            dimensions += ("form", *[dimension for dimension, _, _ in crossed])
            ops.append(Hit(b"f" + scope + form, network_mark))
            ops += [Hit(_CROSSED[dimension] + scope + key, member[:8]) for dimension, key, member in crossed]

    def seal(self, ops: list[Operation]) -> None:
        """Adds what is bound once, and the keys that texts like this one share."""
        arrival, scope, fresh = self._arrival, self._scope, self._fresh
        if arrival.token is not None and arrival.token.nonce:
            self._token_at = len(ops)
            body = (arrival.content or b"")[:8].ljust(8, b"\0")
            self._first_use = body + (self._session[:8] or UNKNOWN) + (self._mark or UNKNOWN)
            ops.append(Seal(b"T" + scope + fresh(f"{arrival.token.nonce}"), self._first_use, TOKEN_TTL_S))
        if arrival.content is not None:  # the body, and the contacts right behind it
            self._body_at = len(ops)
            hashed = fresh(f"{arrival.form}\n{arrival.content.hex()}")
            ops.append(Seal(b"B" + scope + hashed, b"", LEAD_TTL_S))
            ops += [Seal(b"K" + scope + contact, b"", LEAD_TTL_S) for contact in self._contacts]
        if self._sketch is not None:  # when text and form were first seen, then the keys that texts like it share
            self._similar_at = len(ops)
            ops += (Seal(b"D" + scope + self._text, b"", LEAD_TTL_S), Seal(b"F" + scope + self._form, b"", LEAD_TTL_S))
            ops += [Hit(b"d" + scope + fresh(band.hex()), self._mark) for band in self._sketch.bands]

    def begins(self) -> tuple[tuple[int, str], ...]:
        """Places from which on operations are a fact's, with its name; NOWHERE where nothing is asked."""
        return (self._token_at, "token"), (self._body_at, "duplicate"), (self._similar_at, "similar")

    def token(self, results: Sequence[Result], partial: Mapping[int, str]) -> RenderToken | Unavailable | None:
        token, place = self._arrival.token, self._token_at
        if token is None:
            return None
        seal = sealed(place, results)
        if isinstance(seal, Unavailable):
            return seal
        if seal is None or seal.count <= 1:
            return RenderToken(token.state, token.age_ms, seen(1, place, partial) if seal else 0)
        first, mine = seal.value, self._first_use
        return RenderToken(
            token.state,
            token.age_ms,
            seal.count,
            first[:8] == mine[:8],
            same(first[8:16], mine[8:16]),
            same(first[16:], mine[16:]),
        )

    def duplicate(self, results: Sequence[Result], partial: Mapping[int, str]) -> Duplicate | Unavailable | None:
        place = self._body_at
        body = sealed(place, results)
        if body is None or isinstance(body, Unavailable):
            return body
        most, first_at = 1, self._arrival.at
        unsure = False
        for behind in range(place + 1, place + 1 + len(self._contacts)):
            contact = sealed(behind, results)
            if isinstance(contact, Unavailable):
                return contact
            if contact:
                most, first_at = max(most, contact.count), min(first_at, contact.first_at)
                unsure = unsure or seen(contact.count, behind, partial) == 0
        if unsure and most <= 1:
            most = 0
        return Duplicate(seen(body.count, place, partial), most, seconds(self._arrival.at - first_at) // DAY_S)

    def similar(self, results: Sequence[Result]) -> Similar | Unavailable | None:
        place, text = self._similar_at, self._sketch
        if text is None:
            return None
        seals, most, networks = (sealed(place, results), sealed(place + 1, results)), 1, 1
        for found in results[place + 2 : place + 2 + len(text.bands)]:
            if not isinstance(found, tuple):
                return found if isinstance(found, Unavailable) else NO_ANSWER
            if found[-1].count > most:
                most, networks = found[-1].count, max(networks, found[-1].distinct)
        known = []
        for seal in seals:
            if isinstance(seal, Unavailable):
                return seal
            known.append(0 if seal is None else seconds(self._arrival.at - seal.first_at))
        form = results[self._form_at]
        return Similar(most, networks, text.words, form[-1].count if isinstance(form, tuple) else 0, *known)


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

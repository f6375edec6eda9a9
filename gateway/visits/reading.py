"""From a form's body to what it says: which form it is, who the lead is, and what tells it from others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from detectors import email, phone
from detectors.observation import Lead, Unavailable
from gateway.generation import FormRoute
from gateway.intake.forms import FormLimits, FormUnreadable, parse_form
from gateway.intake.target import Target

Pair = tuple[str, str]


class Reading(msgspec.Struct, frozen=True):
    """A form body as understood: which form it is, its lead, its token, a digest of its content."""

    route: FormRoute
    lead: Lead | Unavailable
    token: str | None
    content: bytes
    contacts: tuple[tuple[str, str], ...] = ()


def understand(
    candidates: Sequence[FormRoute],
    content_type: bytes | None,
    coding: bytes | None,
    body: bytes,
    limits: FormLimits,
    target: Target,
) -> Reading | None:
    """Which form a body is, and what it says. None where its fields show that it is none of the candidates.

    A body that cannot be read is taken for the first candidate: it may be a lead.
    """
    try:
        parsed = parse_form(content_type, coding, body, limits, target.query)
    except FormUnreadable as error:
        return Reading(candidates[0], Unavailable(f"form: {error.reason}"), None, hashlib.sha256(body).digest())
    route = which(candidates, parsed.fields)
    return None if route is None else of_fields(route, parsed.fields, [file.filename for file in parsed.files])


def of_fields(route: FormRoute, sent: Sequence[Pair], files: Sequence[str] = ()) -> Reading:
    """What the fields of this form say: roles, honeypot, contacts, content.

    sent   every (name, value) in received order, our token among them
    files  names of the files that came with them
    """
    form = route.form
    token = next((value for name, value in sent if name == "_lg_t"), None)
    fields = tuple([pair for pair in sent if pair[0] != "_lg_t"])
    by_role = route.roles.read(fields)
    trap = route.traps.read(fields).get("honeypot", ()) if form.honeypot else ()
    lead = Lead(form.name, fields, by_role, trap)
    content = digest(fields, files)
    domains, expected = route.judgement.reference.domains, tuple(form.expected_countries)
    contacts = [("email", email.normalise(value, domains)) for value in by_role.get("email", ())[:4]]
    contacts += [("phone", phone.normalise(value, expected)) for value in by_role.get("phone", ())[:4]]
    return Reading(route, lead, token, content, tuple([pair for pair in contacts if pair[1]]))


def digest(fields: Sequence[Pair], files: Sequence[str] = ()) -> bytes:
    """What tells a form's content from others: 16 bytes."""
    return hashlib.blake2b(msgspec.json.encode([fields, files]), digest_size=16).digest()


def which(candidates: Sequence[FormRoute], fields: Sequence[Pair]) -> FormRoute | None:
    """The first form that these fields can be of."""
    return next((route for route in candidates if _agrees(route, fields)), None)


def _agrees(route: FormRoute, fields: Sequence[Pair]) -> bool:
    wanted = route.match.fields
    return not wanted or all(any(pair == (name, value) for pair in fields) for name, value in wanted.items())

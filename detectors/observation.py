"""All that is known of one request at decision time: the raw facts that every detector reads.

Facts are raw; classifying them is the detectors' work, so that a changed list can be tried on recorded traffic. Each fact is either a value or
`Unavailable(reason)`; a fact that does not apply (a form on a page view, say) is None. Every type here encodes to canonical JSON (no floats), so
that an observation can be written into a record and read back whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Self

import msgspec

from detectors.behaviour import Campaign, Company, Journey, MailDomain, Pointer, Similar
from geoip.network import Network

SCHEMA = 1
"""Version of the shape below. A change of meaning or a removed field raises it; a new optional field does not."""


class Kind(StrEnum):
    LANDING = "landing"  # a page view; a click if it carries an ad click id
    SUBMISSION = "submission"  # a form post; becomes a lead


class Unavailable(msgspec.Struct, frozen=True, tag_field="fact", tag="unavailable", gc=False):
    """A fact that could not be had, and why, in words an operator understands: "redis: timeout"."""

    reason: str


class Client(msgspec.Struct, frozen=True, tag_field="fact", tag="client", gc=False):
    """Who sent the request. Personal (group `network`).

    address  the client's address in its canonical text form, IPv4-mapped IPv6 already unmapped
    port     source port, or None behind a proxy that does not tell it
    """

    address: str
    port: int | None = None


class Request(msgspec.Struct, frozen=True, tag_field="fact", tag="request", dict=True):
    """The request head as received. Personal (group `browser`).

    target    request target as received, bytes decoded as latin-1
    headers   (name, value) in received order, case and duplicates kept, bytes decoded as latin-1
    version   HTTP version, "1.1" or "1.0"; "2" where only an access log told of it
    complete  False where the source knows only some of the headers (an access log, an assess call): what is missing is then no sign of anything
    ordered   False where something on the way is known to rewrite header order
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    version: str = "1.1"
    scheme: str = "http"
    complete: bool = True
    ordered: bool = True

    @cached_property
    def first(self) -> dict[str, str]:
        """First value of each header by its name in lower case: built once, read by every detector."""
        return {name.lower(): value for name, value in reversed(self.headers)}

    def header(self, name: str) -> str | None:
        """First value of the header `name` (given in lower case), or None."""
        return self.first.get(name)


class Page(msgspec.Struct, frozen=True, gc=False):
    """Where the request went, without what is personal: safe to keep in the record.

    path      canonical path (percent-decoded, dot segments resolved)
    campaign  utm_* values and ad platform parameters (campaignid, adgroupid, creative, keyword, network, placement), each cut at 200 characters
    """

    host: str
    path: str
    campaign: dict[str, str] = {}


class Lead(msgspec.Struct, frozen=True, tag_field="fact", tag="lead", gc=False):
    """A submitted form. Personal (group `person`).

    form    name of the form in the configuration
    fields  every (name, value) in received order; of a file part the value is its file name
    roles   values by the role that the configuration maps a field to (email, phone, full_name, company, message, ...); all values of a
            duplicated field, in order, none empty
    honeypot  non-empty values found in fields that no person sees
    """

    form: str
    fields: tuple[tuple[str, str], ...]
    roles: dict[str, tuple[str, ...]] = {}
    honeypot: tuple[str, ...] = ()

    def values(self, role: str) -> tuple[str, ...]:
        return self.roles.get(role, ())


class Session(msgspec.Struct, frozen=True, tag_field="fact", tag="session", gc=False):
    """The visitor's session.

    kind       "cookie" (signed first-party cookie) or "derived" (daily-keyed hash of site, network and user agent)
    id         keyed hash, hexadecimal; never the cookie itself
    age_s      seconds since the session was first seen; 0 when this request starts it
    landings   page views seen in it, this one included
    submissions  form posts seen in it, this one included
    """

    kind: str
    id: str
    age_s: int
    landings: int = 0
    submissions: int = 0


class Count(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A sliding-window counter, this event included: `count` events by `distinct` distinct members (browsers), exact up to a cap of 64."""

    count: int
    distinct: int


WINDOWS = (60, 600, 3600, 86400)
"""Windows of the counters, in seconds."""

Counts = tuple[Count, Count, Count, Count]
NONE = Count(0, 0)


class Velocity(msgspec.Struct, frozen=True, tag_field="fact", tag="velocity", gc=False):
    """Sliding-window counters by dimension, one for each of WINDOWS, of this kind of observation only.

    Dimensions: address (IPv6 as its /64), prefix (/24 or /48), network (ASN), browser (hash of what stays the same for one browser), session, click,
    email, phone. A dimension without a value for this observation is absent. The distinct members counted are browsers, except for `browser`, where
    they are addresses, and for `email` and `phone`, where they are networks. Of landings also `paid`, ad clicks from one address, where they are
    click ids, and `site`, all landings of the site, without members; of submissions `contacts`, forms of one session, where they are contacts.

    Of leads also crossings, where the distinct members are what stands last in the name: email_phones, phone_emails, phone_names, name_emails,
    text_emails (a free text of eight words or more, names and numbers left out); and form, where they are networks.
    """

    counts: dict[str, Counts]

    @classmethod
    def of(cls, flat: Mapping[str, Count]) -> Self:
        """From counters by "<dimension>/<seconds>", as conditions and cases name them; windows not named count nothing."""
        counts: dict[str, list[Count]] = {}
        for key, count in flat.items():
            dimension, _, window = key.partition("/")
            counts.setdefault(dimension, [NONE] * len(WINDOWS))[WINDOWS.index(int(window))] = count
        return cls({dimension: (a, b, c, d) for dimension, (a, b, c, d) in counts.items()})

    def flat(self) -> dict[str, Count]:
        """Counters by "<dimension>/<seconds>"."""
        return {
            f"{dimension}/{window}": count
            for dimension, row in self.counts.items()
            for window, count in zip(WINDOWS, row, strict=True)
        }


class Click(msgspec.Struct, frozen=True, tag_field="fact", tag="click", gc=False):
    """An ad click id, and where it was first seen (its seal). Where the fact is partial, the first landing is the first that is known of.

    platform      google, meta, microsoft, tiktok, linkedin, x, pinterest, reddit, snap, yandex
    parameter     name of the query parameter that carried it: gclid, fbclid, ...
    digest        keyed hash of the id, hexadecimal
    length        characters in the id as received
    seen          how many landings carried it, this one included; 0 where none is known and there may have been some
    first_seen_s  seconds since it was first seen; 0 now
    same_network / same_browser   does this landing come from the network / browser of the first one; None on the first
    values        distinct values given for this parameter in the one request (more than 1: duplicated parameter)
    """

    platform: str
    parameter: str
    digest: str
    length: int
    seen: int = 1
    first_seen_s: int = 0
    same_network: bool | None = None
    same_browser: bool | None = None
    values: int = 1


class RenderToken(msgspec.Struct, frozen=True, tag_field="fact", tag="token", gc=False):
    """What the signed token that was rendered into the form says.

    state        "missing", "malformed", "forged" (bad signature or another form's), "expired", "valid"
    age_ms       milliseconds from rendering to submission, -1 where unknown
    uses         submissions that carried it, this one included; 0 where unknown, and where none is known and there may have been some
    same_body    an earlier use had the same body (a double click, a retry)
    same_session / same_network   does the first use that is known share session / network with this one; None where there was none
    """

    state: str
    age_ms: int = -1
    uses: int = 0
    same_body: bool | None = None
    same_session: bool | None = None
    same_network: bool | None = None


class Duplicate(msgspec.Struct, frozen=True, tag_field="fact", tag="duplicate", gc=False):
    """Has this site seen the lead before?

    body_seen     submissions with exactly this content (all fields but our token) in the last 30 days, this one included
    contact_seen  submissions with this e-mail or phone in the last 30 days, this one included
    contact_days  whole days since the contact was first seen

    Either count is 0 where no earlier submission is known and there may have been some.
    """

    body_seen: int = 1
    contact_seen: int = 1
    contact_days: int = 0


class ReverseName(msgspec.Struct, frozen=True, tag_field="fact", tag="reverse", gc=False):
    """Forward-confirmed reverse DNS, a fact only of clients that claim to be a crawler which publishes no range that holds them.

    name       the PTR name, lower case, without the final dot; "" where there is none
    confirmed  does the name resolve back to the address
    """

    name: str
    confirmed: bool


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One request, as every detector sees it. Times are integer UTC microseconds.

    partial  (fact, why) of facts that may know less than they should, each once: velocity, session, click, token, duplicate, similar. What they
             count did happen; what they do not know of may have happened too. So a signal may rest on what such a fact has seen, never on
             what it has not. A fact that is Unavailable does not stand here.
    """

    kind: Kind
    site: str
    at: int
    page: Page
    client: Client | Unavailable
    request: Request
    network: Network | Unavailable
    velocity: Velocity | Unavailable
    session: Session | Unavailable | None = None
    click: Click | Unavailable | None = None
    reverse: ReverseName | Unavailable | None = None
    lead: Lead | Unavailable | None = None
    token: RenderToken | Unavailable | None = None
    duplicate: Duplicate | Unavailable | None = None
    partial: tuple[tuple[str, str], ...] = ()
    mail: MailDomain | Unavailable | None = None
    similar: Similar | Unavailable | None = None
    journey: Journey | Unavailable | None = None
    campaign: Campaign | Unavailable | None = None
    company: Company | Unavailable | None = None
    pointer: Pointer | Unavailable | None = None

    def is_partial(self, fact: str) -> bool:
        """May the fact of this name know less than it should?"""
        return any(name == fact for name, _ in self.partial)


PERSONAL = {"network": "client", "browser": "request", "person": "lead"}
"""Which fact stands in which group of personal values: kept beside the record, erasable, the record holds a salted digest."""

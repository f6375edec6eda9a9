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


class MailDomain(msgspec.Struct, frozen=True, tag_field="fact", tag="mail", gc=False):
    """What the DNS says of the domain of the lead's (first) e-mail address.

    exists    False where the name does not exist at all
    hosts     mail hosts, most preferred first, lower case, without the final dot, at most 8; "own" for hosts of the domain itself (also where it has
              an address and no mail host, RFC 5321 section 5.1), so that no lead's domain is in the record; () where no mail can arrive
    refuses   the domain says that it takes no mail (a null MX, RFC 7505)
    """

    exists: bool
    hosts: tuple[str, ...] = ()
    refuses: bool = False


class Similar(msgspec.Struct, frozen=True, tag_field="fact", tag="similar", gc=False):
    """How often the free text of this lead, or one nearly the same, was sent to this site within a day, whatever the form.

    seen      submissions with such a text, this one included
    networks  distinct neighbourhoods (/24 or /48) they came from, exact up to 64
    words     words that were compared; shorter texts are not, the fact is then None
    form      submissions of this form within a day, this one included: a text that most of them have is the form's own; 0 unknown
    known_s   seconds since this very text was first sent (30 days are looked back on); 0 now
    form_known_s  seconds since the form was first seen to be sent, as far back
    """

    seen: int
    networks: int
    words: int
    form: int = 0
    known_s: int = 0
    form_known_s: int = 0


class Journey(msgspec.Struct, frozen=True, tag_field="fact", tag="journey", gc=False):
    """How the visitor moves through the site.

    assets      pictures, styles and scripts of this site that the session was noted to fetch (not every one is); -1 where that is not known
    assets_usual  share of the site's visitors who fetch any within two minutes, in thousandths; -1 where too few were seen
    networks    distinct neighbourhoods a cookie session was seen from within a day; 0 where there is no cookie
    beats       intervals between the session's page views and posts that were measured
    beat_ms     their mean, in milliseconds
    beat_spread their spread (standard deviation divided by mean), in thousandths: a person is far from regular
    dwell_ms    milliseconds since the session's page view or post before this one; -1 where there was none or it is not known
    click_landed  of a submission: was the ad click id that it carries (in its fields or in Referer) seen on a page view; None where it carries
                none, and where that is not known
    """

    assets: int = -1
    assets_usual: int = -1
    networks: int = 0
    beats: int = 0
    beat_ms: int = 0
    beat_spread: int = 0
    dwell_ms: int = -1
    click_landed: bool | None = None


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One part of a campaign's traffic against its own past, in windows of one length: the one in which it differs most.

    name           what the part is and its value, for people: "campaign roofs", "publisher example.com", "creative 7113"
    clicks, usual, spread      clicks in the last window; median and scaled median absolute deviation of earlier ones
    engaged, engaged_usual     share of visitors who went on within two minutes, in thousandths, now and usually; -1 unknown
    deep           False: on to anything (parts of the page, a second page, a form); True: on to a second page or a form, where that share fell more
    windows        earlier windows that the baseline stands on; 0: there is none yet
    minutes        length of the window
    followed       visitors of the window on whom `engaged` stands
    """

    name: str
    clicks: int
    usual: int
    spread: int
    engaged: int = -1
    engaged_usual: int = -1
    windows: int = 0
    minutes: int = 0
    followed: int = 0
    deep: bool = False


class Campaign(msgspec.Struct, frozen=True, tag_field="fact", tag="campaign", gc=False):
    """The campaign this click belongs to, as a whole and by publisher and creative: `cells`, the broadest first. Parts that are too small to be
    followed are not there.

    local_hour hour of day (0-23) where the site's customers live; -1 unknown
    """

    cells: tuple[Cell, ...]
    local_hour: int = -1


class Pointer(msgspec.Struct, frozen=True, tag_field="fact", tag="pointer", gc=False):
    """How the pointer moved before the form was sent, as numbers made of the path; the path itself is not kept. Shares and spreads (standard
    deviation divided by mean) in thousandths.

    moves, span_ms   reported moves, and the time from the first to the last
    interval_spread  of the times between moves
    step_spread      of the lengths of steps
    still            share of moves that led nowhere
    repeated         share of the step that occurs most often
    reversals        share of turns by more than 2 rad (115 degrees)
    turn_mrad        median turn between steps
    hold_ms          shortest time a button was held, -1 where none was
    """

    moves: int
    span_ms: int = 0
    interval_spread: int = 0
    step_spread: int = 0
    still: int = 0
    repeated: int = 0
    reversals: int = 0
    turn_mrad: int = 0
    hold_ms: int = -1


class Company(msgspec.Struct, frozen=True, tag_field="fact", tag="company", gc=False):
    """The organisation a visitor of a business, education or government network sits in: a fact for marketers, evidence of nothing.

    organisation  who announces the network
    domain        registrable domain of the forward-confirmed reverse name, "" where there is none
    """

    organisation: str
    domain: str = ""


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

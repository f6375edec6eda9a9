"""Canonical records: one observation with its verdict, as immutable bytes that can be verified and judged again.

A record holds all raw facts but the personal ones. Those stand beside it in three groups (network, browser, person),
each with a salt of its own; the
record holds SHA-256(salt ‖ canonical group). So a group can be erased or withheld and the chain still verifies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from detectors.behaviour import Campaign, Company, Journey, MailDomain, Pointer, Similar
from detectors.observation import (
    SCHEMA as FACT_SCHEMA,
)
from detectors.observation import (
    Click,
    Client,
    Duplicate,
    Kind,
    Lead,
    Observation,
    Page,
    RenderToken,
    Request,
    ReverseName,
    Session,
    Unavailable,
    Velocity,
)
from detectors.signal import Signal
from gateway.evidence.personal import NetworkGroup, personal_groups
from gateway.model import Mode
from gateway.stores.canonical import MAX_INTEGER, SCHEMA, Unencodable, canonical, clean
from gateway.stores.records import Columns, Entry, Personal
from geoip.network import Network
from rules.verdict import Verdict

ERASED = Unavailable("erased")
"""What a personal fact becomes when its group was erased or withheld."""

ERASED_REQUEST = Request(method="", target="", headers=(), version="", complete=False, ordered=False)
"""The same for the request: incomplete, so that nothing missing is held against it."""

_SEARCH_LIMIT = 4000


class Answered(msgspec.Struct, frozen=True, gc=False):
    """What the visitor was answered. by: "origin" (its answer was passed on), "gateway" (a page of ours), "auth" (a proxy asked and was told
    that he may pass; the status is ours) or "assess" (an application asked; status 0, what it answered is not known)."""

    status: int
    by: str


class SignalRecord(msgspec.Struct, frozen=True, gc=False):
    """A signal as recorded; strength in thousandths."""

    id: str
    evidence: tuple[str, ...]
    strength: int


class Facts(msgspec.Struct, frozen=True, gc=False):
    """The observation without kind, site and time (they stand in the record itself) and without personal values.
    `client` and `lead` are set only where
    they were unavailable when the request was judged; `partial` and the facts behind it only where there is something to say, so that
    all other records have the bytes they always had."""

    page: Page
    network: Network | Unavailable
    velocity: Velocity | Unavailable
    client: Unavailable | None = None
    session: Session | Unavailable | None = None
    click: Click | Unavailable | None = None
    reverse: ReverseName | Unavailable | None = None
    lead: Unavailable | None = None
    token: RenderToken | Unavailable | None = None
    duplicate: Duplicate | Unavailable | None = None
    partial: tuple[tuple[str, str], ...] | msgspec.UnsetType = msgspec.UNSET
    mail: MailDomain | Unavailable | msgspec.UnsetType = msgspec.UNSET
    similar: Similar | Unavailable | msgspec.UnsetType = msgspec.UNSET
    journey: Journey | Unavailable | msgspec.UnsetType = msgspec.UNSET
    campaign: Campaign | Unavailable | msgspec.UnsetType = msgspec.UNSET
    company: Company | Unavailable | msgspec.UnsetType = msgspec.UNSET
    pointer: Pointer | Unavailable | msgspec.UnsetType = msgspec.UNSET


# A record's keys in canonical order are cut in three, between which the writer puts prev_hash, seq and its name.
class _First(msgspec.Struct, frozen=True, gc=False):
    answered: Answered | None
    digests: dict[str, str]
    fact_schema: int
    facts: Facts
    form: str | None
    generation: str
    id: str
    kind: Kind
    mode: Mode
    occurred_at: int


class _Second(msgspec.Struct, frozen=True, gc=False):
    recorded_at: int
    route: str | None
    schema: int


class _Third(msgspec.Struct, frozen=True, gc=False):
    signals: tuple[SignalRecord, ...]
    site: str
    source: str
    type: str
    verdict: Verdict


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record read back from its canonical bytes. Times are UTC microseconds; digests by group of personal values,
    hexadecimal.
    """

    answered: Answered | None
    digests: dict[str, str]
    fact_schema: int
    facts: Facts
    form: str | None
    generation: str
    id: str
    kind: Kind
    mode: Mode
    occurred_at: int
    prev_hash: str
    recorded_at: int
    route: str | None
    schema: int
    seq: int
    signals: tuple[SignalRecord, ...]
    site: str
    source: str
    type: str
    verdict: Verdict
    writer: str


_DECODER = msgspec.json.Decoder(Record)
_NETWORK = msgspec.json.Decoder(NetworkGroup)
_BROWSER = msgspec.json.Decoder(Request)
_PERSON = msgspec.json.Decoder(Lead)


def build(
    obs: Observation,
    *,
    id: str,
    mode: Mode,
    recorded_at: int,
    signals: Sequence[Signal],
    verdict: Verdict,
    generation: str,
    form: str | None = None,
    route: str | None = None,
    answered: Answered | None = None,
    peer: str | None = None,
    source: str = "live",
) -> Entry:
    """A record ready for the store. source: "live" or "replay". Raises Unencodable where a time is beyond 2^53
    microseconds.
    """
    if not (0 <= obs.at <= MAX_INTEGER and 0 <= recorded_at <= MAX_INTEGER):
        raise Unencodable("a time must lie between 1970 and 2255")
    groups, personal = personal_groups(obs, peer)
    client, lead = obs.client, obs.lead
    facts = Facts(
        page=obs.page,
        network=obs.network,
        velocity=obs.velocity,
        client=client if isinstance(client, Unavailable) else None,
        session=obs.session,
        click=obs.click,
        reverse=obs.reverse,
        lead=lead if isinstance(lead, Unavailable) else None,
        token=obs.token,
        duplicate=obs.duplicate,
        partial=obs.partial or msgspec.UNSET,
        mail=obs.mail or msgspec.UNSET,
        similar=obs.similar or msgspec.UNSET,
        journey=obs.journey or msgspec.UNSET,
        campaign=obs.campaign or msgspec.UNSET,
        company=obs.company or msgspec.UNSET,
        pointer=obs.pointer or msgspec.UNSET,
    )
    parts = (
        canonical(
            _First(answered, groups, FACT_SCHEMA, facts, form, generation, id, obs.kind, mode, obs.at),
        )[:-1],
        canonical(_Second(recorded_at, route, SCHEMA))[1:-1],
        _findings(tuple(signals), obs.site, source, verdict),
    )
    columns = _columns(obs.at, obs.kind, obs.site, form, source, facts, signals, verdict)
    return Entry(id, parts, columns, personal)


FINDINGS_KEPT = 4096
"""Third parts remembered, about 1 kB each: as many as the rules remember verdicts. Emptied when full."""

_findings_kept: dict[int, tuple[tuple[Signal, ...], str, str, Verdict, bytes]] = {}


def _findings(signals: tuple[Signal, ...], site: str, source: str, verdict: Verdict) -> bytes:
    """The third part of a record. Visitors of whom the same was found share one verdict, and so these bytes: they are known by the verdict
    itself, which is kept with them, so that no other one can take its place."""
    kept = _findings_kept.get(id(verdict))
    if kept is not None and kept[3] is verdict and kept[0] == signals and kept[1] == site and kept[2] == source:
        return kept[4]
    found = tuple([SignalRecord(s.id, s.evidence, round(s.strength * 1000)) for s in signals])
    part = canonical(_Third(found, site, source, "record", verdict))[1:-1]
    if len(_findings_kept) >= FINDINGS_KEPT:
        _findings_kept.clear()
    _findings_kept[id(verdict)] = signals, site, source, verdict, part
    return part


def decode(body: bytes) -> Record:
    """Read a record's canonical bytes. Raises msgspec.ValidationError or msgspec.DecodeError where they are none."""
    return _DECODER.decode(body)


def columns_of(body: bytes) -> Columns:
    """The index over a record, rebuilt from its canonical bytes."""
    r = decode(body)
    return _columns(r.occurred_at, r.kind, r.site, r.form, r.source, r.facts, r.signals, r.verdict)


def _columns(
    at: int,
    kind: Kind,
    site: str,
    form: str | None,
    source: str,
    facts: Facts,
    signals: Sequence[Signal | SignalRecord],
    verdict: Verdict,
) -> Columns:
    network, page = facts.network, facts.page
    campaign = page.campaign
    words = [page.path]
    if campaign:
        words += [campaign[name] for name in sorted(campaign)]  # as it is read back
    if signals:
        words += [signal.id for signal in signals]
    asn = country = None
    if isinstance(network, Network):
        asn, country = network.asn, network.country
        words += [word for word in (country, network.organisation) if word]
    return Columns(
        at,
        kind.value,
        site,
        form,
        verdict.decision.value,
        verdict.ivt.value,
        verdict.category,
        verdict.quality,
        source,
        asn,
        country,
        clean("\n".join(words).lower()[:_SEARCH_LIMIT]),
    )


def observation_of(record: Record, personal: Mapping[str, Personal]) -> Observation:
    """The observation as it was judged, so that it can be judged again. Groups that were erased are `ERASED` (the
    request: `ERASED_REQUEST`).
    """
    facts = record.facts
    client: Client | Unavailable = facts.client or ERASED
    if facts.client is None and "network" in personal:
        client = _NETWORK.decode(personal["network"].value).client or ERASED
    lead: Lead | Unavailable | None = facts.lead
    if "person" in record.digests:
        lead = _PERSON.decode(personal["person"].value) if "person" in personal else ERASED
    return Observation(
        kind=record.kind,
        site=record.site,
        at=record.occurred_at,
        page=facts.page,
        client=client,
        request=_BROWSER.decode(personal["browser"].value) if "browser" in personal else ERASED_REQUEST,
        network=facts.network,
        velocity=facts.velocity,
        session=facts.session,
        click=facts.click,
        reverse=facts.reverse,
        lead=lead,
        token=facts.token,
        duplicate=facts.duplicate,
        partial=facts.partial or (),
        mail=facts.mail or None,
        similar=facts.similar or None,
        journey=facts.journey or None,
        campaign=facts.campaign or None,
        company=facts.company or None,
        pointer=facts.pointer or None,
    )


def peer_of(personal: Mapping[str, Personal]) -> str | None:
    """The socket address the request came from, or None where it is unknown or erased."""
    return _NETWORK.decode(personal["network"].value).peer if "network" in personal else None

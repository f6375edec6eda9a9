"""One generation: everything configuration, rules and lists decide, built aside and swapped in as one reference.

Its id is a hash of the effective configuration, the rules and the lists, so that every machine with the same has the same; each verdict carries it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from detectors.observation import Kind
from detectors.reference import CampaignSettings, FormSettings, Reference, SiteSettings
from gateway.config import Config, Form, Site
from gateway.config.lists import ListEntry
from gateway.config.sites import Match, Sector
from gateway.intake.client_ip import TrustedProxies
from gateway.intake.forms import RoleMap
from gateway.intake.target import PathPattern, Target
from gateway.pipeline import Judgement
from gateway.upstream.client import Upstream
from rules.lists import Entry, Lists
from rules.ruleset import Ruleset

METHODS_OF_A_LANDING = frozenset({"GET"})


@dataclass(frozen=True, slots=True)
class LandingRoute:
    pattern: PathPattern
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class FormRoute:
    """One form: where it is sent to, what its fields mean, and how it is judged.

    match     the requests that are this form
    roles     which field holds what
    traps     the same for its honeypot fields, under the one role "honeypot"
    max_body  bytes
    success   the form's `success` as JSON: stored with each lead, so that a release can tell what an answer means

    What is made of the settings is made once here, not with every request.
    """

    form: Form
    match: Match
    pattern: PathPattern
    judgement: Judgement
    roles: RoleMap
    traps: RoleMap
    max_body: int
    success: bytes


@dataclass(frozen=True, slots=True)
class SiteRoutes:
    """What the gateway does in front of one site.

    any_landing, any_post  what a page view and a form are judged by of which a caller does not tell which page or form they are
    """

    site: Site
    upstream: Upstream
    landings: tuple[LandingRoute, ...]
    forms: tuple[FormRoute, ...]
    any_landing: Judgement
    any_post: Judgement

    @property
    def name(self) -> str:
        return self.site.name

    def landing(self, method: str, target: Target) -> LandingRoute | None:
        if method not in METHODS_OF_A_LANDING:
            return None
        for route in self.landings:
            if route.pattern.matches(target):
                return route
        return None

    def forms_at(self, target: Target) -> tuple[FormRoute, ...]:
        """Every form that this request could be, in file order; which of several it is, its fields tell."""
        return tuple([r for r in self.forms if r.match.method in target.methods and r.pattern.matches(target)])


@dataclass(frozen=True, slots=True)
class Generation:
    """id: 16 hexadecimal digits; content: what it was made of, stored once beside the records."""

    id: str
    content: bytes
    config: Config
    ruleset: Ruleset
    trusted: TrustedProxies
    hosts: dict[bytes, SiteRoutes]
    any_host: SiteRoutes | None

    def zone(self, site: str) -> str:
        """Time zone of the customers of the site of this name; "" where it is not told."""
        return next((each.timezone for each in self.config.sites if each.name == site), "")

    def site(self, host: bytes | None) -> SiteRoutes | None:
        """The site that answers for a Host header, whatever its port and case."""
        found = self.hosts.get(host) if host is not None else None
        if found is None and self.hosts and host is not None:
            name = host.lower()
            name = name[: name.rindex(b"]") + 1] if name.startswith(b"[") and b"]" in name else name.partition(b":")[0]
            found = self.hosts.get(name.rstrip(b"."))
        return found or self.any_host

    @property
    def sites(self) -> tuple[SiteRoutes, ...]:
        every = {routes.name: routes for routes in self.hosts.values()}
        if self.any_host is not None:
            every[self.any_host.name] = self.any_host
        return tuple(every.values())


def build(
    config: Config, ruleset: Ruleset, reference: Reference, networks: object, upstream: Callable[[Site], Upstream]
) -> Generation:
    """Everything a request needs, made of what was loaded.

    networks  what names the ranges, databases and feeds that addresses are looked up in, as JSON
    upstream  the pooled client of a site's origin; asked once for each site, so that pools survive a reload
    """
    content = orjson.dumps(
        {
            "config": orjson.Fragment(config.canonical()),
            "rules": orjson.Fragment(ruleset.content()),
            "lists": reference.content_hash,
            "models": reference.anomaly.versions(),
            "networks": networks,
        },
    )
    generation = hashlib.sha256(content).hexdigest()[:16]
    lists = Lists([_entry(e) for e in config.lists.allow], [_entry(e) for e in config.lists.deny])
    hosts: dict[bytes, SiteRoutes] = {}
    any_host: SiteRoutes | None = None
    for site in config.sites:
        routes = _routes(config, site, ruleset, reference, lists, generation, upstream(site))
        for host in site.hosts:
            hosts[host.lower().encode("idna" if not host.isascii() else "ascii")] = routes
        if not site.hosts:
            any_host = routes
    return Generation(
        generation,
        content,
        config,
        ruleset,
        TrustedProxies(str(network) for network in config.trusted_proxies),
        hosts,
        any_host,
    )


def _routes(
    config: Config,
    site: Site,
    ruleset: Ruleset,
    reference: Reference,
    lists: Lists,
    generation: str,
    upstream: Upstream,
) -> SiteRoutes:
    blind = site.sector is not Sector.GENERAL
    reference = reference.with_site(_of_site(site))
    landings = []
    for page in site.landing_pages:
        policy = ruleset.policy(Kind.LANDING, review_below=page.review_below, origin_blind=blind)
        judgement = Judgement(page.path, site.mode, generation, reference, ruleset, policy, lists)
        landings.append(LandingRoute(PathPattern(page.path), judgement))
    forms = []
    for form in site.forms:
        settings = FormSettings(form.min_seconds, tuple(form.expected_countries), tuple(form.honeypot))
        policy = ruleset.policy(Kind.SUBMISSION, review_below=form.review_below, origin_blind=blind)
        judgement = Judgement(form.name, site.mode, generation, reference.with_form(settings), ruleset, policy, lists)
        max_body = form.max_body or config.limits.max_body
        roles, traps = RoleMap(form.fields.mapping()), RoleMap({"honeypot": form.honeypot})
        match, success = form.route, form.success.model_dump_json().encode()
        forms.append(FormRoute(form, match, PathPattern(match.path), judgement, roles, traps, max_body, success))

    def unnamed(kind: Kind, name: str) -> Judgement:
        return Judgement(
            name, site.mode, generation, reference, ruleset, ruleset.policy(kind, origin_blind=blind), lists
        )

    any_landing, any_post = unnamed(Kind.LANDING, "any page"), unnamed(Kind.SUBMISSION, "any form")
    return SiteRoutes(site, upstream, tuple(landings), tuple(forms), any_landing, any_post)


def _of_site(site: Site) -> SiteSettings:
    campaigns = [
        CampaignSettings(each.name, tuple(each.match.items()), tuple(each.countries)) for each in site.campaigns
    ]
    return SiteSettings(tuple(site.languages), timezone=site.timezone, campaigns=tuple(campaigns))


def _entry(entry: ListEntry) -> Entry:
    return Entry(
        entry.name,
        addresses=tuple(str(network) for network in entry.addresses),
        asns=entry.asns,
        countries=entry.countries,
        emails=entry.emails,
        email_domains=entry.email_domains,
        user_agents=entry.user_agents,
        note=entry.note,
    )

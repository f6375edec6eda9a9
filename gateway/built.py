"""A configuration, made into what serves: whatever can be wrong with it has come out by then."""

from __future__ import annotations

import gc
from dataclasses import replace

from detectors import crawlers, employer
from detectors.email_domains import EmailDomains
from detectors.observation import Unavailable
from detectors.reference import Reference
from gateway.bounds import upstream_settings
from gateway.config import Config, Site
from gateway.edge.warm_up import warm_up
from gateway.facts.arrival import Arrival
from gateway.facts.mail_dns import domain_to_ask
from gateway.feeds.reading import described, open_networks, stale
from gateway.generation import Generation
from gateway.generation import build as build_generation
from gateway.models.files import models_for
from gateway.upstream.client import Upstream
from geoip.errors import GeoipError
from geoip.network import Network
from rules import loader


class Built:
    """upstreams: clients of origins that are in use already; one whose settings are the same is used further. Raises RulesError, GeoipError."""

    def __init__(self, config: Config, upstreams: dict[tuple[str, str | None], Upstream], reference: Reference) -> None:
        self.config = config
        models, self._model_troubles = models_for(config)
        self.reference = reference = replace(reference, anomaly=models)
        self.network, self._feed_troubles = open_networks(config)
        self.upstreams: dict[tuple[str, str | None], Upstream] = {}
        known = upstreams

        def upstream(site: Site) -> Upstream:
            key = (site.origin, site.origin_ca)
            made = self.upstreams.get(key) or known.get(key)
            if made is None or made.settings != upstream_settings(config, site):
                made = Upstream(site.origin, upstream_settings(config, site))
            self.upstreams[key] = made
            return made

        self.generation: Generation = build_generation(
            config, loader.load(local_dir=config.rules_path), reference, described(self.network), upstream
        )

    async def warm_up(self) -> None:
        await warm_up(self.generation, self.network_fact, self.wants_reverse)

    def network_fact(self, address: str) -> Network | Unavailable:
        try:
            return self.network.lookup(address)
        except GeoipError as error:
            return Unavailable(f"network: {error}")

    def advice(self) -> list[str]:
        """Feeds of networks that are missing, damaged or old; model files that are not used."""
        models = [f"a model is not used: {trouble}" for trouble in self._model_troubles]
        return [*self._feed_troubles, *stale(self.config, self.network.feeds), *models]

    def mail_domain(self, arrival: Arrival) -> str | None:
        return domain_to_ask(arrival, EmailDomains.builtin()) if self.config.dns.enabled else None

    def wants_reverse(self, agent: str, network: Network) -> bool:
        return self.config.dns.enabled and crawlers.needs_reverse(agent, network.labels)

    def names_company(self, network: Network) -> bool:
        return self.config.dns.enabled and self.config.dns.company_names and employer.wanted(network)

    def sites_in_words(self) -> list[str]:
        return [f"{site.name}: {site.site.mode} in front of {site.site.origin}" for site in self.generation.sites]


def settle_memory() -> None:
    """What was loaded stays: the garbage collector need not walk through lists of a hundred thousand names again and again."""
    gc.collect()
    gc.freeze()

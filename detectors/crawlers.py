"""Is a crawler what it says it is? Published ranges first, then forward-confirmed reverse DNS, never the user agent
alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.crawler_operators import Operator, claims, needs_reverse
from detectors.observation import Observation, ReverseName, Unavailable
from detectors.signal import Signal
from geoip.network import Network

if TYPE_CHECKING:
    from detectors.reference import Reference

__all__ = ["claims", "detect", "needs_reverse"]

_RANGE_ONLY = 0.6  # published ranges lag behind: a denial by them alone counts less than one by the operator's DNS


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    labels = obs.network.labels if isinstance(obs.network, Network) else ()
    operator = ref.crawlers.claimed(obs.request.header("user-agent") or "")
    if operator is None:
        owner = ref.crawlers.owner(labels)
        if owner is not None:  # reviews of ad landing pages come with the user agent of a plain browser
            yield _verified(owner, "range")
        return
    if not operator.ranges.isdisjoint(labels):
        yield _verified(operator, "range")
        return
    reverse = obs.reverse
    if isinstance(reverse, ReverseName) and operator.dns:
        if reverse.confirmed and operator.confirms(reverse.name):
            yield _verified(operator, "reverse DNS")
        else:
            yield Signal("crawler.impersonated", (operator.name, "reverse DNS"))
    elif not operator.dns and isinstance(obs.network, Network):
        yield Signal("crawler.impersonated", (operator.name, "range"), _RANGE_ONLY)
    else:
        yield Signal("crawler.unverified", (operator.name, _why(obs)))


def _verified(operator: Operator, by: str) -> Signal:
    return Signal("crawler.ads_verified" if operator.ads else "crawler.verified", (operator.name, by))


def _why(obs: Observation) -> str:
    for fact in (obs.reverse, obs.network):
        if isinstance(fact, Unavailable):
            return fact.reason
    return "not looked up"

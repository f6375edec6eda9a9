"""The detectors, in the order they run, and the one function that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import modules

from detectors import (
    agents,
    anomaly,
    campaign,
    click,
    company,
    crawlers,
    crossings,
    duplicate,
    email,
    email_hosts,
    headers,
    honeypot,
    journey,
    locale,
    name,
    network,
    phone,
    pointer,
    referrer,
    text,
    token,
    velocity,
)
from detectors.observation import Kind, Observation
from detectors.reference import Reference
from detectors.signal import Signal

Detector = Callable[[Observation, Reference], Iterable[Signal]]
Failure = tuple[str, str]

DETECTORS: tuple[Detector, ...] = (
    crawlers.detect,
    agents.detect,
    headers.detect,
    network.detect,
    locale.detect,
    referrer.detect,
    click.detect,
    velocity.detect,
    journey.detect,
    campaign.detect,
    honeypot.detect,
    token.detect,
    email.detect,
    email_hosts.detect,
    phone.detect,
    name.detect,
    company.detect,
    duplicate.detect,
    pointer.detect,
    anomaly.detect,
    crossings.detect,
    text.detect,
)

OF_A_PAGE_VIEW = tuple([detect for detect in DETECTORS if not getattr(modules[detect.__module__], "FORMS_ONLY", False)])
"""Those that have something to look at where no form was posted: a file that says `FORMS_ONLY = True` has not."""


def run(
    obs: Observation, ref: Reference, detectors: tuple[Detector, ...] = DETECTORS
) -> tuple[list[Signal], list[Failure]]:
    """Signals of all detectors in their order, and the failures as (detector, error type): ("email", "KeyError").

    A detector that fails loses what it had not yet found, never the verdict: hostile input that trips one of them
    must not blind the others. The failure is returned, so that the caller counts it and shows it in the verdict.
    """
    signals: list[Signal] = []
    failures: list[Failure] = []
    if detectors is DETECTORS and obs.kind is Kind.LANDING and obs.lead is None and obs.duplicate is None:
        detectors = OF_A_PAGE_VIEW
    for detect in detectors:
        try:
            signals += detect(obs, ref)  # what a generator yielded before it failed stays
        except Exception as error:  # noqa: BLE001 - contained by design, see above
            failures.append((detect.__module__.removeprefix("detectors."), type(error).__name__))
    return signals, failures

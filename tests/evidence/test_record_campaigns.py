"""Journeys and campaigns stand in the record as they were judged."""

from __future__ import annotations

from typing import Any

from detectors.behaviour import Campaign, Cell, Journey
from gateway.evidence.record import decode
from gateway.stores.canonical import chained

JOURNEY = Journey(3, 960, 2, 7, 41_000, 830, 12_345, True)
CAMPAIGN = Campaign(
    (Cell("campaign Dächer", 412, 38, 9, 90, 610, 49, 60, 300), Cell("publisher x", 1, 0, 0, deep=True)), 23
)


def test_what_was_judged_is_read_back(make_entry: Any, make_observation: Any) -> None:
    entry = make_entry(obs=make_observation(journey=JOURNEY, campaign=CAMPAIGN))
    body, _ = chained(entry.parts, "gateway-0", 1, "0" * 64)
    facts = decode(body).facts
    assert (facts.journey, facts.campaign) == (JOURNEY, CAMPAIGN)

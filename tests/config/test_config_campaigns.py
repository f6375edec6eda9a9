"""Campaigns and the time zone of a site: what the settings say is what detectors are told."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from detectors.reference import CampaignSettings, Reference
from gateway.config import ConfigError, parse
from gateway.config.campaigns import CampaignParameter
from gateway.generation import build
from gateway.intake.clicks import CAMPAIGN
from gateway.upstream.client import Upstream
from rules import loader

SITE = """
sites:
  - name: acme
    hosts: [acme.example]
    origin: http://127.0.0.1:9000
    landing_pages: [{{path: /}}]
    {more}
"""


def test_the_settings_know_every_campaign_parameter() -> None:
    assert get_args(CampaignParameter) == CAMPAIGN


def test_what_detectors_are_told() -> None:
    more = "timezone: Europe/Berlin\n    campaigns: [{name: roofs, match: {utm_campaign: Roofs}, countries: [de, AT]}]"
    config = parse(SITE.format(more=more))
    built = build(config, loader.load(), Reference.builtin(), "", lambda site: Upstream(site.origin))
    told = built.sites[0].landings[0].judgement.reference.site
    assert told.timezone == built.zone("acme") == "Europe/Berlin"
    assert told.campaigns == (CampaignSettings("roofs", (("utm_campaign", "Roofs"),), ("DE", "AT")),)
    assert built.zone("another") == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("timezone: Europe/Atlantis", "no time zone"),
        ("timezone: ../etc/passwd", "no time zone"),
        ("campaigns: [{name: roofs, match: {utm_campain: roofs}}]", "utm_campain"),
        ("campaigns: [{name: roofs, match: {}}]", "match"),
        ("campaigns: [{name: roofs, match: {utm_campaign: roofs}, countries: [Germany]}]", "country code"),
    ],
)
def test_mistakes_are_named(more: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(SITE.format(more=more))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("campaign", "matches"),
    [
        ({"utm_campaign": "ROOFS", "utm_source": "x"}, True),
        ({"utm_campaign": "roof"}, False),
        ({}, False),
    ],
)
def test_a_campaign_is_known_by_its_parameters(campaign: dict[str, Any], matches: bool) -> None:
    assert CampaignSettings("roofs", (("utm_campaign", "roofs"),)).matches(campaign) is matches

"""Settings of a site's campaigns, and of where its customers live."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.config.lists import Country
from gateway.config.values import Section, one_or_many, refuse

CampaignParameter = Literal[
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id", "campaignid", "adgroupid", "creative", "keyword", "matchtype",
    "network", "device", "placement", "gad_source", "gad_campaignid", "targetid", "loc_physical_ms",
]  # fmt: skip


class Campaign(Section):
    """One campaign of the site, as far as Leadgate should know of it."""

    name: str = Field(min_length=1, max_length=80, description="Name for people; stands in evidence.")
    match: dict[CampaignParameter, Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=1,
        max_length=8,
        description=(
            "Parameters of the landing's address and their values in this campaign, letter case aside, for example "
            "`{utm_campaign: roofs-north}`. All must agree; the first campaign that matches counts."
        ),
    )
    countries: Annotated[tuple[Country, ...], BeforeValidator(one_or_many)] = Field(
        default=(),
        description=(
            "Countries the campaign is shown in, two letters each (ISO 3166). Clicks from elsewhere are a weak sign; phones, relays, VPNs and "
            "company networks say nothing. Empty: anywhere."
        ),
    )


def _zone(value: str) -> str:
    if value:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise refuse(
                f'"{value}" is no time zone that this machine knows',
                'write an IANA name, for example "Europe/Berlin"; if all are unknown, install the package tzdata',
            ) from error
    return value


Zone = Annotated[str, AfterValidator(_zone)]

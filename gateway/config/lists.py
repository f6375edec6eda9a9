"""Allow and deny lists: what the operator knows for a fact."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.config.values import AddressRange, HostName, Section, Slug, refuse

# ISO 3166-1 alpha-2, and XK, which networks and telephone numbers use for Kosovo.
_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_CODES.split())
_MEANT = {"UK": "GB", "EN": "GB", "EL": "GR"}


def _country(value: Any) -> str:
    if isinstance(value, str) and value.upper() in COUNTRIES:
        return value.upper()
    meant = _MEANT.get(value.upper()) if isinstance(value, str) else None
    shown = f'"{value}"' if isinstance(value, str) else "this"
    raise refuse(
        f"{shown} is not a country code",
        f"write {meant}" if meant else 'write two letters per ISO 3166, for example "DE"',
    )


Country = Annotated[str, BeforeValidator(_country), Field(json_schema_extra={"pattern": "^[A-Za-z]{2}$"})]


def _asn(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"(?i)as[0-9]{1,10}", value):
        value = int(value[2:])
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**32:
        return value
    raise refuse("this is not the number of a network", "write it like 64496 or AS64496")


Asn = Annotated[int, BeforeValidator(_asn)]


def _email(value: str) -> str:
    if value.count("@") != 1 or value.startswith("@") or re.search(r"\s", value):
        raise refuse("this is not one e-mail address", "write name@example.com; whole domains go under email_domains")
    name, _, domain = value.rpartition("@")
    return f"{name}@{_domain(domain)}".lower()


def _domain(value: str) -> str:
    if "@" in value and (bare := value.rpartition("@")[2]):
        raise refuse("this is an address, not a domain", f"write {bare}, or put the address under emails")
    return value


class ListEntry(Section):
    """One line of a list. It matches when any one of its values does."""

    name: Slug = Field(description="Short name in small letters, digits and dashes; verdicts quote it as the reason.")
    addresses: tuple[AddressRange, ...] = Field(default=(), description="IP addresses and ranges in CIDR form.")
    asns: tuple[Asn, ...] = Field(default=(), description="Networks by their AS number, see `geoip`.")
    countries: tuple[Country, ...] = Field(
        default=(),
        description="Countries of the address, two letters each (ISO 3166), see `geoip`.",
    )
    emails: tuple[Annotated[str, AfterValidator(_email)], ...] = Field(
        default=(), description="Whole e-mail addresses, compared without regard to case."
    )
    email_domains: tuple[
        Annotated[HostName, BeforeValidator(lambda v: _domain(v) if isinstance(v, str) else v)], ...
    ] = Field(
        default=(),
        description="Domains of e-mail addresses, exactly as written: `example.com` does not cover `mail.example.com`.",
    )
    user_agents: tuple[Annotated[str, Field(min_length=3, max_length=400)], ...] = Field(
        default=(),
        description=(
            "Text that the browser's `User-Agent` contains, at least 3 characters, compared without regard to case."
        ),
    )
    note: str | None = Field(
        default=None, max_length=1000, description="Why it is here. For people; shown beside the verdict."
    )

    @model_validator(mode="after")
    def _matches_something(self) -> ListEntry:
        if not (self.addresses or self.asns or self.countries or self.emails or self.email_domains or self.user_agents):
            raise refuse(
                "this entry matches nothing",
                "give it addresses, asns, countries, emails, email_domains or user_agents, or take it out",
            )
        return self


class Lists(Section):
    """Lists win over every signal: allow beats deny, and deny beats what was found."""

    allow: tuple[ListEntry, ...] = Field(
        default=(), description="Visitors that are always accepted: your office, your monitoring, a partner."
    )
    deny: tuple[ListEntry, ...] = Field(default=(), description="Visitors that are always rejected.")

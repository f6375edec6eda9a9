"""Settings of one site: its origin, its landing pages, its forms."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gateway.config.beacon import Beacon
from gateway.config.campaigns import Campaign, Zone
from gateway.config.languages import Language
from gateway.config.lists import Country
from gateway.config.outcomes import HoldOut
from gateway.config.values import (
    HostName,
    Names,
    OriginUrl,
    Path,
    PathPattern,
    Percent,
    Section,
    Size,
    Slug,
    Whole,
    later,
    one_or_many,
    pattern_regex,
    refuse,
)
from gateway.model import Mode


class Roles(Section):
    """Which field of the form holds what. A role left out is not judged; a role may name several fields."""

    email: Names = Field(default=(), description="E-mail address.")
    phone: Names = Field(default=(), description="Telephone number.")
    full_name: Names = Field(default=(), description="Name in one field.")
    first_name: Names = Field(default=(), description="Given name.")
    last_name: Names = Field(default=(), description="Family name.")
    company: Names = Field(default=(), description="Company.")
    job_title: Names = Field(default=(), description="Position in the company.")
    website: Names = Field(default=(), description="Web address the visitor gives.")
    message: Names = Field(default=(), description="Free text.")
    street: Names = Field(default=(), description="Street and number.")
    city: Names = Field(default=(), description="Town.")
    region: Names = Field(default=(), description="State or region.")
    postal_code: Names = Field(default=(), description="Postal code.")
    country: Names = Field(default=(), description="Country the visitor gives.")

    def mapping(self) -> dict[str, tuple[str, ...]]:
        """Field names by role, roles without a field left out, in the order above."""
        return {role: names for role in type(self).model_fields if (names := getattr(self, role))}


class Match(Section):
    """Which requests are this form, where several forms share a path."""

    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="Request method.")
    path: Path = Field(description="Path the form is sent to.")
    fields: dict[str, str] = Field(
        default_factory=dict,
        max_length=8,
        description="Fields and the values they must have, for example `{action: quote_form}`. All must agree.",
    )


class Success(Section):
    """How to tell that the origin took the lead. All that is given must agree."""

    status: Annotated[tuple[Annotated[Whole, Field(ge=200, le=399)], ...], BeforeValidator(one_or_many)] = Field(
        default=(200, 201, 202, 204, 302, 303), min_length=1, description="Status codes that mean success."
    )
    location: str | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description=(
            "Where a redirect must lead, `*` for any characters: `/thanks*`. For origins that redirect back "
            "to the form on errors."
        ),
    )
    body: str | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description=(
            "Text that the answer must contain, `*` for any characters. For origins that answer 200 with errors."
        ),
    )

    def accepts(self, status: int, location: str | None, body: str) -> bool:
        """Whether an answer means that the origin took the lead.

        location  value of the header, or None
        body      the beginning of the answer's body, decoded
        """
        if status not in self.status:
            return False
        if self.location is not None and not re.fullmatch(pattern_regex(self.location), location or "", re.DOTALL):
            return False
        return self.body is None or re.fullmatch(pattern_regex(f"*{self.body}*"), body, re.DOTALL) is not None


def _on_accept(value: Any) -> Any:
    if value == "capture":
        raise later("on_accept: capture", "write on_accept: forward or leave it out; the origin then takes the lead")
    return value


class Form(Section):
    """One form whose submissions are stored, judged and forwarded."""

    name: Slug = Field(description="Short name in small letters, digits and dashes; stands in records and reports.")
    path: Path | None = Field(
        default=None,
        description=(
            "Path the form is sent to by POST, without query; letter case and a final slash make no difference. "
            "Give this or `match`. Forms are tried in file order."
        ),
    )
    match: Match | None = Field(default=None, description="Finer rule, where several forms share a path.")
    fields: Roles = Field(
        default_factory=Roles,
        description=(
            "Which field holds the e-mail address, the telephone number and so on: what is not named here "
            "cannot be judged."
        ),
    )
    honeypot: Names = Field(
        default=(),
        description=(
            "Fields that people do not see and only programs fill in. A value there rejects the submission, except where "
            "browsers fill fields of such a name (email, company, website, ...), which is a hint only: choose a name like "
            "lg_note_k7."
        ),
    )
    success: Success = Field(default_factory=Success, description="How to tell that the origin took the lead.")
    responses: Literal["html", "json", "redirect"] = Field(
        default="html",
        description=(
            "How Leadgate itself answers this form when it does not forward: a page, JSON for scripts, or a "
            "redirect to that page (`received` below `prefix`), so that loading it again sends nothing twice. None of them "
            "carries the site's tags: no conversion fires for a lead that is held or declined."
        ),
    )
    on_accept: Annotated[Literal["forward"], BeforeValidator(_on_accept)] = Field(
        default="forward", description="What happens to an accepted submission: it goes to the origin."
    )
    on_review: Literal["hold", "forward"] = Field(
        default="hold",
        description=(
            "In `enforce`, what happens to an uncertain submission: `hold` thanks the visitor and waits for a "
            "person, `forward` passes it on with its score."
        ),
    )
    holdout: HoldOut = Field(
        default_factory=HoldOut,
        description="A random share of what would be held, forwarded all the same, to measure how often holding is wrong.",
    )
    render_token: Literal["auto", "off"] = Field(
        default="auto",
        description=(
            "`auto` adds a hidden signed token to the page with the form, which tells how long filling it in "
            "took. Pages that shared caches may keep are left alone."
        ),
    )
    min_seconds: Annotated[float, Field(strict=True, ge=0, le=600)] = Field(
        default=3.0,
        description=(
            "Seconds below which nobody can have filled in this form; faster is a sign of a program. Lower it "
            "for a form with one field. 0 switches the check off."
        ),
    )
    expected_countries: Annotated[tuple[Country, ...], BeforeValidator(one_or_many)] = Field(
        default=(),
        description=(
            "Countries customers come from, two letters each (ISO 3166). Others are a sign, never a reason to "
            "reject. Empty: anywhere."
        ),
    )
    review_below: Percent | None = Field(
        default=None,
        description="Quality (0-100) below which a submission is reviewed. Left out: the threshold of the rule pack.",
    )
    max_body: Size | None = Field(
        default=None, description="Largest body of this form in bytes. Left out: `limits.max_body`."
    )

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Form:
        if (self.path is None) == (self.match is None):
            what = "neither path nor match is given" if self.path is None else "path and match are both given"
            raise refuse(what, "give path: /lead, or match: {path: /lead, fields: {…}} where forms share a path")
        return self

    @property
    def route(self) -> Match:
        """The matching rule, however it was written."""
        return self.match or Match(path=self.path or "/")


class LandingPage(Section):
    """Pages whose visits are judged."""

    path: PathPattern = Field(
        description=(
            "Path, `*` for any characters: `/offer*`. Query, letter case and a final slash make no difference. The first entry that matches counts."
        ),
    )
    review_below: Percent | None = Field(
        default=None,
        description=(
            "Quality (0-100) below which a visit is flagged for review. Left out: the threshold of the rule pack."
        ),
    )


class Sector(StrEnum):
    """What the leads of a site decide on. All but `general` are fields where the law forbids to treat people by where they come from."""

    GENERAL = "general"
    CREDIT = "credit"
    HOUSING = "housing"
    JOBS = "jobs"
    INSURANCE = "insurance"


class Site(Section):
    """One web site behind the gateway."""

    name: Slug = Field(description="Short name in small letters, digits and dashes; stands in records and reports.")
    hosts: Annotated[tuple[HostName, ...], BeforeValidator(one_or_many)] = Field(
        default=(),
        max_length=1000,
        description="Host names it answers for, without port. Left out: any host that no other site names.",
    )
    origin: OriginUrl = Field(
        description=(
            "The web server behind it: http or https, host and port, no path. `LEADGATE_ORIGIN` in the "
            "environment overrides it where there is one site."
        ),
    )
    origin_ca: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "PEM file of the certificate authority an https origin is checked against. Left out: those the "
            "system trusts."
        ),
    )
    mode: Mode = Field(
        default=Mode.MONITOR,
        description=(
            "`monitor` judges and records, visitors notice nothing; `tag` also tells the origin in `X-Lead-*` "
            "headers; `enforce` also holds and declines. Begin with monitor."
        ),
    )
    sector: Sector = Field(
        default=Sector.GENERAL,
        description=(
            "What the leads are about. `credit`, `housing`, `jobs` and `insurance` switch off every signal that rests on a "
            "person's name, language or country: none of them is reported, counted or recorded."
        ),
    )
    session: Literal["cookie", "derived", "off"] = Field(
        default="derived",
        description=(
            "How visits are joined: a signed first-party cookie, a hash of site, network and browser that "
            "changes daily (no cookie), or not at all."
        ),
    )
    timezone: Zone = Field(
        default="",
        max_length=64,
        description=(
            'Where its customers live, as an IANA name: "Europe/Berlin". Only then a burst of clicks deep in the night can be told from one by day.'
        ),
    )
    languages: Annotated[tuple[Language, ...], BeforeValidator(one_or_many)] = Field(
        default=(),
        max_length=20,
        description=(
            "Languages its customers write in, two letters each (ISO 639-1): a free text in another one is then a weak sign, never more. English "
            "and short texts never are. Empty: any."
        ),
    )
    campaigns: tuple[Campaign, ...] = Field(
        default=(),
        max_length=500,
        description="Its campaigns, where more should be known of them than their addresses tell.",
    )
    prefix: str = Field(
        default="/_lg/",
        pattern=r"^/[a-z0-9._~-]{1,64}/$",
        description=(
            "Path below which Leadgate answers itself (its own pages, its public key); all else is the site's. Small "
            "letters, digits, `.`, `_`, `~` and `-` between two slashes. Change it only where the site has such a path."
        ),
    )
    beacon: Beacon = Field(default_factory=Beacon, description="The script in the visitor's browser.")
    landing_pages: tuple[LandingPage, ...] = Field(default=(), max_length=1000, description="Pages that ads lead to.")
    forms: tuple[Form, ...] = Field(default=(), max_length=1000, description="Forms that bring leads.")

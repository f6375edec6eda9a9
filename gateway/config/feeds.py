"""Settings of feeds: lists of networks that are fetched, checked and kept beside the shipped ones."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gateway.config.values import Flag, Section, Slug, Whole, refuse

FeedKind = Literal["crawler", "fetcher", "monitor", "relay", "tor", "vpn", "proxy", "hosting", "cdn", "mobile"]


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("https", "http") or not host or port == 0 or any(c <= " " or c > "~" for c in value):
        raise refuse("this is no address of a list", "write it like https://example.net/list.txt")
    if parts.username is not None or parts.password is not None:
        raise refuse("secrets do not belong into this file", "fetch the list with another program and name it by file")
    return value


class Feed(Section):
    """One list of networks, fetched by `leadgate geoip refresh`. Addresses in it carry the label `kind:name`."""

    name: Slug = Field(description="Short name in small letters, digits and dashes; verdicts quote it.")
    kind: FeedKind = Field(
        description=(
            "What an address in the list is: crawler (declares itself, let through), fetcher, monitor, relay (privacy relay of a browser: people), tor, "
            "vpn (also open and paid proxies), proxy (a company's web gateway: people at work), hosting, cdn, mobile."
        )
    )
    url: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None, max_length=2000, description="Where it is fetched from. Give this or `file`."
    )
    file: str | None = Field(
        default=None, min_length=1, description="A file that another program keeps up to date. Give this or `url`."
    )
    format: Literal["auto", "netset", "csv", "json"] = Field(
        default="auto",
        description=(
            "How it is written: netset (an address or network a line, comments, Tor's ExitAddress lines), csv (the first column is a network), "
            "json (prefixes as crawlers and clouds publish them)."
        ),
    )
    max_age_days: Whole = Field(
        default=7, ge=1, le=3650, description="Days after which `leadgate check` and /readyz warn that it is old."
    )
    allow_http: Flag = Field(
        default=False, description="Fetch without encryption too: whoever is on the way can then change the list."
    )
    allow_private: Flag = Field(
        default=False,
        description="Connect to private and loopback addresses too: a mirror of your own. Link-local ones are never connected to.",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="File of the certificate authority that signed the server's certificate. Left out: those of the machine.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Feed:
        if (self.url is None) == (self.file is None):
            raise refuse("a feed has one source", "give url or file")
        if self.url is not None and self.url.startswith("http:") and not self.allow_http:
            raise refuse("this list would be fetched without encryption", "use https, or set allow_http: true")
        return self

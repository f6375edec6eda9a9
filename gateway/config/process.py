"""Settings of the whole process: where it listens, what it keeps, and every bound."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Strict, WithJsonSchema

from gateway.config.feeds import Feed
from gateway.config.kinds import NETWORK_KINDS, AsNumber, NetworkKind
from gateway.config.values import (
    Address,
    Flag,
    ListenAddress,
    Section,
    Whole,
    one_or_many,
    refuse,
)


class Listener(Section):
    """One address visitors connect to."""

    address: ListenAddress = Field(
        description="Address and port, for example `0.0.0.0:8080`. IPv6 in brackets: `[::]:8080`."
    )


class Admin(Section):
    """The console and API for the people who run and use Leadgate. Never for visitors."""

    listen: ListenAddress = Field(
        default=Address("127.0.0.1", 8081),
        description=(
            "Address and port of the admin listener. The default can be reached from this machine only; any "
            "other address needs a token."
        ),
    )
    token_file: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "File that holds the first API token, alone on one line. The environment variable "
            "`LEADGATE_ADMIN_TOKEN` does the same and wins."
        ),
    )


class Keys(Section):
    """The keys that sign cookies and tokens and encrypt stored leads."""

    directory: str = Field(
        default="var/keys",
        min_length=1,
        description=(
            "Directory of the key files, made at first start. Back it up: without it stored leads cannot be "
            "read. A relative path counts from this file."
        ),
    )


class GeoIp(Section):
    """Where addresses come from."""

    database: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(one_or_many)] = Field(
        default=("builtin",),
        min_length=1,
        max_length=8,
        description=(
            "`builtin`, or the path of an MMDB file, or a list of them; for each fact the first that knows "
            "the address answers."
        ),
    )
    directory: str = Field(
        default="var/geoip",
        min_length=1,
        description="Directory of fetched feeds. A relative path counts from this file.",
    )
    feeds: tuple[Feed, ...] = Field(
        default=(), max_length=64, description="Lists of networks that `leadgate geoip refresh` fetches."
    )
    kinds: dict[AsNumber, NetworkKind] = Field(
        default={},
        max_length=1000,
        description=(
            "What kind of network an AS number is, where the shipped table is wrong or silent: `AS64500: business`. One of "
            f"{', '.join(NETWORK_KINDS)}, or `unknown`. Published ranges of crawlers, relays, Tor and VPNs still say more."
        ),
    )

    @property
    def own_kinds(self) -> tuple[tuple[int, str], ...]:
        """`kinds` as pairs of AS number and kind, "" for unknown, sorted."""
        return tuple(sorted((asn, "" if kind == "unknown" else kind) for asn, kind in self.kinds.items()))


class Rules(Section):
    """The operator's own rules over the shipped ones."""

    directory: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Directory of YAML files that are merged over the shipped packs: other weights, thresholds, "
            "composites. Left out: the shipped packs as they are."
        ),
    )


def _contact(value: str) -> str:
    if len(value) > 254 or not re.fullmatch(r'[^@\s<>"]+@[^@\s<>"]+\.[^@\s<>"]+', value):
        raise refuse(f'"{value}" is not one e-mail address', "write it like leads@example.com")
    return value


class Reviewer(Section):
    """Who looks at held leads. `enforce` needs one, because a held lead that nobody sees is a lost one."""

    email: Annotated[str, AfterValidator(_contact)] = Field(
        description="E-mail address of the person or team. Shown to operators and in reports; leads held for more than "
        "a day are reported there.",
    )
    name: str | None = Field(default=None, min_length=1, max_length=200, description="Name to show beside it.")


class Mail(Section):
    """The mail server that messages to the reviewer go through. Left out: they stand in the log and at `/readyz` only."""

    host: str = Field(
        min_length=1, max_length=253, pattern=r"^[^\s/@]+$", description="Name or address of the mail server."
    )
    port: Whole = Field(
        default=25, ge=1, le=65_535, description="Its port: 25, or 587 with `starttls`, or 465 with `tls`."
    )
    security: Literal["none", "starttls", "tls"] = Field(
        default="none", description="Encryption of the connection; `none` only for a server on this machine or network."
    )
    sender: Annotated[str, AfterValidator(_contact)] = Field(description="Address the messages come from.")
    username: str | None = Field(
        default=None, min_length=1, max_length=200, description="User name, where the server asks for one."
    )
    password_env: str | None = Field(
        default=None, min_length=1, max_length=200, description="Environment variable that holds the password."
    )


class Passport(Section):
    """A signed statement with each forwarded submission (`X-Lead-Passport`), which tells the receiver its way."""

    enabled: Flag = Field(
        default=False,
        description=(
            "Send it. Off by default: it costs a signature for each submission and helps only receivers that check it."
        ),
    )


class Log(Section):
    """The program's own log, on standard error, one JSON object a line, personal values masked."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is written."
    )


def _server(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise refuse("this is not the IP address of a name server", "write it like 192.0.2.53, without port") from None


ServerAddress = Annotated[str, PlainValidator(_server), WithJsonSchema({"type": "string"})]


class Dns(Section):
    """Reverse look-ups, which confirm that a crawler is who it says it is, and where the mail of a lead's domain goes."""

    enabled: Flag = Field(
        default=True,
        description=(
            "Ask DNS. Off: crawlers are verified by their published address ranges only, and mail domains are not looked up."
        ),
    )
    servers: tuple[ServerAddress, ...] = Field(
        default=(), max_length=8, description="Addresses of the name servers to ask. Empty: those of the machine."
    )
    deadline_ms: Whole = Field(
        default=250,
        ge=1,
        le=10_000,
        description=(
            "Milliseconds a decision waits for DNS. Then it is taken without, and says so. Only visitors that "
            "claim to be a crawler wait at all, and those that `company_names` asks for."
        ),
    )
    company_names: Flag = Field(
        default=False,
        description=(
            "Ask for the host name of visitors from networks of businesses, schools and authorities too, to learn the "
            "company's domain. Their landings then wait for DNS, up to `deadline_ms`. Off: only the organisation is told."
        ),
    )
    mail_deadline_ms: Whole = Field(
        default=150,
        ge=1,
        le=10_000,
        description=(
            "Milliseconds the decision about a form post waits for the mail hosts of the lead's e-mail domain, "
            "while the shared state is asked too. Then it is taken without, and says so; the answer is kept for the next lead. "
            "Domains of large mail providers are not asked for."
        ),
    )


class Redis(Section):
    """How the shared state is reached; where it is, `state` says."""

    username: str | None = Field(
        default=None, min_length=1, max_length=200, description="ACL user. Left out: the default user."
    )
    password_env: str | None = Field(
        default=None, min_length=1, max_length=200, description="Environment variable that holds the password."
    )
    password_file: str | None = Field(
        default=None, min_length=1, description="File that holds the password, alone on one line."
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="File of the certificate authority that signed the server's certificate, for `rediss://`. Left out: those of the machine.",
    )
    deadline_ms: Whole = Field(
        default=10,
        ge=1,
        le=1000,
        description=(
            "Milliseconds a decision waits for Redis. Then this process counts by itself, and the verdict says so. An answer normally takes "
            "less than one."
        ),
    )
    connect_ms: Whole = Field(
        default=500,
        ge=10,
        le=60_000,
        description="Milliseconds to make a connection, TLS included. No visitor waits for it.",
    )


class Postgres(Section):
    """How the shared store is reached; where it is, `store` says."""

    username: str = Field(default="leadgate", min_length=1, max_length=63, description="Role to log in as.")
    password_env: str | None = Field(
        default=None, min_length=1, max_length=200, description="Environment variable that holds the password."
    )
    password_file: str | None = Field(
        default=None, min_length=1, description="File that holds the password, alone on one line."
    )
    tls: Literal["off", "require", "verify"] = Field(
        default="off",
        description="Encryption of the connection: `require` encrypts, `verify` also checks the server's certificate and name.",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="File of the certificate authority for `tls: verify`. Left out: those of the machine.",
    )
    deadline_ms: Whole = Field(
        default=400,
        ge=10,
        le=30_000,
        description=(
            "Milliseconds a commit may take. Then the submission is made durable in the local spool instead. Shorter than "
            "`journal_deadline_ms`, so that there is time for that."
        ),
    )
    connect_ms: Whole = Field(
        default=2000,
        ge=10,
        le=60_000,
        description="Milliseconds to make a connection, TLS included. No visitor waits for it.",
    )
    spool: str = Field(
        default="var/spool",
        min_length=1,
        description=(
            "Directory in which leads and records wait while PostgreSQL is away. It must survive a restart of the gateway: a disk, not a "
            "container's own layer. A relative path counts from this file."
        ),
    )


Workers = Annotated[int, Strict(), Field(ge=1, le=256)]

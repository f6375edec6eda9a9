"""The kinds of value a setting can have: addresses, sizes, patterns. Each refuses in plain words, with the remedy."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Section(BaseModel):
    """A block of leadgate.yaml: read-only once loaded, and without room for keys nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def refuse(message: str, remedy: str) -> PydanticCustomError:
    """The error to raise from a validator: what was found, and what to write instead."""
    return PydanticCustomError("refused", "{message}", {"message": message, "remedy": remedy})


def later(what: str, remedy: str) -> PydanticCustomError:
    """The error for something the contract names but this version cannot do."""
    return refuse(f"{what} is not supported in this version", remedy)


Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Seconds = Annotated[float, Strict(), Field(gt=0, le=86_400)]
Percent = Annotated[int, Strict(), Field(ge=0, le=100)]


@dataclass(frozen=True, order=True)
class Address:
    """Where to listen: an IP address in its text form (or "localhost") and a TCP port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True where only this machine can connect."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    @property
    def wildcard(self) -> bool:
        """True where every address of the machine is listened on."""
        return self.host != "localhost" and ipaddress.ip_address(self.host).is_unspecified

    @classmethod
    def parse(cls, value: Any) -> Address:
        if isinstance(value, Address):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            raise refuse(
                f"{value} is a port without an address",
                f"write 127.0.0.1:{value} for this machine only, or 0.0.0.0:{value}",
            )
        if not isinstance(value, str):
            raise refuse("an address and port are expected here", "write it like 127.0.0.1:8080")
        if value.startswith(("unix:", "/")):
            raise later("a unix socket", "write an address and port, for example 127.0.0.1:8080")
        host, colon, port = value.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise refuse(
                f'"{value}" has no port between 0 and 65535', "write an address and a port, for example 127.0.0.1:8080"
            )
        if not host or host == "*":
            raise refuse(
                f'"{value}" has no address',
                f"write 127.0.0.1:{port} for this machine only, or 0.0.0.0:{port} for all its addresses",
            )
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise refuse(
                f'in "{value}" it is unclear where the address ends', f"put the IPv6 address in brackets: [::1]:{port}"
            )
        host = host.removeprefix("[").removesuffix("]")
        if host == "localhost":
            return cls(host, int(port))
        try:
            return cls(str(ipaddress.ip_address(host)), int(port))
        except ValueError:
            raise refuse(
                f'"{host}" is not an IP address', f"write the address itself, for example 127.0.0.1:{port}"
            ) from None


ListenAddress = Annotated[
    Address,
    PlainValidator(Address.parse),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(\[[0-9a-fA-F:.]+\]|[0-9.]+|localhost):[0-9]{1,5}$",
            "examples": ["127.0.0.1:8080"],
        }
    ),
]

_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and (found := re.fullmatch(r"([1-9][0-9]{0,11}) ?(KiB|MiB|GiB|)", value, re.ASCII)):
        return int(found[1]) * _UNITS[found[2]]
    if isinstance(value, str) and (
        found := re.fullmatch(r"([1-9][0-9]{0,11}) ?([kmg])(i?b)?", value.lower(), re.ASCII)
    ):
        raise refuse(f'"{value}" is not a size', f"write {found[1]}{found[2].upper()}iB")
    raise refuse(
        f'"{value}" is not a size' if value else "a size is expected here",
        "write bytes as a whole number above 0, or a number with KiB, MiB or GiB: 32MiB",
    )


Size = Annotated[
    int,
    PlainValidator(_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]* ?(KiB|MiB|GiB)?$"}]}
    ),
]


def _network(value: Any) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    if not isinstance(value, str):
        raise refuse(f'"{value}" is not an address range', "write it like 10.0.0.0/8, in quotes if need be")
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise refuse(
            f'"{value}" is not an address range',
            "write one address (192.0.2.7) or a range in CIDR form (10.0.0.0/8, 2001:db8::/32)",
        ) from None
    raise refuse(
        f'"{value}" names one address and a range at once',
        f"write {wider} for the range, or {value.split('/')[0]} for the one address",
    )


AddressRange = Annotated[
    Network,
    PlainValidator(_network),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8", "2001:db8::/32"]}),
]


def _host(value: str) -> str:
    if "://" in value or "/" in value:
        raise refuse(
            f'"{value}" is a web address', f"write the host name alone: {urlsplit(value).hostname or 'www.example.com'}"
        )
    if re.search(r":[0-9]+$", value):
        raise refuse(f'"{value}" has a port', f"write the host name alone: {value.rpartition(':')[0]}")
    if not value.isascii():
        try:
            remedy = f"write its ASCII form: {value.encode('idna').decode()}"
        except UnicodeError:
            remedy = "write the host name in its ASCII form (xn--…)"
        raise refuse(f'"{value}" is not an ASCII host name', remedy)
    if "*" in value:
        raise later("a host name with *", "name each host, or leave hosts out: then the site answers for any host")
    if len(value) > 253 or not re.fullmatch(
        r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?", value
    ):
        raise refuse(
            f'"{value}" is not a host name',
            "write it as it stands in the browser's address bar, for example www.example.com",
        )
    return value.lower().removesuffix(".")


HostName = Annotated[str, AfterValidator(_host)]


def _origin(value: str) -> str:
    example = "write it like http://127.0.0.1:9000 or https://www.example.com"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refuse(f'"{value}" is not a web address', example) from None
    if "@" in parts.netloc:
        raise refuse(
            "the address holds a user name or password", "take it out of the URL: secrets never stand in this file"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        if parts.scheme in ("ws", "wss"):
            raise refuse(
                f'"{value}" is a WebSocket address',
                "write http or https: WebSockets are passed through by the same origin",
            )
        guess = (
            f"write http://{value} or https://{value}" if re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]+)?", value) else example
        )
        raise refuse(f'"{value}" is not an http or https address', guess)
    if port == 0:
        raise refuse(f'"{value}" has port 0', example)
    name = parts.hostname
    host = f"[{name}]" if ":" in name else _host(name)
    bare = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise refuse(
            f'"{value}" has more than scheme, host and port',
            f"write {bare}: paths are forwarded as the visitor asked for them",
        )
    return bare


OriginUrl = Annotated[str, AfterValidator(_origin), Field(json_schema_extra={"pattern": "^https?://[^/?#@]+/?$"})]


def _path(value: str) -> str:
    if "://" in value:
        raise refuse(f'"{value}" is a whole web address', f"write its path alone: {urlsplit(value).path or '/'}")
    if not value.startswith("/"):
        raise refuse(f'"{value}" does not start with /', f"write /{value}")
    if "?" in value or "#" in value:
        raise refuse(
            f'"{value}" holds a query or fragment, and only the path is compared', f"write {re.split('[?#]', value)[0]}"
        )
    if "//" in value or re.search(r"/\.\.?(/|$)", value):
        raise refuse(
            f'"{value}" can never match: requests are compared by their plain path',
            "take out // and the segments . and ..",
        )
    if re.search("%[0-9A-Fa-f]{2}", value):
        raise refuse(
            f'"{value}" can never match: requests are compared with percent-encoding undone',
            "write the character itself",
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in value) or "\\" in value:
        raise refuse("the path holds a control character or backslash", "write a plain path, for example /lead")
    return value


def _exact(value: str) -> str:
    if "*" in value:
        raise refuse(f'"{value}" holds a *, and a form stands at one path', "write one form for each path")
    return _path(value)


def _pattern(value: str) -> str:
    if value.startswith("*"):
        raise refuse(f'"{value}" does not start with /', f"write /{value}")
    if value.count("*") > 8:
        raise refuse(f'"{value}" holds more than 8 *', "use fewer: one * stands for any characters, slashes too")
    return _path(value)


Path = Annotated[str, AfterValidator(_exact), Field(json_schema_extra={"pattern": "^/[^*?#]*$"})]
PathPattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"pattern": "^/[^?#]*$"})]


def pattern_regex(pattern: str) -> str:
    """A pattern with `*` for any characters (slashes too) as a regular expression for `re.fullmatch` with flag DOTALL.

    The pieces between the stars are atomic groups, so matching takes linear time whatever is matched.
    """
    first, *rest = [re.escape(piece) for piece in pattern.split("*")]
    if not rest:
        return first
    return first + "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece) + ".*" + rest[-1]


def one_or_many(value: Any) -> Any:
    """One value where a list is expected stands for a list of one."""
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


Names = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
    BeforeValidator(one_or_many),
    Field(max_length=32),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 32},
            ]
        }
    ),
]


def _slug(value: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", value):
        guess = re.sub("[^a-z0-9]+", "-", value.lower()).strip("-")[:63].rstrip("-") or "main"
        raise refuse(f'"{value}" is not a short name', f"write {guess}: small letters, digits and dashes, at most 63")
    return value


Slug = Annotated[str, AfterValidator(_slug), Field(json_schema_extra={"pattern": "^[a-z0-9][a-z0-9-]{0,62}$"})]

"""Values of `geoip.kinds`: AS numbers and kinds of network, as an operator writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from gateway.config.values import refuse
from geoip.kinds import KINDS

NETWORK_KINDS = tuple(kind for kind in KINDS if kind not in ("crawler", "monitor", "fetcher", "reserved"))
"""What may be said of a whole network. Crawlers, monitors and fetchers prove themselves by range."""


def _as_number(value: object) -> int:
    text = str(value).strip().upper().removeprefix("AS")
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or not 0 < int(text[:11]) < 2**32:
        raise refuse(f"{value!s:.40} is not an AS number", "write it like AS64500")
    return int(text)


def _network_kind(value: object) -> str:
    if value not in (*NETWORK_KINDS, "unknown"):
        raise refuse(f"{value!s:.40} is no kind of network", f"choose one of {', '.join(NETWORK_KINDS)}, unknown")
    return str(value)


AsNumber = Annotated[int, PlainValidator(_as_number), WithJsonSchema({"type": "string"})]
NetworkKind = Annotated[str, PlainValidator(_network_kind), WithJsonSchema({"type": "string"})]

"""Settings of the script in the visitor's browser."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gateway.config.values import Section, later


def _beacon_level(value: Any) -> Any:
    if value in ("minimal", "full"):
        raise later(f"beacon level {value}", "write level: server-only or leave it out")
    return value


def _beacon_embed(value: Any) -> Any:
    if value == "manual":
        raise later("embed: manual", "leave it out: at level server-only nothing is embedded")
    return value


class Beacon(Section):
    """The script in the visitor's browser."""

    level: Annotated[Literal["server-only"], BeforeValidator(_beacon_level)] = Field(
        default="server-only", description="How much the browser is asked: nothing."
    )
    embed: Annotated[Literal["auto"], BeforeValidator(_beacon_embed)] = Field(
        default="auto", description="How the script gets into pages. Without effect at level `server-only`."
    )

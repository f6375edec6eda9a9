"""What `leadgate check` looks at beyond the settings file: the rules and databases it names, and what a running gateway has noticed."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

from gateway.config import Config
from geoip.errors import GeoipError
from geoip.reader import NetworkReader
from rules import loader
from rules.problems import RulesError

PATIENCE_S = 1.0
"""How long a running gateway is waited for. It is on this machine, or it is not asked at all."""


def problems(config: Config) -> list[str]:
    """What is wrong with the rules and databases, a sentence for each, with its place and remedy."""
    return [*_rules(config), *_databases(config)]


def _rules(config: Config) -> Iterator[str]:
    if config.rules_path is not None and not config.rules_path.is_dir():
        yield f"{config.rules_path}: there is no such directory. Make it, or take rules.directory out"
        return
    try:
        loader.load(local_dir=config.rules_path)
    except RulesError as error:
        yield str(error)
    except OSError as error:
        yield f"{config.rules_path}: the rules cannot be read: {error.strerror}"


def _databases(config: Config) -> Iterator[str]:
    for path in config.databases:
        if path is not None:
            try:
                NetworkReader([path], ranges=())
            except (GeoipError, OSError) as error:
                yield str(error)


def advice(config: Config) -> list[str]:
    """What the gateway that runs with these settings advises, for example which proxy to trust. Empty where none runs here."""
    address = config.admin.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - asked, not listened on
    try:
        with closing(http.client.HTTPConnection(host, address.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", "/readyz")
            told = json.loads(connection.getresponse().read(64 * 1024))
    except (OSError, http.client.HTTPException, ValueError):
        return []
    found = told.get("advice") if isinstance(told, dict) else None
    return [str(line) for line in found] if isinstance(found, list) else []

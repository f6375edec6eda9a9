"""Databases and stored feeds of the settings, as one reader; and what should be known of their age."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from gateway.config import Config
from geoip import stored
from geoip.errors import GeoipError
from geoip.kinds import Kinds
from geoip.reader import NetworkReader
from geoip.stored import Feed

DAY_S = 86_400


class Standing(NamedTuple):
    """reader: what addresses are looked up in; troubles: feeds of the settings that are not in it, and why."""

    reader: NetworkReader
    troubles: tuple[str, ...]


def stored_feeds(config: Config) -> tuple[list[Feed], list[str]]:
    """The feeds that are there, under the labels of the settings, and what is wrong with the others. A damaged feed
    must not keep a gateway from serving: it is left out, and told."""
    found, troubles = [], []
    for feed, path in zip(config.geoip.feeds, config.feed_files, strict=True):
        try:
            found.append(stored.read(path)._replace(label=f"{feed.kind}:{feed.name}"))
        except FileNotFoundError:
            troubles.append(f"the feed {feed.name} was never fetched: leadgate geoip refresh --feed {feed.name}")
        except GeoipError as error:
            troubles.append(f"the feed {feed.name} is left out: {error}")
    return found, troubles


def open_networks(config: Config, kinds: Kinds | None = None) -> Standing:
    """`kinds`: instead of the shipped ones with those of the settings over them. Raises GeoipError where a database
    cannot be used."""
    feeds, troubles = stored_feeds(config)
    kinds = Kinds.builtin(config.geoip.own_kinds) if kinds is None else kinds
    return Standing(NetworkReader(config.databases, feeds=feeds, kinds=kinds), tuple(troubles))


def stale(config: Config, feeds: tuple[Feed, ...], now: float | None = None) -> list[str]:
    """A sentence for each feed that is older than the settings allow."""
    now = time.time() if now is None else now
    allowed = {feed.name: feed.max_age_days for feed in config.geoip.feeds}
    return [
        f"the feed {feed.name} is {feed.age_s(now) / DAY_S:.0f} days old, {allowed[feed.name]} are allowed: "
        f"look why leadgate geoip refresh does not get it"
        for feed in feeds
        if feed.name in allowed and feed.age_s(now) > allowed[feed.name] * DAY_S
    ]


def described(reader: NetworkReader) -> dict[str, Any]:
    """What the networks' data is of, as JSON: part of a generation's content."""
    return {
        "hash": reader.content_hash,
        "databases": [
            {
                "name": d.name,
                "type": d.kind,
                "date": d.date.isoformat(),
                "attribution": d.attribution,
            }
            for d in reader.databases
        ],
        # not when: a list that was fetched again and holds the same decides the same
        "feeds": [{"label": f.label, "sha256": f.sha256} for f in reader.feeds],
    }


def day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


def networks_in_words(told: dict[str, Any]) -> list[str]:
    """`described`, a line for people for each database and feed."""
    lines = [f"{d['name']} database ({d['type']}), data of {d['date']}" for d in told.get("databases", ())]
    return lines + [f"feed {f['label']}, content {f['sha256'][:12]}" for f in told.get("feeds", ())]


def credit(told: dict[str, Any]) -> str:
    """Whom to name where results are shown; "" where no database asks for it."""
    return "; ".join(dict.fromkeys(d["attribution"] for d in told.get("databases", ()) if d.get("attribution")))

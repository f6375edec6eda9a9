"""Why an address is held to be what it is: every statement, who made it, and of what day it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from geoip.kinds import PINNED, Kinds
from geoip.mmdb import Facts
from geoip.network import Network
from geoip.reader import NetworkReader


class Statement(NamedTuple):
    """What one database says: facts, the network they are said of, the day of the data."""

    database: str
    date: str
    network: str
    facts: Facts
    attribution: str


class Explanation(NamedTuple):
    """why: which statement decided the kind; labels: (label, who says so, day or "")."""

    address: str
    network: Network
    why: str
    statements: tuple[Statement, ...]
    labels: tuple[tuple[str, str, str], ...]

    @property
    def attribution(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s.attribution for s in self.statements if s.attribution))

    def as_json(self) -> dict[str, Any]:
        found = self.network
        return {
            "address": self.address,
            "network": next((s.network for s in self.statements if s.network), None),
            "asn": found.asn,
            "organisation": found.organisation,
            "country": found.country,
            "kind": found.kind or None,
            "why": self.why,
            "labels": [{"label": label, "source": source, "date": day or None} for label, source, day in self.labels],
            "databases": [
                {
                    "name": s.database,
                    "date": s.date,
                    "network": s.network or None,
                    "asn": s.facts.asn,
                    "organisation": s.facts.organisation,
                    "country": s.facts.country,
                    "says": [label.partition(":")[0] for label in s.facts.labels + s.facts.stated],
                }
                for s in self.statements
            ],
            "attribution": list(self.attribution),
        }


def explain(reader: NetworkReader, address: str) -> Explanation:
    """Raises GeoipError where `address` is none."""
    network = reader.lookup(address)
    plain, ranged = reader.labels_of(address)
    feeds = {feed.label: feed for feed in reader.feeds}
    labels = []
    for label in network.labels:
        if (feed := feeds.get(label)) is not None and label in ranged:
            day = datetime.fromtimestamp(feed.fetched_at, UTC).date().isoformat()
            labels.append((label, f"your feed {feed.name} from {feed.source}", day))
        elif label.startswith("reserved:"):
            labels.append((label, "IANA's registry of special addresses", ""))
        else:
            labels.append((label, "published range" if label in ranged else "a database", ""))
    statements = []
    for database in () if network.kind == "reserved" else reader.databases:
        facts, where = database.find_with_network(plain)
        statements.append(Statement(database.name, database.date.isoformat(), where, facts, database.attribution))
    why = _why(reader.kinds, network, ranged, statements)
    return Explanation(plain, network, why, tuple(statements), tuple(labels))


def _why(kinds: Kinds, found: Network, ranged: tuple[str, ...], statements: list[Statement]) -> str:
    """In the order in which `Kinds.of` weighs them."""
    kind = found.kind
    if not kind:
        return "nothing tells what kind of network this is"
    label = next((label for label in ranged if label.partition(":")[0] == kind), None)
    if label is not None and kind in PINNED:
        return f"the address is in the range {label}"
    sayers = [s for s in statements if any(x.partition(":")[0] == kind for x in s.facts.labels + s.facts.stated)]
    if kind in PINNED and sayers:
        return f"the database {sayers[0].database} says so of the address"
    if found.asn is not None and kinds.of(found.asn, None) == kind:
        if Kinds.builtin().of(found.asn, None) != kind:
            return f"geoip.kinds of your settings says so of AS{found.asn}"
        return f"AS{found.asn} stands in the table of known operators"
    if label is not None:
        return f"the address is in the range {label}"
    if sayers:
        return f"the database {sayers[0].database} says so"
    return f'the words of the organisation\'s name say so: "{found.organisation}"'

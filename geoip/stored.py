"""Feeds as they are kept on this machine: one file each, checked already, with what is known of where it came from.

The first line is JSON (see `Feed`), then one network a line. One file, so that a feed is swapped in one step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from geoip.errors import GeoipError
from geoip.ranges import V4_BITS, V6_BITS, LabelledRange

FORMAT = 1
ENDING = ".feed"
MAX_BYTES = 64 * 1024 * 1024
"""Largest stored feed that is read: a million networks take about 20 MB."""


class Feed(NamedTuple):
    """One stored feed.

    label       what addresses in it carry, "kind:name"
    source      URL or path it came from
    fetched_at  seconds since 1970
    checked_at  seconds since 1970 when its source last said that it is unchanged, or fetched_at
    entries     networks, neighbours joined
    addresses   what a size is compared by: IPv4 addresses plus IPv6 /64 networks
    sha256      of the networks' lines, hexadecimal
    validators  ETag and Last-Modified of the answer, for asking whether anything changed
    """

    label: str
    source: str
    fetched_at: int
    checked_at: int
    entries: int
    addresses: int
    sha256: str
    validators: dict[str, str]
    networks: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.label.partition(":")[2]

    def age_s(self, now: float) -> float:
        """Seconds since the source last vouched for it."""
        return max(0.0, now - self.checked_at)

    def ranges(self) -> Iterator[LabelledRange]:
        for network in self.networks:
            yield labelled(network, self.label)


def digest(networks: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{network}\n" for network in networks).encode()).hexdigest()


def labelled(network: str, label: str) -> LabelledRange:
    """A network in its exact form ("192.0.2.0/24"). Raises OSError, ValueError."""
    address, _, length = network.partition("/")
    family, bits = (AF_INET6, V6_BITS) if ":" in address else (AF_INET, V4_BITS)
    first = int.from_bytes(inet_pton(family, address))
    if not 0 <= int(length) <= bits:
        raise ValueError(f"{network} has a prefix that no address has")
    size = 1 << (bits - int(length))
    if first % size:
        raise ValueError(f"{network} has bits set behind its prefix")
    return LabelledRange(bits, first, first + size - 1, label)


def write(feed: Feed) -> bytes:
    head = {
        "leadgate_feed": FORMAT,
        "label": feed.label,
        "source": feed.source,
        "fetched_at": feed.fetched_at,
        "checked_at": feed.checked_at,
        "entries": feed.entries,
        "addresses": feed.addresses,
        "sha256": feed.sha256,
        "validators": feed.validators,
    }
    return "\n".join((json.dumps(head), *feed.networks, "")).encode()


def read(path: Path) -> Feed:
    """Raises FileNotFoundError; GeoipError, with the remedy, where the file is not what was written."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        first, _, rest = path.read_text("utf-8").partition("\n")
        head = json.loads(first)
        if head["leadgate_feed"] != FORMAT:
            raise ValueError("of another release")
        networks: Sequence[str] = rest.splitlines()
        feed = Feed(
            str(head["label"]),
            str(head["source"]),
            int(head["fetched_at"]),
            int(head["checked_at"]),
            int(head["entries"]),
            int(head["addresses"]),
            str(head["sha256"]),
            {str(key): str(value) for key, value in head["validators"].items()},
            tuple(networks),
        )
        if len(networks) != feed.entries or digest(networks) != feed.sha256:
            raise ValueError("its networks are not those that were stored")
        for network in networks:
            labelled(network, feed.label)
        for at in (feed.fetched_at, feed.checked_at):
            datetime.fromtimestamp(at, UTC)  # it is shown as a day
    except FileNotFoundError:
        raise
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise GeoipError(
            f"{path}: not a stored feed ({error}); fetch it again with leadgate geoip refresh --force"
        ) from error
    return feed

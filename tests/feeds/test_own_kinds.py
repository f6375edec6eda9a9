"""What an operator says of a network holds over what is shipped, but not over published ranges of relays and the like."""

from __future__ import annotations

from gateway.config import parse
from gateway.feeds.reading import open_networks

SITE = "sites: [{name: main, origin: http://127.0.0.1:9000, landing_pages: [{path: /}]}]\n"
HOME = "84.160.1.1"  # AS3320, an access provider
RELAY = "172.225.0.1"  # Apple's relay at Akamai, AS36183


def kinds_of(settings: str) -> tuple[str, str]:
    reader = open_networks(parse(settings + SITE)).reader
    return reader.lookup(HOME).kind, reader.lookup(RELAY).kind


def test_kinds_of_the_operator() -> None:
    assert kinds_of("") == ("consumer", "relay")
    assert kinds_of("geoip: {kinds: {AS3320: business, AS36183: hosting, AS20940: hosting}}\n") == ("business", "relay")
    assert kinds_of("geoip: {kinds: {3320: unknown}}\n") == ("", "relay")


def test_the_operators_kinds_are_part_of_what_networks_are_looked_up_in() -> None:
    shipped, own = (open_networks(parse(text + SITE)).reader for text in ("", "geoip: {kinds: {AS3320: business}}\n"))
    assert shipped.content_hash != own.content_hash

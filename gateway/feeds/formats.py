"""The ways in which lists of networks are written."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from gateway.feeds.errors import FeedRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Format = Literal["auto", "netset", "csv", "json"]

MAX_LINES = 2_000_000
MAX_LINE = 4096
"""Characters of a line; a network takes at most 43."""
MAX_DEPTH = 12
"""Levels of JSON that are walked down."""
STRAY = 0.01
"""Share of lines that may be no network before the whole is taken for something else than a list."""

_PREFIX_KEYS = frozenset({
    "ipv4prefix", "ipv6prefix", "ip_prefix", "ipv6_prefix", "ip", "ips", "ipv4", "ipv6", "cidr", "cidrs", "prefix", "prefixes", "network", "networks",
    "addresses", "addressprefixes", "ranges", "range", "ip_ranges", "ipv4_cidrs", "ipv6_cidrs",
})  # fmt: skip
"""Keys below which published JSON lists hold their networks: Google's, Apple's and Bing's ipv4Prefix, AWS' ip_prefix,
Azure's addressPrefixes, Fastly's and Cloudflare's lists."""

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_TOR_PROSE = ("ExitNode ", "Published ", "LastStatus ")


def networks(body: bytes, form: Format = "auto") -> list[Network]:
    """Every network in the list, as it stands there. Raises FeedRefused, with the line, where it is no list."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedRefused(
            f"byte {error.start} is no text", "look at the address: this is no list of networks"
        ) from error
    if form == "auto":
        form = _guessed(text)
    return _json(text) if form == "json" else _lines(text, _first_column if form == "csv" else _netset)


def _guessed(text: str) -> Format:
    head = text.lstrip()[:1]
    if head == "<":
        raise FeedRefused("line 1 begins a web page", "name the address of the list itself")
    if head in "{[" and head:
        return "json"
    first = next((line for line in text[: 64 * MAX_LINE].splitlines() if line.strip() and line[0] not in "#;"), "")
    return "csv" if "," in _bare(first) else "netset"


def _bare(line: str) -> str:
    """Without a comment at its end."""
    return line.split("#", 1)[0].split(";", 1)[0].strip()


def _netset(line: str) -> str | None:
    """The network of a line, or None where it holds none by design."""
    bare = _bare(line)
    if not bare or bare.startswith(_TOR_PROSE):
        return None
    words = bare.replace(" - ", "-").split()
    return words[1] if words[0] == "ExitAddress" and len(words) > 1 else words[0]


def _first_column(line: str) -> str | None:
    if not line.strip() or line[0] == "#":
        return None
    return next(csv.reader([line]))[0].strip()


def _lines(text: str, read: Callable[[str], str | None]) -> list[Network]:
    found: list[Network] = []
    strays: list[int] = []
    for number, line in enumerate(_bounded(text), 1):
        if len(line) > MAX_LINE:
            raise FeedRefused(f"line {number} is longer than {MAX_LINE} characters", "this is no list of networks")
        try:
            if (written := read(line)) is not None:
                found += parsed(written)
        except (ValueError, csv.Error):
            strays.append(number)
        if len(found) > MAX_LINES:  # one line from-to may stand for 250 networks
            raise _too_many()
    headings = [number for number in strays if number > 1]  # a csv may have one
    if len(headings) > max(0, STRAY * (len(found) + len(headings))):
        raise FeedRefused(
            f"line {headings[0]} is no network, and {len(headings)} lines like it",
            "look at the list, or name its format",
        )
    return found


def _bounded(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=None)):
        if number >= MAX_LINES:
            raise FeedRefused(f"more than {MAX_LINES} lines", "this is no list of networks; look at the address")
        yield line.removesuffix("\n")


def _too_many() -> FeedRefused:
    return FeedRefused(f"more than {MAX_LINES} networks", "this is no list of networks; look at the address")


def parsed(written: str) -> Iterable[Network]:
    """A network, an address, or "first-last". Raises ValueError."""
    first, dash, last = written.partition("-")
    if dash:
        ends = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
        if ends[0].version != ends[1].version:
            raise ValueError("from an IPv4 address to an IPv6 one")
        return map(_plain, ipaddress.summarize_address_range(*ends))
    return (_plain(ipaddress.ip_network(written, strict=False)),)


def _plain(network: Network) -> Network:
    """An IPv4 network written as an IPv6 one as what it is: visitors are looked up by the IPv4 address."""
    if network.version == 6 and network.subnet_of(_MAPPED):
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _json(text: str) -> list[Network]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused(
            f"not readable as JSON ({str(error)[:100]})", "look at the list, or name its format"
        ) from error
    found: list[Network] = []
    for place, written in _walk(tree, "", 0, isinstance(tree, list)):
        if len(found) > MAX_LINES:
            raise _too_many()
        try:
            found += parsed(written)
        except ValueError as error:
            raise FeedRefused(f'{place}: "{written[:60]}" is no network', "look at the list") from error
    return found


def _walk(tree: Any, place: str, depth: int, wanted: bool) -> Iterator[tuple[str, str]]:
    """(place, text) of every string that must be a network: below a key that says so."""
    if depth > MAX_DEPTH:
        raise FeedRefused(f"{place}: nested more than {MAX_DEPTH} levels", "this is no list of networks")
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _walk(value, f"{place}.{key}"[:200], depth + 1, str(key).lower() in _PREFIX_KEYS)
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _walk(value, f"{place}[{number}]", depth + 1, wanted)
    elif isinstance(tree, str) and wanted:
        yield place, tree

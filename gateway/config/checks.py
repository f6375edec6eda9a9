"""What no single setting can tell: contradictions between settings, loops, and files that are not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from gateway.config.finding import Finding, Setting
from gateway.config.model import Config
from gateway.config.outcome_checks import check_outcomes
from gateway.config.problems import Loc
from gateway.config.shared_checks import check_shared
from gateway.config.site_checks import check_site
from gateway.config.values import Address
from gateway.model import Mode


def findings(setting: Setting) -> Iterator[Finding]:
    """Every contradiction; the places are those of the file."""
    for check in (
        _listening,
        _admin,
        _sites,
        _reviewer,
        _limits,
        _lists,
        _feeds,
        _files,
        _proxies,
        check_outcomes,
        check_shared,
    ):
        for found in check(setting):
            yield Finding(setting.original(found.loc), found.what, found.remedy, found.severity)


def _listening(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    if config.listeners and "listen" in config.model_fields_set:
        yield Finding(("listen",), "listen and listeners are both given", "keep one of them")
    taken: dict[Address, str] = {}
    for loc, address in (*_public(config), (("admin", "listen"), config.admin.listen)):
        for other, name in taken.items():
            if address.port and _same_socket(address, other):
                yield Finding(loc, f"{address} is taken by {name}", "choose another port")
                break
        taken[address] = "admin.listen" if loc[0] == "admin" else "the public listener"


def _public(config: Config) -> Iterator[tuple[Loc, Address]]:
    if not config.listeners:
        yield ("listen",), config.listen
    for number, listener in enumerate(config.listeners):
        yield ("listeners", number, "address"), listener.address


def _same_socket(one: Address, other: Address) -> bool:
    """Whether both name the same port of the same address; IPv4 and IPv6 are apart, as they are for the listening sockets."""
    if one.port != other.port:
        return False
    if "localhost" in (one.host, other.host):
        return all(address.loopback or address.wildcard for address in (one, other))
    same_family = (":" in one.host) == (":" in other.host)
    return same_family and (one.host == other.host or one.wildcard or other.wildcard)


def _admin(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    token = setting.environ.get("LEADGATE_ADMIN_TOKEN", "").strip() or config.admin.token_file
    if not config.admin.listen.loopback and not token and not setting.broken(("admin", "token_file")):
        yield Finding(
            ("admin", "listen"),
            f"other machines can reach {config.admin.listen}, and there is no token",
            "set LEADGATE_ADMIN_TOKEN in the environment or name a file with admin.token_file, or listen on "
            f"127.0.0.1:{config.admin.listen.port}",
        )


def _sites(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    names: dict[str, int] = {}
    hosts: dict[str, str] = {}
    for number, site in enumerate(config.sites):
        loc: Loc = ("sites", number)
        if site.name in names:
            yield Finding(
                (*loc, "name"), f'two sites are called "{site.name}"', "give each its own name: reports go by it"
            )
        names[site.name] = number
        if not site.hosts and not setting.broken((*loc, "hosts")):
            if "" in hosts:
                yield Finding(
                    loc,
                    f'the sites "{hosts[""]}" and "{site.name}" both answer for any host',
                    "give all but one of them hosts",
                )
            hosts.setdefault("", site.name)
        for position, host in enumerate(site.hosts):
            if host in hosts:
                yield Finding(
                    (*loc, "hosts", position),
                    f'"{host}" is named twice, first in site "{hosts[host]}"',
                    "keep one of them",
                )
            hosts.setdefault(host, site.name)
        for loop_loc, address in (*_public(config), (("admin", "listen"), config.admin.listen)):
            if address.port and _leads_to(site.origin, address):
                own = "the admin listener" if loop_loc[0] == "admin" else "the gateway itself"
                yield Finding(
                    (*loc, "origin"),
                    f"{site.origin} is {own}: requests would run in a circle",
                    "write the address of the web server behind it",
                )
        for place, what, remedy, severity in check_site(site, lambda *rest, at=loc: setting.broken((*at, *rest))):
            yield Finding((*loc, *place), what, remedy, severity)


def _leads_to(origin: str, address: Address) -> bool:
    scheme, _, rest = origin.partition("://")
    host, colon, port = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        host, port = rest, "443" if scheme == "https" else "80"
    try:
        target = Address.parse(f"{host}:{port}")
    except ValueError:
        return False  # a name: where it leads is not known here
    return _same_socket(target, address) and (target.loopback or target.wildcard or target.host == address.host)


def _reviewer(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    enforced = next((number for number, site in enumerate(config.sites) if site.mode is Mode.ENFORCE), None)
    if enforced is None:
        return
    if config.reviewer is None:
        if not setting.broken(("reviewer",)):
            yield Finding(
                ("sites", enforced, "mode"),
                "enforce holds leads, and nobody is named who looks at them",
                "add reviewer: {email: …} at the top level, or begin with mode: monitor",
            )
    elif config.mail is None and not setting.broken(("mail",)):
        yield Finding(
            ("reviewer",),
            "held leads that nobody looked at for a day are reported in the log and at /readyz only",
            "add mail: {host: …, sender: …} at the top level, so that the reviewer is written to",
            "warning",
        )


def _limits(setting: Setting) -> Iterator[Finding]:
    limits = setting.config.limits
    if limits.in_flight_bytes < limits.max_body:
        yield Finding(
            ("limits", "in_flight_bytes"),
            "in_flight_bytes is smaller than max_body: the largest form would never fit",
            "raise it, or lower max_body",
        )
    if limits.header_bytes < limits.target_bytes:
        yield Finding(
            ("limits", "header_bytes"),
            "header_bytes is smaller than target_bytes, which is a part of it",
            "raise it, or lower target_bytes",
        )
    if limits.connections < limits.connections_per_address:
        yield Finding(
            ("limits", "connections_per_address"),
            "connections_per_address is larger than connections and has no effect",
            "lower it",
            "warning",
        )
    for number, site in enumerate(setting.config.sites):
        for position, form in enumerate(site.forms):
            if form.max_body and form.max_body > limits.in_flight_bytes:
                yield Finding(
                    ("sites", number, "forms", position, "max_body"),
                    "max_body is larger than limits.in_flight_bytes: the largest form would never fit",
                    "lower it, or raise limits.in_flight_bytes",
                )


def _lists(setting: Setting) -> Iterator[Finding]:
    lists = setting.config.lists
    for side, entries in (("allow", lists.allow), ("deny", lists.deny)):
        names: set[str] = set()
        for number, entry in enumerate(entries):
            loc: Loc = ("lists", side, number)
            if entry.name in names:
                yield Finding(
                    (*loc, "name"),
                    f'two entries are called "{entry.name}"',
                    "give each its own name: verdicts quote it",
                )
            names.add(entry.name)
            for position, network in enumerate(entry.addresses):
                if network.prefixlen == 0:
                    meaning = "everybody is accepted" if side == "allow" else "everybody is rejected"
                    yield Finding(
                        (*loc, "addresses", position),
                        f"{network} is every address: {meaning}",
                        "name the addresses that are meant",
                        "warning",
                    )


def _feeds(setting: Setting) -> Iterator[Finding]:
    names: set[str] = set()
    for number, feed in enumerate(setting.config.geoip.feeds):
        if feed.name in names:
            yield Finding(
                ("geoip", "feeds", number, "name"),
                f'two feeds are called "{feed.name}"',
                "give each its own name: it is kept and quoted by it",
            )
        names.add(feed.name)


def _files(setting: Setting) -> Iterator[Finding]:
    config = setting.config
    wanted: list[tuple[Loc, str | None]] = [(("admin", "token_file"), config.admin.token_file)]
    for section, settings in (("redis", config.redis), ("postgres", config.postgres)):
        wanted += [((section, "ca"), settings.ca), ((section, "password_file"), settings.password_file)]
    wanted += [(("sites", number, "origin_ca"), site.origin_ca) for number, site in enumerate(config.sites)]
    wanted += [
        (("geoip", "database", number), name) for number, name in enumerate(config.geoip.database) if name != "builtin"
    ]
    wanted += [(("geoip", "feeds", number, "ca"), feed.ca) for number, feed in enumerate(config.geoip.feeds)]
    for loc, name in wanted:
        if name is not None and not _readable(path := config.resolve(name)):
            yield Finding(
                loc,
                f"there is no file {path} that can be read",
                "correct the path: a relative one counts from the directory of this file",
            )
    if config.rules_path is not None and not config.rules_path.is_dir():
        yield Finding(
            ("rules", "directory"),
            f"there is no directory {config.rules_path}",
            "make it, or correct the path: a relative one counts from the directory of this file",
        )
    directories: list[tuple[Loc, os.PathLike[str]]] = [(("keys", "directory"), config.keys_path)]
    if config.geoip.feeds:
        directories.append((("geoip", "directory"), config.resolve(config.geoip.directory)))
    if config.store_place.shared:
        directories.append((("postgres", "spool"), config.spool_path))
    else:
        directories.append((("store",), config.store_path.parent))
        if config.store_path.is_dir():
            yield Finding(("store",), f"{config.store_path} is a directory", "name a file in it")
    for loc, place in directories:
        if os.path.exists(place) and not os.path.isdir(place):
            yield Finding(loc, f"{place} is a file, and a directory is expected", "choose another path")


def _readable(path: os.PathLike[str]) -> bool:
    return os.path.isfile(path) and os.access(path, os.R_OK)


def _proxies(setting: Setting) -> Iterable[Finding]:
    return [
        Finding(
            ("trusted_proxies", number),
            f"{network} is every address: each visitor could claim any address",
            "name your proxies alone",
            "warning",
        )
        for number, network in enumerate(setting.config.trusted_proxies)
        if network.prefixlen == 0
    ]

"""Allow and deny lists: what the operator knows for a fact. Allow beats deny, and both beat what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from detectors.observation import Click, Client, Observation, Session, Unavailable
from geoip.network import Network


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list; it matches when any one of its values does.

    addresses      IP addresses and ranges in CIDR form, host bits zero
    countries      ISO 3166-1 alpha-2
    organisations  text that the network's organisation contains, case ignored
    email_domains  exact domains: `example.com` does not cover `mail.example.com`
    user_agents    text that the User-Agent contains, case ignored
    click_ids      keyed digests as records show them, never the ids themselves; sessions likewise
    """

    name: str
    addresses: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    countries: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    email_domains: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()
    click_ids: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ListHit:
    """`allow` or deny; `by` says which of the entry's values matched, never a single person's address or e-mail."""

    allow: bool
    name: str
    by: str
    note: str | None = None

    def __str__(self) -> str:
        return f"{'allow' if self.allow else 'deny'} list {self.name} ({self.by})"


Table = dict[str | int, Entry]


def domain_of(email: str) -> str:
    """Domain of an e-mail address as lists write it: lower case, internationalised names in their ASCII form; "" where there is none."""
    domain = email.rpartition("@")[2].strip().rstrip(".").lower() if "@" in email else ""
    if not domain.isascii():
        try:
            return domain.encode("idna").decode("ascii")
        except UnicodeError:
            return domain
    return domain


def _table(entries: Iterable[Entry], values: Callable[[Entry], Iterable[str | int]]) -> Table:
    table: Table = {}
    for entry in entries:
        for value in values(entry):
            table.setdefault(value, entry)
    return table


class _Ranges:
    """Longest prefix first, one dictionary look-up for each prefix length in use: 100,000 ranges cost what a hundred do."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        found: dict[int, dict[int, dict[int, Entry]]] = {4: {}, 6: {}}
        for entry in entries:
            for text in entry.addresses:
                network = ip_network(text)
                version, start, shift = (
                    network.version,
                    int(network.network_address),
                    network.max_prefixlen - network.prefixlen,
                )
                if network.version == 6 and network.network_address.ipv4_mapped is not None and shift <= 32:
                    version, start = 4, start & 0xFFFFFFFF
                found[version].setdefault(shift, {}).setdefault(start >> shift, entry)
        self._by_version = {version: sorted(tables.items()) for version, tables in found.items()}

    def __bool__(self) -> bool:
        return any(self._by_version.values())

    def find(self, text: str) -> tuple[Entry, str] | None:
        """The entry, and how to call what matched: a range by its length, a single address as such."""
        address = ip_address(text)
        number = int(address)
        for shift, table in self._by_version[address.version]:
            entry = table.get(number >> shift)
            if entry is not None:
                return entry, f"range /{address.max_prefixlen - shift}" if shift else "address"
        return None


class _Compiled:
    """One list. A dimension without entries costs one truth test."""

    def __init__(self, entries: Iterable[Entry], *, allow: bool) -> None:
        entries = tuple(entries)
        self._allow = allow
        self._ranges = _Ranges(entries)
        self._asns = _table(entries, lambda e: e.asns)
        self._countries = _table(entries, lambda e: (c.upper() for c in e.countries))
        self._organisations = tuple((text.casefold(), e) for e in entries for text in e.organisations)
        self._emails = _table(entries, lambda e: (m.strip().lower() for m in e.emails))
        self._domains = _table(entries, lambda e: (domain_of("@" + d) for d in e.email_domains))
        self._agents = tuple((text.casefold(), e) for e in entries for text in e.user_agents)
        self._clicks = _table(entries, lambda e: e.click_ids)
        self._sessions = _table(entries, lambda e: e.sessions)
        self._any_network = bool(self._asns or self._countries or self._organisations)
        self._any_email = bool(self._emails or self._domains)
        self.empty = not any(
            (self._ranges, self._any_network, self._any_email, self._agents, self._clicks, self._sessions)
        )

    def find(self, obs: Observation) -> ListHit | None:
        found = (self._ranges and self._address(obs)) or self._others(obs)
        return ListHit(self._allow, found[0].name, found[1], found[0].note) if found else None

    def _address(self, obs: Observation) -> tuple[Entry, str] | None:
        return self._ranges.find(obs.client.address) if isinstance(obs.client, Client) else None

    def _others(self, obs: Observation) -> tuple[Entry, str] | None:
        found: tuple[Entry, str] | None = None
        if self._any_network and isinstance(obs.network, Network):
            found = self._network(obs.network)
        if not found and self._any_email and obs.lead is not None and not isinstance(obs.lead, Unavailable):
            found = self._email(obs.lead.values("email"))
        if not found and self._agents:
            agent = (obs.request.header("user-agent") or "").casefold()
            found = next(((entry, "user agent") for text, entry in self._agents if text in agent), None)
        if not found and self._clicks and isinstance(obs.click, Click):
            found = _named(self._clicks.get(obs.click.digest), "click id")
        if not found and self._sessions and isinstance(obs.session, Session):
            found = _named(self._sessions.get(obs.session.id), "session")
        return found

    def _network(self, network: Network) -> tuple[Entry, str] | None:
        if network.asn is not None and (entry := self._asns.get(network.asn)):
            return entry, f"network AS{network.asn}"
        if network.country is not None and (entry := self._countries.get(network.country)):
            return entry, f"country {network.country}"
        if self._organisations and network.organisation is not None:
            name = network.organisation.casefold()
            return next(((entry, "organisation") for text, entry in self._organisations if text in name), None)
        return None

    def _email(self, emails: tuple[str, ...]) -> tuple[Entry, str] | None:
        """One denied address of a duplicated field denies; an allow needs all of them, or a second field would open every door."""
        hits = []
        for email in emails:
            hit = _named(self._emails.get(email.strip().lower()), "e-mail address")
            hits.append(hit or _named(self._domains.get(domain_of(email)), f"e-mail domain {domain_of(email)}"))
        if self._allow and not all(hits):
            return None
        return next((hit for hit in hits if hit), None)


def _named(entry: Entry | None, by: str) -> tuple[Entry, str] | None:
    return (entry, by) if entry is not None else None


class Lists:
    """Both lists, compiled once per generation. Immutable. Raises ValueError for an address range that is none."""

    def __init__(self, allow: Iterable[Entry] = (), deny: Iterable[Entry] = ()) -> None:
        self._allow = _Compiled(allow, allow=True)
        self._deny = _Compiled(deny, allow=False)
        self._empty = self._allow.empty and self._deny.empty

    def match(self, obs: Observation) -> ListHit | None:
        """What the lists say of this observation: the first hit of the allow list, else of the deny list, else None."""
        if self._empty:
            return None
        if not self._allow.empty and (hit := self._allow.find(obs)) is not None:
            return hit
        return None if self._deny.empty else self._deny.find(obs)

"""Where mail for a lead's domain goes, by asynchronous DNS: cached, asked once at a time for each domain, with a deadline, never blocking the loop."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import aiodns
import pycares

from detectors.behaviour import MailDomain
from detectors.email import Address, parse
from detectors.email_domains import DomainKind, EmailDomains, registrable
from detectors.email_hosts import OWN
from detectors.observation import (
    Kind,
    Lead,
    Unavailable,
)
from gateway.facts.arrival import Arrival

CACHE_SIZE = 4096
LOOK_UPS = 256  # under way at once: made-up domains must not become a flood of queries
ANSWER_TTL_S = 3600.0  # mail hosts change by the month
ABSENT_TTL_S = 600.0  # a domain registered today is found ten minutes later
FAILURE_TTL_S = 60.0
PATIENCE_S = (
    2.0  # for one query and one try: longer than a decision waits, so that the next lead of the domain finds an answer
)
MOST_HOSTS = 8
LONGEST_DOMAIN = 253  # RFC 1035 in its text form

# OWN stands for hosts below the domain itself, or below one of the same name: the record keeps this fact when the address is erased, and a person's own
# domain is a part of it.
_TELLING = 3  # letters of a domain that give it away inside another name

# Listed by name, so that the DNS has nothing to add: ordinary free mail, relays of real people, and what is known to be throw-away.
_SETTLED = frozenset({DomainKind.FREE, DomainKind.RELAY, DomainKind.DISPOSABLE})
# Names no public DNS answers for (RFC 2606, 6761, 6762, 7686); they have a signal of their own.
_NOT_PUBLIC = frozenset({"test", "example", "invalid", "localhost", "local", "onion", "arpa", "internal"})


def domain_to_ask(arrival: Arrival, domains: EmailDomains) -> str | None:
    """Domain (ASCII, lower case) of the first e-mail address of a form, or None where there is none or the DNS is not needed for it."""
    if arrival.kind is not Kind.SUBMISSION or not isinstance(arrival.lead, Lead):
        return None
    for value in arrival.lead.values("email")[:1]:
        found = parse(value)
        if not isinstance(found, Address):
            return None
        domain = found.domain
        if "." not in domain or len(domain) > LONGEST_DOMAIN or domain.rpartition(".")[2] in _NOT_PUBLIC:
            return None
        return None if domains.classify(domain, found.registrable).kind in _SETTLED else domain
    return None


class MailDns:
    """Resolver for `MailDomain` facts.

    servers     DNS servers as "ip" or "ip:port"; empty means the system's
    deadline_s  for all look-ups of a domain together; passed, the fact is Unavailable and the answer still fills the cache
    """

    def __init__(self, servers: Sequence[str] = (), deadline_s: float = 0.15) -> None:
        self._resolver = aiodns.DNSResolver(list(servers) or None, timeout=PATIENCE_S, tries=2)
        self._deadline_s = deadline_s
        self._cache: dict[str, tuple[float, MailDomain | Unavailable]] = {}
        self._running: dict[str, asyncio.Task[MailDomain | Unavailable]] = {}

    async def __call__(self, domain: str) -> MailDomain | Unavailable:
        known = self._cache.get(domain)
        if known is not None and known[0] > asyncio.get_running_loop().time():
            return known[1]
        task = self._running.get(domain)
        if task is None:
            if len(self._running) >= LOOK_UPS:
                return Unavailable("mail DNS: too many look-ups under way")
            task = self._running[domain] = asyncio.ensure_future(self._ask(domain))
            task.add_done_callback(lambda _: self._running.pop(domain, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._deadline_s)
        except TimeoutError:
            return Unavailable(f"mail DNS: no answer within {round(self._deadline_s * 1000)} ms")

    async def _ask(self, domain: str) -> MailDomain | Unavailable:
        answer = await self._look_up(domain)
        ttl = FAILURE_TTL_S if isinstance(answer, Unavailable) else ANSWER_TTL_S if answer.hosts else ABSENT_TTL_S
        self._cache.pop(domain, None)  # so that the oldest answer, not the oldest domain, leaves first
        if len(self._cache) >= CACHE_SIZE:
            self._cache.pop(next(iter(self._cache)))
        self._cache[domain] = (asyncio.get_running_loop().time() + ttl, answer)
        return answer

    async def _look_up(self, domain: str) -> MailDomain | Unavailable:
        try:
            found = await self._resolver.query_dns(domain, "MX")
        except aiodns.error.DNSError as error:
            code = error.args[0] if error.args else None
            if code == aiodns.error.ARES_ENOTFOUND:
                return MailDomain(exists=False)
            if code != aiodns.error.ARES_ENODATA:
                return _failure(error)
            return await self._without_host(domain)
        records = sorted(
            (record.data.priority, record.data.exchange.rstrip(".").lower())
            for record in found.answer
            if isinstance(record.data, pycares.MXRecordData)
        )
        if not records:  # an alias that leads to nothing that takes mail
            return await self._without_host(domain)
        hosts = tuple(dict.fromkeys(_told(host, domain) for _, host in records if host))[:MOST_HOSTS]
        return MailDomain(exists=True, hosts=hosts, refuses=not hosts)

    async def _without_host(self, domain: str) -> MailDomain | Unavailable:
        """A domain that names no mail host takes mail at its own address, where it has one (RFC 5321 section 5.1)."""
        for kind in ("A", "AAAA"):
            try:
                found = await self._resolver.query_dns(domain, kind)
            except aiodns.error.DNSError as error:
                # some servers say "no such name" where only this type is missing
                if error.args[:1] in ((aiodns.error.ARES_ENODATA,), (aiodns.error.ARES_ENOTFOUND,)):
                    continue
                return _failure(error)
            addresses = (pycares.ARecordData, pycares.AAAARecordData)
            if any(_reachable(record.data.addr) for record in found.answer if isinstance(record.data, addresses)):
                return MailDomain(exists=True, hosts=(OWN,))
        return MailDomain(exists=True)

    async def close(self) -> None:
        for task in tuple(self._running.values()):
            task.cancel()
        await self._resolver.close()


def _told(host: str, domain: str) -> str:
    """`host` without what names `domain`: its own hosts are OWN, and customers' names before a provider's are taken off (firm-de.mail.provider.example)."""
    own = registrable(domain) or domain
    if host == own or host.endswith("." + own):
        return OWN
    name, labels = own.partition(".")[0], host.split(".")
    if len(name) >= _TELLING and (registrable(host) or "").partition(".")[0] == name:
        return OWN  # firm.com for firm.de: it would tell whose address was erased
    for place in range(len(labels) - 3, -1, -1):
        if (name in labels[place]) if len(name) >= _TELLING else labels[place].partition("-")[0] == name:
            return ".".join(labels[place + 1 :])
    return host


def _reachable(address: str) -> bool:
    """Could a mail server be there? 0.0.0.0 and the loopback range are how some domains say no."""
    ip = ipaddress.ip_address(address)
    return not (ip.is_unspecified or ip.is_loopback)


def _failure(error: aiodns.error.DNSError) -> Unavailable:
    message = error.args[1] if len(error.args) > 1 else ""
    return Unavailable(f"mail DNS: {message or 'failed'}")

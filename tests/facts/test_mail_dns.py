"""Mail hosts of a domain, against a real name server on a loopback socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from detectors.behaviour import MailDomain
from detectors.email_domains import EmailDomains
from detectors.observation import (
    Client,
    Kind,
    Lead,
    Page,
    Request,
    Unavailable,
)
from gateway.facts import mail_dns
from gateway.facts.arrival import Arrival
from gateway.facts.collect import Collector
from gateway.facts.mail_dns import MailDns, domain_to_ask
from gateway.stores.hot.memory import MemoryState
from geoip.network import Network

ZONE = {
    ("firm.example.", "MX"): ["20 mx2.Provider.example.", "10 mx1.provider.example."],
    ("own.example.", "MX"): ["10 mx1.own.example.", "20 mx.backup.example."],
    ("my-shop.example.", "MX"): ["10 my-shop-example.mail.provider.example.", "20 mx.my-shop.example.hosted.example."],
    ("ab.example.", "MX"): ["10 ab-example.mail.provider.example.", "20 abacus.provider.example."],
    ("refuses.example.", "MX"): ["0 ."],
    ("bare.example.", "A"): ["192.0.2.7"],
    ("six.example.", "AAAA"): ["2001:db8::7"],
    ("nobody.example.", "TXT"): ["no mail here"],
    ("sink.example.", "A"): ["127.0.0.1"],
    ("keller.example.", "MX"): ["10 mx.keller.test.", "20 keller.com.", "30 mx.kellerei.test."],
    ("crowd.example.", "MX"): [f"{place} mx{place}.many.example." for place in range(10, 30)],
}


class NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.held: list[tuple[bytes, tuple[str, int]]] = []
        self.holding = self.broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data).question[0]
        self.asked.append((question.name.to_text().lower(), question.rdtype.name))
        if self.holding:
            self.held.append((data, addr))
        else:
            self.answer(data, addr)

    def answer(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), question.rdtype.name
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in ZONE:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *ZONE[(name, kind)]))
        elif not any(known == name for known, _ in ZONE):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), addr)  # type: ignore[attr-defined]

    def release(self) -> None:
        self.holding = False
        for data, addr in self.held:
            self.answer(data, addr)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    yield protocol
    transport.close()


def resolver(server: NameServer, deadline_s: float = 2.0) -> MailDns:
    port = server.transport.get_extra_info("sockname")[1]
    return MailDns([f"127.0.0.1:{port}"], deadline_s)


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("firm.example", MailDomain(True, ("mx1.provider.example", "mx2.provider.example"))),
        ("refuses.example", MailDomain(True, (), True)),
        ("bare.example", MailDomain(True, ("own",))),
        ("six.example", MailDomain(True, ("own",))),
        ("own.example", MailDomain(True, ("own", "mx.backup.example"))),
        ("my-shop.example", MailDomain(True, ("mail.provider.example", "example.hosted.example"))),
        ("ab.example", MailDomain(True, ("mail.provider.example", "abacus.provider.example"))),
        ("keller.example", MailDomain(True, ("own", "mx.kellerei.test"))),
        ("nobody.example", MailDomain(True)),
        ("sink.example", MailDomain(True)),
        ("gone.example", MailDomain(False)),
        ("crowd.example", MailDomain(True, tuple(f"mx{place}.many.example" for place in range(10, 18)))),
    ],
)
async def test_what_the_dns_says_of_a_domain(server: NameServer, domain: str, found: MailDomain) -> None:
    mail = resolver(server)
    assert await mail(domain) == found
    await mail.close()


async def test_answers_are_asked_for_once_and_remembered(server: NameServer) -> None:
    mail = resolver(server)
    found = await asyncio.gather(*[mail("firm.example") for _ in range(20)])
    assert len(set(found)) == 1
    await mail("firm.example")
    assert server.asked == [("firm.example.", "MX")]
    await mail.close()


async def test_a_late_answer_is_there_for_the_next_lead(server: NameServer) -> None:
    server.holding = True
    mail = resolver(server, 0.02)
    assert await mail("firm.example") == Unavailable("mail DNS: no answer within 20 ms")
    server.release()
    for _ in range(200):
        found = await mail("firm.example")
        if isinstance(found, MailDomain):
            break
        await asyncio.sleep(0.01)
    assert found == MailDomain(True, ("mx1.provider.example", "mx2.provider.example"))
    assert server.asked == [("firm.example.", "MX")]
    await mail.close()


async def test_a_server_that_fails_is_unavailable_and_not_a_missing_domain(server: NameServer) -> None:
    server.broken = True
    mail = resolver(server)
    assert isinstance(await mail("firm.example"), Unavailable)
    await mail.close()


async def test_made_up_domains_are_bounded(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_dns, "LOOK_UPS", 3)
    monkeypatch.setattr(mail_dns, "CACHE_SIZE", 2)
    mail = resolver(server)
    found = await asyncio.gather(*[mail(f"made-up-{number}.example") for number in range(5)])
    assert found.count(MailDomain(False)) == 3
    assert found.count(Unavailable("mail DNS: too many look-ups under way")) == 2
    assert len(mail._cache) == 2
    await mail.close()


def arrival(email: str | None, kind: Kind = Kind.SUBMISSION) -> Arrival:
    lead = None if email is None else Lead("quote", (("email", email),), {"email": (email,)})
    request = Request("POST", "/lead", (("User-Agent", "x"),))
    return Arrival("id", kind, "acme", 0, Client("192.0.2.1"), request, Page("acme.example", "/lead"), lead=lead)


@pytest.mark.parametrize(
    ("email", "asked"),
    [
        ("jane@firm.de", "firm.de"),
        ("jane@Bücher.de", "xn--bcher-kva.de"),
        ("jane@gmail.com", None),  # everybody knows that it takes mail
        ("mask@mozmail.com", None),
        ("jane@mailinator.com", None),
        ("jane@firm.example", None),
        ("no address", None),
        ("jane@localhost", None),
        (None, None),
    ],
)
def test_only_domains_the_dns_can_tell_something_of_are_asked(email: str | None, asked: str | None) -> None:
    assert domain_to_ask(arrival(email), EmailDomains.builtin()) == asked


async def test_the_collector_waits_for_the_hot_state_and_the_dns_together(server: NameServer) -> None:
    mail = resolver(server)

    async def reverse(address: str) -> Unavailable:
        raise AssertionError(address)

    def collector(wants: bool) -> Collector:
        return Collector(
            b"k" * 32,
            MemoryState(),
            lambda _: Network(),
            reverse,
            lambda *_: False,
            mail,
            lambda _: "firm.example" if wants else None,
        )

    found = await collector(True).gather(arrival("jane@firm.example"))
    assert found.mail == MailDomain(True, ("mx1.provider.example", "mx2.provider.example"))
    assert (await collector(False).gather(arrival("jane@firm.example"))).mail is None
    await mail.close()

"""Forward-confirmed reverse DNS against a real name server on a loopback socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from detectors.observation import ReverseName, Unavailable
from gateway.facts.reverse import ReverseDns

ZONE = {
    ("1.2.0.192.in-addr.arpa.", "PTR"): "rate-limited-proxy-192-0-2-1.Google.com.",
    ("rate-limited-proxy-192-0-2-1.google.com.", "A"): "192.0.2.1",
    ("2.2.0.192.in-addr.arpa.", "PTR"): "crawl.googlebot.com.",
    ("crawl.googlebot.com.", "A"): "203.0.113.5",  # does not lead back
    ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "PTR"): "six.example.",
    ("six.example.", "AAAA"): "2001:db8::1",
    ("3.2.0.192.in-addr.arpa.", "PTR"): "nowhere.example.",
}


class NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False
        self.broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), question.rdtype.name
        self.asked.append(name)
        if self.silent:
            return
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        found = ZONE.get((name, kind))
        if self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif found is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, found))
        self.transport.sendto(reply.to_wire(), addr)  # type: ignore[attr-defined]


@pytest.fixture
async def server() -> AsyncIterator[tuple[NameServer, ReverseDns]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    resolver = ReverseDns([f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"], 2.0)
    yield protocol, resolver
    await resolver.close()
    transport.close()


async def test_a_name_that_leads_back_is_confirmed(server: tuple[NameServer, ReverseDns]) -> None:
    assert await server[1]("192.0.2.1") == ReverseName("rate-limited-proxy-192-0-2-1.google.com", True)


async def test_ipv6(server: tuple[NameServer, ReverseDns]) -> None:
    assert await server[1]("2001:db8::1") == ReverseName("six.example", True)


async def test_a_name_that_leads_elsewhere_is_not(server: tuple[NameServer, ReverseDns]) -> None:
    assert await server[1]("192.0.2.2") == ReverseName("crawl.googlebot.com", False)
    assert await server[1]("192.0.2.3") == ReverseName("nowhere.example", False)


async def test_no_name_is_a_fact_of_its_own(server: tuple[NameServer, ReverseDns]) -> None:
    assert await server[1]("192.0.2.99") == ReverseName("", False)


async def test_answers_are_remembered_and_asked_for_once(server: tuple[NameServer, ReverseDns]) -> None:
    await asyncio.gather(*[server[1]("192.0.2.1") for _ in range(20)])
    asked = len(server[0].asked)
    await server[1]("192.0.2.1")
    assert asked == len(server[0].asked) == 2


async def test_a_server_that_fails_is_unavailable_not_a_denial(server: tuple[NameServer, ReverseDns]) -> None:
    server[0].broken = True
    assert isinstance(await server[1]("192.0.2.1"), Unavailable)


async def test_a_silent_server_costs_no_more_than_the_deadline(server: tuple[NameServer, ReverseDns]) -> None:
    server[0].silent = True
    port = server[0].transport.get_extra_info("sockname")[1]
    hasty = ReverseDns([f"127.0.0.1:{port}"], 0.05)
    found = await hasty("192.0.2.1")
    assert found == Unavailable("reverse DNS: no answer within 50 ms") or isinstance(found, Unavailable)
    await hasty.close()

"""What becomes of a lead by what the origin says: taken, refused, not taken, not reached. The visitor is never told more than is true."""

from __future__ import annotations

import asyncio
import re

import pytest
from origin import Origin, Received, Script, Side, response
from running import QUOTE, Gateway, Start, site, until
from visitor import person


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    forms = [
        QUOTE,
        QUOTE | {"name": "location", "path": "/location", "success": {"status": [302, 303], "location": "/thanks*"}},
        QUOTE | {"name": "body", "path": "/body", "success": {"status": 200, "body": "Thank*you"}},
    ]
    config = {"sites": [site(origin, forms=forms)], "upstream": {"head_timeout_s": 1.5, "idle_timeout_s": 1.5}}
    return gateways(config).start()


def redirect(where: str) -> bytes:
    return response("", "303 See Other", ("Location", where))


@pytest.mark.parametrize(
    ("path", "answer", "state"),
    [
        ("/lead", response("fine"), "delivered"),
        ("/lead", redirect("/anywhere"), "delivered"),
        ("/lead", response("bad e-mail", "422 Unprocessable Content"), "refused"),
        ("/lead", response("who are you", "403 Forbidden"), "refused"),
        ("/lead", response("broken", "500 Internal Server Error"), "held"),
        ("/location", redirect("/thanks?id=1"), "delivered"),
        ("/location", redirect("/offer?error=email"), "held"),
        ("/location", response("fine"), "held"),
        ("/body", response("<p>Thank\nyou</p>"), "delivered"),
        ("/body", response("<p>Please correct</p>"), "held"),
        ("/body", response("x" * 60_000 + "Thank you"), "delivered"),
    ],
)
def test_the_forms_own_words_decide(gateway: Gateway, origin: Origin, path: str, answer: bytes, state: str) -> None:
    origin.scripts[path] = answer
    got = gateway.browser().post(path, person())
    status = int(answer.split()[1])
    assert got.status == status
    assert got.body == answer.partition(b"\r\n\r\n")[2], "the visitor sees the origin's answer"
    lead = gateway.lead(gateway.newest_lead()["id"], state)
    if state != "delivered":
        assert str(status) in lead["note"]
    gateway.conserved()


def kept(gateway: Gateway, status: int, origin: Origin) -> dict[str, object]:
    """A submission to the unwilling origin: the visitor gets the page that says that it is kept."""
    form = person()
    answer = gateway.browser().post("/lead", form)
    assert answer.status == status
    assert "We have your message" in answer.text
    found = re.search(r"<dd>([0-9a-f-]{36})</dd>", answer.text)
    assert found
    return gateway.lead(found[1], "held")


def released(gateway: Gateway, origin: Origin, lead: dict[str, object]) -> None:
    origin.scripts["/lead"] = redirect("/thanks")
    gateway.api(f"/leads/{lead['id']}/release", "POST", 202)
    gateway.lead(str(lead["id"]), "delivered")
    gateway.conserved()


def test_an_origin_that_is_down_loses_no_lead(gateway: Gateway, origin: Origin) -> None:
    origin.down()
    try:
        lead = kept(gateway, 502, origin)
        assert "delivery unknown" not in str(lead["note"])
        assert gateway.browser().get("/offer").status == 502
    finally:
        origin.up()
    released(gateway, origin, lead)
    assert gateway.metric("leadgate_origin_errors_total", error="ConnectFailed") >= 2


async def silent(side: Side, request: Received) -> None:
    await asyncio.sleep(30)


async def breaking(side: Side, request: Received) -> None:
    side.reset()


async def not_http(side: Side, request: Received) -> None:
    await side.send(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize(("script", "status"), [(silent, 504), (breaking, 502), (not_http, 502)])
def test_an_origin_that_took_it_and_said_nothing_leaves_the_delivery_unknown(
    gateway: Gateway, origin: Origin, script: Script, status: int
) -> None:
    origin.scripts["/lead"] = script
    lead = kept(gateway, status, origin)
    assert str(lead["note"]).startswith("delivery unknown")
    received = len(origin.received)
    released(gateway, origin, lead)
    assert len(origin.received) == received + 1


def half(side: Side, request: Received) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"


async def half_then_gone(side: Side, request: Received) -> None:
    await side.send(half(side, request))


@pytest.mark.parametrize("path", ["/lead", "/offer", "/other"])
def test_an_answer_that_is_cut_off_looks_cut_off(gateway: Gateway, origin: Origin, path: str) -> None:
    """The visitor must not take half an answer for a whole one."""
    origin.scripts[path] = half_then_gone
    form = b"email=cut@firm.de" if path == "/lead" else b""
    method = b"POST" if form else b"GET"
    raw = gateway.raw(
        method
        + b" "
        + path.encode()
        + b" HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(form)
        + form
    )
    body = raw.partition(b"\r\n\r\n")[2]
    assert b"only this" in body
    assert b"Content-Length: 1000" in raw or not raw.endswith(b"0\r\n\r\n")
    if form:
        until(lambda: gateway.newest_lead()["state"] != "pending")
        assert gateway.newest_lead()["state"] in ("delivered", "held")


def test_nothing_of_it_was_a_programming_error(gateway: Gateway) -> None:
    assert gateway.metric("leadgate_handler_failures_total") == 0
    assert gateway.logged("handler failed") == []
    assert gateway.logged("fail open") == []

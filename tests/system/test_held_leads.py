"""Held leads survive whatever happens to the gateway, and go out as they came in, once, when a person says so."""

from __future__ import annotations

import json
import re

import pytest
from origin import Origin, Received, Side, response
from running import QUOTE, Gateway, Start, site, until
from visitor import Browser, person

THANKS = response("", "303 See Other", ("Location", "/thanks"))
REST = b'", "odd": "' + bytes(range(35, 91)) + b'\xc3\xa9"}'
FORM = QUOTE | {"success": {"status": [303], "location": "/thanks*"}}


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    origin.default = THANKS
    return gateways({"sites": [site(origin, "enforce", [FORM])]}).start()


def hold(
    gateway: Gateway, body: bytes | None = None, *more: tuple[str, str], target: str = "/lead"
) -> tuple[str, bytes]:
    """A lead that is held: its id and the body that was sent."""
    sent = (
        b'{"email": "' + person()["email"].split("@")[0].encode() + b"@mailinator.com" + REST if body is None else body
    )
    answer = gateway.browser().post(target, sent, *more, kind="application/json")
    found = re.search(r"<dd>([0-9a-f-]{36})</dd>", answer.text)
    assert found, answer.text
    gateway.lead(found[1], "held")
    return found[1], sent


def delivered(origin: Origin, body: bytes) -> list[Received]:
    return [request for request in origin.received if request.body == body]


def test_release_sends_what_was_received(gateway: Gateway, origin: Origin) -> None:
    cookie = ("Cookie", "csrf=abc; _lg_s=x")
    lead_id, body = hold(gateway, None, ("X-CaSe", "one"), ("X-CaSe", "tw\xf6"), cookie, target="/lead?utm=%7Ea&&b=+")
    gateway.conserved()
    assert not delivered(origin, body)
    answer = gateway.api(f"/leads/{lead_id}/release", "POST", 202, b'{"by": "martha"}')
    assert answer["id"] == lead_id
    lead = gateway.lead(lead_id, "delivered")
    got = delivered(origin, body)[0]
    assert got.line == b"POST /lead?utm=%7Ea&&b=+ HTTP/1.1"
    assert got.all("X-Lead-") == {
        "X-Lead-Id": lead_id,
        "X-Lead-Quality": str(lead["record"]["quality"]),
        "X-Lead-Verdict": "review",
        "X-Lead-Ivt": lead["record"]["ivt"],
        "X-Lead-Reasons": ",".join(r["signal"] for r in lead["record"]["reasons"] if r["counted"] > 0),
    }
    sent_before = [
        (name, value) for name, value in got.fields if not name.lower().startswith((b"x-lead", b"via", b"forwarded"))
    ]
    assert (b"X-CaSe", b"one") in sent_before
    assert (b"X-CaSe", b"tw\xf6") in sent_before
    assert [event["event"] for event in lead["events"]] == ["held", "release.requested", "release.delivered"]
    assert lead["events"][1]["data"] == {"by": "martha"}
    gateway.conserved()


def test_what_release_sends_is_what_forwarding_would_have_sent(gateway: Gateway, origin: Origin) -> None:
    """The same request, once accepted and forwarded, once held and released: equal but for what is about the lead."""

    def request(email: str) -> Received:
        answer = Browser(gateway.port, "198.51.100.77").post(
            "/lead", {"email": email, "same": "same"}, ("X-Odd", "a\tb")
        )
        found = re.search(r"<dd>([0-9a-f-]{36})</dd>", answer.text)
        if found:
            gateway.lead(found[1], "held")
            gateway.api(f"/leads/{found[1]}/release", "POST", 202)
        return origin.wait_for(email.replace("@", "%40"))

    forwarded, released = request("aaaaa.bbbbbb@firm-de.de"), request("aaaaaa@mailinator.com")
    own = (b"x-lead", b"content-length")

    def comparable(got: Received) -> list[tuple[bytes, bytes]]:
        return [(name, value) for name, value in got.fields if not name.lower().startswith(own)]

    assert forwarded.field("X-Lead-Verdict") == "accept"
    assert released.field("X-Lead-Verdict") == "review"
    assert comparable(released) == comparable(forwarded)


def test_a_held_lead_survives_restarts_and_other_settings(gateway: Gateway, origin: Origin) -> None:
    (first, first_body), (second, second_body) = hold(gateway), hold(gateway)
    gateway.config["sites"][0]["forms"][0] = FORM | {"name": "renamed"}
    gateway.config["sites"][0]["mode"] = "tag"
    gateway.write(gateway.config)
    until(lambda: gateway.logged("reloaded"), what="a changed file is taken up")
    assert gateway.lead(first)["state"] == "held"
    gateway.api(f"/leads/{first}/release", "POST", 202)
    gateway.lead(first, "delivered")
    gateway.kill()
    gateway.start()
    gateway.conserved()
    assert gateway.lead(second)["state"] == "held"
    gateway.api(f"/leads/{second}/release", "POST", 202)
    gateway.lead(second, "delivered")
    assert len(delivered(origin, first_body)) == len(delivered(origin, second_body)) == 1
    gateway.config["sites"][0] |= {"mode": "enforce", "forms": [FORM]}
    gateway.write(gateway.config)
    until(lambda: len(gateway.logged("reloaded")) == 2)
    assert gateway.conserved()["states"].get("delivered", 0) >= 2


def test_delivered_only_by_the_forms_own_words(gateway: Gateway, origin: Origin) -> None:
    lead_id, body = hold(gateway)
    origin.scripts["/lead"] = response("", "302 Found", ("Location", "/login?next=secret"))
    try:
        gateway.api(f"/leads/{lead_id}/release", "POST", 202)
        until(lambda: "302" in gateway.lead(lead_id)["note"])
        lead = gateway.lead(lead_id)
        assert (lead["state"], lead["releasing"]) == ("held", False)
        assert lead["note"] == "the origin answered 302 to /login, which does not match the form's success"
        gateway.conserved()
    finally:
        del origin.scripts["/lead"]
    gateway.api(f"/leads/{lead_id}/release", "POST", 202)
    gateway.lead(lead_id, "delivered")
    assert len(delivered(origin, body)) == 2


def test_released_twice_is_sent_once(gateway: Gateway, origin: Origin) -> None:
    lead_id, body = hold(gateway)

    async def slow(side: Side, request: Received) -> bytes:
        import asyncio

        await asyncio.sleep(0.7)
        return THANKS

    origin.scripts["/lead"] = slow
    try:
        for _ in range(4):
            gateway.api(f"/leads/{lead_id}/release", "POST", 202)
        gateway.lead(lead_id, "delivered")
    finally:
        del origin.scripts["/lead"]
    assert gateway.call(f"/leads/{lead_id}/release", "POST").status == 409
    assert gateway.call(f"/leads/{lead_id}/reject", "POST").status == 409
    assert len(delivered(origin, body)) == 1


def test_rejected_and_thought_again(gateway: Gateway, origin: Origin) -> None:
    lead_id, body = hold(gateway)
    assert gateway.api(f"/leads/{lead_id}/reject", "POST", body=b'{"by": "martha"}')["state"] == "rejected"
    gateway.conserved()
    assert not delivered(origin, body)
    gateway.api(f"/leads/{lead_id}/release", "POST", 202)
    gateway.lead(lead_id, "delivered")
    gateway.conserved()


def test_the_command_line_does_the_same_beside_the_running_gateway(gateway: Gateway, origin: Origin) -> None:
    (first, body), (second, _) = hold(gateway), hold(gateway)
    listed = gateway.cli("leads", "list", "--state", "held", "--json")
    assert {first, second} <= {lead["id"] for lead in json.loads(listed.stdout)["items"]}
    shown = gateway.cli("leads", "show", first).stdout
    assert "mailinator.com" in shown
    assert "under review" in shown
    done = gateway.cli("leads", "release", first, "--by", "martha")
    assert (done.returncode, done.stdout.strip()) == (0, "delivered"), done
    assert len(delivered(origin, body)) == 1
    assert gateway.cli("leads", "reject", second).stdout.strip() == "rejected"
    assert gateway.lead(second)["state"] == "rejected"
    again = gateway.cli("leads", "release", first)
    assert again.returncode == 1
    assert "delivered and cannot become released" in again.stderr
    assert "erased" not in gateway.cli("leads", "reject", first).stderr  # there is no command for it
    unknown = gateway.cli("leads", "release", "01a200df-1961-714c-9fe7-0e4f16b74a50")
    assert unknown.returncode == 1
    assert "no lead has the id" in unknown.stderr
    assert "leadgate leads list" in unknown.stderr
    gateway.conserved()


def test_what_a_visitor_wrote_is_shown_and_moves_no_cursor(gateway: Gateway) -> None:
    name = person()["email"].split("@")[0]
    told = {"email": f"{name}@mailinator.com", "name": "Eve\x1b]0;mine\x07\n  label: person", "city": "[/red]"}
    lead_id, _ = hold(gateway, json.dumps(told).encode())
    shown = gateway.cli("leads", "show", f" {lead_id.upper()} ")
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    assert "  name: Eve\\x1b]0;mine\\x07\n        label: person\n" in shown.stdout
    assert "  city: [/red]\n" in shown.stdout
    gateway.cli("leads", "reject", lead_id)


def test_a_list_says_what_it_leaves_out(gateway: Gateway) -> None:
    hold(gateway), hold(gateway)
    assert "there are more" in gateway.cli("leads", "list", "--limit", "1").stdout
    assert json.loads(gateway.cli("leads", "list", "--limit", "1", "--json").stdout)["next_cursor"]
    assert "there are more" not in gateway.cli("leads", "list", "--limit", "500").stdout
    none = gateway.cli("leads", "list", "--site", "nowhere", "--state", "held")
    assert none.stdout.startswith(
        "No lead has state held and site nowhere.\nThe settings have no site nowhere; they have "
    )


@pytest.mark.parametrize("by", ["", "a" * 101, "two\nlines"])
def test_a_name_for_the_history_is_one_line(gateway: Gateway, by: str) -> None:
    refused = gateway.cli("leads", "reject", "01a200df-1961-714c-9fe7-0e4f16b74a50", "--by", by)
    assert (refused.returncode, refused.stderr[:5]) == (2, "--by:")

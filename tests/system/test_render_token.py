"""The hidden token in pages with a form, and the session cookie: what they tell of how a form was sent, and where they are left out."""

from __future__ import annotations

import re

import pytest
from forking import ForkedGateway
from origin import Origin, response
from running import QUOTE, Gateway, Start, site, until
from visitor import Browser, Response, person

FORM = '<!doctype html><html><body><form action="/lead" method="post"><input name="email"></form></body></html>'
VALIDATORS = (("ETag", '"v1"'), ("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT"), ("Accept-Ranges", "bytes"))


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    origin.scripts["/lead"] = response("", "303 See Other", ("Location", "/thanks"))
    origin.scripts["/offer"] = response(FORM, "200 OK", ("Cache-Control", "no-cache"), *VALIDATORS)
    origin.scripts["/offer-cached"] = response(FORM, "200 OK", ("Cache-Control", "public, max-age=600"), *VALIDATORS)
    origin.scripts["/offer-plain"] = response("<html>no form</html>", "200 OK", *VALIDATORS)
    origin.scripts["/offer-gone"] = response("", "404 Not Found")
    sites = [
        site(origin, hosts=["cookie.example"], name="cookie"),
        site(origin, hosts=["derived.example"], name="derived", session="derived"),
        site(origin, hosts=["off.example"], name="off", session="off"),
        site(origin, forms=[QUOTE | {"render_token": "off"}], hosts=["bare.example"], name="bare"),
    ]
    return gateways({"sites": sites}, own_clock=True).start()


def later(gateway: Gateway) -> None:
    """A person has taken the time to fill in the form."""
    assert isinstance(gateway, ForkedGateway)
    gateway.turn_clock(int(gateway.clock.read_text()) + 4)


def token_in(page: Response) -> str | None:
    found = re.search(r'<input type="hidden" name="_lg_t" value="([^"]+)">', page.text)
    return found[1] if found else None


def reasons(origin: Origin, form: dict[str, str]) -> list[str]:
    got = origin.wait_for(form["email"].replace("@", "%40"))
    return [reason for reason in str(got.field("X-Lead-Reasons")).split(",") if reason]


def test_a_person_who_takes_the_time_is_accepted(gateway: Gateway, origin: Origin) -> None:
    browser, form = Browser(gateway.port, host="cookie.example"), person()
    page = browser.get("/offer")
    token = token_in(page)
    assert token is not None
    assert page.text.replace(f'<input type="hidden" name="_lg_t" value="{token}">', "") == FORM
    assert page.field("Cache-Control") == "private, no-cache"
    assert [page.field(name) for name, _ in VALIDATORS] == [None, None, None]
    assert str(page.field("Set-Cookie")).startswith("_lg_s=")
    later(gateway)
    browser.post("/lead", form | {"_lg_t": token})
    assert reasons(origin, form) == []
    record = gateway.lead(gateway.newest_lead()["id"], "delivered")["record"]
    assert (record["verdict"], record["ivt"], record["quality"]) == ("accept", "valid", 95)
    assert record["facts"]["token"]["state"] == "valid"
    assert record["facts"]["session"]["kind"] == "cookie"
    assert record["facts"]["session"]["landings"] == 1


def test_a_form_that_is_filled_in_no_time_says_so(gateway: Gateway, origin: Origin) -> None:
    browser, form = Browser(gateway.port, host="cookie.example"), person()
    browser.post("/lead", form | {"_lg_t": str(token_in(browser.get("/offer")))})
    assert reasons(origin, form) == ["form.too_fast"]


def test_a_form_without_token_says_so_only_where_one_was_given_out(gateway: Gateway, origin: Origin) -> None:
    form = person()
    Browser(gateway.port, host="cookie.example").post("/lead", form)
    assert reasons(origin, form) == ["token.missing"]
    form = person()
    Browser(gateway.port, host="bare.example").post("/lead", form)
    assert reasons(origin, form) == []
    form = person()
    Browser(gateway.port, host="cookie.example").post("/lead", form | {"_lg_t": "made-up"})
    assert reasons(origin, form) == ["token.malformed"]


def test_a_captured_token_replayed_from_elsewhere_is_strong(gateway: Gateway, origin: Origin) -> None:
    owner, thief = (Browser(gateway.port, host="cookie.example") for _ in range(2))
    token = str(token_in(owner.get("/offer")))
    later(gateway)
    first, again, stolen = (
        person() | {"full_name": name} for name in ("Nora Albrecht", "Jan Albrecht", "Lena Albrecht")
    )
    owner.post("/lead", first | {"_lg_t": token})
    assert reasons(origin, first) == []
    owner.post("/lead", again | {"_lg_t": token})  # the back button
    assert reasons(origin, again) == []
    thief.get("/offer")
    thief.post("/lead", stolen | {"_lg_t": token})
    assert "token.shared" in reasons(origin, stolen)


def test_the_same_form_sent_twice_is_one_lead_told_twice(gateway: Gateway, origin: Origin) -> None:
    browser, form = Browser(gateway.port, host="cookie.example"), person()
    token = str(token_in(browser.get("/offer")))
    later(gateway)
    for _ in range(2):
        browser.post("/lead", form | {"_lg_t": token})
    until(lambda: len(origin.holding(form["email"].replace("@", "%40"))) == 2)
    record = gateway.lead(gateway.newest_lead()["id"], "delivered")["record"]
    assert "lead.duplicate_submit" in [signal["id"] for signal in record["signals"]]
    assert record["verdict"] == "accept"


def test_pages_that_anybody_may_cache_are_left_as_they_are(gateway: Gateway) -> None:
    page = Browser(gateway.port, host="cookie.example").get("/offer-cached")
    assert page.text == FORM
    assert page.field("Cache-Control") == "public, max-age=600"
    assert page.field("ETag") == '"v1"'
    assert page.field("Set-Cookie") is None
    assert gateway.metric("leadgate_injected_total", site="cookie", result="left alone") >= 1


def test_a_page_without_the_form_keeps_its_bytes(gateway: Gateway) -> None:
    page = Browser(gateway.port, host="cookie.example").get("/offer-plain")
    assert page.text == "<html>no form</html>"
    gone = Browser(gateway.port, host="cookie.example").get("/offer-gone")
    assert (gone.status, gone.body) == (404, b"")


def test_the_cookie_is_set_once_and_known_again(gateway: Gateway) -> None:
    browser = Browser(gateway.port, host="cookie.example")
    assert browser.get("/offer").field("Set-Cookie")
    assert browser.get("/offer").field("Set-Cookie") is None
    browser.cookies["_lg_s"] = "forged"
    assert browser.get("/offer").field("Set-Cookie")


@pytest.mark.parametrize(("host", "kind"), [("derived.example", "derived"), ("off.example", None)])
def test_no_cookie_where_none_is_wanted(gateway: Gateway, origin: Origin, host: str, kind: str | None) -> None:
    browser, form = Browser(gateway.port, host=host), person()
    page = browser.get("/offer")
    assert page.field("Set-Cookie") is None
    token = token_in(page)
    assert token
    later(gateway)
    answer = browser.post("/lead", form | {"_lg_t": token})
    assert answer.field("Set-Cookie") is None
    assert reasons(origin, form) == []
    session = gateway.lead(gateway.newest_lead()["id"], "delivered")["record"]["facts"]["session"]
    assert (session and session["kind"]) == kind


def test_a_page_that_is_not_judged_gets_neither(gateway: Gateway, origin: Origin) -> None:
    origin.scripts["/about"] = response(FORM, "200 OK", *VALIDATORS)
    page = Browser(gateway.port, host="cookie.example").get("/about")
    assert page.text == FORM
    assert page.field("Set-Cookie") is None

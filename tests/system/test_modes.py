"""What monitor, tag and enforce do to the same visitors: who is forwarded, held, declined, and what anybody gets to know of it."""

from __future__ import annotations

import re

import pytest
from origin import Origin, response
from running import QUOTE, Gateway, Start, site
from visitor import Browser, Response, new_address, person

THANKS = response("", "303 See Other", ("Location", "/thanks"))
TAGS = ("X-Lead-Id", "X-Lead-Quality", "X-Lead-Verdict", "X-Lead-Ivt", "X-Lead-Reasons")
TRAP = {"lg_note_k7": "buy"}
DOUBTFUL = {"email": "throwaway@mailinator.com"}  # disposable, and no token: a person should look


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    origin.scripts["/lead"] = origin.scripts["/soft"] = THANKS
    forms = [
        QUOTE,
        QUOTE | {"name": "soft", "path": "/soft", "on_review": "forward"},
        QUOTE | {"name": "script", "path": "/script", "responses": "json"},
        QUOTE | {"name": "again", "path": "/again", "responses": "redirect"},
    ]
    sites = [site(origin, mode, forms, name=mode, hosts=[f"{mode}.example"]) for mode in ("monitor", "tag", "enforce")]
    lists = {
        "allow": [{"name": "office", "emails": ["boss@acme.example"]}],
        "deny": [{"name": "competitor", "email_domains": ["rival.example"]}],
    }
    return gateways({"sites": sites, "lists": lists}).start()


def visitor(gateway: Gateway, mode: str) -> Browser:
    return Browser(gateway.port, host=f"{mode}.example")


def tells_nothing(answer: Response) -> None:
    """No score, signal or reason reaches a visitor, nor any tag of the site."""
    text = answer.raw.decode("latin-1").lower()
    for word in ("x-lead", "quality", "score", "honeypot", "disposable", "signal", "token", "<script", "verdict"):
        assert word not in text, word


def reference_in(answer: Response) -> str:
    found = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}", answer.raw.decode("latin-1"))
    assert found is not None, answer.text
    return found[0]


def test_monitor_changes_nothing_but_what_every_proxy_changes(gateway: Gateway, origin: Origin) -> None:
    browser, form = visitor(gateway, "monitor"), person() | DOUBTFUL | TRAP
    answer = browser.post("/lead", form, ("X-CaSe", "k\xe9pt"), ("X-CaSe", "twice"), ("X-Lead-Verdict", "accept"))
    assert answer.status == 303
    assert answer.field("Location") == "/thanks"
    got = origin.wait_for("Host: monitor.example")
    assert got.all("X-Lead-") == {}
    assert got.head.count(b"X-CaSe: k\xe9pt\r\n") == got.head.count(b"X-CaSe: twice\r\n") == 1
    assert b"throwaway%40mailinator.com" in got.body
    lead = gateway.lead(gateway.newest_lead()["id"], "delivered")
    assert lead["record"]["verdict"] == "reject"
    assert "nobody was stopped" in str(lead["record"]["explanation"])
    assert lead["record"]["explanation"]["headline"].startswith("Would be rejected, and passed on (monitor mode)")


def test_tag_tells_the_origin_and_only_the_gateway_may(gateway: Gateway, origin: Origin) -> None:
    form = person()
    forged = [(name, "forged") for name in TAGS] + [
        ("x_lead_quality", "100"),
        ("X-LEAD_Fit", "1"),
        ("X-Lead-Passport", "p"),
    ]
    answer = visitor(gateway, "tag").post("/lead", form | TRAP, *forged)
    assert answer.status == 303
    got = origin.wait_for(form["email"].replace("@", "%40"))
    tags = got.all("x-lead") | got.all("x_lead")
    assert set(tags) == set(TAGS)
    assert b"forged" not in got.head
    assert tags["X-Lead-Verdict"] == "reject"
    assert tags["X-Lead-Ivt"] == "sivt"
    assert 0 <= int(tags["X-Lead-Quality"]) <= 5
    assert "form.honeypot" in tags["X-Lead-Reasons"].split(",")
    assert gateway.lead(tags["X-Lead-Id"], "delivered")["record"]["id"] == tags["X-Lead-Id"]


def test_tag_tells_the_origin_of_page_views_too(gateway: Gateway, origin: Origin) -> None:
    visitor(gateway, "tag").get("/offer?gclid=tagged-page")
    assert set(origin.wait_for("tagged-page").all("x-lead")) == set(TAGS)
    visitor(gateway, "monitor").get("/offer?gclid=watched-page")
    assert origin.wait_for("watched-page").all("x-lead") == {}


def test_enforce_forwards_what_it_accepts(gateway: Gateway, origin: Origin) -> None:
    form = person()
    answer = visitor(gateway, "enforce").post("/lead", form)
    assert (answer.status, answer.field("Location")) == (303, "/thanks")
    tells_nothing(answer)
    got = origin.wait_for(form["email"].replace("@", "%40"))
    assert got.field("X-Lead-Verdict") == "accept"
    gateway.lead(str(got.field("X-Lead-Id")), "delivered")


def test_enforce_holds_what_a_person_should_look_at(gateway: Gateway, origin: Origin) -> None:
    form = person() | DOUBTFUL
    answer = visitor(gateway, "enforce").post("/lead", form)
    assert answer.status == 200
    assert "We have received your message" in answer.text
    assert answer.field("Cache-Control") == "no-store"
    tells_nothing(answer)
    lead = gateway.lead(reference_in(answer), "held")
    assert lead["note"].startswith("under review: quality ")
    assert lead["record"]["verdict"] == "review"
    assert not origin.holding(form["phone"].replace("+", "%2B").replace(" ", "+"))


@pytest.mark.parametrize(("path", "status", "says"), [("/script", 202, '"status":"received"'), ("/again", 303, "")])
def test_held_leads_are_answered_the_way_the_form_asks(gateway: Gateway, path: str, status: int, says: str) -> None:
    answer = visitor(gateway, "enforce").post(path, person() | DOUBTFUL)
    assert answer.status == status
    assert says in answer.text
    tells_nothing(answer)
    if status == 303:
        where = str(answer.field("Location"))
        assert where.startswith("/_lg/received?reference=")
        page = visitor(gateway, "enforce").get(where)
        assert page.status == 200
        assert "We have received your message" in page.text
        assert reference_in(page) == reference_in(answer)
        tells_nothing(page)


def test_a_script_that_asks_for_json_gets_json(gateway: Gateway) -> None:
    answer = visitor(gateway, "enforce").post("/lead", person() | TRAP, accept="application/json")
    assert answer.status == 403
    assert answer.json()["status"] == "declined"  # type: ignore[index]
    tells_nothing(answer)


def test_enforce_declines_what_no_person_does_and_keeps_it(gateway: Gateway, origin: Origin) -> None:
    form = person() | TRAP
    answer = visitor(gateway, "enforce").post("/lead", form)
    assert answer.status == 403
    tells_nothing(answer)
    lead = gateway.lead(reference_in(answer), "rejected")
    assert lead["note"] == "decisive form.honeypot"
    assert not origin.holding(form["email"].replace("@", "%40"))


def test_on_review_forward_serves_the_visitor(gateway: Gateway, origin: Origin) -> None:
    form = person() | DOUBTFUL
    assert visitor(gateway, "enforce").post("/soft", form).status == 303
    got = origin.wait_for(form["message"].replace(" ", "+").replace(",", "%2C"))
    assert got.field("X-Lead-Verdict") == "review"
    assert visitor(gateway, "enforce").post("/soft", person() | TRAP).status == 403


def test_enforce_declines_a_page_only_for_facts(gateway: Gateway, origin: Origin) -> None:
    browser = visitor(gateway, "enforce")
    fields = [("Host", browser.host), ("User-Agent", "sqlmap/1.8#stable"), ("X-Forwarded-For", new_address())]
    head = (
        "GET /offer?x=attack HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "Connection: close\r\n\r\n"
    )
    answer = gateway.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"This page cannot be shown" in answer
    assert b"Set-Cookie" not in answer
    assert not origin.holding("attack")
    assert gateway.raw(head.replace("sqlmap/1.8#stable", "curl/8.9").encode()).startswith(b"HTTP/1.1 200 ")


def test_lists_win_over_everything_and_say_so(gateway: Gateway, origin: Origin) -> None:
    answer = visitor(gateway, "enforce").post("/lead", person() | TRAP | {"email": "boss@acme.example"})
    assert answer.status == 303
    allowed = gateway.lead(str(origin.wait_for("boss%40acme.example").field("X-Lead-Id")), "delivered")
    assert allowed["record"]["decided_by"] == "allow list office (e-mail address)"
    answer = visitor(gateway, "enforce").post("/lead", person() | {"email": "spy@rival.example"})
    assert answer.status == 403
    denied = gateway.lead(reference_in(answer), "rejected")
    assert denied["record"]["decided_by"] == "deny list competitor (e-mail domain rival.example)"
    assert "Your deny list: competitor" in str(denied["record"]["explanation"])
    gateway.conserved()


def test_a_form_that_is_no_lead_of_ours_streams_through(gateway: Gateway, origin: Origin) -> None:
    answer = visitor(gateway, "enforce").post("/search", {"q": "roof"}, ("X-Lead-Quality", "100"))
    assert answer.status == 200
    got = origin.to("/search")[0]
    assert got.all("X-Lead") == {}
    assert got.body == b"q=roof"


def test_an_unknown_host_gets_no_site(gateway: Gateway) -> None:
    assert Browser(gateway.port, host="other.example").get("/offer").status == 404


def test_our_own_pages_say_nothing_that_others_put_into_a_link(gateway: Gateway) -> None:
    browser = visitor(gateway, "enforce")
    assert "call" not in browser.get("/_lg/received?reference=call-1-555-0100-now-and-tell-your-pin").text
    assert browser.get("/_lg/nothing").status == 404
    assert browser.post("/_lg/received", {"a": "b"}).status == 404
    assert browser.get("/%5flg/x").status == 404, "however it is written, it is ours and never the site's"

"""Assess, asked as an application asks: the same facts, records and headers as on the public listener, and no lead."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from asking import DENIED, Asking
from openapi_schema_validator import OAS31Validator
from running import TOKEN, until
from visitor import CHROME, new_address, person, request

from gateway.console.openapi import document

HEAD = [
    ["Host", "www.acme.example"],
    ["User-Agent", CHROME],
    ["Accept", "text/html,*/*;q=0.8"],
    ["Accept-Language", "en-GB,en;q=0.9"],
    ["Accept-Encoding", "gzip"],
]


def signals(answer: dict[str, Any]) -> set[str]:
    return {reason["signal"] for reason in answer["reasons"]}


def missing(answer: dict[str, Any]) -> set[str]:
    return {found["fact"] for found in answer["unavailable"]}


def test_an_address_alone_is_judged_and_what_is_absent_is_not_suspicious(asking: Asking) -> None:
    for site in ("acme", "quiet"):
        answer = asking.assess(ip=new_address(), site=site)
        assert answer["kind"] == "landing"
        assert answer["verdict"] == "accept"
        assert {
            name for name in signals(answer) if name.startswith(("header.", "bot.", "referrer.", "token."))
        } == set()
        assert {"request", "session"} <= missing(answer)
        assert answer["confidence"] < 100
        record = asking.gateway.record(answer["id"])
        assert record["personal"]["browser"] == {
            "fact": "request", "method": "", "target": "", "headers": [], "version": "1.1", "scheme": "http",
            "complete": False, "ordered": False,
        }  # fmt: skip
        assert record["answered"] == {"status": 0, "by": "assess"}


def test_many_bare_calls_are_not_one_browser_at_many_addresses(asking: Asking) -> None:
    for _ in range(40):
        answer = asking.assess(ip=new_address(), site="quiet")
    assert signals(answer) & {"velocity.browser.landing", "velocity.session.landing"} == set()


@pytest.mark.parametrize("kind", ["landing", "submission"])
def test_a_bare_call_of_either_kind_gives_no_signal_of_headers(asking: Asking, kind: str) -> None:
    answer = asking.assess(ip=new_address(), site="acme", kind=kind)
    assert {name.partition(".")[0] for name in signals(answer)} & {"header", "bot", "token", "form", "email"} == set()


def test_a_whole_head_is_judged_as_on_the_public_listener(asking: Asking) -> None:
    head = [pair for pair in HEAD if pair[0] not in ("Accept-Language", "Accept-Encoding")]
    whole = asking.assess(ip=new_address(), url="https://www.acme.example/offer", method="GET", headers=head)
    assert "header.missing" in signals(whole)
    part = [pair for pair in head if pair[0] != "Host"]  # a selection: what is not in it may have been there
    assert "header.missing" not in signals(
        asking.assess(ip=new_address(), url="https://www.acme.example/offer", method="GET", headers=part)
    )
    tool = asking.assess(ip=new_address(), site="acme", headers=[["User-Agent", "python-requests/2.32"]])
    assert "bot.http_library" in signals(tool)


def test_a_landing_tells_click_and_campaign(asking: Asking) -> None:
    url = "https://www.acme.example/offer?utm_campaign=spring&gclid=CjwKCAjwtellstellstells"
    answer = asking.assess(ip=new_address(), url=url, headers=HEAD)
    assert (answer["site"], answer["kind"]) == ("acme", "landing")
    record = asking.gateway.record(answer["id"])
    assert record["route"] == "/offer*"
    assert record["facts"]["page"] == {
        "host": "www.acme.example",
        "path": "/offer",
        "campaign": {"utm_campaign": "spring"},
    }
    assert record["facts"]["click"]["platform"] == "google"
    assert answer["headers"]["X-Lead-Id"] == answer["id"]
    assert set(answer["headers"]) == {"X-Lead-Id", "X-Lead-Quality", "X-Lead-Verdict", "X-Lead-Ivt", "X-Lead-Reasons"}


def test_a_form_is_understood_as_a_form_post_is_and_no_lead_is_stored(asking: Asking) -> None:
    leads = len(asking.gateway.api("/leads?limit=500")["items"])
    fields = person() | {"email": "somebody@mailinator.com", "lg_note_k7": "buy now"}
    answer = asking.assess(ip=new_address(), form="quote", site="acme", fields=fields, headers=HEAD)
    assert (answer["kind"], answer["form"], answer["verdict"]) == ("submission", "quote", "reject")
    assert {"form.honeypot", "email.disposable"} <= signals(answer)
    assert answer["decided_by"] == "decisive form.honeypot"
    record = asking.gateway.record(answer["id"])
    lead = record["personal"]["person"]
    assert lead["roles"]["email"] == ["somebody@mailinator.com"]
    assert lead["honeypot"] == ["buy now"]
    assert lead["fields"] == [[name, value] for name, value in fields.items()]
    assert record["lead"] is None
    assert len(asking.gateway.api("/leads?limit=500")["items"]) == leads
    found = asking.records(site="acme", q=record["personal"]["network"]["client"]["address"])
    assert [item["id"] for item in found] == [answer["id"]]


def test_a_lead_is_known_again_whether_it_was_posted_or_assessed(asking: Asking) -> None:
    fields = person()
    visitor = asking.gateway.browser()
    visitor.post("/lead", fields)
    answer = asking.assess(ip=new_address(), site="acme", form="quote", fields=fields)
    record = asking.gateway.record(answer["id"])
    assert record["facts"]["duplicate"]["body_seen"] == 2
    assert record["facts"]["duplicate"]["contact_seen"] == 2
    pairs = asking.assess(ip=new_address(), site="acme", form="quote", fields=[[n, v] for n, v in fields.items()])
    assert asking.gateway.record(pairs["id"])["facts"]["duplicate"]["body_seen"] == 3


def test_the_form_is_found_by_name_by_url_or_because_there_is_one(asking: Asking) -> None:
    fields = person()
    by_url = asking.assess(ip=new_address(), url="http://quiet.example/letter", method="POST", fields=fields)
    assert by_url["form"] == "letter"
    assert asking.assess(ip=new_address(), site="acme", fields=fields)["form"] == "quote"
    unknown = asking.assess(ip=new_address(), site="quiet", fields=fields | {"email": "a@mailinator.com"})
    assert unknown["form"] is None
    assert "form" in missing(unknown)
    assert "email.disposable" not in signals(unknown)
    posted = asking.assess(ip=new_address(), url="http://quiet.example/call", method="POST")
    assert (posted["kind"], posted["form"]) == ("submission", "call")
    assert "lead" in missing(posted)


def test_our_token_in_the_fields_is_read_and_its_absence_is_nothing(asking: Asking) -> None:
    fields = person() | {"_lg_t": "made-up"}
    assert "token.malformed" in signals(asking.assess(ip=new_address(), site="acme", fields=fields))
    assert "token.missing" not in signals(asking.assess(ip=new_address(), site="acme", fields=person()))


def test_a_session_of_the_callers_own_is_kept_as_a_hash(asking: Asking) -> None:
    first = asking.assess(ip=new_address(), site="acme", session="customer-4711")
    again = asking.assess(ip=new_address(), site="acme", session="customer-4711")
    facts = [asking.gateway.record(answer["id"])["facts"]["session"] for answer in (first, again)]
    assert facts[0]["id"] == facts[1]["id"]
    assert [found["landings"] for found in facts] == [1, 2]
    assert "4711" not in json.dumps(asking.gateway.record(first["id"]))


def test_our_cookie_is_the_session_it_was_on_the_public_listener(asking: Asking) -> None:
    visitor = asking.gateway.browser()
    visitor.get("/offer")
    cookie = visitor.cookies["_lg_s"]
    told = asking.assess(ip=new_address(), site="acme", session=cookie)
    read = asking.assess(ip=new_address(), site="acme", headers=[*HEAD, ["Cookie", f"_lg_s={cookie}"]])
    facts = [asking.gateway.record(answer["id"])["facts"]["session"] for answer in (told, read)]
    assert [found["landings"] for found in facts] == [2, 3]


def test_monitor_answers_a_verdict_and_no_headers(asking: Asking) -> None:
    answer = asking.assess(ip=DENIED, site="quiet")
    assert (answer["verdict"], answer["mode"], answer["headers"]) == ("reject", "monitor", {})


def test_a_dry_run_leaves_no_trace(asking: Asking) -> None:
    address, fields = new_address(), person()
    before = asking.gateway.metric("leadgate_observations_total", site="acme")
    dry = [
        asking.assess(ip=address, site="acme", fields=fields, session="dry", dry_run=True, headers=HEAD)
        for _ in range(3)
    ]
    assert [answer["dry_run"] for answer in dry] == [True] * 3
    assert asking.gateway.metric("leadgate_observations_total", site="acme") == before
    real = asking.assess(ip=address, site="acme", fields=fields, session="dry", headers=HEAD)
    assert "dry_run" not in real
    record = asking.gateway.record(real["id"])
    assert record["facts"]["duplicate"]["body_seen"] == 1
    assert record["facts"]["session"]["submissions"] == 1
    assert [item["id"] for item in asking.records(q=address)] == [real["id"]]
    assert asking.assess(422, ip=address, dry_run=True, idempotency_key="x")["errors"][0]["field"] == "dry_run"


def test_a_key_stands_for_one_question(asking: Asking) -> None:
    question = {"ip": new_address(), "site": "acme", "fields": person(), "idempotency_key": "order-1"}
    first = asking.assess(**question)
    assert asking.assess(**question) == first
    assert asking.assess(**dict(reversed(question.items()))) == first
    assert asking.gateway.record(first["id"])["facts"]["duplicate"]["body_seen"] == 1
    assert [item["id"] for item in asking.records(q=question["ip"])] == [first["id"]]
    other = asking.assess(409, **(question | {"ip": new_address()}))
    assert other["errors"][0]["field"] == "idempotency_key"
    elsewhere = asking.assess(**(question | {"site": "quiet", "form": "call"}))
    assert elsewhere["id"] != first["id"]


def test_a_batch_is_judged_item_by_item(asking: Asking) -> None:
    fields = person()
    items = [
        {"ip": new_address(), "site": "acme"},
        {"ip": "nobody"},
        {"ip": DENIED, "site": "acme"},
        "x",
        {"ip": new_address(), "site": "acme", "fields": fields, "idempotency_key": "batch-1"},
        {"ip": new_address(), "site": "nowhere"},
    ]
    items.append(items[4])
    answers = asking.assess(items=items)["items"]
    assert [found.get("verdict", found.get("status")) for found in answers] == [
        "accept", 422, "reject", 422, answers[4]["verdict"], 422, answers[4]["verdict"],
    ]  # fmt: skip
    assert answers[1]["errors"][0]["field"] == "ip"
    assert answers[5]["errors"][0]["field"] == "site"
    assert answers[6] == answers[4]
    many = asking.assess(items=[{"ip": new_address(), "site": "quiet"} for _ in range(100)])["items"]
    assert len({found["id"] for found in many}) == 100
    until(lambda: asking.gateway.record(many[99]["id"]) is not None)


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({}, "site", "acme, quiet"),
        ({"site": "acmee"}, "site", "Did you mean acme?"),
        ({"site": "acme", "form": "quot"}, "form", "Did you mean quote?"),
        ({"site": "acme", "kind": "landing", "fields": {}}, "kind", "landing"),
        ({"site": "acme", "fields": {str(n): "x" for n in range(600)}}, "fields", "512"),
        ({"site": "acme", "url": "ftp://www.acme.example/"}, "url", "begins with"),
        ({"site": "acme", "beacon": {"t": 1}}, "beacon.t", "It takes pointer"),
        ({"site": "acme", "fields": {"a": nested(300)}}, "fields", "16 levels"),
    ],
)
def test_what_a_body_names_must_be_there(asking: Asking, body: dict[str, Any], field: str, says: str) -> None:
    answer = asking.assess(422, **({"ip": new_address()} | body))
    assert answer["errors"][0]["field"] == field
    assert says in answer["detail"]


def test_who_may_ask_and_how(asking: Asking) -> None:
    port = asking.gateway.admin_port
    for token in (None, "wrong"):
        assert asking.gateway.call("/assess", "POST", b'{"ip": "203.0.113.5"}', token).status == 401
    assert asking.gateway.call("/assess").status == 405
    assert asking.gateway.call("/assess", "POST", b"{").status == 400
    assert asking.gateway.call("/assess", "POST", b" " * 1_048_577).status == 413
    chunks = b"".join(b"10000\r\n" + b" " * 65_536 + b"\r\n" for _ in range(17)) + b"0\r\n\r\n"
    rows = [("Host", "a"), ("Authorization", f"Bearer {TOKEN}"), ("Transfer-Encoding", "chunked")]
    assert request(port, "POST", "/api/v1/assess", rows, chunks).status == 413


def test_who_waits_to_be_asked_for_the_body_is_asked(asking: Asking) -> None:
    body = b'{"ip": "203.0.113.5", "site": "acme"}'
    head = f"POST /api/v1/assess HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", asking.gateway.admin_port), timeout=5) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_password_in_the_url_is_not_kept(asking: Asking) -> None:
    url = "https://somebody:secret-7@www.acme.example/offer"
    answer = asking.assess(ip=new_address(), url=url)
    assert answer["site"] == "acme", "found by the host behind it"
    record = asking.gateway.record(answer["id"])
    assert record["facts"]["page"]["host"] == "www.acme.example"
    assert "secret-7" not in str(record)


def test_answers_are_as_described(asking: Asking) -> None:
    schemas = document()["components"]["schemas"]
    OAS31Validator(schemas["Assessment"]).validate(asking.assess(ip=new_address(), site="acme"))
    described = set(schemas["Assessment"]["properties"])
    assert set(asking.assess(ip=new_address(), site="acme", dry_run=True)) == described
    for question in ({"ip": "203.0.113.5"}, {"ip": "x", "headers": HEAD, "fields": {"a": "b"}, "dry_run": True}):
        OAS31Validator(schemas["Question"]).validate(question)

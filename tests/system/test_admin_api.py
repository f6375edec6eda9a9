"""The admin listener for the people and programs that use it: what needs a token, what lists answer, what errors say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate
from origin import Origin, response
from running import ROOT, TOKEN, Gateway, Start, site, until
from visitor import new_address, person, request

from gateway.log import EVENTS
from gateway.metrics import METRICS

THANKS = response("", "303 See Other", ("Location", "/thanks"))


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    origin.scripts["/lead"] = THANKS
    running = gateways({"sites": [site(origin, "enforce")], "log": {"level": "debug"}}).start()
    for number in range(7):
        running.browser().get(f"/offer?utm_campaign=spring{number % 2}")
        running.browser().post("/lead", person() | ({} if number % 2 else {"lg_note_k7": "x"}))
    request(
        running.port, "GET", "/offer", [("Host", "a"), ("User-Agent", "curl/8"), ("X-Forwarded-For", new_address())]
    )
    running.lead(running.newest_lead()["id"], "rejected")
    until(lambda: len(running.api("/records?limit=500")["items"]) == 15, what="all records are committed")
    return running


def problem(gateway: Gateway, target: str, status: int, method: str = "GET", body: bytes = b"") -> str:
    answer = gateway.call(target, method, body)
    assert answer.status == status, answer.text
    assert answer.field("Content-Type") == "application/problem+json"
    told = answer.json()
    assert isinstance(told, dict)
    assert set(told) == {"type", "title", "status", "detail"}
    assert told["status"] == status
    return str(told["detail"])


def test_the_api_takes_the_token_and_nothing_else(gateway: Gateway) -> None:
    for token in (None, "wrong", TOKEN + "x", "", "é"):
        answer = gateway.call("/records", token=token)
        assert answer.status == 401
        assert answer.field("WWW-Authenticate") == 'Bearer realm="leadgate"'
        assert "Authorization: Bearer TOKEN" in answer.json()["detail"]  # type: ignore[index]
    for target in ("/api/v1/openapi.json", "/api/v1/conservation", "/api/v1/leads", "/api/v1/nothing"):
        assert gateway.open(target).status == 401
    for target in ("/", "/healthz", "/readyz", "/metrics"):
        assert gateway.open(target).status == 200


def test_lists_page_to_the_end_without_gap_or_repetition(gateway: Gateway) -> None:
    for what in ("records", "leads"):
        whole = [item["id"] for item in gateway.api(f"/{what}?limit=500")["items"]]
        assert whole == sorted(whole, reverse=True)
        paged: list[str] = []
        cursor = ""
        while cursor is not None:
            answer = gateway.api(f"/{what}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
            assert 1 <= len(answer["items"]) <= 2
            paged += [item["id"] for item in answer["items"]]
            cursor = answer["next_cursor"]
        assert paged == whole


@pytest.mark.parametrize(
    ("query", "key", "value", "least"),
    [
        ("kind=landing", "kind", "landing", 7),
        ("kind=submission", "kind", "submission", 7),
        ("verdict=reject", "verdict", "reject", 4),
        ("verdict=accept", "verdict", "accept", 5),
        ("ivt=sivt", "ivt", "sivt", 4),
        ("site=acme", "site", "acme", 14),
        ("source=live", "source", "live", 14),
        ("q=spring1", "path", "/offer", 3),
        ("q=form.honeypot", "verdict", "reject", 4),
    ],
)
def test_filters_answer_what_they_say(gateway: Gateway, query: str, key: str, value: str, least: int) -> None:
    items = gateway.api(f"/records?limit=500&{query}")["items"]
    assert len(items) >= least
    assert {item[key] for item in items} == {value}


def test_the_description_names_what_is_answered(gateway: Gateway) -> None:
    """Every key of an answer stands in the OpenAPI document, and the other way about."""
    schemas = gateway.api("/openapi.json")["components"]["schemas"]
    record = gateway.api("/records?kind=submission")["items"][0]
    lead = gateway.api("/leads")["items"][0]
    whole = gateway.api(f"/records/{record['id']}")
    for name, answer in (
        ("RecordSummary", record),
        ("Record", whole),
        ("Lead", lead),
        ("LeadDetail", gateway.api(f"/leads/{lead['id']}")),
        ("Conservation", gateway.api("/conservation")),
        ("FalsePositives", gateway.api("/reports/false-positives")),
    ):
        assert (name, set(schemas[name]["properties"])) == (name, set(answer))
    for name in ("reasons", "groups", "signals", "events"):
        assert whole[name], name
        items = schemas["Record"]["properties"][name]["items"]["properties"]
        assert (name, set(items)) == (name, set(whole[name][0]))


def test_time_filters(gateway: Gateway) -> None:
    newest, *_, oldest = gateway.api("/records?limit=500")["items"]
    since = newest["occurred_at"]
    assert newest["id"] in [item["id"] for item in gateway.api(f"/records?since={since}")["items"]]
    assert gateway.api("/records?since=2099-01-01")["items"] == []
    assert gateway.api("/records?until=2001-01-01T00:00:00Z")["items"] == []
    assert gateway.api("/leads?state=held")["items"] == []
    assert len(gateway.api("/leads?state=rejected")["items"]) == 4
    assert oldest["id"] not in [item["id"] for item in gateway.api(f"/records?since={since}")["items"]]


@pytest.mark.parametrize(
    ("target", "status", "says"),
    [
        ("/records?verdit=reject", 400, "verdict"),
        ("/records?verdict=bad", 400, "accept, review, reject"),
        ("/records?limit=0", 400, "1 to 500"),
        ("/records?limit=1e3", 400, "1 to 500"),
        ("/records?limit=9999", 400, "1 to 500"),
        ("/records?limit=%D9%A3", 400, "1 to 500"),
        ("/records?since=yesterday", 400, "2026-11-22"),
        ("/records?cursor=nonsense", 400, "start again without it"),
        ("/leads?cursor=%00", 400, "start again without it"),
        ("/records?limit=1&limit=2", 400, "once"),
        ("/leads?state=lost", 400, "pending, held"),
        ("/records/1", 400, "An id looks like"),
        ("/records/01a200df-1961-714c-9fe7-0e4f16b74a50", 404, "No record has the id"),
        ("/leads/01a200df-1961-714c-9fe7-0e4f16b74a50", 404, "No lead has the id"),
        ("/nothing", 404, "openapi.json"),
    ],
)
def test_errors_name_the_remedy(gateway: Gateway, target: str, status: int, says: str) -> None:
    assert says in problem(gateway, target, status)


def test_errors_of_changes_name_the_remedy(gateway: Gateway) -> None:
    lead = next(item for item in gateway.api("/leads?limit=500")["items"] if item["state"] == "delivered")["id"]
    assert "delivered" in problem(gateway, f"/leads/{lead}/release", 409, "POST")
    assert "delivered" in problem(gateway, f"/leads/{lead}/reject", 409, "POST")
    assert "by" in problem(gateway, f"/leads/{lead}/release", 400, "POST", b'{"who": "me"}')
    assert "by" in problem(gateway, f"/leads/{lead}/release", 400, "POST", b"[]")
    assert "{" in problem(gateway, f"/leads/{lead}/release", 400, "POST", b"{broken")
    assert "No lead" in problem(gateway, "/leads/01a200df-1961-714c-9fe7-0e4f16b74a50/release", 404, "POST")
    assert "takes" in problem(gateway, "/records", 405, "POST")
    assert gateway.call(f"/leads/{lead}/release", "POST", b"x" * 100_000).status == 413


def test_the_description_is_valid_and_complete(gateway: Gateway) -> None:
    document = gateway.api("/openapi.json")
    validate(document)
    ids = {"id": gateway.newest_lead()["id"]}
    for path, operations in document["paths"].items():
        for method in operations:
            target = path.removeprefix("/api/v1").format(**ids)
            call = gateway.call(target, method.upper()) if path.startswith("/api/v1") else gateway.open(path)
            assert call.status not in (404, 405), (method, path)
    source = (ROOT / "gateway/console/api.py").read_text()
    served = set(re.findall(r'web\.(?:get|post)\("(/[^"]+)"', source))
    assert served - {"/"} <= set(document["paths"])


def test_explain_is_for_people(gateway: Gateway) -> None:
    gateway.browser().post("/lead", person() | {"lg_note_k7": "x"})  # a lead of its own: other tests release theirs
    declined = gateway.newest_lead()["id"]
    gateway.lead(declined, "rejected")
    gateway.record(declined)
    text = gateway.cli("explain", declined).stdout
    assert text.startswith("Form quote on acme, 20")
    for part in (
        "Rejected, and kept: quality",
        "Something no real visitor produces",
        "A field that no person can see was filled in",
        "What spoke against it",
        "What would have altered it",
        "of generation",
        "The lead\n  rejected",
    ):
        assert part in text, part
    told = json.loads(gateway.cli("explain", declined, "--json").stdout)
    assert told["lead"]["state"] == "rejected"
    missing = gateway.cli("explain", "01a200df-1961-714c-9fe7-0e4f16b74a50")
    assert missing.returncode == 1
    assert "no record has this id" in missing.stderr


def test_nothing_personal_and_no_secret_reaches_the_log(gateway: Gateway, origin: Origin) -> None:
    """At the most talkative level, with the origin in trouble, and a request that breaks off."""
    form, address = (
        person() | {"email": "very.private@personal-mail.example", "phone": "+46 70 765 43 21"},
        new_address(),
    )
    origin.scripts["/lead"] = response("broken very.private@personal-mail.example", "500 Oops")
    gateway.browser(address).post("/lead?email=very.private@personal-mail.example", form, ("Cookie", "sid=hush-hush"))
    origin.down()
    gateway.browser(address).post("/lead", form)
    gateway.browser(address).get("/offer?gclid=private-click")
    origin.up()
    origin.scripts["/lead"] = THANKS
    gateway.raw(b"POST /lead HTTP/1.1\r\nHost: very.private@personal-mail.example\r\nContent-Length: 1\r\n\r\n")
    gateway.raw(b"G\xe4T /very.private@personal-mail.example HTTP/1.1\r\n\r\n")
    lines = "".join(gateway.output)
    for secret in (
        "very.private",
        "personal-mail",
        "765 43 21",
        "7654321",
        address,
        "hush-hush",
        TOKEN,
        "private-click",
        "Chrome",
    ):
        assert secret not in lines, secret
    metrics = gateway.open("/metrics").text
    for secret in ("very.private", address, "private-click"):
        assert secret not in metrics, secret


def _used(pattern: str) -> set[str]:
    sources = [path.read_text() for path in sorted(Path(ROOT / "gateway").rglob("*.py"))]
    return {found for source in sources for found in re.findall(pattern, source, re.DOTALL)}


def test_log_events_are_those_that_are_documented(gateway: Gateway) -> None:
    used = _used(r'\b(?:log\.(?:debug|info|warning|error|exception)|seldom|self\._on_event)\(\s*"([^"]+)"')
    assert used == set(EVENTS)
    assert {str(line["event"]) for line in gateway.logs} <= set(EVENTS)


def test_metrics_are_those_that_are_documented(gateway: Gateway) -> None:
    used = _used(r'"(leadgate_[a-z_]+)"')
    counted = {name for name in METRICS if METRICS[name].kind != "summary"}
    assert used - {"leadgate_stage_seconds"} == counted - {"leadgate_stage_seconds"}
    source = (ROOT / "gateway/metrics.py").read_text()
    elsewhere = "".join(
        path.read_text() for path in sorted((ROOT / "gateway").rglob("*.py")) if path.name != "metrics.py"
    )
    for name in counted:
        assert f'"{name}"' in elsewhere, f"{name} is described and never counted"
        assert f'"{name}"' in source
    shown = set(re.findall(r"^# TYPE (leadgate_\w+)", gateway.open("/metrics").text, re.MULTILINE))
    assert {name.removesuffix("_total") for name in shown} <= set(METRICS)

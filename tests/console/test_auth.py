"""Forward-auth, asked as a proxy asks."""

from __future__ import annotations

import pytest
from asking import DENIED, Asking
from running import TOKEN, until
from visitor import CHROME, Fields, new_address

PERSON = (
    ("User-Agent", CHROME),
    ("Accept", "text/html,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("Accept-Encoding", "gzip"),
)


def told(
    uri: str = "/offer", address: str | None = None, host: str = "www.acme.example", *more: tuple[str, str]
) -> Fields:
    return [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", uri),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", address or new_address()),
        *PERSON,
        *more,
    ]


def test_a_page_view_passes_with_its_verdict(asking: Asking) -> None:
    address = new_address()
    answer = asking.auth(*told("/offer?utm_campaign=spring&gclid=CjwKCAjwpassespassespasses", address))
    assert answer.status == 204
    assert answer.body == b""
    assert answer.field("Server") == "leadgate"
    assert answer.field("X-Lead-Verdict") in ("accept", "review")
    assert 0 <= int(answer.field("X-Lead-Quality") or "") <= 100
    record = asking.gateway.record(answer.field("X-Lead-Id") or "")
    assert record["kind"] == "landing"
    assert record["route"] == "/offer*"
    assert record["answered"] == {"status": 204, "by": "auth"}
    assert record["facts"]["page"] == {
        "host": "www.acme.example",
        "path": "/offer",
        "campaign": {"utm_campaign": "spring"},
    }
    assert record["facts"]["click"]["platform"] == "google"
    assert record["personal"]["network"]["client"]["address"] == address
    request = record["personal"]["browser"]
    assert request["scheme"] == "https"
    assert request["ordered"] is False
    assert request["complete"] is True
    assert [name for name, _ in request["headers"]] == ["Host", *[name for name, _ in PERSON]]
    assert request["headers"][0][1] == "www.acme.example"


def test_the_client_is_the_rightmost_hop_that_is_no_proxy_of_ours(asking: Asking) -> None:
    answer = asking.auth(*told(address="198.51.100.9, 203.0.113.77, 10.1.2.3"))
    record = asking.gateway.record(answer.field("X-Lead-Id") or "")
    assert record["personal"]["network"]["client"]["address"] == "203.0.113.77"


def test_where_nobody_names_the_client_it_is_unknown(asking: Asking) -> None:
    answer = asking.auth(*[field for field in told() if field[0] != "X-Forwarded-For"])
    record = asking.gateway.record(answer.field("X-Lead-Id") or "")
    assert record["facts"]["client"]["fact"] == "unavailable"
    assert "client" in [missing["fact"] for missing in record["unavailable"]]


def test_what_is_rejected_is_declined_in_enforce_with_our_page(asking: Asking) -> None:
    answer = asking.auth(*told(address=DENIED))
    assert answer.status == 403
    assert "This page cannot be shown" in answer.text
    reference = answer.field("X-Lead-Id") or ""
    assert reference in answer.text
    assert [name for name, _ in answer.fields if name.lower().startswith("x-lead-")] == ["X-Lead-Id"]
    assert answer.field("Cache-Control") == "no-store"
    assert "aiohttp" not in (answer.field("Server") or "")
    record = asking.gateway.record(reference)
    assert record["answered"] == {"status": 403, "by": "gateway"}
    assert asking.auth(*told(address=DENIED), ("Accept", "application/json")).status == 403


def test_monitor_tells_nothing_and_declines_nobody(asking: Asking) -> None:
    before = len(asking.records(site="quiet", kind="landing", verdict="reject"))
    answer = asking.auth(*told(address=DENIED, host="quiet.example"))
    assert answer.status == 204
    assert [name for name, _ in answer.fields if name.lower().startswith(("x-lead-", "set-cookie"))] == []
    until(lambda: len(asking.records(site="quiet", kind="landing", verdict="reject")) == before + 1)


@pytest.mark.parametrize(
    ("uri", "method"),
    [("/logo.png", "GET"), ("/lead", "POST"), ("/lead", "GET"), ("/offer", "POST"), ("/offer", "HEAD"), ("/_lg/received", "GET")],
)  # fmt: skip
def test_what_is_no_page_view_passes_at_once_without_a_record(asking: Asking, uri: str, method: str) -> None:
    fields = [(name, method if name == "X-Forwarded-Method" else value) for name, value in told(uri, DENIED)]
    before = asking.counted("auth").get("other", 0)
    answer = asking.auth(*fields)
    assert answer.status == 204
    assert answer.field("X-Lead-Id") is None
    assert asking.counted("auth")["other"] == before + 1


def test_what_cannot_be_decided_passes_and_is_counted(asking: Asking) -> None:
    before = asking.counted("auth").get("undecided", 0)
    assert asking.auth(*told(host="unknown.example", address=DENIED)).status == 204
    assert asking.auth().status == 204
    assert asking.auth(("X-Forwarded-Uri", "\xff")).status == 204
    assert asking.counted("auth")["undecided"] == before + 3


def test_only_a_missing_token_is_refused(asking: Asking) -> None:
    for token in (None, "wrong", TOKEN + "x", ""):
        answer = asking.auth(*told(), token=token)
        assert answer.status == 401
        assert answer.field("Content-Type") == "application/problem+json"
        assert answer.field("X-Lead-Id") is None
    assert asking.auth(*told(), ("X-Leadgate-Token", "wrong"), token=None).status == 401
    assert asking.auth(*told(), ("X-Leadgate-Token", TOKEN), token=None).status == 204
    assert asking.auth(*told(), ("X-Leadgate-Token", TOKEN), token="the visitor's own").status == 204


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
def test_any_method_may_ask(asking: Asking, method: str) -> None:
    assert asking.auth(*told(), method=method).field("X-Lead-Id") is not None


def test_the_path_may_stand_behind_ours(asking: Asking) -> None:
    fields = [field for field in told() if not field[0].startswith("X-Forwarded-U")]
    answer = asking.auth(*fields, host="www.acme.example", rest="/offer?utm_campaign=envoy")
    record = asking.gateway.record(answer.field("X-Lead-Id") or "")
    assert record["facts"]["page"]["path"] == "/offer"
    assert record["facts"]["page"]["campaign"] == {"utm_campaign": "envoy"}
    lie = asking.auth(*told("/logo.png"), host="www.acme.example", rest="/offer")
    assert lie.field("X-Lead-Id") is not None
    assert asking.gateway.call("/authors").status == 404


def test_a_session_begins_in_a_cookie_and_goes_on(asking: Asking) -> None:
    address = new_address()
    first = asking.auth(*told(address=address))
    cookie = first.field("Set-Cookie") or ""
    assert cookie.startswith("_lg_s=")
    assert cookie.endswith("; Secure")
    again = asking.auth(*told("/offer/2", address, "www.acme.example", ("Cookie", cookie.partition(";")[0])))
    assert again.field("Set-Cookie") is None
    record = asking.gateway.record(again.field("X-Lead-Id") or "")
    assert record["facts"]["session"]["kind"] == "cookie"
    assert record["facts"]["session"]["landings"] == 2

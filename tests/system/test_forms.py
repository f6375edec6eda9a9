"""Every way in which a form can be written and sent: it reaches the origin as it was, and what was judged is what was in it."""

from __future__ import annotations

import gzip
import json
import socket

import pytest
from origin import Origin, response
from running import QUOTE, Gateway, Start, site
from visitor import Browser, Response, new_address, parse, person

THANKS = response("", "303 See Other", ("Location", "/thanks"))


@pytest.fixture(scope="module")
def gateway(origin: Origin, gateways: Start) -> Gateway:
    origin.default = THANKS
    forms = [
        QUOTE,
        QUOTE | {"name": "put", "path": None, "match": {"path": "/api/lead", "method": "PUT"}},
        QUOTE | {"name": "buy", "path": None, "match": {"path": "/both", "fields": {"action": "buy"}}},
        QUOTE | {"name": "call", "path": None, "match": {"path": "/both", "fields": {"action": "call"}}},
    ]
    forms = [{key: value for key, value in form.items() if value is not None} for form in forms]
    return gateways(
        {"sites": [site(origin, mode, forms, name=mode, hosts=[f"{mode}.example"]) for mode in ("tag", "enforce")]}
    ).start()


def visitor(gateway: Gateway, mode: str = "tag") -> Browser:
    return Browser(gateway.port, host=f"{mode}.example")


def multipart(fields: dict[str, str], file: bytes) -> tuple[bytes, str]:
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts.append(
        b'--XX\r\nContent-Disposition: form-data; name="roof"; filename="roof.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return b"".join([*parts, file, b"\r\n--XX--\r\n"]), "multipart/form-data; boundary=XX"


def written(kind: str, email: str) -> tuple[bytes, str, list[tuple[str, str]]]:
    """The same form in another way of writing: body, content type, further header fields."""
    fields = person() | {"email": email}
    if kind == "multipart":
        return *multipart(fields, bytes(range(256)) * 2000), []
    if kind == "json":
        return json.dumps({"lead": 1} | fields).encode(), "application/json; charset=utf-8", []
    if kind == "utf-16":
        return json.dumps(fields).encode("utf-16"), "application/json", []
    if kind == "windows-1251":
        body = f"full_name=Марта&email={email}&phone=".encode("windows-1251")
        return body, "application/x-www-form-urlencoded; charset=windows-1251", []
    if kind == "gzip":
        return (
            gzip.compress(f"email={email}&full_name=x".encode()),
            "application/x-www-form-urlencoded",
            [("Content-Encoding", "gzip")],
        )
    if kind == "query":
        return b"", "application/x-www-form-urlencoded", []
    return f"email={email}&full_name=Martha".encode(), "application/x-www-form-urlencoded", []


@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "json", "utf-16", "windows-1251", "gzip", "query"])
def test_every_way_of_writing_is_read_and_passed_on_unchanged(gateway: Gateway, origin: Origin, kind: str) -> None:
    name = kind.replace("-", "")
    email = f"{name}@mailinator.com"
    body, content_type, more = written(kind, email)
    target = "/lead?kind=" + name + (f"&email={email}" if kind == "query" else "")
    answer = visitor(gateway).post(target, body, *more, kind=content_type)
    assert answer.status == 303
    got = origin.wait_for(f"kind={name}")
    assert got.body == body
    assert got.field("Content-Type") == content_type
    assert "email.disposable" in str(got.field("X-Lead-Reasons"))
    assert gateway.lead(str(got.field("X-Lead-Id")), "delivered")["length"] == len(body)


def test_all_values_of_a_repeated_field_are_judged(gateway: Gateway, origin: Origin) -> None:
    pairs = [("email", person()["email"]), ("email", "second@mailinator.com"), ("n", "repeated")]
    visitor(gateway).post("/lead", pairs)
    assert "email.disposable" in str(origin.wait_for("n=repeated").field("X-Lead-Reasons"))


@pytest.mark.parametrize(
    ("body", "kind", "more"),
    [
        (b"--XX broken", "multipart/form-data; boundary=XX", []),
        (b"{", "application/json", []),
        (b"\x1f\x8bnot gzip", "application/x-www-form-urlencoded", [("Content-Encoding", "gzip")]),
        (b"<lead/>", "text/xml", []),
        (b"a=1&" * 600, "application/x-www-form-urlencoded", []),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "application/json", []),
    ],
)
def test_what_cannot_be_read_is_undecided(
    gateway: Gateway, origin: Origin, body: bytes, kind: str, more: list[tuple[str, str]]
) -> None:
    seen = len(origin.received)
    assert visitor(gateway, "tag").post("/lead", body, *more, kind=kind).status == 303
    got = origin.received[seen]
    assert got.body == body
    assert got.field("X-Lead-Ivt") == "undecided"
    assert got.field("X-Lead-Verdict") == "review"
    held = visitor(gateway, "enforce").post("/lead", body, *more, kind=kind)
    assert held.status == 200
    assert "We have received your message" in held.text
    assert len(origin.received) == seen + 1
    lead = gateway.lead(gateway.newest_lead()["id"], "held")
    assert lead["record"]["ivt"] == "undecided"
    assert lead["record"]["unavailable"][0]["fact"] == "lead"


def test_two_forms_on_one_path_are_told_apart_by_their_fields(gateway: Gateway, origin: Origin) -> None:
    for action in ("buy", "call"):
        visitor(gateway).post("/both", person() | {"action": action})
        assert gateway.newest_lead()["form"] == action
    before = gateway.api("/conservation")["received"]
    visitor(gateway).post("/both", person() | {"action": "search", "n": "neither"})
    assert origin.wait_for("n=neither").all("X-Lead") == {}
    assert gateway.api("/conservation")["received"] == before
    visitor(gateway, "enforce").post("/both", b"{", kind="application/json")
    assert gateway.newest_lead()["form"] == "buy", "what cannot be read may be a lead"


@pytest.mark.parametrize(
    "target",
    ["/%6cead", "//lead", "/x/../lead", "/lead;a", "%2flead", "/%2flead", "/LEAD", "/lead/", "/./lead", "/x/%2e%2e/lead",
     "/lead%00", "\\lead", "/%5clead", "http://tag.example/lead", "/lead%3fx", "/lead#x"],
)  # fmt: skip
def test_a_target_that_can_mean_the_form_is_the_form(gateway: Gateway, origin: Origin, target: str) -> None:
    """However an origin reads it: the lead is judged, and the bytes of the target are forwarded as they came."""
    form = person()
    answer = visitor(gateway).post(target, form)
    if answer.status == 400:
        assert target in ("%2flead", "\\lead", "/lead#x"), "only what is no request target at all may be refused"
        return
    got = origin.wait_for(form["email"].replace("@", "%40"))
    assert got.field("X-Lead-Id"), target
    assert got.target == target.encode()


def test_method_override_is_the_form_it_may_become(gateway: Gateway, origin: Origin) -> None:
    form = person()
    visitor(gateway).post("/api/lead", form, ("X-HTTP-Method-Override", "PUT"))
    assert origin.wait_for(form["email"].replace("@", "%40")).field("X-Lead-Id")
    form = person()
    visitor(gateway).post("/api/lead?_method=put", form)
    assert origin.wait_for(form["email"].replace("@", "%40")).field("X-Lead-Id")
    form = person()
    visitor(gateway).post("/api/lead", form)
    assert origin.wait_for(form["email"].replace("@", "%40")).field("X-Lead-Id") is None


def head(*fields: str, target: str = "/lead", host: str = "tag.example") -> bytes:
    rows = [f"POST {target} HTTP/1.1", f"Host: {host}", f"X-Forwarded-For: {new_address()}", *fields]
    return (
        "\r\n".join([*rows, "Content-Type: application/x-www-form-urlencoded", "Connection: close"]) + "\r\n\r\n"
    ).encode()


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(gateway: Gateway, origin: Origin) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(head("Expect: 100-continue", "Content-Length: 20"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"email=waited@firm.de")
        assert connection.recv(1000).startswith(b"HTTP/1.1 303 ")
    assert origin.wait_for("waited@firm.de").field("X-Lead-Id")


def test_a_chunked_form_is_a_form(gateway: Gateway, origin: Origin) -> None:
    chunks = b"6\r\nemail=\r\n10\r\npieces@firm.co.u\r\n1\r\nk\r\n0\r\nTrailer: dropped\r\n\r\n"
    assert parse(gateway.raw(head("Transfer-Encoding: chunked") + chunks)).status == 303
    got = origin.wait_for("email=pieces@firm.co.uk")
    assert b"Trailer" not in got.raw_body
    assert gateway.lead(str(got.field("X-Lead-Id")), "delivered")["length"] == 23


def big(gateway: Gateway, mode: str, *fields: str) -> Response:
    size = 33 * 2**20
    body = b"email=large@firm.de&file=" + b"x" * (size - 25)
    if fields:
        body = b"%x\r\n" % size + body + b"\r\n0\r\n\r\n"
    return parse(
        gateway.raw(head(*(fields or (f"Content-Length: {size}",)), host=f"{mode}.example") + body, timeout=120)
    )


@pytest.mark.parametrize("framing", [(), ("Transfer-Encoding: chunked",)])
def test_more_than_the_promise_reaches_is_streamed_on_or_refused(
    gateway: Gateway, origin: Origin, framing: tuple[str, ...]
) -> None:
    origin.received.clear()
    counted = gateway.metric("leadgate_undecided_total", reason="body_too_large")
    assert big(gateway, "tag", *framing).status == 303
    got = origin.received.pop()
    assert len(got.body) == 33 * 2**20
    assert got.field("X-Lead-Ivt") == "undecided"
    assert (got.field("Content-Length") is None) == bool(framing)
    assert big(gateway, "enforce", *framing).status == 413
    assert not origin.received
    assert gateway.metric("leadgate_undecided_total", reason="body_too_large") == counted + 2
    record = gateway.record(str(got.field("X-Lead-Id")))
    assert "body_too_large" in str(record["unavailable"])
    assert record["lead"] is None
    gateway.conserved()

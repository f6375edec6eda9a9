"""A wrong body is refused, and the answer names the field and the remedy."""

from __future__ import annotations

import orjson
import pytest

from gateway.console import assess_body
from gateway.console.assess_body import MAX_ITEMS, batch_of, parse, question
from gateway.console.problems import Problem


def problem(body: object) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        question(parse(orjson.dumps(body)))
    assert caught.value.status == 422
    return list(caught.value.errors)


def test_an_address_is_enough() -> None:
    asked = question(parse(b'{"ip": " ::ffff:203.0.113.5"}'))
    assert asked.ip == "203.0.113.5"
    assert asked.headers is None
    assert asked.fields is None
    assert asked.dry_run is False


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({}, "ip", "for example"),
        ({"ip": "acme.example"}, "ip", "no IPv4 or IPv6 address"),
        ({"headrs": []}, "headrs", "Did you mean headers?"),
        ({"verdict": 1}, "verdict", "It takes ip, site"),
        ({"beacon": {"keys": []}}, "beacon.keys", "It takes pointer"),
        ({"beacon": {"pointer": [[0, "move", 1]]}}, "beacon.pointer[0][3]", "missing"),
        ({"beacon": {"pointer": [[5, "move", 1, 1], [4, "move", 2, 2]]}}, "beacon.pointer", "order of their time"),
        ({"beacon": {"pointer": [[0, "scroll", 1, 1]]}}, "beacon.pointer[0][1]", "'move'"),
        ({"beacon": {"pointer": [[0, "move", 1, 1]] * 2001}}, "beacon.pointer", "2000"),
        ({"headers": {"Host": "a"}}, "headers", '["name", "value"]'),
        ({"headers": [["Host", "a"], ["User-Agent"]]}, "headers[1][1]", "missing"),
        ({"headers": [["Host", "a"], "x"]}, "headers[1]", "pair"),
        ({"headers": [["Host", "a\r\nX: y"]]}, "headers", "line break"),
        ({"headers": [["a", "b"]] * 201}, "headers", "200"),
        ({"fields": "email=a"}, "fields", "an object, or a list"),
        ({"fields": [["email", 1]]}, "fields", "an object, or a list"),
        ({"kind": "click"}, "kind", "landing"),
        ({"method": "GET /"}, "method", "GET or POST"),
        ({"url": "/a b"}, "url", "%20"),
        ({"url": "/" * 9000}, "url", "8192"),
        ({"dry_run": "yes"}, "dry_run", "boolean"),
        ({"idempotency_key": "x" * 201}, "idempotency_key", "200"),
        ({"site": 7}, "site", "string"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], field: str, says: str) -> None:
    body = wrong if not wrong or "ip" in wrong else {"ip": "203.0.113.5"} | wrong
    (found,) = problem(body)
    assert found[0] == field
    assert says in found[1]


@pytest.mark.parametrize(
    "wrong", [{"headers": [["a"]] * 5000}, {"fields": [["a", 1]] * 5000}, {f"k{n}": 1 for n in range(5000)}]
)
def test_not_every_one_of_a_thousand_mistakes_is_looked_at(
    wrong: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of them kept the other visitors of the process waiting for half a second."""
    seen: list[int] = []
    told = assess_body._told
    monkeypatch.setattr(assess_body, "_told", lambda errors: (seen.append(len(errors)), told(errors))[1])
    assert problem({"ip": "203.0.113.5"} | wrong)
    assert sum(seen) < 20


def test_every_wrong_field_is_named_at_once() -> None:
    assert [field for field, _ in problem({"ip": "x", "sit": "a", "kind": "b"})] == ["ip", "kind", "sit"]


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 422), (b'"x"', 422), (b"\xff", 400)])
def test_what_is_no_object_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(Problem) as caught:
        parse(body)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "body", [{"items": []}, {"items": {}}, {"items": [{}] * (MAX_ITEMS + 1)}, {"items": [{}], "site": "acme"}]
)
def test_a_batch_is_a_list_within_bounds(body: dict[str, object]) -> None:
    with pytest.raises(Problem) as caught:
        batch_of(body)
    assert caught.value.status == 422


def test_a_single_question_is_no_batch() -> None:
    assert batch_of({"ip": "203.0.113.5"}) is None
    assert batch_of({"items": [1]}) == [1]

"""docs/install/envoy.md: the requests that the documentation of ext_authz describes. Envoy itself is not run."""

from __future__ import annotations

from typing import Any

from recipes import block
from ruamel.yaml import YAML
from running import TOKEN, Gateway
from visitor import CHROME, Response, new_address, request

PERSON = [("user-agent", CHROME), ("accept", "text/html"), ("accept-language", "en-GB"), ("accept-encoding", "gzip")]


def filters() -> dict[str, Any]:
    text = block("install/envoy.md", "yml", "# envoy.yaml, in the HTTP connection manager")
    return {found["name"]: found["typed_config"] for found in YAML(typ="safe").load(text)["http_filters"]}


def ask(gateway: Gateway, path: str, *more: tuple[str, str], method: str = "GET", agent: str = CHROME) -> Response:
    """The visitor's method, host and headers; path_prefix before the path; headers_to_add written over the visitor's."""
    service = filters()["envoy.filters.http.ext_authz"]["http_service"]
    added = [
        (header["key"], header["value"].replace("TOKEN", TOKEN))
        for header in service["authorization_request"]["headers_to_add"]
    ]
    person = [(name, agent if name == "user-agent" else value) for name, value in PERSON]
    fields = [
        ("host", "www.acme.example"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-internal", "false"),
        *person,
        *more,
        *added,
    ]
    return request(gateway.admin_port, method, service["path_prefix"] + path, [*fields, ("content-length", "0")])


def test_a_page_view_passes_with_the_verdict(gateway: Gateway) -> None:
    address = new_address()
    answer = ask(gateway, "/offer?utm_campaign=envoy", ("x-forwarded-for", f"192.0.2.1, {address}"))
    assert answer.status == 200  # Envoy takes no other status for a yes
    record = gateway.record(answer.field("x-lead-id") or "")
    assert record["facts"]["page"] == {
        "host": "www.acme.example",
        "path": "/offer",
        "campaign": {"utm_campaign": "envoy"},
    }
    assert record["personal"]["network"]["client"]["address"] == address
    assert {name for name, _ in record["personal"]["browser"]["headers"]} == {"Host", *[name for name, _ in PERSON]}
    allowed = filters()["envoy.filters.http.ext_authz"]["http_service"]["authorization_response"][
        "allowed_upstream_headers"
    ]
    prefix = allowed["patterns"][0]["prefix"]
    assert len([name for name, _ in answer.fields if name.lower().startswith(prefix)]) == 5


def test_a_visitor_cannot_name_another_page(gateway: Gateway) -> None:
    lies = [("x-forwarded-uri", "/logo.png"), ("x-original-uri", "/logo.png"), ("x-forwarded-method", "POST")]
    assert ask(gateway, "/offer", *lies).field("x-lead-id") is not None


def test_who_is_declined_is_told_so(gateway: Gateway) -> None:
    answer = ask(gateway, "/offer", agent=CHROME + " DeniedBrowser")
    assert answer.status == 403
    assert "This page cannot be shown" in answer.text


def test_what_is_no_landing_page_passes(gateway: Gateway) -> None:
    for method, path in (("GET", "/logo.png"), ("POST", "/offer"), ("GET", "/")):
        answer = ask(gateway, path, method=method)
        assert (answer.status, answer.field("x-lead-id")) == (200, None)


def test_claims_are_removed_before_the_question() -> None:
    names = list(filters())
    assert names.index("envoy.filters.http.header_mutation") < names.index("envoy.filters.http.ext_authz")
    mutations = filters()["envoy.filters.http.header_mutation"]["mutations"]["request_mutations"]
    removed = {found["remove"] for found in mutations}
    assert removed == {"x-lead-" + name for name in ("id", "quality", "verdict", "ivt", "reasons", "passport")}
    assert filters()["envoy.filters.http.ext_authz"]["failure_mode_allow"] is True
    YAML(typ="safe").load(block("install/envoy.md", "yml", "# envoy.yaml, clusters"))

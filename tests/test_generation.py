"""What a configuration is made into: which site and route a request meets, and the id that names it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detectors.reference import Reference
from gateway.config import parse
from gateway.generation import Generation, build
from gateway.intake.target import parse as target
from gateway.upstream.client import Upstream
from rules import loader

YAML = """
sites:
  - name: acme
    hosts: [www.acme.example]
    origin: http://127.0.0.1:9000
    landing_pages: [{path: "/offer*"}, {path: /, review_below: 10}]
    forms:
      - {name: quote, match: {path: /lead, fields: {action: quote}}, fields: {email: email}}
      - {name: other, match: {path: /lead, fields: {action: other}}, min_seconds: 1.5}
      - {name: put, match: {path: /api, method: PUT}}
  - name: rest
    origin: http://127.0.0.1:9001
"""
RULES, LISTS = loader.load(), Reference.builtin()


def generation(text: str = YAML, networks: str = "") -> Generation:
    config = parse(text.encode(), name="leadgate.yaml", base=Path(), environ={})
    return build(config, RULES, LISTS, networks, lambda site: Upstream(site.origin))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"www.acme.example", "acme"),
        (b"WWW.Acme.Example:8080", "acme"),
        (b"www.acme.example.", "acme"),
        (b"unknown.example", "rest"),
        (b"[::1]:8080", "rest"),
        (None, "rest"),
    ],
)
def test_a_host_finds_its_site_and_any_other_the_open_one(host: bytes | None, name: str) -> None:
    found = generation().site(host)
    assert found is not None and found.name == name


def test_without_an_open_site_a_strange_host_finds_none() -> None:
    text = YAML.split("  - name: rest")[0]
    assert generation(text).site(b"unknown.example") is None


def test_landings_are_page_views_only() -> None:
    site = generation().site(b"www.acme.example")
    assert site is not None
    first = site.landing("GET", target(b"/offer/spring?gclid=1", "GET", ()))
    assert first is not None and first.judgement.name == "/offer*"
    assert site.landing("POST", target(b"/offer", "POST", ())) is None
    assert site.landing("GET", target(b"/about", "GET", ())) is None
    root = site.landing("GET", target(b"/", "GET", ()))
    assert root is not None and root.judgement.policy.review_below == 10


def test_forms_that_share_a_path_are_all_candidates_and_methods_count() -> None:
    site = generation().site(b"www.acme.example")
    assert site is not None
    assert [r.form.name for r in site.forms_at(target(b"/lead", "POST", ()))] == ["quote", "other"]
    assert [r.form.name for r in site.forms_at(target(b"//x/..%2flead", "POST", ()))] == ["quote", "other"]
    assert site.forms_at(target(b"/lead", "GET", ())) == ()
    assert [r.form.name for r in site.forms_at(target(b"/api", "PUT", ()))] == ["put"]
    assert site.forms_at(target(b"/lead?_method=PUT", "GET", ())) == ()


def test_a_form_keeps_its_own_settings() -> None:
    site = generation().site(b"www.acme.example")
    assert site is not None
    assert [r.judgement.reference.form.min_seconds for r in site.forms] == [3.0, 1.5, 3.0]


def test_the_same_settings_have_the_same_id_and_any_change_another() -> None:
    plain = YAML
    assert generation(plain).id == generation(plain + "\n# a comment\n").id
    assert generation(plain).id != generation(plain.replace("review_below: 10", "review_below: 11")).id
    assert generation(plain).id != generation(plain, "another database").id
    assert len(generation(plain).id) == 16


def test_all_sites_are_listed_once() -> None:
    found: list[Any] = [site.name for site in generation().sites]
    assert found == ["acme", "rest"]

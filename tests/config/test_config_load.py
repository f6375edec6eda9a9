"""Loading: what a good file means, where relative paths lead, what the environment changes."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config import Address, Config, ConfigError, admin_token, default_path, load, parse, pattern_regex
from gateway.model import Mode

GOOD = sorted((Path(__file__).parent.parent / "testdata" / "good").glob("*.yaml"))
SITE = "sites: [{name: main, origin: http://127.0.0.1:9000, landing_pages: [{path: /}]}]\n"


def good(name: str) -> Config:
    return load(next(path for path in GOOD if path.stem == name), environ={})


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_file(path: Path) -> None:
    config = load(path, environ={})
    assert config.warnings == ()
    assert Config.model_validate_json(config.canonical().replace(b"sha256:", b"a@b.c")) is not None


def test_defaults() -> None:
    config = parse(SITE)
    assert config.addresses == (Address("127.0.0.1", 8080),)
    assert config.admin.listen == Address("127.0.0.1", 8081)
    assert config.sites[0].mode is Mode.MONITOR
    assert config.sites[0].session == "derived"
    assert config.trusted_proxies == ()
    assert config.limits.max_body == 32 * 1024 * 1024
    assert config.databases == (None,)
    assert config.reviewer is None


def test_values_mean_what_they_say() -> None:
    limits = good("every-bound").limits
    assert (limits.header_bytes, limits.in_flight_bytes, limits.body_timeout_s) == (65536, 1024**3, 60.5)
    sites = good("several-sites")
    assert sites.addresses == (Address("0.0.0.0", 8080), Address("::1", 8080))
    assert [str(address) for address in sites.addresses] == ["0.0.0.0:8080", "[::1]:8080"]
    assert sites.trusted_proxies == tuple(map(ip_network, ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32")))
    assert [site.hosts for site in sites.sites] == [("www.shop.example", "shop.example"), ("blog.example",), ()]
    assert [site.origin for site in sites.sites] == [
        "http://127.0.0.1:9001",
        "http://[::1]:9002",
        "https://rest.example:8443",
    ]
    form = good("enforce").sites[0].forms[0]
    assert (form.success.status, form.expected_countries, form.max_body) == ((302,), ("DE", "AT", "NO"), 1024**2)
    assert good("aliases").sites[1].forms[0].fields.mapping() == {"email": ("email",), "phone": ("phone",)}
    assert good("lists").lists.allow[1].emails == ("jo@partner.example",)


def test_forms_that_share_a_path() -> None:
    routes = [form.route for form in good("shared-path").sites[0].forms]
    assert [(route.method, route.path, route.fields) for route in routes] == [
        ("POST", "/ajax", {"action": "quote_form"}),
        ("POST", "/ajax", {"action": "callback"}),
        ("POST", "/ajax", {}),
    ]


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "leadgate.yaml"
    file.write_text(SITE)
    config = load(file, environ={})
    assert config.store_path == tmp_path / "var/leadgate.db"
    assert config.keys_path == tmp_path / "var/keys"
    assert parse("store: sqlite:////srv/lead.db\n" + SITE, base=tmp_path).store_path == Path("/srv/lead.db")


def test_files_that_are_there_are_taken(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "country.mmdb").write_bytes(b"")
    config = parse("rules: {directory: rules}\ngeoip: {database: [builtin, country.mmdb]}\n" + SITE, base=tmp_path)
    assert config.rules_path == tmp_path / "rules"
    assert config.databases == (None, tmp_path / "country.mmdb")


@pytest.mark.parametrize(
    ("make", "what", "remedy"),
    [
        (lambda path: None, "there is no such file", "leadgate init"),
        (lambda path: path.mkdir(), "this is a directory", "leadgate.yaml"),
    ],
    ids=["missing", "directory"],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make, what: str, remedy: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "settings.yaml"
    make(path)
    with pytest.raises(ConfigError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert remedy in problem.remedy
    assert problem.line == 0


def test_a_file_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied; check its owner and rights"):
        load(tmp_path / "leadgate.yaml")


def test_a_name_no_file_can_have() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load("leadgate\0.yaml")


def test_origin_from_the_environment() -> None:
    assert parse(SITE, environ={"LEADGATE_ORIGIN": "https://other.example"}).sites[0].origin == "https://other.example"
    without = "sites: [{name: main, landing_pages: [{path: /}]}]\n"
    assert parse(without, environ={"LEADGATE_ORIGIN": "http://app:3000"}).sites[0].origin == "http://app:3000"
    with pytest.raises(
        ConfigError,
        match=r'^environment: error: LEADGATE_ORIGIN: "app:3000" is not an http or https address; write http://app:3000',
    ):
        parse(SITE, environ={"LEADGATE_ORIGIN": "app:3000"})
    with pytest.raises(ConfigError, match="LEADGATE_ORIGIN is set, and there are 2 sites; unset it, or keep one site"):
        parse(
            "sites: [{name: a, hosts: [a.b], origin: http://a, landing_pages: [{path: /}]}, {name: b, origin: http://b, landing_pages: [{path: /}]}]",
            environ={"LEADGATE_ORIGIN": "http://c"},
        )


def test_admin_token(tmp_path: Path) -> None:
    public = "admin: {listen: 0.0.0.0:8081}\n" + SITE
    config = parse(public, environ={"LEADGATE_ADMIN_TOKEN": "abc"})
    assert admin_token(config, {"LEADGATE_ADMIN_TOKEN": "abc"}) == "abc"
    (tmp_path / "token").write_text("from-file\n")
    config = parse("admin: {listen: 0.0.0.0:8081, token_file: token}\n" + SITE, base=tmp_path)
    assert admin_token(config, {}) == "from-file"
    assert admin_token(config, {"LEADGATE_ADMIN_TOKEN": "abc"}) == "abc"
    assert admin_token(parse(SITE), {}) is None


def test_default_path() -> None:
    assert default_path({}) == Path("leadgate.yaml")
    assert default_path({"LEADGATE_CONFIG": "/etc/lg.yaml"}) == Path("/etc/lg.yaml")


def test_warnings_do_not_keep_settings_from_being_used() -> None:
    config = parse(
        "trusted_proxies: [0.0.0.0/0]\n"
        "lists: {deny: [{name: all, addresses: ['::/0']}, {name: abroad, countries: [FR]}]}\n"
        "sites:\n  - {name: idle, hosts: [a.example], origin: http://127.0.0.1:9000}\n"
        "  - name: main\n    origin: http://127.0.0.1:9000\n    landing_pages: [{path: '/*'}, {path: /offer}]\n"
        "    forms: [{name: quote, path: /lead, render_token: off, min_seconds: 2}]\n"
    )
    assert [(warning.severity, warning.path) for warning in config.warnings] == [
        ("warning", "trusted_proxies[0]"),
        ("warning", "lists.deny[0].addresses[0]"),
        ("warning", "sites[0]"),
        ("warning", "sites[1].landing_pages[1].path"),
        ("warning", "sites[1].forms[0].fields"),
        ("warning", "sites[1].forms[0].min_seconds"),
    ]


def test_canonical_is_the_same_for_the_same_settings(tmp_path: Path) -> None:
    one = parse("limits: {max_body: 1MiB}\nlisten: 127.0.0.1:8080\n" + SITE, base=tmp_path)
    other = parse(SITE + "limits: {max_body: 1048576}  # a comment\n", base=Path("/elsewhere"))
    assert one.canonical() == other.canonical()
    assert one.canonical() != parse(SITE).canonical()


def test_canonical_holds_no_addresses_of_people() -> None:
    config = parse(
        "reviewer: {email: leads@acme.example}\nlists: {deny: [{name: spam, emails: [jo@rival.example]}]}\n" + SITE
    )
    text = config.canonical().decode()
    assert "leads@acme" not in text
    assert "jo@rival" not in text
    assert json.loads(text)["lists"]["deny"][0]["emails"][0].startswith("sha256:")
    assert (
        text
        != parse(
            "reviewer: {email: leads@acme.example}\nlists: {deny: [{name: spam, emails: [x@rival.example]}]}\n" + SITE
        )
        .canonical()
        .decode()
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(SITE).listen = Address("127.0.0.1", 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/offer*", "/offer", True),
        ("/offer*", "/offers/spring", True),
        ("/offer*", "/x/offer", False),
        ("/offer", "/offer/", False),
        ("/*/deal", "/a/b/deal", True),
        ("/*/deal", "/deal", False),
        ("/a*b*c", "/a1b2c", True),
        ("/a*b*c", "/acb", False),
        ("/a.c", "/abc", False),
        ("/*", "/line\nbreak", True),
        ("/a**b", "/ab", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert bool(re.fullmatch(pattern_regex(pattern), path, re.DOTALL)) is matches


def test_patterns_take_linear_time() -> None:
    assert not re.fullmatch(pattern_regex("/*a*a*a*a*a*a*a*b"), "/" + "a" * 20_000, re.DOTALL)


def test_success() -> None:
    success = good("enforce").sites[0].forms[0].success
    assert success.accepts(302, "/thanks?id=1", "")
    assert not success.accepts(302, "/form?error=1", "")
    assert not success.accepts(302, None, "")
    assert not success.accepts(200, "/thanks", "")
    body = (
        parse(
            "sites: [{name: m, origin: http://o, forms: [{name: q, path: /q, honeypot: x, success: {body: 'thank*you'}}]}]"
        )
        .sites[0]
        .forms[0]
        .success
    )
    assert body.accepts(200, None, "<p>Many thanks to\nyou!</p>".replace("thanks to", "thank all of"))
    assert not body.accepts(200, None, "<p>Please correct the address</p>")


def test_kinds_of_networks_of_one_s_own() -> None:
    config = parse("geoip: {kinds: {AS64501: business, 64500: unknown}}\n" + SITE)
    assert config.geoip.own_kinds == ((64500, ""), (64501, "business"))


@pytest.mark.parametrize(
    "kinds", ["{AS64500: office}", "{AS0: business}", "{ASx: business}", "{AS4294967296: business}"]
)
def test_kinds_that_are_none_are_refused(kinds: str) -> None:
    with pytest.raises(ConfigError):
        parse(f"geoip: {{kinds: {kinds}}}\n" + SITE)

"""Every visitor of the corpus gets the signals, the verdict and the quality that its folder says. See README.md
here."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from ruamel.yaml import YAML

from detectors import run
from detectors.anomaly.model import Models
from detectors.behaviour import Campaign, Company, Journey, MailDomain, Pointer, Similar
from detectors.observation import (
    Click,
    Client,
    Count,
    Duplicate,
    Kind,
    Lead,
    Observation,
    Page,
    RenderToken,
    Request,
    ReverseName,
    Session,
    Unavailable,
    Velocity,
)
from detectors.reference import CampaignSettings, FormSettings, Reference, SiteSettings
from detectors.signal import Signal
from geoip.kinds import Kinds
from geoip.network import Network
from geoip.reader import NetworkReader
from rules.loader import load
from rules.ruleset import Ruleset
from rules.verdict import Verdict

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/input.yaml"))

INPUT = {
    "story",
    "kind",
    "browser",
    "headers",
    "head",
    "scheme",
    "complete",
    "ordered",
    "address",
    "network",
    "lead",
    "honeypot",
    "velocity",
} | {
    "session",
    "click",
    "reverse",
    "token",
    "duplicate",
    "mail",
    "similar",
    "journey",
    "campaign",
    "page_campaign",
    "company",
    "pointer",
    "settings",
    "site_settings",
    "model",
}
EXPECTED = {"signals", "absent", "silent", "decision", "quality", "ivt", "history"}

ORDINARY_ADDRESS = "84.160.1.1"
ORDINARY_NETWORK = {"asn": 3320, "organisation": "Deutsche Telekom AG", "country": "DE"}
ORDINARY_LEAD = {
    "email": "maria.keller@web.de",
    "phone": "+49 30 901820",
    "full_name": "Maria Keller",
    "message": "Please send me a quote for a roof of 80 square metres.",
}
ORDINARY_TOKEN = {"state": "valid", "age_ms": 48_000, "uses": 1}
ORDINARY_COUNTS = {
    f"{dimension}/{window}": [1, 1]
    for dimension in ("address", "browser", "session")
    for window in (60, 600, 3600, 86400)
}


def _yaml(path: Path) -> dict[str, Any]:
    content = YAML(typ="safe").load(path)
    assert isinstance(content, dict), path
    return content


@cache
def _reader() -> NetworkReader:
    return NetworkReader()


@cache
def _reference() -> Reference:
    return Reference.builtin()


@cache
def _models(role: str, kind: Kind) -> Models:
    """The site has a model of made-up usual traffic, which counts ("active") or is tried out ("shadow")."""
    from usual_rows import model

    return Models.of(**({"active": {}, "shadow": {}} | {role: {("acme", kind): model(kind)}}))


@cache
def _rules() -> Ruleset:
    return load()


@cache
def _browsers() -> dict[str, Any]:
    return _yaml(HERE / "browsers.yaml")


def observation(case: dict[str, Any]) -> Observation:
    """The observation that an `input.yaml` describes."""
    assert not case.keys() - INPUT, f"not known in input.yaml: {case.keys() - INPUT}"
    kind = Kind(case.get("kind", "landing"))
    submission = kind is Kind.SUBMISSION
    session = {
        "kind": "derived",
        "id": "0a1b",
        "age_s": 50 if submission else 0,
        "landings": 1,
        "submissions": int(submission),
    }
    return Observation(
        kind=kind,
        site="acme",
        at=1_790_000_000_000_000,
        page=Page("www.acme.example", "/lead" if submission else "/offer", case.get("page_campaign", {})),
        client=Client(case.get("address", ORDINARY_ADDRESS), 50_000),
        request=_request(case, kind),
        network=_network(case),
        velocity=_velocity(case),
        session=_fact(Session, case.get("session", {}), session),
        click=_fact(
            Click, case.get("click"), {"platform": "google", "parameter": "gclid", "digest": "ab", "length": 90}
        ),
        reverse=_fact(ReverseName, case.get("reverse"), {}),
        lead=_lead(case) if submission else None,
        token=_fact(RenderToken, case.get("token", {}), ORDINARY_TOKEN) if submission else None,
        duplicate=_fact(Duplicate, case.get("duplicate", {}), {}) if submission else None,
        mail=_fact(MailDomain, case.get("mail"), {"exists": True, "hosts": ["mx.example"]}),
        similar=_fact(Similar, case.get("similar"), {"seen": 1, "networks": 1, "words": 12}),
        journey=_fact(Journey, case.get("journey"), {}),
        campaign=_fact(Campaign, case.get("campaign"), {}),
        company=_fact(Company, case.get("company"), {}),
        pointer=_fact(Pointer, case.get("pointer"), {}),
    )


def _fact(of: type, given: Any, ordinary: dict[str, Any]) -> Any:
    if given is None:
        return None
    if isinstance(given, str):
        return Unavailable(given)
    assert not given.keys() - get_type_hints(of).keys(), (
        f"{of.__name__} has no {given.keys() - get_type_hints(of).keys()}"
    )
    return msgspec.convert({"fact": of.__struct_config__.tag, **ordinary, **given}, of)  # type: ignore[attr-defined]


def _request(case: dict[str, Any], kind: Kind) -> Request:
    flags = {name: case[name] for name in ("complete", "ordered") if name in case}
    scheme = case.get("scheme", "https")
    if "head" in case:
        first, *lines = case["head"].rstrip("\n").split("\n")
        method, target, version = first.split(" ")
        pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Request(method, target, tuple(pairs), version.removeprefix("HTTP/"), scheme, **flags)
    method = "POST" if kind is Kind.SUBMISSION else "GET"
    rows = _browsers()[case.get("browser", "chrome-windows")][method.lower()]
    changes = dict(case.get("headers", {}))
    pairs = []
    for row in rows:
        ((name, value),) = row.items()
        value = changes.pop(name, value)
        if value is not None:
            pairs.append((name, str(value)))
    pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
    return Request(
        method, "/lead" if kind is Kind.SUBMISSION else "/offer?gclid=x", tuple(pairs), "1.1", scheme, **flags
    )


def _network(case: dict[str, Any]) -> Network | Unavailable:
    given = case.get("network")
    if isinstance(given, str):
        return Unavailable(given)
    labels = _reader().lookup(case["address"]).labels if "address" in case else ()
    if given is None:
        given = {} if labels else ORDINARY_NETWORK
    network = msgspec.convert({"fact": "network", "labels": list(labels), **given}, Network)
    if "kind" in given:
        return network
    stated = tuple(label for label in network.labels if label.endswith(":database"))
    published = tuple(label for label in network.labels if label not in stated)
    kind = Kinds.builtin().of(network.asn, network.organisation, published, stated)
    return msgspec.structs.replace(network, kind=kind)


def _velocity(case: dict[str, Any]) -> Velocity | Unavailable:
    given = case.get("velocity", {})
    if isinstance(given, str):
        return Unavailable(given)
    return Velocity.of({key: Count(*numbers) for key, numbers in {**ORDINARY_COUNTS, **given}.items()})


def _lead(case: dict[str, Any]) -> Lead | Unavailable:
    given = case.get("lead", {})
    if isinstance(given, str):
        return Unavailable(given)
    values = {name: value for name, value in {**ORDINARY_LEAD, **given}.items() if value is not None}
    roles = {name: tuple(value) if isinstance(value, list) else (value,) for name, value in values.items()}
    fields = tuple((name, value) for name, several in roles.items() for value in several)
    return Lead("quote", fields, roles, tuple(case.get("honeypot", ())))


def judge(
    obs: Observation, settings: dict[str, Any], site: dict[str, Any] | None = None, model: str = ""
) -> tuple[list[Signal], Verdict]:
    form, of_site = FormSettings(**_tuples(settings)), _site(site or {})
    reference = replace(_reference(), anomaly=_models(model, obs.kind)) if model else _reference()
    signals, failures = run(obs, reference.with_site(of_site).with_form(form))
    assert not failures
    return signals, _rules().judge(signals, obs, _rules().policy(obs.kind))


def _site(given: dict[str, Any]) -> SiteSettings:
    campaigns = [
        CampaignSettings(each["name"], tuple(each["match"].items()), tuple(each["countries"]))
        for each in given.get("campaigns", ())
    ]
    return SiteSettings(**_tuples(given | {"campaigns": campaigns}))


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


@pytest.mark.parametrize("name", CASES)
def test_corpus(name: str) -> None:
    case, expected = _yaml(HERE / name / "input.yaml"), _yaml(HERE / name / "expected.yaml")
    assert case["story"]
    assert not expected.keys() - EXPECTED, f"not known in expected.yaml: {expected.keys() - EXPECTED}"
    signals, verdict = judge(
        observation(case), case.get("settings", {}), case.get("site_settings", {}), case.get("model", "")
    )
    shown = [(signal.id, signal.evidence) for signal in signals]
    by_id = {reason.signal: list(reason.evidence) for reason in verdict.reasons}  # composites add some
    by_id |= {signal.id: list(signal.evidence) for signal in signals}
    for wanted, evidence in expected.get("signals", {}).items():
        assert wanted in by_id, shown
        assert evidence == "*" or by_id[wanted] == evidence, shown
    for unwanted in expected.get("absent", ()):
        assert not any(
            found == unwanted or (unwanted.endswith(".") and found.startswith(unwanted)) for found in by_id
        ), shown
    if expected.get("silent"):
        weighing = {reason.signal for reason in verdict.reasons if reason.counted > 0}
        assert not weighing - expected.get("signals", {}).keys(), shown
    told = (verdict.decision.value, verdict.quality, verdict.ivt.value, verdict.decided_by, shown)
    if "decision" in expected:
        allowed = [expected["decision"]] if isinstance(expected["decision"], str) else expected["decision"]
        assert verdict.decision.value in allowed, told
    if "quality" in expected:
        low, high = expected["quality"]
        assert low <= verdict.quality <= high, told
    if "ivt" in expected:
        assert verdict.ivt.value == expected["ivt"], told


@pytest.mark.parametrize("name", sorted(path.parent.name for path in HERE.glob("*/innocent.yaml")))
def test_the_person_who_looks_like_it(name: str) -> None:
    case, expected = _yaml(HERE / name / "innocent.yaml"), _yaml(HERE / name / "expected.yaml")
    assert case["story"]
    signals, verdict = judge(observation(case), case.get("settings", {}), case.get("site_settings", {}))
    shown = [(signal.id, signal.evidence) for signal in signals]
    assert not {signal.id for signal in signals} & expected["signals"].keys(), shown
    assert verdict.decision.value == "accept", (verdict.decided_by, shown)


def test_every_folder_is_complete() -> None:
    assert CASES
    for name in CASES:
        assert (HERE / name / "expected.yaml").is_file(), name

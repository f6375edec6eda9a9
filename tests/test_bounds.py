"""Every bound of the listener and of the origin's client is a setting that reaches it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from gateway.bounds import intake_limits, upstream_settings
from gateway.config import Config, parse
from gateway.config.limits import Limits as LimitSettings
from gateway.config.limits import UpstreamLimits
from gateway.intake.limits import Limits

FORM = {"max_body", "form_fields", "form_parts", "form_depth"}  # read where forms are


def config(limits: str = "{}", upstream: str = "{}") -> Config:
    text = f"limits: {limits}\nupstream: {upstream}\nsites: [{{name: a, origin: 'http://127.0.0.1:9'}}]\n"
    return parse(text.encode(), name="leadgate.yaml", base=Path(), environ={})


def changed(default: object) -> str:
    assert isinstance(default, int | float)
    return str(default + 1)


def test_each_limit_changes_one_bound_of_the_listener() -> None:
    plain = intake_limits(config())
    reached = set()
    for name, field in LimitSettings.model_fields.items():
        if name in FORM:
            continue
        other = intake_limits(config(limits=f"{{{name}: {changed(field.default)}}}"))
        differ = {f.name for f in fields(plain) if getattr(plain, f.name) != getattr(other, f.name)}
        assert len(differ) == 1, name
        reached |= differ
    assert reached == {f.name for f in fields(plain)}


def test_each_upstream_setting_changes_one_bound_of_the_client() -> None:
    def settings(of: Config) -> object:
        return upstream_settings(of, of.sites[0])

    plain = upstream_settings(config(), config().sites[0])
    reached = {"ca_file"}
    for name, field in UpstreamLimits.model_fields.items():
        other = settings(config(upstream=f"{{{name}: {changed(field.default)}}}"))
        differ = {f.name for f in fields(plain) if getattr(plain, f.name) != getattr(other, f.name)}
        assert len(differ) == 1, name
        reached |= differ
    assert reached == {f.name for f in fields(plain)}


def test_what_all_visitors_may_take_is_divided_among_the_workers() -> None:
    given = config(
        limits="{connections: 10, connections_per_address: 2, in_flight_bytes: 90000000, max_body: 25000000}"
    )
    parts = [intake_limits(given, workers) for workers in (1, 3, 4)]
    assert [part.connections for part in parts] == [10, 4, 3]
    assert [part.connections_per_address for part in parts] == [2, 1, 1]
    assert [part.body_bytes_in_flight for part in parts] == [90_000_000, 30_000_000, 25_000_000], (
        "room for the largest form"
    )
    one, three = vars_of(parts[0]), vars_of(parts[1])
    assert {name for name in one if one[name] != three[name]} == {
        "connections", "connections_per_address", "body_bytes_in_flight",
    }  # fmt: skip


def vars_of(limits: Limits) -> dict[str, object]:
    return {field.name: getattr(limits, field.name) for field in fields(limits)}

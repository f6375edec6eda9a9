"""Where decisions must not rest on where a person comes from, nothing of the kind is taken note of."""

from __future__ import annotations

from pathlib import Path

from detectors.observation import Kind
from detectors.signal import Signal
from rules.loader import load

SIGNALS = [Signal("phone.country", ("CH", "DE")), Signal("email.disposable", ("mailinator.com",))]


def test_sensitive_signals_are_off_for_an_origin_blind_route_and_on_for_others() -> None:
    rules = load()
    blind, seeing = rules.policy(Kind.SUBMISSION, origin_blind=True), rules.policy(Kind.SUBMISSION)
    assert [signal.id for signal in blind.noted(SIGNALS)] == ["email.disposable"]
    assert seeing.noted(SIGNALS) == SIGNALS


def test_an_operator_may_call_a_signal_sensitive_and_the_rules_are_others_then(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "email.yaml").write_text(
        "group: email\nsignals:\n  email.disposable: {sensitive: name}\n", "utf-8"
    )
    rules = load(local_dir=tmp_path)
    assert rules.policy(Kind.SUBMISSION, origin_blind=True).noted(SIGNALS) == []
    assert rules.content_hash() != load().content_hash()


def test_what_is_said_about_a_signal_for_the_reference_changes_no_generation(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "email.yaml").write_text(
        "group: email\nsignals:\n  email.disposable: {why: it goes, evidence: the domain, innocent: the careful}\n",
        "utf-8",
    )
    assert load(local_dir=tmp_path).content_hash() == load().content_hash()

"""Clicks that are counted as invalid while their visitors are served: nothing beside the count may hold anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from detectors.observation import Count, Observation, Session, Velocity
from detectors.signal import Signal
from geoip.network import Network
from rules.loader import load
from rules.verdict import Decision, Verdict

Make = Callable[..., Observation]
RULES = load()
OF_FORMS = {"company", "crossing", "email", "form", "lead", "name", "phone", "text", "token"}
OF_FORMS_TOO = {"session.fast", "session.many_contacts", "campaign.form_flood", "click.no_landing"}
NEVER = {"campaign.night_burst"}
"""In a flood: it is told instead of one."""
BESIDE = sorted(
    weight.id
    for weight in RULES.weights.values()
    if weight.millis > 0
    and weight.group not in OF_FORMS | {"combined"}
    and weight.id not in OF_FORMS_TOO | NEVER
    and not weight.id.endswith("submission")
)
"""What a page view can be told of."""

COUNTED = {
    "combined.flood_click": ("campaign.flood", "campaign.excess_click"),
    "combined.ad_clicker": ("click.many_from_one",),
}
OFFICE = Velocity.of({"address/86400": Count(40, 3), "paid/86400": Count(40, 40)})


def judged(landing: Make, counted: str, beside: Iterable[str] = ()) -> Verdict:
    names = dict.fromkeys((*COUNTED[counted], *beside))
    kinds = [name.removeprefix("network.") for name in names if name.startswith("network.")]
    kind = next((kind for kind in kinds if kind != "language_country"), "consumer")
    obs = landing(network=Network(kind=kind), velocity=OFFICE, session=Session("cookie", "ab", 900, 2))
    return RULES.judge([Signal(name, ("x", "y", "z")) for name in names], obs, RULES.policy(obs.kind))


def counts(verdict: Verdict, counted: str) -> bool:
    return any(reason.signal == counted and reason.counted for reason in verdict.reasons)


@pytest.mark.parametrize("counted", COUNTED)
def test_who_is_counted_is_held_by_nothing_else(landing: Make, counted: str) -> None:
    assert counts(judged(landing, counted), counted)
    allowed = [name for name in BESIDE if counts(judged(landing, counted, [name]), counted)]
    assert "network.language_country" in allowed  # some may stand beside it
    assert [name for name in allowed if judged(landing, counted, [name]).decision is not Decision.ACCEPT] == []
    assert judged(landing, counted, allowed).decision is Decision.ACCEPT  # not all of them together either

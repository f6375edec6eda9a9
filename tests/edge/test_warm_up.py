"""Before the first visitor: every matcher is used once, nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors import agent_patterns
from detectors.observation import Unavailable
from detectors.reference import Reference
from gateway import log as logging
from gateway.config import parse
from gateway.edge.warm_up import AGENTS, ROUNDS, warm_up
from gateway.generation import Generation, build
from gateway.upstream.client import Upstream
from geoip.network import Network
from rules import loader

YAML = """
sites:
  - name: acme
    origin: http://127.0.0.1:9000
    landing_pages: [{path: "/offer*"}]
    forms: [{name: quote, path: /lead, fields: {email: email, phone: phone, full_name: name}}]
"""


def generation(text: str = YAML) -> Generation:
    config = parse(text.encode(), name="leadgate.yaml", base=Path(), environ={})
    return build(config, loader.load(), Reference.builtin(), "none", lambda site: Upstream(site.origin))


async def test_made_up_visits_reach_every_stage_without_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    troubles: list[str] = []
    monkeypatch.setattr(logging, "log", type("Log", (), {"error": lambda self, event, **_: troubles.append(event)})())
    asked: list[str] = []

    def network(address: str) -> Network | Unavailable:
        asked.append(address)
        return Network()

    made = generation()
    assert await warm_up(made, network, lambda agent, known: True) == 2 * ROUNDS * len(AGENTS)
    assert len(asked) == 2 * ROUNDS * len(AGENTS)
    agents = made.sites[0].landings[0].judgement.reference.agents
    assert isinstance(agents, agent_patterns.Agents)
    assert agents.declared.cache_info().currsize >= len(AGENTS)  # type: ignore[attr-defined]
    assert troubles == []


async def test_a_gateway_that_only_passes_on_has_nothing_to_warm_up() -> None:
    plain = generation("sites: [{name: acme, origin: 'http://127.0.0.1:9000'}]")
    assert await warm_up(plain, lambda address: Network(), lambda agent, known: True) == 0

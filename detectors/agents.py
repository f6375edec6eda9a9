"""What the user agent declares itself to be. Anybody can send any user agent, so this never decides alone; only an attack written into it, or the name of an
attack tool, does: no real visitor produces those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.observation import Observation
from detectors.signal import Signal

if TYPE_CHECKING:
    from detectors.reference import Reference

_SIGNALS = {
    "scanner": "bot.scanner",
    "http_library": "bot.http_library",
    "headless": "bot.headless",
    "monitor": "bot.monitor",
    "crawler": "bot.declared_crawler",
    "unusual": "bot.unusual_agent",
    "empty": "bot.empty_agent",
}


def detect(obs: Observation, ref: Reference) -> Iterator[Signal]:
    agent = obs.request.header("user-agent")
    if agent is None and not obs.request.complete:
        return  # an access log or a partial assess call: nobody knows what it was
    declared = ref.agents.declared(agent or "")
    if declared.kind == "browser" and "HeadlessChrome" in (obs.request.header("sec-ch-ua") or ""):
        yield Signal(
            "bot.headless", ("sec-ch-ua HeadlessChrome",)
        )  # the user agent was changed, the hints were forgotten
    signal = _SIGNALS.get(declared.kind)
    if signal is not None:
        yield Signal(signal, (declared.token,) if declared.token else ())

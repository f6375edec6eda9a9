"""run(): signals in the order of the detectors; one that fails is contained and told."""

from __future__ import annotations

from collections.abc import Iterator

from detectors import DETECTORS, run
from detectors.observation import Client, Kind, Observation, Page, Request, Unavailable
from detectors.reference import FormSettings, Reference
from detectors.signal import Signal

OBS = Observation(
    Kind.LANDING,
    "s",
    0,
    Page("h", "/"),
    Client("192.0.2.1"),
    Request("GET", "/", (("User-Agent", "curl/8"),)),
    Unavailable("off"),
    Unavailable("off"),
)


def good(obs: Observation, ref: Reference) -> Iterator[Signal]:
    yield Signal("a.good")


def breaks_half_way(obs: Observation, ref: Reference) -> Iterator[Signal]:
    yield Signal("b.before")
    raise KeyError("x")


def test_a_failure_is_contained_and_named() -> None:
    signals, failures = run(OBS, Reference.builtin(), (good, breaks_half_way, good))
    assert [signal.id for signal in signals] == ["a.good", "b.before", "a.good"]
    assert failures == [(__name__.removeprefix("detectors."), "KeyError")]


def test_every_detector_survives_missing_facts() -> None:
    signals, failures = run(OBS, Reference.builtin())
    assert failures == []
    assert "bot.http_library" in {signal.id for signal in signals}
    assert len({detect.__module__ for detect in DETECTORS}) == len(DETECTORS)


def test_content_hash_follows_the_lists_not_the_settings() -> None:
    ref = Reference.builtin()
    assert ref.content_hash == Reference.builtin().content_hash
    assert ref.with_form(FormSettings(min_seconds=9)).content_hash == ref.content_hash

    class Other:
        content_hash = "other"

    assert Reference.builtin(agents=Other()).content_hash != ref.content_hash

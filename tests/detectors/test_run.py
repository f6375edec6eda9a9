"""run(): signals in the order of the detectors; one that fails is contained and told."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import DETECTORS, reference, run
from detectors.data_files import content
from detectors.observation import Client, Kind, Lead, Observation, Page, Request, Unavailable
from detectors.reference import FormSettings, Reference
from detectors.signal import Signal

REF = Reference.builtin()
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
    signals, failures = run(OBS, REF, (good, breaks_half_way, good))
    assert [signal.id for signal in signals] == ["a.good", "b.before", "a.good"]
    assert failures == [(__name__.removeprefix("detectors."), "KeyError")]


def test_every_detector_survives_missing_facts() -> None:
    signals, failures = run(OBS, REF)
    assert failures == []
    assert "bot.http_library" in {signal.id for signal in signals}
    assert len({detect.__module__ for detect in DETECTORS}) == len(DETECTORS)


def test_what_is_left_out_where_no_form_was_posted_would_have_said_nothing() -> None:
    every = (*list(DETECTORS),)
    assert every is not DETECTORS
    for kind in Kind:
        obs = msgspec.structs.replace(OBS, kind=kind)
        assert run(obs, REF) == run(obs, REF, every)
    with_lead = msgspec.structs.replace(OBS, lead=Lead("quote", (("website", "x"),), honeypot=("x",)))
    assert "form.honeypot" in {signal.id for signal in run(with_lead, REF)[0]}


def test_content_hash_follows_the_lists_not_the_settings() -> None:
    ref = Reference.builtin()
    assert ref.content_hash == Reference.builtin().content_hash
    assert ref.with_form(FormSettings(min_seconds=9)).content_hash == ref.content_hash

    class Other:
        content_hash = "other"

    assert Reference.builtin(agents=Other()).content_hash != ref.content_hash


KNOWN = "User-Agent Referer Accept Accept-Language Accept-Encoding Upgrade-Insecure-Requests Host Via sec-ch-ua sec-ch-ua-mobile"
FETCH = "sec-ch-ua-platform Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Sec-Fetch-User"
NAMES = st.sampled_from(sorted(f"{KNOWN} {FETCH}".split())) | st.text(max_size=12)
BROWSERS = st.sampled_from(
    [
        "Mozilla/5.0 (Windows NT 10.0) Chrome/144.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/153.0",
        "Mozilla/5.0 (iPhone) Version/26.6 Mobile/1 Safari/604.1",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
    ]
)
LATIN = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=80)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(NAMES, LATIN | BROWSERS), max_size=20),
    BROWSERS | LATIN,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_no_head_trips_a_detector(
    headers: list[tuple[str, str]], agent: str, https: bool, ordered: bool, post: bool
) -> None:
    request = Request(
        "POST" if post else "GET",
        "/",
        (("User-Agent", agent), *headers),
        scheme="https" if https else "http",
        ordered=ordered,
    )
    obs = msgspec.structs.replace(OBS, request=request, kind=Kind.SUBMISSION if post else Kind.LANDING)
    signals, failures = run(obs, REF)
    assert failures == []
    for signal in signals:
        assert all(len(text) <= 300 for text in signal.evidence)
        assert len(agent) < 60 or agent not in signal.evidence


def test_content_hash_follows_tables_that_no_list_of_the_reference_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = Reference.builtin()
    hashes = {ref.content_hash}
    for name in reference.HELD:
        monkeypatch.setattr(reference, "content", lambda file, name=name: b"other" if file == name else content(file))
        reference._held.cache_clear()
        hashes.add(ref.content_hash)
    monkeypatch.setattr(reference, "content", content)
    for name in reference.LIBRARIES:
        monkeypatch.setattr(reference, "version", lambda asked, name=name: "0" if asked == name else version(asked))
        reference._held.cache_clear()
        hashes.add(ref.content_hash)
    reference._held.cache_clear()
    assert len(hashes) == 1 + len(reference.HELD) + len(reference.LIBRARIES)


def test_what_a_module_reads_when_it_is_imported_is_named() -> None:
    read = set()
    for path in Path(reference.__file__).parent.rglob("*.py"):
        for statement in ast.parse(path.read_text()).body:
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
                read |= {
                    call.args[0].value
                    for call in calls
                    if isinstance(call.func, ast.Name) and call.func.id in ("load", "content") and isinstance(call.args[0], ast.Constant)
                }  # fmt: skip
    assert read == set(reference.HELD)

"""The parts of the detection table: absent lists are said, addresses are spread evenly, recordings are read as they are meant."""

from __future__ import annotations

import ipaddress
from importlib import import_module
from pathlib import Path

import pytest

from bench import detection
from bench.grounds import copies, data, mouse, networks
from bench.grounds.judge import Judge, landing
from bench.table import Absent
from detectors.observation import Kind


def test_a_list_that_is_absent_is_said_and_never_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data, "DATA", tmp_path)
    assert detection.main(["agents", "referrers", "networks", "emails", "mouse", "log"]) == 0
    told = capsys.readouterr().out
    for name, file in (
        ("agents", "bots.tsv"),
        ("referrers", "referrer_spam_dated.csv"),
        ("mouse", "trajectories.jsonl.gz"),
    ):
        assert f"\n{name}: not measured" in told
        assert file in told
    assert told.count("not measured") == 6


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert detection.main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in detection.PARTS if name != "forest"])
def test_every_part_has_its_rows(name: str) -> None:
    assert callable(import_module(detection.PARTS[name]).rows)


def test_lists_are_read_and_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "DATA", tmp_path)
    (tmp_path / "list.txt").write_text("a\n\nb\n")
    assert data.lines("list.txt") == ["a", "b"]
    assert data.thinned(range(10), 5) == [0, 2, 4, 6, 8]
    assert data.thinned([1, 2], 5) == [1, 2]
    with pytest.raises(Absent, match=r"no\.txt"):
        data.lines("no.txt")


def test_large_networks_get_as_many_addresses_as_they_have() -> None:
    found = networks._by_addresses([ipaddress.ip_network("10.0.0.0/16"), ipaddress.ip_network("10.8.0.0/15")])
    assert len(found) == networks.SAMPLE
    assert sum(address.startswith("10.0.") for address in found) == pytest.approx(networks.SAMPLE / 3, abs=1)


def test_shares_of_the_screen_become_pixels() -> None:
    events = [
        [0.0, "Pressed", 0.5, 0.5],
        [10.0, "Move", 0.25, 1.0],
        [20.0, "Released", 0.25, 1.0],
        [30.0, "Wheel", 0, 0],
    ]
    read = mouse._events({"events": events, "resolution": [1000.0, 500.0]})
    assert read == [(0.0, "down", 500.0, 250.0), (10.0, "move", 250.0, 500.0), (20.0, "up", 250.0, 500.0)]
    pixels = mouse._events({"events": [[0.0, "Move", 704.0, 386.0]], "resolution": [1000.0, 500.0]})
    assert pixels == [(0.0, "move", 704.0, 386.0)]


def test_a_copy_by_a_library_is_found_and_the_browser_itself_is_not() -> None:
    scorer = Judge.shipped().scorers(copies._observe, ("header",), Kind.LANDING)[0]
    (head,) = [head for head in copies.copies(lambda pairs: pairs, ("chrome-windows",)) if head[0] == "get"]
    (copy,) = [head for head in copies.copies(copies.LIBRARIES["requests"], ("chrome-windows",)) if head[0] == "get"]
    assert scorer.score(head) == 0
    assert scorer.score(copy) > 0


def test_who_is_let_in_at_once_scores_nothing_and_a_failing_detector_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge.shipped()
    agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    proven = landing([("User-Agent", agent)], networks.reader().lookup("66.249.66.1"))
    assert judge.scores(proven).whole == 0
    assert judge.scores(landing([("User-Agent", "sqlmap/1.8")])).whole >= judge.held_from(Kind.LANDING)
    monkeypatch.setattr("bench.grounds.judge.run", lambda obs, ref: ([], [("email", "KeyError")]))
    with pytest.raises(RuntimeError, match="email"):
        judge.verdict(proven)

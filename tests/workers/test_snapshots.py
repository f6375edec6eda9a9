"""What workers counted adds up and never falls, whoever comes and goes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.metrics import Metrics, Snapshot, together
from gateway.workers.snapshots import REMEMBERED, RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.make({"XDG_RUNTIME_DIR": str(tmp_path)})


def counted(requests: int, **more: object) -> Snapshot:
    return Snapshot({"leadgate_requests\x1facme\x1fform": requests}, {"facts": (0.5, requests)}, **more)  # type: ignore[arg-type]


def shown(run: RunDirectory, name: str, own: Snapshot) -> Snapshot:
    return together([own, *run.others(name)])


def requests(snapshot: Snapshot) -> int:
    return snapshot.counts.get("leadgate_requests\x1facme\x1fform", 0)


def test_nobody_else_looks_into_the_directory(run: RunDirectory) -> None:
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    run.remove()
    assert not run.path.exists()


def test_without_a_place_in_memory_it_is_made_where_temporary_files_are() -> None:
    made = RunDirectory.make({"XDG_RUNTIME_DIR": "/nowhere"})
    assert made.path.is_dir()
    made.remove()


def test_each_worker_sees_the_others(run: RunDirectory) -> None:
    run.write("0", counted(3, gauges={"leadgate_connections": 2.0}, advice=("look",)))
    run.write("1", counted(4, gauges={"leadgate_connections": 5.0}))
    seen = shown(run, "1", counted(4, gauges={"leadgate_connections": 5.0}))
    assert (requests(seen), seen.sums, seen.gauges, seen.advice) == (
        7, {"facts": (1.0, 7)}, {"leadgate_connections": 7.0}, ("look",),
    )  # fmt: skip


def test_what_a_worker_counted_outlives_it_and_its_gauges_do_not(run: RunDirectory) -> None:
    reader = RunDirectory(run.path)
    run.write("0", counted(3, gauges={"leadgate_connections": 2.0}, advice=("look",)))
    run.write("1", counted(4))
    run.fold("0")
    seen = shown(reader, "1", counted(4))
    assert (requests(seen), seen.gauges, seen.advice) == (7, {}, ())
    run.write("2", counted(1))
    run.fold("1")
    run.fold("1")
    run.fold("never started")
    assert requests(shown(reader, "2", counted(1))) == 8


def test_one_who_goes_while_others_read_is_counted_once(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RunDirectory(run.path)
    run.write("0", counted(3))
    files = list(reader._files())
    run.fold("0")
    monkeypatch.setattr(reader, "_files", lambda: iter(files))
    assert requests(shown(reader, "1", Snapshot())) == 3


def test_what_the_parent_counts_is_shown_by_the_workers(run: RunDirectory) -> None:
    run.count("leadgate_worker_restarts", "ended")
    run.count("leadgate_worker_restarts", "ended")
    metrics = Metrics()
    metrics.others = lambda: RunDirectory(run.path).others("0")
    assert b'leadgate_worker_restarts_total{reason="ended"} 2.0' in metrics.exposition()


def test_few_names_are_kept(run: RunDirectory) -> None:
    for number in range(REMEMBERED + 10):
        run.write(str(number), counted(1))
        run.fold(str(number))
    assert len(run._gone.names) == REMEMBERED
    assert requests(shown(run, "none", Snapshot())) == REMEMBERED + 10


def test_the_last_orphan_takes_the_directory_along(run: RunDirectory) -> None:
    run.write("0", counted(1))
    run.write("1", counted(1))
    run.count("leadgate_worker_restarts", "ended")
    run.leave("0")
    assert run.path.is_dir()
    run.leave("1")
    assert not run.path.exists()
    run.leave("1")

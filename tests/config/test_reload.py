"""Reloading: what is noticed, what is put in force, and that the old settings stay where anything is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, load
from gateway.reload import MAX_FILES, NeedsRestart, Reloader, directories, fingerprint, restart_keys

TEXT = "{top}sites: [{{name: main, origin: http://127.0.0.1:9000, mode: {mode}, landing_pages: [{{path: /}}]}}]\n"
PATIENCE_S = 20  # how long a test waits for what must happen; nothing depends on how fast it does


def text(mode: str = "monitor", top: str = "") -> str:
    return TEXT.format(mode=mode, top=top)


class Spy:
    """Takes what the reloader hands over, and can be told to fail."""

    def __init__(self, path: Path, poll_s: float) -> None:
        self.path = path
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.errors: list[Exception] = []
        self.broken: Exception | None = None
        self.builders: set[int] = set()
        self.reloader = Reloader(
            path, load(path, environ={}), self.build, self.swap, self.error, environ={}, settle_s=0.02, poll_s=poll_s
        )

    def build(self, config: Config) -> str:
        self.builders.add(threading.get_ident())
        if self.broken is not None:
            raise self.broken
        return f"built for {config.sites[0].mode}"

    def swap(self, config: Config, built: str) -> None:
        assert threading.get_ident() == threading.main_thread().ident
        self.events.put_nowait(built)

    def error(self, error: Exception) -> None:
        self.errors.append(error)
        self.events.put_nowait(f"refused: {error}")

    async def next(self) -> str:
        return await asyncio.wait_for(self.events.get(), PATIENCE_S)


@asynccontextmanager
async def running(path: Path, poll_s: float = 10 * PATIENCE_S) -> AsyncIterator[Spy]:
    spy = Spy(path, poll_s)
    task = asyncio.create_task(spy.reloader.run())
    try:
        yield spy
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "leadgate.yaml"
    file.write_text(text())
    return file


def saved_in_place(path: Path, content: str) -> None:
    path.write_text(content)


def saved_by_rename(path: Path, content: str) -> None:
    beside = path.with_name("leadgate.yaml.tmp")
    beside.write_text(content)
    beside.replace(path)


def saved_by_delete(path: Path, content: str) -> None:
    path.unlink()
    path.write_text(content)


@pytest.mark.parametrize("save", [saved_in_place, saved_by_rename, saved_by_delete])
async def test_a_saved_file_is_taken_up(path: Path, save: Callable[[Path, str], None]) -> None:
    async with running(path) as spy:
        save(path, text("tag"))
        assert await spy.next() == "built for tag"
        save(path, text("monitor", top="# again\n"))
        assert await spy.next() == "built for monitor"
        assert spy.reloader.current.sites[0].mode == "monitor"


async def test_files_are_looked_at_where_nothing_can_be_watched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise OSError(28, "no inotify watches left")

    monkeypatch.setattr("gateway.reload.awatch", exhausted)
    async with running(path, poll_s=0.05) as spy:
        path.write_text(text("tag"))
        assert await spy.next() == "built for tag"


async def test_files_are_looked_at_where_the_file_system_tells_nothing(tmp_path: Path) -> None:
    """A file on another file system, behind a directory nobody watches."""
    path = tmp_path / "leadgate.yaml"
    path.write_text(text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.reload.directories", lambda *_: frozenset({Path("/proc/self")}))
        async with running(path, poll_s=0.1) as spy:
            path.write_text(text("tag"))
            assert await spy.next() == "built for tag"


async def test_a_configmap_is_taken_up(tmp_path: Path) -> None:
    """Kubernetes mounts leadgate.yaml -> ..data/leadgate.yaml and ..data -> a dated directory, and swaps the second link."""

    def publish(number: int, mode: str) -> None:
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "leadgate.yaml").write_text(text(mode))
        (tmp_path / "..tmp").symlink_to(f"..{number}")
        (tmp_path / "..tmp").replace(tmp_path / "..data")

    publish(1, "monitor")
    path = tmp_path / "leadgate.yaml"
    path.symlink_to("..data/leadgate.yaml")
    async with running(path) as spy:
        for number, mode in enumerate(("tag", "monitor", "tag"), 2):
            publish(number, mode)
            (tmp_path / f"..{number - 1}" / "leadgate.yaml").unlink()
            (tmp_path / f"..{number - 1}").rmdir()
            assert await spy.next() == f"built for {mode}"


async def test_a_link_to_elsewhere_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "real.yaml").write_text(text())
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "leadgate.yaml"
    path.symlink_to(elsewhere / "real.yaml")
    assert {elsewhere, tmp_path / "etc"} <= directories(path, load(path, environ={}))
    async with running(path) as spy:
        (elsewhere / "real.yaml").write_text(text("tag"))
        assert await spy.next() == "built for tag"


async def test_rules_and_databases_are_watched(tmp_path: Path) -> None:
    rules = tmp_path / "rules" / "weights"
    rules.mkdir(parents=True)
    (tmp_path / "geo.mmdb").write_bytes(b"1")
    path = tmp_path / "leadgate.yaml"
    path.write_text(text(top="rules: {directory: rules}\ngeoip: {database: geo.mmdb}\n"))
    async with running(path) as spy:
        (rules / "email.yaml").write_text("email.disposable: {band: low}\n")
        assert await spy.next() == "built for monitor"
        saved_by_rename(tmp_path / "geo.mmdb", "2")
        assert await spy.next() == "built for monitor"


async def test_files_named_by_new_settings_are_watched(path: Path, tmp_path: Path) -> None:
    (tmp_path / "deep" / "rules").mkdir(parents=True)
    async with running(path) as spy:
        path.write_text(text(top="rules: {directory: deep/rules}\n"))
        assert await spy.next() == "built for monitor"
        (tmp_path / "deep" / "rules" / "a.yaml").write_text("{}\n")
        assert await spy.next() == "built for monitor"


async def test_who_else_writes_beside_the_settings_wakes_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []

    def counted(file: Path, config: Config) -> frozenset[tuple[str, str, int, int, int]]:
        looks.append(file)
        return fingerprint(file, config)

    monkeypatch.setattr("gateway.reload.fingerprint", counted)
    async with running(path) as spy:
        saved_in_place(path, text("tag"))
        assert await spy.next() == "built for tag"
        await asyncio.sleep(0.5)  # looks that the save itself brought
        before = len(looks)
        for number in range(10):
            path.with_name("leadgate.db-wal").write_bytes(b"x" * number)
            await asyncio.sleep(0.15)  # longer than changes are gathered
        assert len(looks) == before
        saved_in_place(path, text("monitor"))
        assert await spy.next() == "built for monitor"


async def test_sighup_reloads_what_did_not_change(path: Path) -> None:
    async with running(path) as spy:
        await asyncio.sleep(0)  # the handler is set when the task first runs
        os.kill(os.getpid(), signal.SIGHUP)
        assert await spy.next() == "built for monitor"


async def test_broken_settings_leave_the_old_ones(path: Path) -> None:
    async with running(path) as spy:
        before = spy.reloader.current
        path.write_text(text("enforced"))
        assert "enforced" in await spy.next()
        assert isinstance(spy.errors[0], ConfigError)
        assert spy.reloader.current is before
        path.write_text(text("tag"))
        assert await spy.next() == "built for tag"


async def test_a_file_that_went_away_leaves_the_old_settings(path: Path) -> None:
    async with running(path) as spy:
        path.unlink()
        assert "there is no such file" in await spy.next()
        path.write_text(text("tag"))
        assert await spy.next() == "built for tag"


@pytest.mark.parametrize(
    "error", [ValueError("a rule is wrong"), OSError("no such database"), ZeroDivisionError(), MemoryError()]
)
async def test_whatever_building_raises_leaves_the_old_settings(path: Path, error: Exception) -> None:
    spy = Spy(path, 1)
    before = spy.reloader.current
    spy.broken = error
    path.write_text(text("tag"))
    assert not await spy.reloader.reload()
    assert spy.errors == [error]
    assert spy.reloader.current is before
    spy.broken = None
    assert await spy.reloader.reload()
    assert spy.reloader.current.sites[0].mode == "tag"


async def test_what_the_swap_raises_leaves_the_old_settings(path: Path) -> None:
    spy = Spy(path, 1)
    before = spy.reloader.current
    spy.reloader._on_swap = lambda config, built: (_ for _ in ()).throw(RuntimeError("no"))  # type: ignore[assignment]
    assert not await spy.reloader.reload()
    assert spy.reloader.current is before


async def test_building_happens_beside_the_event_loop(path: Path) -> None:
    spy = Spy(path, 1)
    assert await spy.reloader.reload()
    assert spy.builders
    assert threading.main_thread().ident not in spy.builders


@pytest.mark.parametrize("what", ["settings", "rules"])
async def test_a_change_while_building_is_not_lost(tmp_path: Path, what: str) -> None:
    (tmp_path / "rules").mkdir()
    path = tmp_path / "leadgate.yaml"
    top = "rules: {directory: rules}\n"
    path.write_text(text(top=top))
    async with running(path) as spy:
        started, go_on = threading.Event(), threading.Event()
        inner = spy.build

        def slow(config: Config) -> str:
            started.set()
            assert go_on.wait(PATIENCE_S)
            return inner(config)

        spy.reloader._build = slow
        path.write_text(text("tag", top=top))
        assert await asyncio.to_thread(started.wait, PATIENCE_S)
        if what == "settings":
            path.write_text(text("monitor", top=top + "# later\n"))
        else:
            (tmp_path / "rules" / "email.yaml").write_text("{}\n")
        go_on.set()
        assert await spy.next() == "built for tag"
        assert await spy.next() == ("built for monitor" if what == "settings" else "built for tag")


@pytest.mark.parametrize(
    ("top", "keys"),
    [
        ("listen: 127.0.0.1:9999\n", ("listen",)),
        ("listeners: [{address: 127.0.0.1:9999}]\n", ("listeners",)),
        ("admin: {listen: 127.0.0.1:9998}\n", ("admin",)),
        ("store: sqlite:///other.db\n", ("store",)),
        ("keys: {directory: other}\nstore: sqlite:///other.db\n", ("store", "keys")),
        ("limits: {connections: 5000}\n", ("limits",)),
        ("evidence_queue: 1000\n", ("evidence_queue",)),
        ("dns: {servers: [192.0.2.53]}\n", ("dns",)),
        ("log: {level: debug}\n", ("log",)),
        ("listeners: [{address: 127.0.0.1:8080}]\n", ()),
        ("store: sqlite:///./var/leadgate.db\n", ()),
        ("upstream: {pool_size: 3}\njournal_deadline_ms: 20\n", ()),
    ],
)
async def test_what_needs_a_restart_is_refused_whole(path: Path, top: str, keys: tuple[str, ...]) -> None:
    spy = Spy(path, 1)
    path.write_text(text("tag", top=top))
    assert restart_keys(spy.reloader.current, load(path, environ={})) == keys
    assert await spy.reloader.reload() is not bool(keys)
    if keys:
        (error,) = spy.errors
        assert isinstance(error, NeedsRestart)
        assert error.keys == keys
        assert str(error) == f"{', '.join(keys)} changed and needs a restart; nothing in the new file was applied"
        assert spy.reloader.current.sites[0].mode == "monitor"


def test_looking_at_the_files_is_bounded(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 50):
        (tmp_path / f"{number}.yaml").touch()
    path = tmp_path / "leadgate.yaml"
    path.write_text(text(top="rules: {directory: .}\n"))
    assert len(fingerprint(path, load(path, environ={}))) <= MAX_FILES + 2


def test_a_rules_directory_that_goes_away_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    path = tmp_path / "leadgate.yaml"
    path.write_text(text(top="rules: {directory: rules}\n"))
    config = load(path, environ={})
    before = fingerprint(path, config)
    (tmp_path / "rules").rmdir()
    assert fingerprint(path, config) != before
    assert directories(path, config) == {tmp_path}

"""Takes up changed settings while the gateway runs: built aside, swapped in whole, the old ones kept if anything is wrong.

Changes are noticed by watching the directories the files are in (saving by rename and the symlink swap of a Kubernetes ConfigMap replace the file
itself), and by a slow look at the files for file systems that tell nothing. Settings that sockets or open files depend on need a restart: a file that
changes one of them is refused whole, so that what runs is always exactly one file and never a mixture of two.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from watchfiles import Change, awatch

from gateway.config import RESTART_KEYS, Config, ConfigError, load
from gateway.log import log

T = TypeVar("T")
Fingerprint = frozenset[tuple[str, str, int, int, int]]

_NO_SIGNALS = (NotImplementedError, RuntimeError, ValueError)  # not the main thread, or a system without SIGHUP

MAX_FILES = 2000
"""Most files looked at below `rules.directory`; a directory named by mistake (/) must not keep the process busy."""
SETTLE_ROUNDS = 20
"""How often a file that keeps changing is waited for; then it is read as it is."""


class NeedsRestart(Exception):
    """The new settings change what cannot be changed in a running process; nothing of them was applied.

    keys  the top-level settings that differ
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        super().__init__(f"{', '.join(keys)} changed and needs a restart; nothing in the new file was applied")


def warn(config: Config) -> None:
    for problem in config.warnings:
        log.warning("settings warning", problem=str(problem))


def tell_refused(error: Exception) -> list[str]:
    """Logs why changed settings are not taken up; answers the problems."""
    problems = [str(problem) for problem in error.problems] if isinstance(error, ConfigError) else [str(error)]
    needs_restart = isinstance(error, NeedsRestart)
    remedy = "restart the gateway" if needs_restart else "correct the file; the old settings stay in force"
    log.error("reload refused", problems=problems, remedy=remedy)
    return problems


def restart_keys(old: Config, new: Config) -> tuple[str, ...]:
    """The settings that differ and need a restart, by name; another way of writing the same value is no difference."""
    same = {"listen": old.addresses == new.addresses, "listeners": old.addresses == new.addresses}
    same |= {"store": _store(old) == _store(new), "keys": old.keys_path == new.keys_path}
    differing = [key for key in RESTART_KEYS if not same.get(key, getattr(old, key) == getattr(new, key))]
    if "listen" in differing:
        differing.remove("listeners" if not new.listeners else "listen")
    return tuple(differing)


def _store(config: Config) -> object:
    return config.store_place if config.store_place.shared else config.store_path


class Reloader(Generic[T]):
    """Keeps `current` equal to the file.

    path      the settings file
    current   the settings in force at the start
    build     makes what the process runs on from settings; called in a thread, may take long, may raise
    on_swap   puts it in force: called in the event loop with the new settings and what was built from them
    on_error  told of every reload that came to nothing (ConfigError, NeedsRestart, whatever `build` raised), in the event loop
    settle_s  how long the files must be unchanged before they are read
    poll_s    how often they are looked at where the file system tells nothing of changes
    """

    def __init__(
        self,
        path: str | Path,
        current: Config,
        build: Callable[[Config], T],
        on_swap: Callable[[Config, T], None],
        on_error: Callable[[Exception], None],
        *,
        environ: Mapping[str, str] = os.environ,
        settle_s: float = 0.2,
        poll_s: float = 10.0,
    ) -> None:
        self.path = Path(path)
        self.current = current
        self._build = build
        self._on_swap = on_swap
        self._on_error = on_error
        self._environ = environ
        self._settle_s = settle_s
        self._poll_s = poll_s
        self._wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        self._moved = asyncio.Event()  # other directories may have to be watched
        self._seen = fingerprint(self.path, current)

    def request(self) -> None:
        """Asks for a reload, whether anything changed or not. For the event loop's thread."""
        self._wanted.set()

    async def run(self, watch: bool = True) -> None:
        """Reloads when it is asked to, until it is cancelled.

        watch  also when the files change or SIGHUP comes, where the loop can take signals; a worker is told by its parent
        """
        if not watch:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self.reload()
        loop = asyncio.get_running_loop()
        with suppress(*_NO_SIGNALS):
            loop.add_signal_handler(signal.SIGHUP, self.request)
        watcher = asyncio.create_task(self._watch())
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self.reload()
                await self._look()
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            with suppress(*_NO_SIGNALS):
                loop.remove_signal_handler(signal.SIGHUP)

    async def reload(self) -> bool:
        """Reads, builds and swaps once; True if the new settings are in force. Errors go to `on_error`."""
        async with self._lock:
            try:
                self._seen = await self._settled()
                config, seen, built = await asyncio.to_thread(self._prepare)
                self._on_swap(config, built)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with new settings must not stop what runs; on_error counts it
                self._on_error(error)
                return False
            self.current = config
            if _of(self._seen, self.path) != _of(seen, self.path):
                self._wanted.set()  # saved once more while it was being read
            self._seen = seen
            self._moved.set()
            return True

    def _prepare(self) -> tuple[Config, Fingerprint, T]:
        config = load(self.path, environ=self._environ)
        if keys := restart_keys(self.current, config):
            raise NeedsRestart(keys)
        seen = fingerprint(self.path, config)  # before building, so that what changes meanwhile is noticed
        return config, seen, self._build(config)

    async def _settled(self) -> Fingerprint:
        """The state of the files once it has stopped changing: an editor may write in several steps."""
        seen = await asyncio.to_thread(fingerprint, self.path, self.current)
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(self._settle_s)
            now = await asyncio.to_thread(fingerprint, self.path, self.current)
            if now == seen:
                break
            seen = now
        return seen

    async def _look(self) -> None:
        async with self._lock:
            if await asyncio.to_thread(fingerprint, self.path, self.current) != self._seen:
                self._wanted.set()

    async def _watch(self) -> None:
        while True:
            self._moved = stop = asyncio.Event()  # before looking where to watch, so that no move is missed
            places = await asyncio.to_thread(directories, self.path, self.current)
            try:
                await self._watch_in(places, stop)
            except (OSError, RuntimeError):  # no inotify watches left, or a directory that went away: look by hand
                await asyncio.sleep(self._poll_s)
            await self._look()

    async def _watch_in(self, places: frozenset[Path], stop: asyncio.Event) -> None:
        """Looks at the files after each sign of change, until other directories than these have to be watched."""
        names, folders = await asyncio.to_thread(_looked_at, self.path, self.current)
        signs = awatch(
            *places,
            watch_filter=_Matters(names, folders),
            debounce=100,
            recursive=False,
            stop_event=stop,
            yield_on_timeout=True,
            rust_timeout=max(1, int(self._poll_s * 1000)),
        )
        try:
            await self._look()  # what changed before the watch began
            async for _ in signs:
                await self._look()
                if await asyncio.to_thread(directories, self.path, self.current) != places:
                    return
        finally:
            stop.set()


def _named(path: Path, config: Config) -> Iterator[Path]:
    """The files whose change means a reload, and directories of rules with everything in them (at most MAX_FILES)."""
    yield path
    yield from (database for database in config.databases if database is not None)
    yield from config.feed_files
    if config.model.enabled:  # written last of a model's files, so that each new model is one reload
        yield from islice(config.models_path.glob("*/*/standing.json"), MAX_FILES)
    yield from (config.resolve(site.origin_ca) for site in config.sites if site.origin_ca is not None)
    if config.rules_path is not None:
        walk = os.walk(config.rules_path)  # passes over what cannot be read or goes away meanwhile
        yield config.rules_path
        yield from islice((Path(place, name) for place, below, files in walk for name in (*below, *files)), MAX_FILES)


def fingerprint(path: Path, config: Config) -> Fingerprint:
    """What tells one state of the files from another: real path, inode, size and time of change of each; -1 where there is none."""
    found = set()
    for file in _named(path, config):
        try:
            state = file.stat()
            found.add((str(file), os.path.realpath(file), state.st_ino, state.st_size, state.st_mtime_ns))
        except OSError:
            found.add((str(file), "", -1, -1, -1))
    return frozenset(found)


def directories(path: Path, config: Config) -> frozenset[Path]:
    """The directories to watch: those the files are in, each step of a symbolic link included; missing ones are left out."""
    names, folders = _looked_at(path, config)
    return frozenset(place for place in {name.parent for name in names} | folders if place.is_dir())


def _looked_at(path: Path, config: Config) -> tuple[frozenset[Path], frozenset[Path]]:
    """The names whose change matters, each step of a symbolic link included; and the directories of which everything matters."""
    names: set[Path] = set()
    folders: set[Path] = set()
    for file in _named(path, config):
        at = file.absolute()
        for _ in range(8):  # links to links: Kubernetes uses two
            names.add(at)
            if at.is_dir():
                folders.add(at)
            linked = next((step for step in (at, *at.parents) if step.is_symlink()), None)
            if linked is None:
                break
            names.add(linked)
            at = linked.parent / os.readlink(linked) / at.relative_to(linked)
    return frozenset(names), frozenset(folders)


class _Matters:
    """Tells changes that are worth a look. Others write in those directories too: a store beside the settings, many times a second."""

    def __init__(self, names: frozenset[Path], folders: frozenset[Path]) -> None:
        self._names = frozenset(name.name for name in names)
        self._folders = frozenset(os.path.realpath(folder) for folder in folders)

    def __call__(self, change: Change, path: str) -> bool:
        parent, name = os.path.split(path)
        return name in self._names or (bool(self._folders) and os.path.realpath(parent) in self._folders)


def _of(seen: Fingerprint, path: Path) -> list[tuple[str, str, int, int, int]]:
    return [state for state in seen if state[0] == str(path)]

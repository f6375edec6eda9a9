"""What the workers of one gateway tell each other: small files in a directory that the parent makes and removes.

Each worker writes what it counted once a second, and at its end; whoever is asked at /metrics or /readyz writes its own and reads the others'. What a
worker counted outlives it: the parent adds its last file to one that holds all who are gone. So what is shown never falls, whoever answers and
whoever dies: a worker shows nothing of its own that it has not written.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from gateway.metrics import Snapshot, together

EVERY_S = 1.0
"""Seconds between two files of a worker: a worker that is killed takes no more than that with it."""

REMEMBERED = 64
"""How many of those who are gone are known by name, for readers that saw the file of one who was just added."""

_GONE = "gone"


class _Gone(msgspec.Struct, frozen=True):
    """All who are gone: what they counted together, and the names of the last ones."""

    counted: Snapshot = Snapshot()
    names: tuple[str, ...] = ()


_read_snapshot = msgspec.json.Decoder(Snapshot).decode
_read_gone = msgspec.json.Decoder(_Gone).decode


class RunDirectory:
    """`path` is there and this process may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._gone = _Gone()

    @classmethod
    def make(cls, environ: Mapping[str, str] = os.environ) -> RunDirectory:
        """A new one that only this user can look into, in memory where the system has such a place. Raises OSError."""
        named = (environ.get("RUNTIME_DIRECTORY", "").split(":")[0], environ.get("XDG_RUNTIME_DIR"), "/run")
        for place in (*named, tempfile.gettempdir()):
            if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
                return cls(Path(tempfile.mkdtemp(prefix="leadgate-", dir=place)))  # mode 0700
        raise OSError(f"{tempfile.gettempdir()}: the workers find no directory to write to; name one in TMPDIR")

    # a worker

    def write(self, name: str, snapshot: Snapshot) -> None:
        """Raises OSError, for example where the disk is full or the directory was removed."""
        self._replace(name, msgspec.json.encode(snapshot))

    def others(self, name: str) -> list[Snapshot]:
        """What all but `name` counted, those who are gone included."""
        found = {file: _read_snapshot(content) for file, content in self._files() if file != name}
        gone = self._read_gone()  # after the others: one that is added to it meanwhile is known by name
        return [gone.counted, *(snapshot for file, snapshot in found.items() if file not in gone.names)]

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for file in sorted(self.path.glob("[0-9]*")):
            if file.suffix == "":
                with suppress(FileNotFoundError):  # its worker is gone, and it was added to the others
                    yield file.name, file.read_bytes()

    def _read_gone(self) -> _Gone:
        try:
            return _read_gone((self.path / _GONE).read_bytes())
        except FileNotFoundError:
            return _Gone()

    def leave(self, name: str) -> None:
        """For a worker whose parent died: nobody adds its file to anything. The last one takes the directory with it."""
        with suppress(OSError):
            (self.path / name).unlink(missing_ok=True)
            if not any(self._files()):
                shutil.rmtree(self.path)

    # the parent

    def count(self, *name_and_labels: str) -> None:
        """Counts something that no worker can count. Raises OSError."""
        counted = together([self._gone.counted, Snapshot({"\x1f".join(name_and_labels): 1})])
        self._keep(msgspec.structs.replace(self._gone, counted=counted))

    def fold(self, name: str) -> None:
        """The worker of that name is gone: adds what it counted to the others who are. Raises OSError."""
        file = self.path / name
        try:
            last = _read_snapshot(file.read_bytes())
        except FileNotFoundError:
            return  # it never got as far
        counted = together([self._gone.counted, Snapshot(last.counts, last.sums)])
        self._keep(_Gone(counted, (*self._gone.names, name)[-REMEMBERED:]))
        file.unlink()

    def _keep(self, gone: _Gone) -> None:
        self._gone = gone
        self._replace(_GONE, msgspec.json.encode(gone))

    def _replace(self, name: str, content: bytes) -> None:
        beside = self.path / f"{name}.new"
        beside.write_bytes(content)
        beside.replace(self.path / name)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

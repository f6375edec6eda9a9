"""One of several worker processes, as it sees itself: its seat, its sockets, and the line to the parent.

The line is a pair of sockets. The parent writes RELOAD, LEAVE and STOP, the worker READY, APPLIED, REFUSED and FAILED, each on a line of its own, with
what there is to say behind it. The end of the line means that the parent died: nobody would replace this worker or stop it, so it stops by itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gateway.intake.sharing import Seats, Share
from gateway.log import seldom
from gateway.metrics import Snapshot
from gateway.workers.snapshots import EVERY_S, RunDirectory

READY: Final = "ready"
"""Visitors are served."""
APPLIED: Final = "applied"
"""The changed settings are in force."""
REFUSED: Final = "refused"
"""They are not, and why."""
FAILED: Final = "failed"
"""The worker cannot start, and why."""

RELOAD: Final = "reload"
"""Take up the changed settings."""
LEAVE: Final = "leave"
"""Another worker has taken your place: finish what is under way and end."""
STOP: Final = "stop"
"""The whole gateway stops: finish what is under way and end."""
ORPHANED: Final = "orphaned"
"""The parent died. Nobody writes this; it is what the end of the line means."""

BEAT_S = 1.0
"""Seconds between two signs that the event loop turns. The parent takes a worker for stuck after many of them (`Patience.hung`)."""

MOST_BYTES = 2000
"""Longest message: it fits into the socket's buffer, so that writing never waits."""


class Line:
    """One end of the line between parent and worker."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._begun = b""

    def say(self, word: str, detail: str = "") -> None:
        """Never waits; what cannot be said, because the other side is gone, is not said."""
        text = f"{word} {' '.join(detail.split())}".strip().encode()[:MOST_BYTES]
        with suppress(OSError):
            self.sock.send(text + b"\n")

    def hear(self) -> list[tuple[str, str]] | None:
        """What was said since the last time, as word and detail; None when the other side is gone and all was heard."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._begun = (self._begun + data).split(b"\n")
        said = [line.decode("utf-8", "replace").partition(" ") for line in lines]
        return [(word, detail) for word, _, detail in said]


@dataclass
class Worker:
    """What the parent gives a worker.

    seat     its number among all: unlike any other that runs now, and the same again for the successor of one that died
    name     its name among all that ever ran under this parent
    workers  how many serve visitors together
    public, admin  the listening sockets, which all workers share
    """

    seat: int
    name: str
    workers: int
    public: Sequence[socket.socket]
    admin: Sequence[socket.socket]
    seats: Seats
    directory: RunDirectory
    line: Line
    orphaned: bool = False

    @property
    def share(self) -> Share:
        return Share(self.seats, self.seat)

    def attend(self, loop: asyncio.AbstractEventLoop, told: Callable[[str], None]) -> None:
        """Calls `told` with each word of the parent, and with ORPHANED at the end; and shows the parent that the event loop turns."""

        def beat() -> None:
            self.seats.beat(self.seat)
            loop.call_later(BEAT_S, beat)

        def heard() -> None:
            said = self.line.hear()
            if said is None:
                loop.remove_reader(self.line.sock)
                self.orphaned = True
                told(ORPHANED)
                return
            for word, _ in said:
                told(word)

        loop.add_reader(self.line.sock, heard)
        beat()

    def publish(self, snapshot: Snapshot) -> None:
        try:
            self.directory.write(self.name, snapshot)
        except OSError as error:  # the counts of this worker stand still for the others, and everything else goes on
            seldom("worker metrics", reason=error.strerror, remedy=f"look at {self.directory.path}")

    async def keep_published(self, take: Callable[[], Snapshot]) -> None:
        """Tells the others what this worker counts, until it is cancelled."""
        while True:
            self.publish(take())
            await asyncio.sleep(EVERY_S)

    def others(self, take: Callable[[], Snapshot]) -> list[Snapshot]:
        """What all others counted. Tells them first what this worker did, so that nothing is shown that would be gone with it."""
        self.publish(take())
        return self.directory.others(self.name)

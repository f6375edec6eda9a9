"""Accepting on a listening socket that several workers share, so that each gets its part of the connections.

The parent owns one socket for all workers: what waits in its queue survives the end of any of them. The kernel wakes every worker for a
connection and the first to come gets it, which is not fair: with the event loop's own accepting, 64 keep-alive connections opened at once went to
two workers as 32:32 in some runs and as 64:0 in others (uvloop 0.23, two cores, eight runs each), and so they did with one accept for each sign
of readiness and with EPOLLEXCLUSIVE. One socket a worker (SO_REUSEPORT) spread them by chance, 24:40 at worst, but what waits in the queue of a
worker that died waits for its successor. So the workers tell each other how many connections they have, in a page of memory they share, and one
that has more than its part leaves the next to the others for a moment: between 30:34 and 32:32 in 15 of 16 rounds with other work on the machine, and
14:50 once, where a worker did not get a processor for a while. Who has the fewest gets the next, also where the few long connections of a proxy are
all there is.
"""

from __future__ import annotations

import asyncio
import mmap
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from gateway.log import seldom

DEFER_S = 0.002
"""How long a connection is left to workers that have fewer. They take it up within microseconds unless they are busy or dead."""
AT_ONCE = 16
"""Most connections taken after that without looking again: one, and twice as many each time the others did not come."""
EXHAUSTED_S = 0.1
"""Pause after the system refused to hand out a connection (no file descriptors): it would be asked again at once, for ever."""

_ABSENT = -1


class Seats:
    """How many connections each worker has, in memory that a process and all it forks share. A seat is a place for one worker at a time.

    A worker writes to its own seat only; the parent clears that of a dead one. Each seat also holds a number that goes up as long as its worker's
    event loop turns.
    """

    def __init__(self, count: int) -> None:
        self._page = mmap.mmap(-1, 2 * 4 * count)  # anonymous and shared: it goes with the last process that has it
        both = memoryview(self._page).cast("i")
        self._seats, self._beats = both[:count], both[count:]
        for seat in range(count):
            self._seats[seat] = _ABSENT

    def take(self, seat: int) -> None:
        """From now on connections come to this seat."""
        self._seats[seat] = 0

    def leave(self, seat: int) -> None:
        """From now on they do not."""
        self._seats[seat] = _ABSENT

    def add(self, seat: int, connections: int) -> None:
        if self._seats[seat] != _ABSENT:
            self._seats[seat] += connections

    def beat(self, seat: int) -> None:
        self._beats[seat] += 1

    def beats(self, seat: int) -> int:
        return self._beats[seat]

    @property
    def connections(self) -> list[int]:
        """Of each worker that takes visitors."""
        return [found for found in self._seats if found != _ABSENT]

    def is_turn_of(self, seat: int) -> bool:
        """Has this worker no more than an eighth over the least that one has?"""
        least = min((found for found in self._seats if found != _ABSENT), default=0)
        return self._seats[seat] <= least + least // 8


class Share:
    """One worker's part of what comes to the shared sockets."""

    def __init__(self, seats: Seats, seat: int) -> None:
        self._seats = seats
        self._seat = seat

    def take(self) -> None:
        self._seats.take(self._seat)

    def leave(self) -> None:
        self._seats.leave(self._seat)

    def add(self, connections: int) -> None:
        self._seats.add(self._seat, connections)

    @property
    def due(self) -> bool:
        return self._seats.is_turn_of(self._seat)


class Taker:
    """Takes connections from one shared socket until it is closed; the socket stays open in the other processes."""

    def __init__(
        self,
        sock: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        share: Share,
        loop: asyncio.AbstractEventLoop,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.sock = sock
        self._factory = factory
        self._share = share
        self._loop = loop
        self._ssl = ssl_context
        self._pause: asyncio.TimerHandle | None = None
        self._at_once = 1
        self.opening: set[asyncio.Task[object]] = set()
        """Connections that are taken and not yet made."""
        sock.setblocking(False)
        loop.add_reader(sock, self._readable)

    def _readable(self) -> None:
        if self._share.due:
            self._at_once = 1
            self._take()
        else:
            self._rest(DEFER_S)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self.sock)
        self._pause = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        for _ in range(self._at_once):
            if not self._take():
                self._at_once = 1  # the others came
                break
        else:
            self._at_once = min(2 * self._at_once, AT_ONCE)
        if self._pause is None:
            self._loop.add_reader(self.sock, self._readable)

    def _take(self) -> bool:
        """Takes one; False where none is left."""
        try:
            taken, _ = self.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker was quicker, or the visitor is gone already
        except OSError as error:
            seldom("accept failed", str(error.errno), reason=error.strerror, remedy="raise the limit of open files")
            if self._pause is None:
                self._rest(EXHAUSTED_S)
            return False
        self._share.add(1)
        task = self._loop.create_task(self._open(taken))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)
        return True

    async def _open(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, taken, ssl=self._ssl)
        except (OSError, asyncio.CancelledError):  # gone while it was taken, or its TLS handshake failed
            self._share.add(-1)
            with suppress(OSError):
                taken.close()

    def close(self) -> None:
        """Takes no more. What waits in the queue is for the other workers."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self.sock)
        self.sock.close()
